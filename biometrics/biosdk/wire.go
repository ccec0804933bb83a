package biosdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MostItems bounds every list: segments of a record, records of a gallery.
const MostItems = 100

var (
	errTooMany  = errors.New("biosdk: a list is too long")
	errNotBytes = errors.New("biosdk: bytes are neither base64 nor a list of numbers from -128 to 255")
)

// List is a list of at most MostItems. It is read item by item: a short text must not
// become a large memory.
type List[T any] []T

// UnmarshalJSON reads a list, or null.
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	*l = nil
	if isNull(raw) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return errors.New("biosdk: a list is none")
	}
	for d.More() {
		if len(*l) == MostItems {
			return errTooMany
		}
		var item T
		if err := d.Decode(&item); err != nil {
			return err
		}
		*l = append(*l, item)
	}
	return nil
}

// MarshalJSON writes a list, never null.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Info are words by words. Numbers and truths are read as such.
type Info map[string]string

// UnmarshalJSON reads an object, or a list of objects with key and value.
func (i *Info) UnmarshalJSON(raw []byte) error {
	*i = nil
	if isNull(raw) {
		return nil
	}
	*i = Info{}
	if raw[0] == '[' {
		var entries List[struct{ Key, Value Text }]
		err := json.Unmarshal(raw, &entries)
		for _, e := range entries {
			(*i)[string(e.Key)] = string(e.Value)
		}
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.New("biosdk: an object is none")
	}
	for d.More() {
		if len(*i) == MostItems {
			return errTooMany
		}
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value Text
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := key.(string)
		(*i)[name] = string(value)
	}
	return nil
}

// MarshalJSON writes an object, never null.
func (i Info) MarshalJSON() ([]byte, error) {
	if i == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(i))
}

// Text is a text that producers also write as a number.
type Text string

// UnmarshalJSON reads a text, a number or a truth; of anything larger, its JSON.
func (t *Text) UnmarshalJSON(raw []byte) error {
	switch {
	case isNull(raw):
		*t = ""
	case raw[0] == '"':
		return json.Unmarshal(raw, (*string)(t))
	default:
		*t = Text(raw)
	}
	return nil
}

func textOf(n int) Text { return Text(strconv.Itoa(n)) }

func (t Text) number() int {
	n, err := strconv.Atoi(strings.TrimSpace(string(t)))
	if err != nil {
		return 0
	}
	return n
}

// Name is one of a fixed set of names, in capitals; the empty one is null.
type Name string

func nameOf(s string) Name { return Name(strings.ToUpper(strings.TrimSpace(s))) }

// UnmarshalText reads a name in capitals or small letters.
func (n *Name) UnmarshalText(raw []byte) error {
	*n = nameOf(string(raw))
	return nil
}

// MarshalJSON writes a name.
func (n Name) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// Modality is a kind of biometric, as MOSIP names it.
type Modality string

// The modalities that anything is done with.
const (
	Finger Modality = "FINGER"
	Iris   Modality = "IRIS"
	Face   Modality = "FACE"
)

// UnmarshalText reads FINGER, Finger, EXCEPTION_PHOTO or ExceptionPhoto.
func (m *Modality) UnmarshalText(raw []byte) error {
	text := strings.TrimSpace(string(raw))
	if len(text) > 40 {
		return errors.New("biosdk: this is the name of no modality")
	}
	var out strings.Builder
	before := ' '
	for _, r := range text {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToUpper(r))
		before = r
	}
	*m = Modality(out.String())
	return nil
}

// Base64 are bytes that are written as base64, and read in any of its forms.
type Base64 []byte

// UnmarshalJSON reads a text in base64, for texts or for addresses, padded or not.
func (b *Base64) UnmarshalJSON(raw []byte) error {
	*b = nil
	if isNull(raw) {
		return nil
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errNotBytes
	}
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	out, err := encoding.DecodeString(text)
	if err != nil {
		return errNotBytes
	}
	*b = out
	return nil
}

// Bytes are written as MOSIP's classes do, as a list of signed numbers: its services
// read nothing else. They are read as that or in base64.
type Bytes []byte

// UnmarshalJSON reads a list of numbers, a text in base64, or null.
func (b *Bytes) UnmarshalJSON(raw []byte) error {
	if raw[0] != '[' {
		return (*Base64)(b).UnmarshalJSON(raw)
	}
	out := make([]byte, 0, len(raw)/3)
	value, digits, negative := 0, 0, false
	for _, c := range raw[1:] {
		switch {
		case c >= '0' && c <= '9' && digits < 3:
			value, digits = 10*value+int(c-'0'), digits+1
		case c == '-' && digits == 0:
			negative = true
		case c == ',' || c == ']':
			if digits == 0 {
				if c == ']' && len(out) == 0 {
					continue
				}
				return errNotBytes
			}
			if negative {
				value = -value
			}
			if value < -128 || value > 255 {
				return errNotBytes
			}
			out = append(out, byte(value))
			value, digits, negative = 0, 0, false
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		default:
			return errNotBytes
		}
	}
	*b = out
	return nil
}

// MarshalJSON writes a list of numbers from -128 to 127, or null.
func (b Bytes) MarshalJSON() ([]byte, error) {
	if b == nil {
		return []byte("null"), nil
	}
	out := append(make([]byte, 0, 4*len(b)+2), '[')
	for i, v := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(int8(v)), 10)
	}
	return append(out, ']'), nil
}

// Date is a moment in UTC; the zero one is null. MOSIP's classes write it as an object
// of a date and a time.
type Date struct{ time.Time }

type dateTime struct {
	Date struct {
		Year  int `json:"year"`
		Month int `json:"month"`
		Day   int `json:"day"`
	} `json:"date"`
	Time struct {
		Hour   int `json:"hour"`
		Minute int `json:"minute"`
		Second int `json:"second"`
		Nano   int `json:"nano"`
	} `json:"time"`
}

// UnmarshalJSON reads an object, a list of numbers, milliseconds, or a text of ISO
// 8601. What is no moment is not said: no sample is refused for its date.
func (d *Date) UnmarshalJSON(raw []byte) error {
	d.Time = time.Time{}
	switch raw[0] {
	case '{':
		var o dateTime
		if json.Unmarshal(raw, &o) == nil {
			d.Time = moment(o.Date.Year, o.Date.Month, o.Date.Day, o.Time.Hour, o.Time.Minute, o.Time.Second, o.Time.Nano)
		}
	case '[':
		var list List[int]
		if json.Unmarshal(raw, &list) == nil && len(list) >= 3 && len(list) <= 7 {
			var part [7]int
			copy(part[:], list)
			d.Time = moment(part[0], part[1:]...)
		}
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
			if at, err := time.Parse(layout, text); err == nil {
				d.Time = at.UTC()
				break
			}
		}
	default:
		var ms int64
		if json.Unmarshal(raw, &ms) == nil && ms > 0 && ms < 1<<47 {
			d.Time = time.UnixMilli(ms).UTC()
		}
	}
	return nil
}

// moment is a time of the parts that follow a year; the zero one of what is none.
func moment(year int, part ...int) time.Time {
	most := []int{12, 31, 23, 59, 60, 999_999_999}
	for i, v := range part {
		if v < 0 || v > most[i] || i < 2 && v == 0 {
			return time.Time{}
		}
	}
	if year < 1 || year > 9999 {
		return time.Time{}
	}
	return time.Date(year, time.Month(part[0]), part[1], part[2], part[3], part[4], part[5], time.UTC)
}

// MarshalJSON writes an object of a date and a time.
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	at := d.UTC()
	return fmt.Appendf(nil, `{"date":{"year":%d,"month":%d,"day":%d},"time":{"hour":%d,"minute":%d,"second":%d,"nano":%d}}`,
		at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond()), nil
}

func isNull(raw []byte) bool { return string(raw) == "null" }
