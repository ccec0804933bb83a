package jws

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Token is a compact JWS that was taken apart. Nothing in it is to be believed
// before Verify.
type Token struct {
	Header  Header
	Payload []byte
	parsed  *jose.JSONWebSignature
}

// Header is what a token says about itself.
type Header struct {
	Algorithm string
	Type      string // without application/
	Content   string // cty, likewise
	KeyID     string
	Chain     []*x509.Certificate // x5c, the leaf first
}

// Parse takes a compact JWS apart and refuses the header parameters that are not
// understood, or that let a stranger say which key is right.
func Parse(token string) (Token, error) {
	if len(token) > maxToken {
		return Token{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(token), maxToken)
	}
	head, _, found := strings.Cut(token, ".")
	if !found || len(head) > maxHeader || strings.Count(token, ".") != 2 {
		return Token{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	raw, err := Bytes(head)
	if err != nil {
		return Token{}, err
	}
	object, err := Object(raw)
	if err != nil {
		return Token{}, err
	}
	t := Token{}
	if t.Header, err = readHeader(object); err != nil {
		return Token{}, err
	}
	if t.parsed, err = jose.ParseSignedCompact(token, taken); err != nil {
		return Token{}, fmt.Errorf("%w: not a compact signature", ErrMalformed)
	}
	t.Payload = t.parsed.UnsafePayloadWithoutVerification()
	return t, nil
}

// Bytes reads base64url without padding, in the one way that each value can be written.
func Bytes(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return raw, nil
}

func readHeader(object map[string]any) (Header, error) {
	var h Header
	for name, to := range map[string]*string{"alg": &h.Algorithm, "typ": &h.Type, "cty": &h.Content, "kid": &h.KeyID} {
		value, given := object[name]
		text, ok := value.(string)
		if given && !ok {
			return Header{}, fmt.Errorf("%w: %s is not text", ErrMalformed, name)
		}
		*to = text
	}
	if !slices.Contains(taken, jose.SignatureAlgorithm(h.Algorithm)) {
		return Header{}, fmt.Errorf("%w: the algorithm", ErrUnsupported)
	}
	// Whoever wrote crit demands that we understand something; we understand none of it.
	for _, name := range []string{"crit", "b64", "zip"} {
		if _, given := object[name]; given {
			return Header{}, fmt.Errorf("%w: the header parameter %s", ErrUnsupported, name)
		}
	}
	h.Type, h.Content = mediaType(h.Type), mediaType(h.Content)
	var err error
	h.Chain, err = readChain(object["x5c"])
	return h, err
}

// mediaType leaves out what RFC 7515 allows to leave out, section 4.1.9. Media types
// know no capitals.
func mediaType(s string) string {
	s = strings.ToLower(s)
	if rest, ok := strings.CutPrefix(s, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return s
}

// Verify checks the signature by a key that the caller trusts.
func (t Token) Verify(key crypto.PublicKey) error {
	alg, err := Algorithm(key)
	if err != nil {
		return err
	}
	if alg != t.Header.Algorithm {
		return fmt.Errorf("%w: it was made by another kind of key", ErrSignature)
	}
	if _, err := t.parsed.Verify(key); err != nil {
		return ErrSignature
	}
	return nil
}
