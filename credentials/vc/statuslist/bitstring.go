package statuslist

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// Names that a BitstringStatusListCredential is made of, and the purposes whose bit
// takes a credential out of use.
const (
	TypeCredential = "BitstringStatusListCredential"
	TypeList       = "BitstringStatusList"
	TypeEntry      = "BitstringStatusListEntry"

	Revocation = "revocation"
	Suspension = "suspension"
)

// MinPlaces is the least length of a bitstring list, so that one entry hides among many.
const MinPlaces = 131072

// defaultTTL is for how long a list may be used that does not say (section 2.2).
const defaultTTL = 5 * time.Minute

// Bitstring is the bits of a Bitstring Status List. The first is the most significant
// one of the first byte (section 3.3): the other way round than in a List.
type Bitstring struct{ packed []byte }

// NewBitstring makes a list of at least this many places, none of them set.
func NewBitstring(places int) (Bitstring, error) {
	if places < MinPlaces {
		return Bitstring{}, ErrTooShort
	}
	if places > maxInflated*8 {
		return Bitstring{}, ErrTooLarge
	}
	return Bitstring{packed: make([]byte, (places+7)/8)}, nil
}

// Len is the number of places.
func (b Bitstring) Len() int { return len(b.packed) * 8 }

// At tells whether the bit at a place is set.
func (b Bitstring) At(index int64) (bool, error) {
	if index < 0 || index >= int64(b.Len()) {
		return false, ErrRange
	}
	return b.packed[index/8]&(0x80>>(index%8)) != 0, nil
}

// Set sets the bit at a place.
func (b Bitstring) Set(index int64) error {
	if index < 0 || index >= int64(b.Len()) {
		return ErrRange
	}
	b.packed[index/8] |= 0x80 >> (index % 8)
	return nil
}

// Encode writes the bits as encodedList has them: gzip, in multibase's base64url.
func (b Bitstring) Encode() (string, error) {
	deflated, err := deflate(b.packed, gzip.NewWriterLevel)
	if err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(deflated), nil
}

// ParseBitstring reads an encodedList.
func ParseBitstring(encoded string) (Bitstring, error) {
	digits, ok := strings.CutPrefix(encoded, "u")
	if !ok {
		return Bitstring{}, fmt.Errorf("%w: the list is not multibase's base64url", ErrMalformed)
	}
	deflated, err := jws.Bytes(digits)
	if err != nil {
		return Bitstring{}, err
	}
	packed, err := fromGzip(deflated)
	if err != nil {
		return Bitstring{}, err
	}
	if len(packed) < MinPlaces/8 {
		return Bitstring{}, ErrTooShort
	}
	return Bitstring{packed: packed}, nil
}

// Subject is what the subject of a BitstringStatusListCredential says.
type Subject struct {
	Purposes []string
	TTL      time.Duration // for which the list may be used after it was fetched
	Bits     Bitstring
}

// Claims are the subject as it stands in the credential, but for its id.
func (s Subject) Claims() (map[string]any, error) {
	encoded, err := s.Bits.Encode()
	if err != nil {
		return nil, err
	}
	claims := map[string]any{"type": TypeList, "encodedList": encoded}
	switch len(s.Purposes) {
	case 0:
		return nil, fmt.Errorf("%w: a list without a purpose", ErrMalformed)
	case 1:
		claims["statusPurpose"] = s.Purposes[0]
	default:
		all := make([]any, len(s.Purposes))
		for k, purpose := range s.Purposes {
			all[k] = purpose
		}
		claims["statusPurpose"] = all
	}
	if s.TTL > 0 {
		claims["ttl"] = s.TTL.Milliseconds()
	}
	return claims, nil
}

// ReadSubject reads the subject of a credential whose signature holds.
func ReadSubject(types []string, claims map[string]any) (Subject, error) {
	if !slices.Contains(types, TypeCredential) || claims["type"] != TypeList {
		return Subject{}, ErrMediaType
	}
	s := Subject{TTL: defaultTTL}
	switch purpose := claims["statusPurpose"].(type) {
	case string:
		s.Purposes = []string{purpose}
	case []any:
		for _, each := range purpose {
			text, _ := each.(string)
			s.Purposes = append(s.Purposes, text)
		}
	}
	if len(s.Purposes) == 0 || slices.Contains(s.Purposes, "") {
		return Subject{}, fmt.Errorf("%w: a list without a purpose", ErrMalformed)
	}
	if v, given := claims["ttl"]; given {
		ms, ok := milliseconds(v)
		if !ok {
			return Subject{}, fmt.Errorf("%w: ttl is not a number of milliseconds", ErrMalformed)
		}
		s.TTL = ms
	}
	encoded, _ := claims["encodedList"].(string)
	var err error
	s.Bits, err = ParseBitstring(encoded)
	return s, err
}

// milliseconds reads a number as any of our readers of JSON gives it.
func milliseconds(v any) (time.Duration, bool) {
	f, ok := v.(float64)
	if n, isNumber := v.(json.Number); isNumber {
		parsed, err := n.Float64()
		f, ok = parsed, err == nil
	}
	return time.Duration(f) * time.Millisecond, ok && f >= 0 && f <= maxTTL*1000
}

// Set tells whether the bit of a purpose is set at a place (section 3.2).
func (s Subject) Set(purpose string, index int64) (bool, error) {
	if !slices.Contains(s.Purposes, purpose) {
		return false, ErrPurpose
	}
	return s.Bits.At(index)
}
