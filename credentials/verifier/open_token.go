package verifier

import (
	"context"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// openToken finds what is neither JSON nor a QR code: an mdoc in CBOR or base64url,
// an SD-JWT VC.
func (v *Verifier) openToken(ctx context.Context, text []byte) (shown, error) {
	if looksLikeMdoc(text) {
		return v.openMdoc(text)
	}
	if !utf8.Valid(text) {
		return shown{}, errNothing
	}
	token := strings.TrimSpace(string(text))
	if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "=")); err == nil && looksLikeMdoc(raw) {
		return v.openMdoc(raw)
	}
	if strings.HasPrefix(token, "ey") && strings.Contains(token, "~") {
		return v.openSDJWT(ctx, token, nil)
	}
	return shown{}, errNothing
}
