package enrol

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"image"
	_ "image/jpeg" // portraits
	_ "image/png"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/iso"
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
	errSample  = fault.New(fault.Invalid, "An image cannot be used. Capture what is named again.").Named("sample-unusable")
	errFinger  = fault.New(fault.Invalid, "Fingerprints are missing. Capture at least one finger, or declare an exception for each.").Named("fingers-missing")
	errRepeat  = fault.New(fault.Invalid, "One finger or eye was captured as two. Capture what is named again, each once.").Named("sample-repeated")
	errUnproof = fault.New(fault.Invalid, "An image was not captured as it must be. Capture what is named again, with a device that may be used here.").Named("sample-unproven")
)

// findings are what a look at all samples has found.
type findings struct {
	gallery.Person
	shots  []Shot
	images [][]byte // digests, by which the same image is found again
	tally  tally
}

// look looks at every sample, and makes templates of fingers and eyes. What it has
// counted is there also where a sample cannot be used.
func (o *Office) look(ctx context.Context, c contents, p person) (findings, error) {
	wanted, excepted := o.Registry.Schema.Biometrics(), p.excepted()
	found := findings{Person: gallery.Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}, tally: make(tally)}
	for position := range excepted {
		found.tally.add(position, itemExcepted)
	}
	files := make(map[string]string)
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
		if err := o.lookAt(c, s, files, &found); err != nil {
			found.tally.add(s.Position, itemRefused)
			return found, err
		}
	}
	if err := sequence(c, found.Person); err != nil {
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

// lookAt looks at one sample: who captured it, whether it is another one once more,
// and how good it is.
func (o *Office) lookAt(c contents, s sample, files map[string]string, found *findings) error {
	picture, err := s.picture()
	if err != nil {
		return err
	}
	by, err := o.Policy.Enrolled(c.record(s), c.closed)
	if err != nil {
		return errUnproof.At(s.file(), err.Error())
	}
	quality, digest, err := s.check(picture, &found.Person)
	found.tally.quality(s.Position, quality)
	if err != nil {
		return err
	}
	if other, ok := files[string(digest)]; ok {
		return errRepeat.At(s.file(), "is the same image as "+other)
	}
	files[string(digest)] = s.file()
	shot := newShot(s.Position, quality, by)
	found.tally.add(s.Position, shot.signedBy())
	found.shots = append(found.shots, shot)
	if !o.Policy.Rule(evidence.Enrolment, s.Position.Modality()).Trial {
		found.images = append(found.images, digest)
	}
	return nil
}

// check looks at how good a sample is, and by what its image is known again; the
// template of a finger or an eye goes into what was found.
func (s sample) check(picture sample, found *gallery.Person) (q biometrics.Quality, digest []byte, err error) {
	switch s.Position.Modality() {
	case biometrics.Face:
		return s.checkFace(picture)
	case biometrics.Iris:
		return s.checkEye(found)
	}
	img, err := iso.DecodeFinger(s.Data)
	if err != nil {
		return q, nil, errSample.At(s.file(), rule(err)).Because(err)
	}
	template, q, err := finger.Extract(img)
	if err != nil {
		return q, nil, errSample.At(s.file(), absent(err, q)).Because(err)
	}
	if q.Value < leastQuality || template.Len() < leastMinutiae {
		return q, nil, errSample.At(s.file(), "is too poor: "+poor(q))
	}
	found.Fingers[s.Position] = template
	return q, evidence.Digest(img.Width, img.Height, img.Pix), nil
}

// checkFace asks of a portrait that it can be shown. What else is wrong with it is
// noted and no more: an officer sees better than our checks what is a face.
func (s sample) checkFace(picture sample) (q biometrics.Quality, digest []byte, err error) {
	if config, format, err := image.DecodeConfig(bytes.NewReader(picture.Data)); err != nil || format != "jpeg" && format != "png" {
		return q, nil, errSample.At(s.file(), "must be a JPEG or PNG image").Because(err)
	} else if config.Width > maxPortrait || config.Height > maxPortrait {
		return q, nil, errSample.At(s.file(), "must be at most 4096 by 4096 pixels")
	}
	img, err := face.Decode(s.Data)
	if err != nil {
		return q, nil, errSample.At(s.file(), rule(err)).Because(err)
	}
	q, _ = face.Check(img) // its error is among the reasons
	return q, evidence.Digest(img.Width, img.Height, img.Grey()), nil
}

func (s sample) checkEye(found *gallery.Person) (q biometrics.Quality, digest []byte, err error) {
	img, err := iris.Decode(s.Data)
	if err != nil {
		return q, nil, errSample.At(s.file(), rule(err)).Because(err)
	}
	code, q, err := iris.Extract(img)
	if err != nil {
		return q, nil, errSample.At(s.file(), rule(err)).Because(err)
	}
	if q.Value < leastQuality {
		return q, nil, errSample.At(s.file(), "is too poor: "+poor(q))
	}
	found.Eyes[s.Position] = code
	return q, evidence.Digest(img.Width, img.Height, img.Pix), nil
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

// absent says why there is no print, and what to do where that is known.
func absent(err error, q biometrics.Quality) string {
	if len(q.Reasons) > 0 && advice[q.Reasons[0]] != "" {
		return rule(err) + ": " + advice[q.Reasons[0]]
	}
	return rule(err)
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
