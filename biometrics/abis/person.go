package abis

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// A print with less says nothing about who somebody is.
const (
	leastQuality  = 20
	leastMinutiae = 12
)

// templatesOf makes templates of the fingers and eyes of a CBEFF document. A sample
// that is too poor is left out as long as another is good; faces are not compared.
func templatesOf(raw []byte) (gallery.Person, Failure) {
	person := gallery.Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}
	records, err := cbeff.Read(raw)
	if err != nil || len(records) == 0 {
		return person, BadCBEFF
	}
	readable, best := false, make(map[biometrics.Position]int)
	for _, r := range records {
		if r.Exception || len(r.Data) == 0 || r.Position == "" {
			continue
		}
		t, quality, err := templateOf(r)
		if err != nil {
			readable = readable || errors.Is(err, errPoor)
			continue
		}
		if before, ok := best[r.Position]; ok && before >= quality {
			continue
		}
		best[r.Position] = quality
		if t.eye != nil {
			person.Eyes[r.Position] = *t.eye
		} else {
			person.Fingers[r.Position] = *t.print
		}
	}
	switch {
	case person.Empty() && readable:
		return person, PoorQuality
	case person.Empty():
		return person, NoData
	}
	return person, 0
}

var (
	errPoor = errors.New("abis: too poor")
	errFace = errors.New("abis: faces are not compared")
)

// template is of a finger or of an eye.
type template struct {
	print *finger.Template
	eye   *iris.Code
}

// templateOf makes a template of one sample: an image, or minutiae.
func templateOf(r cbeff.Record) (t template, quality int, err error) {
	var print finger.Template
	switch {
	case r.Format == cbeff.FaceImage || r.Position.Modality() == biometrics.Face:
		return t, 0, errFace
	case r.Format == cbeff.IrisImage || r.Position.Modality() == biometrics.Iris:
		return eyeOf(r.Data)
	case bytes.HasPrefix(r.Data, []byte("FMR\x00")):
		if print, err = iso.ReadFMR(r.Data); err != nil {
			return t, 0, err
		}
		quality = max(0, r.Quality)
	default:
		img, err := iso.DecodeFinger(r.Data)
		if err != nil {
			return t, 0, err
		}
		made, q, err := finger.Extract(img)
		if err != nil || q.Value < leastQuality {
			return t, q.Value, errPoor
		}
		print, quality = made, q.Value
	}
	if print.Len() < leastMinutiae {
		return t, quality, errPoor
	}
	return template{print: &print}, quality, nil
}

func eyeOf(raw []byte) (t template, quality int, err error) {
	img, err := iris.Decode(raw)
	if err != nil {
		return t, 0, err
	}
	code, q, err := iris.Extract(img)
	if err != nil || q.Value < leastQuality {
		return t, q.Value, errPoor
	}
	return template{eye: &code}, q.Value, nil
}

// newEntry is somebody as the file keeps them.
func newEntry(r Request, p gallery.Person, at time.Time) entry {
	e := entry{Kind: entryInsert, Reference: r.ReferenceID, Request: r.RequestID, At: at.Unix(), Templates: make(map[string][]byte)}
	for position, t := range p.Fingers {
		e.Templates[string(position)] = t.Marshal()
	}
	for position, code := range p.Eyes {
		e.Templates[string(position)] = code.Marshal()
	}
	return e
}

// person reads the templates of an entry.
func (e entry) person() (gallery.Person, error) {
	p := gallery.Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}
	for name, raw := range e.Templates {
		position, err := biometrics.ParsePosition(name)
		switch {
		case err != nil:
		case position.Modality() == biometrics.Iris:
			p.Eyes[position], err = iris.ParseCode(raw)
		default:
			p.Fingers[position], err = finger.ParseTemplate(raw)
		}
		if err != nil {
			return p, fmt.Errorf("abis: reading a template: %w", err)
		}
	}
	return p, nil
}
