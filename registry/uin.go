package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
)

// ErrNotUIN says that a text is no identity number: a digit is missing or mistyped.
var ErrNotUIN = errors.New("registry: not an identity number")

// UIN names one person for life. Only ParseUIN and the registry make one.
type UIN struct{ digits string }

// MinUINDigits and MaxUINDigits bound the length that a deployment may choose.
const (
	MinUINDigits = 10
	MaxUINDigits = 12
)

// ParseUIN reads a number as people write it: blanks and hyphens are passed over.
func ParseUIN(s string) (UIN, error) {
	s = plainDigits(s)
	if len(s) < MinUINDigits || len(s) > MaxUINDigits || !allowedUIN(s) {
		return UIN{}, ErrNotUIN
	}
	return UIN{s}, nil
}

// String hides all but the last four digits.
func (u UIN) String() string { return mask(u.digits) }

// GoString is String.
func (u UIN) GoString() string { return u.String() }

// LogValue is String.
func (u UIN) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalJSON is String.
func (u UIN) MarshalJSON() ([]byte, error) { return []byte(`"` + u.String() + `"`), nil }

// Reveal is the number: for the database, sealed, and for the person.
func (u UIN) Reveal() string { return u.digits }

// VID stands for a UIN where the UIN need not be shown.
type VID struct{ digits string }

// vidDigits is the length of every VID.
const vidDigits = 16

// ErrNotVID says that a text is no VID.
var ErrNotVID = errors.New("registry: not a virtual identity number")

// ParseVID reads a VID as people write it.
func ParseVID(s string) (VID, error) {
	s = plainDigits(s)
	if len(s) != vidDigits || !allowedVID(s) {
		return VID{}, ErrNotVID
	}
	return VID{s}, nil
}

// String hides all but the last four digits.
func (v VID) String() string { return mask(v.digits) }

// GoString is String.
func (v VID) GoString() string { return v.String() }

// LogValue is String.
func (v VID) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalJSON is String.
func (v VID) MarshalJSON() ([]byte, error) { return []byte(`"` + v.String() + `"`), nil }

// Reveal is the number: for the database, sealed, and for the person.
func (v VID) Reveal() string { return v.digits }

func mask(digits string) string {
	return "••••••" + digits[max(0, len(digits)-4):]
}

func plainDigits(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' || r == '\u202f' {
			return -1
		}
		return r
	}, s)
}

// capacity is how many numbers of each length pass the filters; counted once
// by TestCapacityIsExact.
var capacity = map[int]int64{10: 58_106_898, 11: 403_817_306, 12: 2_773_864_144}

// Capacity is how many UINs of that length there are.
func Capacity(digits int) int64 { return capacity[digits] }

// drawUIN draws uniformly among all allowed numbers of a length: what the
// filters refuse is thrown away, never bent into shape, so that no number is
// likelier than another.
func drawUIN(digits int) (UIN, error) {
	s, err := draw(digits, allowedUIN)
	return UIN{s}, err
}

func drawVID() (VID, error) {
	s, err := draw(vidDigits, allowedVID)
	return VID{s}, err
}

func draw(digits int, allowed func(string) bool) (string, error) {
	// Numbers begin with 2 to 9; the last digit is the checksum.
	lowest := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits-2)), nil)
	span := new(big.Int).Mul(lowest, big.NewInt(8))
	lowest.Mul(lowest, big.NewInt(2))
	for {
		n, err := rand.Int(rand.Reader, span)
		if err != nil {
			return "", fmt.Errorf("drawing a number: %w", err)
		}
		body := n.Add(n, lowest).String()
		if s := body + string(verhoeffDigit(body)); allowed(s) {
			return s, nil
		}
	}
}
