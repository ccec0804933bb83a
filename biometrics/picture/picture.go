// Package picture reads the pictures that people and devices send: PNG, JPEG, BMP,
// TIFF and JPEG 2000, within bounds.
package picture

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // registers its decoder
	_ "image/png"  // registers its decoder

	_ "golang.org/x/image/bmp" // registers its decoder
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff" // registers its decoder

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/jp2"
)

// What is read at most.
const (
	maxPixels  = 16 << 20
	maxEncoded = 32 << 20
)

// Decode reads a picture. Its size is checked before its pixels are read.
func Decode(raw []byte) (image.Image, error) {
	if len(raw) > maxEncoded {
		return nil, biometrics.ErrTooLarge
	}
	decode := jp2.Decode
	if !bytes.HasPrefix(raw, []byte{0xff, 0x4f, 0xff, 0x51}) && (len(raw) < 8 || string(raw[4:8]) != "jP  ") {
		config, _, err := image.DecodeConfig(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
		}
		if !Fits(config.Width, config.Height) {
			return nil, biometrics.ErrTooLarge
		}
		decode = decodeSafely
	}
	img, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	if b := img.Bounds(); !Fits(b.Dx(), b.Dy()) {
		return nil, biometrics.ErrTooLarge
	}
	return img, nil
}

// Fits tells whether a picture of so many pixels is read.
func Fits(width, height int) bool {
	return width > 0 && height > 0 && width <= maxPixels && height <= maxPixels/width
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

// Grey is a picture without its colours, from (0, 0), without gaps between rows.
// Transparent parts count as paper.
func Grey(src image.Image) *image.Gray {
	b := src.Bounds()
	grey := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	if plain, ok := src.(*image.Gray); ok {
		for y := range b.Dy() {
			copy(grey.Pix[y*b.Dx():(y+1)*b.Dx()], plain.Pix[plain.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return grey
	}
	draw.Draw(grey, grey.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(grey, grey.Rect, src, b.Min, draw.Over)
	return grey
}
