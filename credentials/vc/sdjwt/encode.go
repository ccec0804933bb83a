package sdjwt

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// encoder writes claims as JSON and puts digests where they are selective.
type encoder struct {
	decoys      int
	payload     []byte
	disclosures []byte // each with a tilde after it
	random      []byte
	digests     int
	raw         [maxDepth + 2][]byte // for the disclosures at each depth, one after the other
}

// encoders keeps what was grown for one credential for the next.
var encoders = sync.Pool{New: func() any { return &encoder{payload: []byte{}} }}

func (e *encoder) reset(decoys int) {
	e.decoys, e.digests = decoys, 0
	e.payload, e.disclosures = e.payload[:0], e.disclosures[:0]
}

// draw gives n random bytes. They are fetched for many salts at once.
func (e *encoder) draw(n int) []byte {
	if len(e.random) < n {
		e.random = make([]byte, 512)
		_, _ = rand.Read(e.random) // never fails
	}
	drawn := e.random[:n]
	e.random = e.random[n:]
	return drawn
}

func (e *encoder) value(to []byte, v any, f *frame, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return e.object(to, v, f, depth)
	case []any:
		return e.array(to, v, f, depth)
	case []string:
		all := make([]any, len(v))
		for i, text := range v {
			all[i] = text
		}
		return e.array(to, all, f, depth)
	}
	if err := f.fits(false, false); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return append(to, "null"...), nil
	case bool:
		return strconv.AppendBool(to, v), nil
	case int:
		return strconv.AppendInt(to, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(to, v, 10), nil
	case string:
		return quote(to, v)
	case json.Number, float64:
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%w: not a number", ErrMalformed)
		}
		return append(to, raw...), nil
	}
	return nil, fmt.Errorf("%w: %T is not a value of JSON", ErrMalformed, v)
}

func (e *encoder) object(to []byte, object map[string]any, f *frame, depth int) ([]byte, error) {
	if err := f.fits(true, false); err != nil {
		return nil, err
	}
	var room [24]string
	names := room[:0]
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	var places [24]string
	digests := places[:0]
	var err error
	to = append(to, '{')
	start := len(to)
	for _, name := range names {
		if name == "_sd" || name == "..." || name == "_sd_alg" {
			return nil, fmt.Errorf("%w: in a draft", ErrReserved)
		}
		inner := f.of(name)
		if inner != nil && inner.selective {
			var room [48]byte
			label, err := quote(room[:0], name)
			if err != nil {
				return nil, err
			}
			digest, err := e.disclose(append(label, ','), object[name], inner, depth)
			if err != nil {
				return nil, err
			}
			digests = append(digests, digest)
			continue
		}
		to = comma(to, start)
		if to, err = quote(to, name); err != nil {
			return nil, err
		}
		if to, err = e.value(append(to, ':'), object[name], inner, depth+1); err != nil {
			return nil, err
		}
	}
	if len(digests) > 0 {
		to = e.digest(comma(to, start), digests)
	}
	// The hash is named once, at the top (RFC 9901, 4.1.1).
	if depth == 0 && e.digests > 0 {
		to = append(comma(to, start), `"_sd_alg":"`+defaultHash+`"`...)
	}
	return append(to, '}'), nil
}

// digest writes _sd. Sorted, the digests do not tell the order of the claims.
func (e *encoder) digest(to []byte, digests []string) []byte {
	for range e.decoys {
		digests = append(digests, hashed(e.draw(32)))
	}
	slices.Sort(digests)
	to = append(to, `"_sd":[`...)
	for i, digest := range digests {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(append(append(to, '"'), digest...), '"')
	}
	return append(to, ']')
}

func (e *encoder) array(to []byte, array []any, f *frame, depth int) ([]byte, error) {
	if err := f.fits(false, true); err != nil {
		return nil, err
	}
	var err error
	to = append(to, '[')
	for i, item := range array {
		if i > 0 {
			to = append(to, ',')
		}
		inner := f.at(i)
		if inner == nil || !inner.selective {
			if to, err = e.value(to, item, inner, depth+1); err != nil {
				return nil, err
			}
			continue
		}
		digest, err := e.disclose(nil, item, inner, depth)
		if err != nil {
			return nil, err
		}
		to = append(append(append(to, `{"...":"`...), digest...), `"}`...)
	}
	return append(to, ']'), nil
}

// disclose writes a disclosure aside and gives its digest. The label is the name of a
// claim, encoded; an element of an array has none.
func (e *encoder) disclose(label []byte, v any, f *frame, depth int) (string, error) {
	// 128 bits, as RFC 9901, section 9.3 wants.
	raw := base64.RawURLEncoding.AppendEncode(append(e.raw[depth][:0], `["`...), e.draw(16))
	raw, err := e.value(append(append(raw, `",`...), label...), v, f, depth+1)
	if err != nil {
		return "", err
	}
	e.raw[depth] = raw
	start := len(e.disclosures)
	e.disclosures = base64.RawURLEncoding.AppendEncode(e.disclosures, append(raw, ']'))
	digest := hashed(e.disclosures[start:])
	e.disclosures = append(e.disclosures, '~')
	e.digests++
	return digest, nil
}

func hashed(b []byte) string {
	var text [43]byte
	sum := sha256.Sum256(b)
	base64.RawURLEncoding.Encode(text[:], sum[:])
	return string(text[:])
}

func comma(to []byte, start int) []byte {
	if len(to) > start {
		return append(to, ',')
	}
	return to
}

// quote writes a text. Most need no escapes.
func quote(to []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' || s[i] >= utf8.RuneSelf {
			return quoteRare(to, s)
		}
	}
	return append(append(append(to, '"'), s...), '"'), nil
}

func quoteRare(to []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: a text is not UTF-8", ErrMalformed)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding a text: %w", err)
	}
	return append(to, raw...), nil
}
