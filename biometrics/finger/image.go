package finger

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	_ "image/jpeg" // registers its decoder
	_ "image/png"  // registers its decoder
	"math"

	_ "golang.org/x/image/bmp" // registers its decoder
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff" // registers its decoder

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/jp2"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

const (
	dpi        = 500
	maxPixels  = 16 << 20
	maxSide    = 2000 // at 500 ppi: four inches
	minSide    = 64
	maxEncoded = 32 << 20
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
func Decode(raw []byte) (*Image, error) {
	if len(raw) > maxEncoded {
		return nil, biometrics.ErrTooLarge
	}
	if decode := fieldCodec(raw); decode != nil {
		img, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
		}
		return FromImage(img, dpi)
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels || config.Height > maxPixels || config.Width*config.Height > maxPixels {
		return nil, biometrics.ErrTooLarge
	}
	decoded, err := decodeSafely(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	return FromImage(decoded, resolution(raw, format))
}

// fieldCodec finds the decoder of what fingerprint devices send, by the first bytes.
func fieldCodec(raw []byte) func([]byte) (image.Image, error) {
	switch {
	case bytes.HasPrefix(raw, []byte{0xff, 0xa0}):
		return func(raw []byte) (image.Image, error) { return wsq.Decode(raw) }
	case bytes.HasPrefix(raw, []byte{0xff, 0x4f, 0xff, 0x51}), len(raw) >= 8 && string(raw[4:8]) == "jP  ":
		return jp2.Decode
	}
	return nil
}

// decodeSafely turns a panic of a decoder into an error.
func decodeSafely(raw []byte) (img image.Image, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed: %v", p)
		}
	}()
	img, _, err = image.Decode(bytes.NewReader(raw))
	return img, err
}

// FromImage takes any image of a finger with its resolution in pixels per inch.
func FromImage(src image.Image, ppi float64) (*Image, error) {
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
	grey := image.NewGray(image.Rect(0, 0, w, h))
	if plain, ok := src.(*image.Gray); ok && scale == 1 {
		for y := range h {
			copy(grey.Pix[y*w:(y+1)*w], plain.Pix[plain.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return &Image{Width: w, Height: h, Pix: grey.Pix}, nil
	}
	// Transparent parts count as paper.
	draw.Draw(grey, grey.Rect, image.White, image.Point{}, draw.Src)
	if scale == 1 {
		draw.Draw(grey, grey.Rect, src, b.Min, draw.Over)
	} else {
		draw.CatmullRom.Scale(grey, grey.Rect, src, b, draw.Over, nil)
	}
	return &Image{Width: w, Height: h, Pix: grey.Pix}, nil
}

// resolution reads pixels per inch from a PNG's pHYs or a BMP's header.
func resolution(raw []byte, format string) float64 {
	perMetre := uint32(0)
	switch format {
	case "png":
		if at := bytes.Index(raw[:min(len(raw), 4096)], []byte("pHYs")); at >= 0 && len(raw) >= at+13 && raw[at+12] == 1 {
			perMetre = binary.BigEndian.Uint32(raw[at+4:])
		}
	case "bmp":
		if len(raw) >= 42 {
			perMetre = binary.LittleEndian.Uint32(raw[38:])
		}
	}
	ppi := float64(perMetre) * .0254
	// 72 and 96 are what programs write when they do not know.
	if ppi < 100 || ppi > 2000 {
		return dpi
	}
	return ppi
}
