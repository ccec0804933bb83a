package federation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

const (
	skew         = 10 * time.Second // how far clocks may differ
	maxStatement = 64 << 10
	maxNesting   = 24
)

// signed is a JWT whose signature has yet to be checked. Everything that is signed in
// a federation is read here first.
type signed struct {
	raw    string
	jws    *jose.JSONWebSignature
	header map[jose.HeaderKey]any
	kid    string
	claims map[string]json.RawMessage
}

// open reads a JWT of a type, of at most so many bytes.
func open(raw, kind string, limit int) (signed, error) {
	if len(raw) > limit {
		return signed{}, fmt.Errorf("it has more than %d bytes", limit)
	}
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return signed{}, errors.New("it is no JWT signed with ES256, EdDSA, PS256 or RS256")
	}
	header := jws.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != kind {
		return signed{}, fmt.Errorf("its typ is not %s", kind)
	}
	if header.KeyID == "" {
		return signed{}, errors.New("it has no kid")
	}
	payload := jws.UnsafePayloadWithoutVerification()
	if err := wellFormed(payload); err != nil {
		return signed{}, err
	}
	s := signed{raw: raw, jws: jws, header: header.ExtraHeaders, kid: header.KeyID}
	if err := json.Unmarshal(payload, &s.claims); err != nil || s.claims == nil {
		return signed{}, errors.New("its claims are no JSON object")
	}
	return s, nil
}

// by checks the signature with the key of that kid, and no other.
func (s signed) by(set jose.JSONWebKeySet) bool {
	algorithm := jose.SignatureAlgorithm(s.jws.Signatures[0].Protected.Algorithm)
	for _, key := range set.Key(s.kid) {
		if fits(key, algorithm) {
			_, err := s.jws.Verify(key.Key)
			return err == nil
		}
	}
	return false
}

// has tells whether there is a claim of that name.
func (s signed) has(name string) bool { return s.claims[name] != nil }

// text reads a claim that is a string; empty when it is none.
func (s signed) text(name string) string {
	var value string
	if json.Unmarshal(s.claims[name], &value) != nil {
		return ""
	}
	return value
}

// texts reads a claim that is an array of strings.
func (s signed) texts(name string) ([]string, error) {
	var values []*string
	if err := json.Unmarshal(s.claims[name], &values); err != nil || len(values) == 0 {
		return nil, fmt.Errorf("%s must be an array of strings that is not empty", name)
	}
	result := make([]string, len(values))
	for i, value := range values {
		if value == nil {
			return nil, fmt.Errorf("%s must be an array of strings", name)
		}
		result[i] = *value
	}
	return result, nil
}

// only tells whether a claim, a string or an array, names one party and no other.
func (s signed) only(name, party string) bool {
	if values, err := s.texts(name); err == nil {
		return len(values) == 1 && values[0] == party
	}
	return s.text(name) == party
}

// date reads a claim that is a time; false when it is none.
func (s signed) date(name string) (time.Time, bool) {
	const last = 253402300799 // of the year 9999
	var seconds float64
	raw := s.claims[name]
	if raw == nil || bytes.Equal(raw, []byte("null")) || json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > last || math.IsNaN(seconds) {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// begun tells whether iat lies behind us; lasting whether exp lies before us, or, if
// it need not be there, is left out.
func (s signed) begun(now time.Time) bool {
	issued, ok := s.date("iat")
	return ok && !now.Add(skew).Before(issued)
}

func (s signed) lasting(now time.Time) bool {
	expires, ok := s.date("exp")
	return ok && now.Add(-skew).Before(expires)
}

// wellFormed refuses JSON that two readers may read in two ways (RFC 8259, 4 and 8),
// and nesting that is there to keep us busy.
func wellFormed(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("its claims are no UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := element(d, maxNesting); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its claims")
	}
	return nil
}

func element(d *json.Decoder, left int) error {
	token, err := d.Token()
	if err != nil {
		return errors.New("its claims are no JSON")
	}
	opened, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if left == 0 {
		return errors.New("its claims are nested too deeply")
	}
	seen := make(map[string]bool)
	for d.More() {
		if opened == '{' {
			name, err := d.Token()
			if err != nil {
				return errors.New("its claims are no JSON")
			}
			text, _ := name.(string) // the decoder lets nothing else stand here
			if seen[text] {
				return errors.New("its claims name a member twice")
			}
			seen[text] = true
		}
		if err := element(d, left-1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errors.New("its claims are no JSON")
	}
	return nil
}
