package qr

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Identity169 is what claim 169 (CWT "identity-data", version 1.2) says of a
// person. What is empty or zero is left out.
type Identity169 struct {
	ID, Version, Language                     string
	FullName, FirstName, MiddleName, LastName string
	DateOfBirth                               string // YYYYMMDD
	Gender                                    int    // 1 male, 2 female, 3 other
	Address                                   string // its parts on lines of their own
	Email, Phone, Nationality                 string
	MaritalStatus                             int // 1 unmarried, 2 married, 3 divorced
	Guardian                                  string
	Photo                                     []byte
	PhotoFormat                               int // 1 JPEG, 2 JPEG 2000, 3 AVIF, 4 WebP
	BestFingers                               []int
	SecondFullName, SecondLanguage            string
	LocationCode, LegalStatus                 string
	CountryOfIssuance                         string

	// Biometrics by their keys: 50–59 fingers, 60 and 61 irises, 62 face, 63 and 64
	// palms, 65 voice.
	Biometrics map[int64][]Biometric
	// Unknown keeps what has no meaning here.
	Unknown map[int64]any
}

// KeyFace is the key of the face among Identity169.Biometrics.
const KeyFace = 62

// Biometric is one sample, as it is. A format of -1 is not given.
type Biometric struct {
	Data      []byte
	Format    int // 0 image, 1 template, 2 sound, 3 hash
	SubFormat int // of an image: 0 PNG, 1 JPEG, 2 JPEG 2000, 3 AVIF, 4 WebP, 5 TIFF, 6 WSQ
	Issuer    string
}

const (
	keyDateOfBirth      = 8
	keyPhoto            = 16
	keyBestFingers      = 18
	firstUnassigned     = 24
	firstBio, lastBio   = 50, 65
	bioData, bioFormat  = 0, 1
	bioSubFormat, bioBy = 2, 3
)

var textKeys = map[int64]func(*Identity169) *string{
	1:              func(i *Identity169) *string { return &i.ID },
	2:              func(i *Identity169) *string { return &i.Version },
	3:              func(i *Identity169) *string { return &i.Language },
	4:              func(i *Identity169) *string { return &i.FullName },
	5:              func(i *Identity169) *string { return &i.FirstName },
	6:              func(i *Identity169) *string { return &i.MiddleName },
	7:              func(i *Identity169) *string { return &i.LastName },
	keyDateOfBirth: func(i *Identity169) *string { return &i.DateOfBirth },
	10:             func(i *Identity169) *string { return &i.Address },
	11:             func(i *Identity169) *string { return &i.Email },
	12:             func(i *Identity169) *string { return &i.Phone },
	13:             func(i *Identity169) *string { return &i.Nationality },
	15:             func(i *Identity169) *string { return &i.Guardian },
	19:             func(i *Identity169) *string { return &i.SecondFullName },
	20:             func(i *Identity169) *string { return &i.SecondLanguage },
	21:             func(i *Identity169) *string { return &i.LocationCode },
	22:             func(i *Identity169) *string { return &i.LegalStatus },
	23:             func(i *Identity169) *string { return &i.CountryOfIssuance },
}

var numberKeys = map[int64]func(*Identity169) *int{
	9:  func(i *Identity169) *int { return &i.Gender },
	14: func(i *Identity169) *int { return &i.MaritalStatus },
	17: func(i *Identity169) *int { return &i.PhotoFormat },
}

// document is the map that is signed.
func (i Identity169) document() (map[int64]any, error) {
	m := map[int64]any{}
	for key, value := range i.Unknown {
		if key < firstUnassigned || key >= firstBio && key <= lastBio {
			return nil, fmt.Errorf("%w: key %d has a meaning of its own", ErrMalformed, key)
		}
		m[key] = value
	}
	if i.DateOfBirth != "" {
		i.DateOfBirth = compactDate(i.DateOfBirth)
		if _, err := strconv.ParseUint(i.DateOfBirth, 10, 32); err != nil || len(i.DateOfBirth) != 8 {
			return nil, fmt.Errorf("%w: the date of birth is not YYYYMMDD", ErrMalformed)
		}
	}
	for key, at := range textKeys {
		if text := *at(&i); text != "" {
			m[key] = text
		}
	}
	for key, at := range numberKeys {
		if n := *at(&i); n != 0 {
			m[key] = n
		}
	}
	if len(i.Photo) > 0 {
		m[keyPhoto] = i.Photo
	}
	if len(i.BestFingers) > 0 {
		m[keyBestFingers] = i.BestFingers
	}
	for key, samples := range i.Biometrics {
		if key < firstBio || key > lastBio || len(samples) == 0 {
			return nil, fmt.Errorf("%w: key %d is no biometric or has no sample", ErrMalformed, key)
		}
		m[key] = documents(samples)
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("%w: it says nothing of anybody", ErrMalformed)
	}
	return m, nil
}

func documents(samples []Biometric) (all []map[int64]any) {
	for _, s := range samples {
		m := map[int64]any{bioData: s.Data}
		if s.Format >= 0 {
			m[bioFormat] = s.Format
		}
		if s.SubFormat >= 0 {
			m[bioSubFormat] = s.SubFormat
		}
		if s.Issuer != "" {
			m[bioBy] = s.Issuer
		}
		all = append(all, m)
	}
	return all
}

// compactDate writes the dates of other dialects as the specification does.
func compactDate(s string) string {
	if len(s) == 10 && (s[4] == '/' || s[4] == '-') && s[4] == s[7] {
		return s[:4] + s[5:7] + s[8:]
	}
	return s
}

// reading gathers what departs from the specification while it is read.
type reading struct {
	identity Identity169
	inji     bool
}

func readIdentity(m map[any]any) (*reading, error) {
	r := &reading{}
	for _, name := range slices.Collect(maps.Keys(m)) {
		key, ok := name.(int64)
		if text, isText := name.(string); isText { // PixelPass 0.7.0 writes numbers as text
			n, err := strconv.ParseInt(text, 10, 32)
			key, ok, r.inji = n, err == nil, true
		}
		if !ok {
			return nil, fmt.Errorf("%w: a key that is not a number", ErrMalformed)
		}
		if err := r.take(key, m[name]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *reading) take(key int64, value any) error {
	i := &r.identity
	wrong := fmt.Errorf("%w: key %d is of another type", ErrMalformed, key)
	ok := true
	switch {
	case textKeys[key] != nil:
		var text string
		text, ok = value.(string)
		if key == keyDateOfBirth {
			r.inji = r.inji || strings.Contains(text, "/")
			text = compactDate(text)
		}
		*textKeys[key](i) = text
	case numberKeys[key] != nil:
		*numberKeys[key](i), ok = number(value)
	case key == keyPhoto:
		i.Photo, ok = value.([]byte)
	case key == keyBestFingers:
		i.BestFingers, ok = numbers(value)
	case key >= firstBio && key <= lastBio:
		samples, err := r.biometrics(value)
		if err != nil {
			return err
		}
		if i.Biometrics == nil {
			i.Biometrics = map[int64][]Biometric{}
		}
		i.Biometrics[key] = samples
	default:
		if i.Unknown == nil {
			i.Unknown = map[int64]any{}
		}
		i.Unknown[key] = value
	}
	if !ok {
		return wrong
	}
	return nil
}

// number reads an int, also as text: the specification's own example has it so.
func number(v any) (int, bool) {
	switch v := v.(type) {
	case int64:
		return int(v), v == int64(int32(v))
	case string:
		n, err := strconv.ParseInt(v, 10, 32)
		return int(n), err == nil
	}
	return 0, false
}

func numbers(v any) ([]int, bool) {
	items, ok := v.([]any)
	var all []int
	for _, item := range items {
		n, isNumber := number(item)
		all, ok = append(all, n), ok && isNumber
	}
	return all, ok
}

// biometrics reads an array of samples, or the one sample that stands for it in the
// specification's own example and in Inji's codes.
func (r *reading) biometrics(v any) ([]Biometric, error) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	var all []Biometric
	for _, item := range items {
		m, ok := item.(map[any]any)
		if !ok {
			return nil, fmt.Errorf("%w: a biometric that is not a map", ErrMalformed)
		}
		sample, err := r.biometric(m)
		if err != nil {
			return nil, err
		}
		all = append(all, sample)
	}
	return all, nil
}

func (r *reading) biometric(m map[any]any) (Biometric, error) {
	s := Biometric{Format: -1, SubFormat: -1}
	data, ok := m[int64(bioData)], true
	if uri, isText := data.(string); isText {
		r.inji = true
		s.Data, ok = dataURI(uri)
	} else if data != nil {
		s.Data, ok = data.([]byte)
	}
	if v := m[int64(bioFormat)]; ok && v != nil {
		s.Format, ok = number(v)
	}
	if v := m[int64(bioSubFormat)]; ok && v != nil {
		s.SubFormat, ok = number(v)
	}
	if v := m[int64(bioBy)]; ok && v != nil {
		s.Issuer, ok = v.(string)
	}
	if !ok {
		return Biometric{}, fmt.Errorf("%w: a biometric with a value of another type", ErrMalformed)
	}
	return s, nil
}

// dataURI reads the bytes out of data:image/jpeg;base64,…
func dataURI(uri string) ([]byte, bool) {
	head, body, ok := strings.Cut(uri, ",")
	if !ok || !strings.HasPrefix(head, "data:") || !strings.HasSuffix(head, ";base64") {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(body)
	return raw, err == nil
}
