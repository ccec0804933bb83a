package qr

import "fmt"

// alphabet of RFC 9285: what a QR code holds in its alphanumeric mode.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

// encode45 writes bytes as base45 (RFC 9285): two bytes in three characters, a
// last single byte in two.
func encode45(raw []byte) string {
	b := make([]byte, 0, len(raw)/2*3+2)
	for ; len(raw) > 1; raw = raw[2:] {
		n := uint(raw[0])<<8 | uint(raw[1])
		b = append(b, alphabet[n%45], alphabet[n/45%45], alphabet[n/45/45])
	}
	if len(raw) == 1 {
		b = append(b, alphabet[raw[0]%45], alphabet[raw[0]/45])
	}
	return string(b)
}

// decode45 reads base45. There is one text for any bytes, and only that is taken.
func decode45(text string) ([]byte, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: %d characters, at most %d", ErrTooLarge, len(text), maxText)
	}
	if len(text)%3 == 1 {
		return nil, fmt.Errorf("%w: not base45: the length", ErrMalformed)
	}
	raw := make([]byte, 0, len(text)/3*2+1)
	for ; text != ""; text = text[min(3, len(text)):] {
		n, weight := 0, 1
		for _, c := range []byte(text[:min(3, len(text))]) {
			digit := int(value45[c])
			if digit < 0 {
				return nil, fmt.Errorf("%w: not base45: a character", ErrMalformed)
			}
			n += digit * weight
			weight *= 45
		}
		if len(text) == 2 {
			if n > 0xff {
				return nil, fmt.Errorf("%w: not base45: a value", ErrMalformed)
			}
			return append(raw, byte(n)), nil
		}
		if n > 0xffff {
			return nil, fmt.Errorf("%w: not base45: a value", ErrMalformed)
		}
		raw = append(raw, byte(n>>8), byte(n))
	}
	return raw, nil
}
