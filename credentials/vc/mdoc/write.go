package mdoc

import (
	"cmp"
	"strings"
	"time"
)

// The major types of CBOR.
const (
	majorBytes, majorText, majorArray, majorMap, majorTag = 2, 3, 4, 5, 6
)

// tagDateTime marks a time in text.
const tagDateTime = 0

// written is CBOR in its deterministic form, put together by hand: of issuing a
// document, the library's reflection would cost as much as the signature does.
type written []byte

func (w written) head(major byte, n uint64) written {
	major <<= 5
	switch {
	case n < 24:
		return append(w, major|byte(n))
	case n <= 0xff:
		return append(w, major|24, byte(n))
	case n <= 0xffff:
		return append(w, major|25, byte(n>>8), byte(n))
	case n <= 0xffffffff:
		return append(w, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(w, major|27, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func (w written) array(n int) written     { return w.head(majorArray, uint64(n)) }
func (w written) entries(n int) written   { return w.head(majorMap, uint64(n)) }
func (w written) number(n uint64) written { return w.head(0, n) }

func (w written) text(s string) written  { return append(w.head(majorText, uint64(len(s))), s...) }
func (w written) bytes(b []byte) written { return append(w.head(majorBytes, uint64(len(b))), b...) }

// encoded puts CBOR into bytes with the tag that says so.
func (w written) encoded(raw []byte) written { return w.head(majorTag, tagEncoded).bytes(raw) }

func (w written) date(t time.Time) written {
	return w.head(majorTag, tagDateTime).text(t.Format(time.RFC3339))
}

// byKey orders texts as keys of a map: by their bytes in CBOR, so the shorter first.
func byKey(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }
