package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"golang.org/x/image/draw"
)

// Level is how much of a code may be damaged before it cannot be read.
type Level int

// The levels: 7, 15, 25 and 30 per cent. Low is for screens and laminated cards,
// Medium for paper.
const (
	Low Level = iota
	Medium
	Quartile
	High
)

// What a QR code of version 40 holds at each level.
var (
	alphanumeric = [...]int{4296, 3391, 2420, 1852}
	octets       = [...]int{2953, 2331, 1663, 1273}
)

// Read finds a QR code in a PNG or JPEG image and reads its text.
func Read(file []byte) (string, error) {
	picture, err := decode(file)
	if err != nil {
		return "", err
	}
	drawn := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	photographed := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	if text, ok := scan(picture, drawn); ok {
		return text, nil
	}
	if text, ok := scan(picture, photographed); ok {
		return text, nil
	}
	// Of the few that the detector misses, most are found among fewer pixels.
	if text, ok := scan(smaller(picture), photographed); ok {
		return text, nil
	}
	return "", ErrNoQR
}

func smaller(picture *image.Gray) *image.Gray {
	const side = 1200
	size := picture.Bounds().Size()
	factor := min(0.75, side/float64(max(size.X, size.Y)))
	small := image.NewGray(image.Rect(0, 0, max(1, int(float64(size.X)*factor)), max(1, int(float64(size.Y)*factor))))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	return small
}

// decode gives the picture in grey on white, for a transparent ground would be
// read as black.
func decode(file []byte) (*image.Gray, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(file), maxFile)
	}
	config, full := jpeg.DecodeConfig, jpeg.Decode
	if bytes.HasPrefix(file, []byte("\x89PNG")) {
		config, full = png.DecodeConfig, png.Decode
	}
	size, err := config(bytes.NewReader(file))
	if err != nil {
		return nil, ErrNotAnImage
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height {
		return nil, fmt.Errorf("%w: %d × %d pixels, at most %d", ErrTooLarge, size.Width, size.Height, maxPixels)
	}
	source, err := full(bytes.NewReader(file))
	if err != nil {
		return nil, ErrNotAnImage
	}
	grey := image.NewGray(image.Rect(0, 0, size.Width, size.Height))
	draw.Draw(grey, grey.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(grey, grey.Bounds(), source, source.Bounds().Min, draw.Over)
	return grey, nil
}

func scan(picture image.Image, hints map[gozxing.DecodeHintType]any) (text string, ok bool) {
	// gozxing has panicked on pictures that its authors did not foresee.
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		return "", false
	}
	result, err := zxing.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		return "", false
	}
	return result.GetText(), true
}
