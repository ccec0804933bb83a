// Package webp writes pictures as lossy WebP: one key frame of VP8 (RFC 6386) in a
// RIFF container, with nothing beside it. It is made for portraits of the size of a
// stamp, where every byte makes a QR code denser: it weighs each choice by what it
// costs and what it loses, and is in no hurry.
package webp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// What a picture can be refused for.
var (
	ErrSize   = errors.New("webp: not a picture of 1 to 512 pixels a side")
	ErrBudget = errors.New("webp: cannot be made that small")
)

const (
	maxSide     = 512
	minSide     = 24  // below it, a face is nobody's any more
	coarsest    = 110 // the step after which no face is left
	lastStep    = 127
	attempts    = 8  // to fit a budget
	closeEnough = 98 // per cent of it
)

// Encode writes a picture. Quality goes from 0 to 100 and means what it means to the
// encoders of browsers.
func Encode(picture image.Image, quality int) ([]byte, error) {
	s, err := newSource(picture)
	if err != nil {
		return nil, err
	}
	f := newFrame(s)
	f.encode(stepOf(quality))
	f.encode(stepOf(quality)) // with the probabilities that the first pass has learned
	return f.file(), nil
}

// Fit writes a picture as well as it can be in so many bytes: as finely as possible,
// and smaller when even the coarsest is too long.
func Fit(picture image.Image, budget int) ([]byte, error) {
	for {
		s, err := newSource(picture)
		if err != nil {
			return nil, err
		}
		if file := newFrame(s).fit(budget); file != nil {
			return file, nil
		}
		width, height := picture.Bounds().Dx()*4/5, picture.Bounds().Dy()*4/5
		if min(width, height) < minSide {
			return nil, fmt.Errorf("%w: %d bytes", ErrBudget, budget)
		}
		picture = shrink(picture, width, height)
	}
}

// shrink keeps grey grey, since grey costs no colour.
func shrink(picture image.Image, width, height int) image.Image {
	var small draw.Image = image.NewRGBA(image.Rect(0, 0, width, height))
	if _, grey := picture.(*image.Gray); grey {
		small = image.NewGray(small.Bounds())
	}
	draw.CatmullRom.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	return small
}

// fit searches the finest step whose file is within the budget; nil when there is none.
// Each attempt starts from the probabilities of the one before, and from where its
// length says that the budget is met.
func (f *frame) fit(budget int) []byte {
	var best []byte
	low, high, step := 0, coarsest, 48
	f.encode(step)
	for n := 0; low <= high && n < attempts; n++ {
		f.encode(step)
		size := f.size()
		next := closerStep(step, float64(size)/float64(budget))
		if size > budget {
			low = step + 1
		} else {
			best, high = f.file(), step-1
			if size*100 > budget*closeEnough {
				break
			}
		}
		step = min(high, max(low, next))
	}
	return best
}

// closerStep guesses the step at which a file gets shorter by a factor: lengths fall
// with a power of the size of steps.
func closerStep(step int, factor float64) int {
	const power = 1.3
	wanted := int32(math.Ceil(float64(stepsAC[step]) * math.Pow(factor, power)))
	at, _ := slices.BinarySearch(stepsAC[:], wanted)
	return at
}

// stepOf maps a quality to a step of quantisation along the curve of libwebp, so that
// the numbers people know keep their meaning.
func stepOf(quality int) int {
	q := float64(min(100, max(0, quality))) / 100
	linear := 2*q - 1
	if q < 0.75 {
		linear = q * 2 / 3
	}
	return int(lastStep * (1 - math.Cbrt(linear)))
}

// file wraps the frame in its container.
func (f *frame) file() []byte {
	data := f.bitstream(f.smoothing())
	length := len(data)
	if length%2 == 1 {
		data = append(data, 0) // RIFF counts in pairs
	}
	out := append([]byte("RIFF"), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(out[4:], uint32(12+len(data)))
	out = append(out, "WEBPVP8 "...)
	out = binary.LittleEndian.AppendUint32(out, uint32(length))
	return append(out, data...)
}

// size is how long file would be.
func (f *frame) size() int {
	const container = 20
	return (container + len(f.bitstream(0)) + 1) &^ 1
}
