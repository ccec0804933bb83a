package sdjwt

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// parts is a token taken apart, by nobody believed yet.
type parts struct {
	signed      string // the issuer's JWT
	token       jws.Token
	claims      map[string]any
	hash        string
	disclosures []string
	binding     string // the KB-JWT; empty: none
}

// take reads an SD-JWT in its compact form, or in the JSON forms of RFC 9901,
// section 8.
func take(raw string) (parts, error) {
	if len(raw) > maxBytes {
		return parts{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxBytes)
	}
	if strings.HasPrefix(strings.TrimLeft(raw, " \t\r\n"), "{") {
		compact, err := fromJSON(raw)
		if err != nil {
			return parts{}, err
		}
		raw = compact
	}
	pieces := strings.SplitN(raw, "~", maxDisclosures+3)
	if len(pieces) < 2 {
		return parts{}, fmt.Errorf("%w: no tilde", ErrMalformed)
	}
	if len(pieces) > maxDisclosures+2 {
		return parts{}, fmt.Errorf("%w: more than %d disclosures", ErrTooLarge, maxDisclosures)
	}
	p := parts{signed: pieces[0], disclosures: pieces[1 : len(pieces)-1], binding: pieces[len(pieces)-1]}
	var err error
	if p.token, err = jws.Parse(p.signed); err != nil {
		return parts{}, err
	}
	if p.claims, err = jws.Object(p.token.Payload); err != nil {
		return parts{}, err
	}
	p.hash = defaultHash
	if v, given := p.claims["_sd_alg"]; given {
		name, ok := v.(string)
		if _, known := hashes[name]; !ok || !known {
			return parts{}, fmt.Errorf("%w: the hash in _sd_alg", ErrUnsupported)
		}
		p.hash = name
	}
	return p, nil
}

// compact is the SD-JWT without key binding, which is what the holder signs.
func (p parts) compact() string {
	var b strings.Builder
	b.WriteString(p.signed)
	b.WriteByte('~')
	for _, d := range p.disclosures {
		b.WriteString(d)
		b.WriteByte('~')
	}
	return b.String()
}

// signature is one signature in the JSON forms; the flattened one has it at the top.
type signature struct {
	Protected string          `json:"protected"`
	Signature string          `json:"signature"`
	Header    json.RawMessage `json:"header"`
}

// fromJSON writes either JSON form as the compact one, over which sd_hash is taken
// in any case.
func fromJSON(raw string) (string, error) {
	if _, err := jws.Object([]byte(raw)); err != nil { // bounds, and no key twice
		return "", err
	}
	var form struct {
		signature
		Payload    string      `json:"payload"`
		Signatures []signature `json:"signatures"`
	}
	if err := json.Unmarshal([]byte(raw), &form); err != nil {
		return "", fmt.Errorf("%w: not a form of JWS", ErrMalformed)
	}
	first := form.signature
	if len(form.Signatures) > 0 {
		if first.Protected != "" || first.Signature != "" || first.Header != nil {
			return "", fmt.Errorf("%w: two forms of JWS at once", ErrMalformed)
		}
		first = form.Signatures[0]
		// More signatures than the first are not asked about; what is disclosed stands
		// with the first alone.
		for _, other := range form.Signatures[1:] {
			header, err := other.unprotected()
			if err != nil || header.Disclosures != nil || header.Binding != nil {
				return "", fmt.Errorf("%w: disclosures beside a later signature", ErrMalformed)
			}
		}
	}
	header, err := first.unprotected()
	if err != nil {
		return "", err
	}
	var binding string
	if header.Binding != nil {
		if binding = *header.Binding; binding == "" {
			return "", fmt.Errorf("%w: an empty kb_jwt", ErrMalformed)
		}
	}
	pieces := append([]string{first.Protected + "." + form.Payload + "." + first.Signature}, header.Disclosures...)
	pieces = append(pieces, binding)
	for _, piece := range pieces {
		if strings.Contains(piece, "~") {
			return "", fmt.Errorf("%w: a tilde in a part", ErrMalformed)
		}
	}
	return strings.Join(pieces, "~"), nil
}

type unprotected struct {
	Disclosures []string `json:"disclosures"`
	Binding     *string  `json:"kb_jwt"`
}

func (s signature) unprotected() (unprotected, error) {
	var header unprotected
	if s.Header == nil {
		return header, nil
	}
	if err := json.Unmarshal(s.Header, &header); err != nil {
		return unprotected{}, fmt.Errorf("%w: the unprotected header", ErrMalformed)
	}
	return header, nil
}

// disclosure is one that was read.
type disclosure struct {
	encoded  string
	property bool // with a name, for an object; otherwise for an array
	name     string
	value    any
}

func readDisclosure(encoded string) (*disclosure, error) {
	raw, err := jws.Bytes(encoded)
	if err != nil {
		return nil, err
	}
	v, err := jws.Value(raw)
	if err != nil {
		return nil, err
	}
	array, _ := v.([]any)
	if len(array) != 2 && len(array) != 3 {
		return nil, fmt.Errorf("%w: a disclosure is an array of two or three", ErrMalformed)
	}
	if _, ok := array[0].(string); !ok {
		return nil, fmt.Errorf("%w: a salt that is not text", ErrMalformed)
	}
	d := &disclosure{encoded: encoded, value: array[len(array)-1]}
	if len(array) == 3 {
		name, ok := array[1].(string)
		if !ok {
			return nil, fmt.Errorf("%w: a name that is not text", ErrMalformed)
		}
		if name == "_sd" || name == "..." || name == "_sd_alg" {
			return nil, fmt.Errorf("%w: in a disclosure", ErrReserved)
		}
		d.property, d.name = true, name
	}
	return d, nil
}
