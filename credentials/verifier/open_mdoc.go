package verifier

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
)

// openResponse checks an mdoc that a wallet presents: one document in a
// DeviceResponse, signed by its device for this session.
func (v *Verifier) openResponse(text string, b Binding) (shown, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return shown{}, mdoc.ErrMalformed
	}
	documents, err := mdoc.VerifyResponse(raw, b.Transcript, v.mdocTrust())
	timing := error(nil)
	if errors.Is(err, mdoc.ErrExpired) || errors.Is(err, mdoc.ErrNotYetValid) {
		timing, err = err, nil
	}
	if err != nil {
		return shown{}, err
	}
	if len(documents) != 1 {
		return shown{}, fmt.Errorf("%w: one document was asked for", mdoc.ErrMalformed)
	}
	s := v.openDocument(documents[0])
	s.timing, s.holder, s.key = timing, holderProved, documents[0].DeviceKey
	return s, nil
}

// openMdoc checks an mdoc that is not presented by its device: what the issuer gave.
func (v *Verifier) openMdoc(raw []byte) (shown, error) {
	d, err := mdoc.Verify(raw, v.mdocTrust())
	timing := error(nil)
	if errors.Is(err, mdoc.ErrExpired) || errors.Is(err, mdoc.ErrNotYetValid) {
		timing, err = err, nil
	}
	if err != nil {
		return shown{format: dcql.FormatMdoc}, err
	}
	s := v.openDocument(d)
	s.timing = timing
	return s, nil
}

func (v *Verifier) mdocTrust() mdoc.VerifyOptions {
	return mdoc.VerifyOptions{Anchors: v.anchors(), Now: v.Now}
}

func (v *Verifier) openDocument(d mdoc.Verified) shown {
	s := shown{format: dcql.FormatMdoc, types: []string{d.DocType}, authorities: authorities(d.Chain), from: d.ValidFrom, until: d.ValidUntil}
	s.issuer, _ = v.certified(d.Chain)
	root := map[string]any{}
	s.claims = map[string]any{}
	for space, elements := range d.NameSpaces() {
		inside := map[string]any{}
		for name, value := range elements {
			inside[name] = jsonOf(value)
			if _, binary := value.([]byte); !binary {
				s.claims[name] = inside[name]
			}
		}
		root[space] = inside
	}
	s.root = root
	if d.Status != nil {
		s.status = []place{{purpose: tokenStatus, list: d.Status.URI, index: int(d.Status.Index)}}
		if d.Status.URI == "" {
			s.status = []place{{}}
		}
	}
	return s
}

// jsonOf is a CBOR value as JSON has it (RFC 8949, 6.1), for values of a query and
// for people.
func jsonOf(value any) any {
	switch v := value.(type) {
	case []byte:
		return base64.RawURLEncoding.EncodeToString(v)
	case mdoc.FullDate:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case []any:
		all := make([]any, len(v))
		for i, each := range v {
			all[i] = jsonOf(each)
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for name, each := range v {
			all[name] = jsonOf(each)
		}
		return all
	case mdoc.Tagged:
		return jsonOf(v.Content)
	}
	return value
}

// looksLikeMdoc tells an IssuerSigned in CBOR from other bytes: a map of two, the
// first key of which is one of its names.
func looksLikeMdoc(raw []byte) bool {
	if len(raw) < 12 || raw[0] != 0xa2 && raw[0] != 0xbf {
		return false
	}
	head := raw[1:min(len(raw), 16)]
	return slices.ContainsFunc([]string{"\x6anameSpaces", "\x6aissuerAuth"}, func(name string) bool {
		return len(head) >= len(name) && string(head[:len(name)]) == name
	})
}
