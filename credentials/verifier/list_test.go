package verifier

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
)

// folded writes bits as a status list does.
func folded(raw []byte) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	must(w.Write(raw))
	w.Close()
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes())
}
