package finger

import (
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
	blocks, coherence := f.area()
	if blocks < leastBlocks {
		return Template{}, biometrics.Quality{Reasons: []string{"no ridges"}}, biometrics.ErrNoFinger
	}
	on := dark(e, w, h, f)
	thin(on, w, h)
	t, err := New(w, h, detect(on, w, h, f))
	if err != nil {
		return Template{}, biometrics.Quality{}, err
	}
	t.flow = f.flow()
	if t.Len() < leastMinutiae {
		return Template{}, biometrics.Quality{Reasons: []string{"no ridges"}}, biometrics.ErrNoFinger
	}
	return t, judged(blocks, coherence, t.Len()), nil
}

// area counts the blocks with ridges and their mean coherence.
func (f *field) area() (blocks int, coherence float64) {
	for b, in := range f.mask {
		if in {
			blocks++
			coherence += float64(f.coherence[b])
		}
	}
	if blocks > 0 {
		coherence /= float64(blocks)
	}
	return blocks, coherence
}

// judged is a first measure of quality: how much of the finger there is, and how
// clearly its ridges run.
func judged(blocks int, coherence float64, minutiae int) biometrics.Quality {
	area := min(1, float64(blocks)/1100)
	clear := min(1, max(0, (coherence-.35)/.45))
	many := min(1, float64(minutiae)/35)
	q := biometrics.Quality{Value: int(100 * (.35*area + .45*clear + .2*many))}
	if area < .4 {
		q.Reasons = append(q.Reasons, "partial")
	}
	if clear < .35 {
		q.Reasons = append(q.Reasons, "unclear")
	}
	if many < .4 {
		q.Reasons = append(q.Reasons, "few minutiae")
	}
	return q
}
