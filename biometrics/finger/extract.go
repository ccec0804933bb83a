package finger

import (
	"errors"

	"github.com/plinth-id/plinth/biometrics"
)

// What a print must have to be one.
const (
	leastBlocks   = 90 // of 8×8 pixels: about 2.5 cm² / 10
	leastMinutiae = 8
)

// Extract makes a template of an image, with a quality and its reasons.
// ErrNoFinger is for what is no print: paper, noise, text, a face.
func Extract(img *Image) (Template, biometrics.Quality, error) {
	t, m, err := extract(img)
	switch {
	case errors.Is(err, biometrics.ErrNoFinger):
		return Template{}, absent(img, m), err
	case err != nil:
		return Template{}, biometrics.Quality{}, err
	}
	return t, m.quality(), nil
}

// extract makes a template, and measures by which its quality is told.
func extract(img *Image) (Template, measures, error) {
	w, h := img.Width, img.Height
	norm := normalised(img)
	f := newField(w, h)
	f.orient(norm, w, h)
	f.periods(norm, w, h)
	e := enhanced(norm, w, h, f)
	f.orient(e, w, h)
	e = enhanced(norm, w, h, f)
	f.liken(norm, e, w, h)
	f.segment()
	if n := f.area(); n < leastBlocks {
		return Template{}, measures{area: float64(n)}, biometrics.ErrNoFinger
	}
	on := dark(e, w, h, f)
	thin(on, w, h)
	t, err := New(w, h, detect(on, w, h, f))
	if err != nil {
		return Template{}, measures{}, err
	}
	t.flow = f.flow()
	m := measured(img, f, t.minutiae)
	if t.Len() < leastMinutiae {
		return Template{}, m, biometrics.ErrNoFinger
	}
	return t, m, nil
}

// area counts the blocks with ridges.
func (f *field) area() (blocks int) {
	for _, in := range f.mask {
		blocks += one(in)
	}
	return blocks
}
