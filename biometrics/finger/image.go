package finger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"math"

	"golang.org/x/image/draw"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/picture"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

const (
	dpi        = 500
	maxSide    = 2000 // at 500 ppi: four inches
	minSide    = 64
	maxEncoded = 32 << 20
	leastPPI   = 100
	mostPPI    = 2000
)

// Image is one finger, grey, at 500 ppi: 0 is black, ridges are dark.
type Image struct {
	Width, Height int
	Pix           []uint8
}

// Gray is the image as the standard library has it, sharing its pixels.
func (i *Image) Gray() *image.Gray {
	return &image.Gray{Pix: i.Pix, Stride: i.Width, Rect: image.Rect(0, 0, i.Width, i.Height)}
}

// Decode reads a PNG, JPEG, BMP, TIFF, WSQ or JPEG 2000. Its size is checked before
// its pixels are read. What it says of its resolution is believed between 100 and
// 2000 ppi; one that says nothing is taken for 500 ppi.
func Decode(raw []byte) (*Image, error) { return DecodeAt(raw, resolution(raw)) }

// DecodeAt reads an image as Decode does, of a resolution that is known otherwise.
func DecodeAt(raw []byte, ppi float64) (*Image, error) {
	decode := picture.Decode
	if bytes.HasPrefix(raw, []byte{0xff, 0xa0}) && len(raw) <= maxEncoded {
		decode = func(raw []byte) (image.Image, error) {
			img, err := wsq.Decode(raw)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
			}
			return img, nil
		}
	}
	img, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return FromImage(img, ppi)
}

// FromImage takes any image of a finger with its resolution in pixels per inch; one
// that cannot be is taken for 500.
func FromImage(src image.Image, ppi float64) (*Image, error) {
	if !(ppi >= leastPPI && ppi <= mostPPI) { // 72 and 96 are what programs write when they do not know
		ppi = dpi
	}
	scale := dpi / ppi
	if math.Abs(scale-1) < .02 {
		scale = 1
	}
	b := src.Bounds()
	w, h := int(math.Round(float64(b.Dx())*scale)), int(math.Round(float64(b.Dy())*scale))
	if w > maxSide || h > maxSide {
		return nil, biometrics.ErrTooLarge
	}
	if w < minSide || h < minSide {
		return nil, biometrics.ErrNoFinger
	}
	grey := picture.Grey(src)
	if scale != 1 {
		scaled := image.NewGray(image.Rect(0, 0, w, h))
		draw.CatmullRom.Scale(scaled, scaled.Rect, grey, grey.Rect, draw.Src, nil)
		grey = scaled
	}
	return &Image{Width: w, Height: h, Pix: grey.Pix}, nil
}

// resolution reads pixels per inch from a PNG's pHYs or a BMP's header.
func resolution(raw []byte) float64 {
	perMetre := uint32(0)
	switch {
	case bytes.HasPrefix(raw, []byte("\x89PNG")):
		if at := bytes.Index(raw[:min(len(raw), 4096)], []byte("pHYs")); at >= 0 && len(raw) >= at+13 && raw[at+12] == 1 {
			perMetre = binary.BigEndian.Uint32(raw[at+4:])
		}
	case bytes.HasPrefix(raw, []byte("BM")):
		if len(raw) >= 42 {
			perMetre = binary.LittleEndian.Uint32(raw[38:])
		}
	}
	return float64(perMetre) * .0254
}
