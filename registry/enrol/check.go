package enrol

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"image"
	_ "image/jpeg" // portraits
	_ "image/png"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
)

// A print with less says nothing about who somebody is, so it would let anybody
// through the comparison.
const (
	leastQuality  = 20
	leastMinutiae = 12
)

// maxPortrait bounds a portrait's sides, in pixels.
const maxPortrait = 4096

var (
	errSample = fault.New(fault.Invalid, "An image cannot be used. Capture what is named again.").Named("sample-unusable")
	errFinger = fault.New(fault.Invalid, "Fingerprints are missing. Capture at least one finger, or declare an exception for each.").Named("fingers-missing")
	errRepeat = fault.New(fault.Invalid, "One finger or eye was captured as two. Capture what is named again, each once.").Named("sample-repeated")
)

// check holds data, consent, documents and images to their rules. What it keeps
// are the templates, sealed, and the tokens for the comparison to come.
func (o *Office) check(ctx context.Context, a Application) outcome {
	c, err := o.stored(ctx, a)
	if err != nil {
		return tryAgain{err}
	}
	p, err := o.checkPerson(c)
	if err != nil {
		return refused(err)
	}
	prints, err := o.checkSamples(ctx, c, p)
	if err != nil {
		return refused(err)
	}
	e := galleryEntry{Ref: uuid.New(), Application: a.ID}
	if e.Sealed, err = o.sealPrints(e, prints); err != nil {
		return tryAgain{err}
	}
	for _, saying := range p.sayings() {
		e.Tokens = append(e.Tokens, o.Ring.Lookup("demographic", saying))
	}
	return passed{to: Checked, event: audit.ApplicationChecked, also: func(ctx context.Context, tx pgx.Tx) error {
		return insertGallery(ctx, tx, e)
	}}
}

func (o *Office) checkPerson(c contents) (person, error) {
	p, err := parsePerson(c.Person)
	if err != nil {
		return p, err
	}
	if err := p.admissible(); err != nil {
		return p, err
	}
	if err := o.Registry.Schema.Check(p.Fields); err != nil {
		return p, err
	}
	known := o.Registry.Schema.Documents()
	for _, d := range c.Documents {
		if !slices.Contains(known, d.Name) {
			return p, fault.New(fault.Invalid, "A document is of no category that the identity schema knows. Rename what is named.").Named("document-unknown").At(d.Name, "is unknown")
		}
	}
	return p, nil
}

// checkSamples looks at every image, and makes templates of the fingers.
func (o *Office) checkSamples(ctx context.Context, c contents, p person) (gallery.Person, error) {
	wanted, excepted := o.Registry.Schema.Biometrics(), p.excepted()
	found := gallery.Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}
	seen := make(map[[sha256.Size]byte]string)
	for _, s := range c.Samples {
		if err := ctx.Err(); err != nil {
			return found, err
		}
		if excepted[s.Position] {
			return found, errSample.At(s.file(), "is there although an exception is declared for it")
		}
		if !slices.Contains(wanted, s.Position) {
			return found, errSample.At(s.file(), "is not asked for by the identity schema")
		}
		digest := sha256.Sum256(s.Data)
		if other, ok := seen[digest]; ok {
			return found, errRepeat.At(s.file(), "is the same image as "+other)
		}
		seen[digest] = s.file()
		if err := s.check(found); err != nil {
			return found, err
		}
	}
	if err := sequence(c, found); err != nil {
		return found, err
	}
	if !found.Empty() {
		return found, nil
	}
	for _, position := range wanted {
		if position.Modality() == biometrics.Finger && !excepted[position] {
			return found, errFinger.At(string(position), "has neither an image nor an exception")
		}
	}
	return found, nil
}

// check looks at one image; a finger's template goes into what was found.
func (s sample) check(found gallery.Person) error {
	switch s.Position.Modality() {
	case biometrics.Face:
		if config, format, err := image.DecodeConfig(bytes.NewReader(s.Data)); err != nil || format != "jpeg" && format != "png" {
			return errSample.At(s.file(), "must be a JPEG or PNG image").Because(err)
		} else if config.Width > maxPortrait || config.Height > maxPortrait {
			return errSample.At(s.file(), "must be at most 4096 by 4096 pixels")
		}
		return nil
	case biometrics.Iris:
		return s.checkEye(found)
	}
	img, err := finger.Decode(s.Data)
	if err != nil {
		return errSample.At(s.file(), rule(err)).Because(err)
	}
	template, quality, err := finger.Extract(img)
	if err != nil {
		return errSample.At(s.file(), rule(err)).Because(err)
	}
	if quality.Value < leastQuality || template.Len() < leastMinutiae {
		return errSample.At(s.file(), "is too poor: "+poor(quality))
	}
	found.Fingers[s.Position] = template
	return nil
}

func (s sample) checkEye(found gallery.Person) error {
	img, err := iris.Decode(s.Data)
	if err != nil {
		return errSample.At(s.file(), rule(err)).Because(err)
	}
	code, quality, err := iris.Extract(img)
	if err != nil {
		return errSample.At(s.file(), rule(err)).Because(err)
	}
	if quality.Value < leastQuality {
		return errSample.At(s.file(), "is too poor: "+poor(quality))
	}
	found.Eyes[s.Position] = code
	return nil
}

// rule says what is wrong with an image in words that were made for it.
func rule(err error) string {
	for _, known := range []error{biometrics.ErrNoFinger, iris.ErrNoEye, biometrics.ErrNotAnImage, biometrics.ErrTooLarge} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "cannot be read"
}

// advice tells what to do about a reason of poor quality; one that is not here speaks
// for itself.
var advice = map[string]string{
	"dry": "the skin is dry; moisten the finger a little", "wet": "the finger is wet; dry it", "partial": "only a part of the finger is seen; lay it down flat",
	"off centre": "the finger is off the middle; move it", "moved": "the finger moved; hold it still", "too faint": "the ridges are too faint; press a little more",
	"resolution": "the resolution is not 500 ppi; check the scanner's settings", "inverted": "black and white are exchanged; check the scanner's settings",
	"unclear": "the ridges are not clear; clean the finger and the scanner",
}

func poor(q biometrics.Quality) string {
	if len(q.Reasons) == 0 {
		return "too little can be seen"
	}
	return cmp.Or(advice[q.Reasons[0]], q.Reasons[0])
}

// sequence finds one finger, or one eye, given as two.
func sequence(c contents, found gallery.Person) error {
	for i, s := range c.Samples {
		for _, t := range c.Samples[i+1:] {
			p, one := found.Fingers[s.Position]
			q, other := found.Fingers[t.Position]
			if one && other && finger.Compare(p, q) >= sameFinger {
				return errRepeat.At(t.file(), "shows the same finger as "+s.file())
			}
			if iris.Compare(found.Eyes[s.Position], found.Eyes[t.Position]) >= iris.Threshold {
				return errRepeat.At(t.file(), "shows the same eye as "+s.file())
			}
		}
	}
	return nil
}

// sameFinger is higher than a verification asks for: 45 pairs are compared, and
// fingers of one hand are a little alike.
const sameFinger = finger.Threshold + 2
