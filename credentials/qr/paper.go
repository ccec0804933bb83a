package qr

import (
	"crypto"
	"errors"
	"fmt"
	"image"

	"github.com/plinth-id/plinth/credentials/qr/webp"
	"golang.org/x/image/draw"
)

// Paper is a claim 169 that is to be printed: its face is written as finely as its
// target has room for.
type Paper struct {
	Identity Identity169
	Claims   Claims
	Face     image.Image // nil: none
	Target   Target
}

// The formats of a face in a code.
const (
	formatImage   = 0
	subFormatWebP = 4
)

// faceOverhead is what a face costs beside its own bytes: its keys and lengths.
const faceOverhead = 16

// stamps are the sizes of a face by the bytes that there are for it: more pixels only
// where there is something to fill them with.
var stamps = []struct{ bytes, width, height int }{{900, 72, 96}, {600, 60, 80}, {0, 48, 64}}

// leastFace is the length under which a face is nobody's.
const leastFace = 160

// Encode signs a paper as the text of a code. What does not fit its target is
// ErrTooLong with the counts of bytes.
func (p Paper) Encode(signer crypto.Signer, kid []byte) (string, Plan, error) {
	text, err := Encode(p.Identity, p.Claims, signer, kid)
	if err != nil {
		return "", Plan{}, err
	}
	plan, err := p.Target.Plan(text)
	if err != nil || p.Face == nil {
		return text, plan, err
	}
	used := len(text) * 2 / 3
	// Deflating is not quite foreseeable; what came out too long is taken back once.
	for budget, tries := p.Target.Bytes()-used-faceOverhead, 3; tries > 0; tries-- {
		if budget < leastFace {
			break
		}
		face, err := stamp(p.Face, budget)
		if err != nil {
			return "", Plan{}, err
		}
		with := p.Identity.withFace(face)
		if text, err = Encode(with, p.Claims, signer, kid); err != nil {
			return "", Plan{}, err
		}
		if plan, err = p.Target.Plan(text); !errors.Is(err, ErrTooLong) {
			return text, plan, err
		}
		budget -= len(text)*2/3 - p.Target.Bytes() + 4
	}
	return "", Plan{}, fmt.Errorf("%w: all but the face takes %d bytes, version %d holds %d, and a face needs %d", ErrTooLong,
		used, p.Target.largest(), p.Target.Bytes(), leastFace+faceOverhead)
}

// withFace leaves what else there is among the biometrics.
func (i Identity169) withFace(webp []byte) Identity169 {
	all := map[int64][]Biometric{}
	for key, samples := range i.Biometrics {
		all[key] = samples
	}
	all[KeyFace] = []Biometric{{Data: webp, Format: formatImage, SubFormat: subFormatWebP}}
	i.Biometrics = all
	return i
}

// stamp writes a face in grey, in so many bytes.
func stamp(face image.Image, budget int) ([]byte, error) {
	for _, s := range stamps {
		if budget < s.bytes {
			continue
		}
		small := image.NewGray(image.Rect(0, 0, s.width, s.height))
		draw.CatmullRom.Scale(small, small.Bounds(), face, middle(face.Bounds()), draw.Src, nil)
		file, err := webp.Fit(small, budget)
		if err != nil {
			return nil, fmt.Errorf("%w: the face: %w", ErrTooLong, err)
		}
		return file, nil
	}
	return nil, fmt.Errorf("%w: the face: %w", ErrTooLong, webp.ErrBudget)
}

// middle is the largest part of a picture, in its middle, of three to four.
func middle(r image.Rectangle) image.Rectangle {
	const across, down = 3, 4
	width, height := r.Dx(), r.Dy()
	if width*down > height*across {
		width = height * across / down
	} else {
		height = width * down / across
	}
	x, y := r.Min.X+(r.Dx()-width)/2, r.Min.Y+(r.Dy()-height)/2
	return image.Rect(x, y, x+width, y+height)
}
