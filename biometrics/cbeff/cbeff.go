// Package cbeff reads and writes the XML patron format of ISO/IEC 19785-3 in the
// profile of MOSIP: a BIR of BIRs, one for each sample. It reads what producers
// write, which differs in namespaces and in order; it writes one form.
package cbeff

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// ErrFormat says that bytes are no CBEFF document, or a broken one.
var ErrFormat = errors.New("cbeff: not a readable CBEFF document")

// Bounds of what is read.
const (
	maxDocument = 64 << 20
	maxRecords  = 64
	maxDepth    = 8
)

// Record is one sample.
type Record struct {
	Position  biometrics.Position // empty: an exception photograph, or not said
	Exception bool                // there is no sample, and that was declared
	Format    int                 // MOSIP's type: 7 finger image, 2 finger minutiae, 8 face image, 9 iris image
	Level     string              // Raw, Intermediate or Processed
	Purpose   string              // Verify, Identify, Enroll, EnrollVerify, EnrollIdentify or Audit
	Created   time.Time           // zero: not said
	Quality   int                 // 0 to 100; −1: not said
	Algorithm string              // that judged the quality: organization/type
	Data      []byte              // an ISO/IEC 19794 record
	Signature []byte              // of the device
	Others    map[string]string
}

// The formats by MOSIP's numbers.
const (
	FingerMinutiae = 2
	FingerImage    = 7
	FaceImage      = 8
	IrisImage      = 9
)

// Subtypes as MOSIP writes them, for fingers and eyes.
var subtypes = map[biometrics.Position]string{
	biometrics.RightThumb: "Right Thumb", biometrics.RightIndex: "Right IndexFinger", biometrics.RightMiddle: "Right MiddleFinger",
	biometrics.RightRing: "Right RingFinger", biometrics.RightLittle: "Right LittleFinger",
	biometrics.LeftThumb: "Left Thumb", biometrics.LeftIndex: "Left IndexFinger", biometrics.LeftMiddle: "Left MiddleFinger",
	biometrics.LeftRing: "Left RingFinger", biometrics.LeftLittle: "Left LittleFinger",
	biometrics.RightEye: "Right", biometrics.LeftEye: "Left",
}

// position reads a type and a subtype: words in any order, "Right IndexFinger" or
// "IndexFinger Right".
func position(kind, subtype string) biometrics.Position {
	if kind == "Face" {
		return biometrics.FullFace
	}
	words := strings.Fields(subtype)
	for p, written := range subtypes {
		if (p.Modality() == biometrics.Iris) != (kind == "Iris") {
			continue
		}
		want := strings.Fields(written)
		if len(words) == len(want) && (words[0] == want[0] && words[len(words)-1] == want[len(want)-1] ||
			words[0] == want[len(want)-1] && words[len(words)-1] == want[0]) {
			return p
		}
	}
	return ""
}

// bir is an element as it stands in a document; names without a namespace match
// those with any.
type bir struct {
	BDBInfo *struct {
		Format struct {
			Type string
		}
		CreationDate string
		Type         string
		Subtype      string
		Level        string
		Purpose      string
		Quality      *struct {
			Algorithm struct{ Organization, Type string }
			Score     string
		}
	}
	BDB    string
	SB     string
	Others []struct {
		Entries []entry `xml:"entry"`
	} `xml:"others"`
	Children []bir `xml:"BIR"`
}

type entry struct {
	Key   string `xml:"key,attr"`
	Value string `xml:",chardata"`
}

// Read reads every sample of a document.
func Read(raw []byte) ([]Record, error) {
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%w: too large", ErrFormat)
	}
	if err := shallow(raw); err != nil {
		return nil, err
	}
	var top struct {
		XMLName xml.Name
		bir
	}
	if err := xml.Unmarshal(raw, &top); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if top.XMLName.Local != "BIR" {
		return nil, fmt.Errorf("%w: it begins with %.20q", ErrFormat, top.XMLName.Local)
	}
	var all []Record
	if err := collect(top.bir, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// shallow refuses a document that is nested without end before it is built up.
func shallow(raw []byte) error {
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	depth := 0
	for {
		token, err := d.RawToken()
		if err != nil {
			return nil // at its end, or what Unmarshal will name
		}
		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: nested too deeply", ErrFormat)
			}
		case xml.EndElement:
			depth--
		}
	}
}

func collect(b bir, all *[]Record) error {
	if b.BDBInfo != nil {
		r, err := b.record()
		if err != nil {
			return err
		}
		if *all = append(*all, r); len(*all) > maxRecords {
			return fmt.Errorf("%w: more than %d records", ErrFormat, maxRecords)
		}
	}
	for _, child := range b.Children {
		if err := collect(child, all); err != nil {
			return err
		}
	}
	return nil
}

func (b bir) record() (Record, error) {
	info := b.BDBInfo
	r := Record{Position: position(info.Type, info.Subtype), Level: info.Level, Purpose: info.Purpose, Quality: -1}
	r.Format, _ = strconv.Atoi(info.Format.Type)
	r.Created, _ = time.Parse(time.RFC3339Nano, info.CreationDate)
	if info.Quality != nil {
		if n, err := strconv.Atoi(strings.TrimSpace(info.Quality.Score)); err == nil && n >= 0 && n <= 100 {
			r.Quality, r.Algorithm = n, info.Quality.Algorithm.Organization+"/"+info.Quality.Algorithm.Type
		}
	}
	var err error
	if r.Data, err = decoded(b.BDB); err != nil {
		return r, fmt.Errorf("%w: a BDB is not base64", ErrFormat)
	}
	if r.Signature, err = decoded(b.SB); err != nil {
		return r, fmt.Errorf("%w: an SB is not base64", ErrFormat)
	}
	for _, list := range b.Others {
		for _, e := range list.Entries {
			if r.Others == nil {
				r.Others = make(map[string]string)
			}
			r.Others[e.Key] = e.Value
		}
	}
	r.Exception = strings.EqualFold(r.Others["EXCEPTION"], "true")
	return r, nil
}

// plainer makes one form of base64 of all that producers write: of either alphabet,
// with blanks, filled up or not.
var plainer = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "", "\r", "", "\n", "")

func decoded(text string) ([]byte, error) {
	text = strings.TrimRight(plainer.Replace(text), "=")
	if text == "" {
		return nil, nil
	}
	return base64.RawStdEncoding.DecodeString(text)
}
