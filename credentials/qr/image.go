package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/skip2/go-qrcode"
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

// pixelsPerModule is the scale of PNG: sharp on paper at 300 dpi.
const pixelsPerModule = 4

// PNG draws a text as a QR code with its quiet zone.
func PNG(text string, level Level) ([]byte, error) {
	code, err := draw40(text, level)
	if err != nil {
		return nil, err
	}
	return code.PNG(-pixelsPerModule)
}

// SVG draws a text as a QR code with its quiet zone, of no fixed size.
func SVG(text string, level Level) ([]byte, error) {
	code, err := draw40(text, level)
	if err != nil {
		return nil, err
	}
	bitmap := code.Bitmap()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, len(bitmap), len(bitmap))
	b.WriteString(`<path fill="#fff" d="M0 0h` + fmt.Sprint(len(bitmap)) + `v` + fmt.Sprint(len(bitmap)) + `H0z"/><path d="`)
	for y, row := range bitmap {
		for x := 0; x < len(row); x++ {
			start := x
			for x < len(row) && row[x] {
				x++
			}
			if run := x - start; run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", start, y, run, run)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

func draw40(text string, level Level) (*qrcode.QRCode, error) {
	if text == "" || level < Low || level > High {
		return nil, fmt.Errorf("%w: nothing to draw", ErrMalformed)
	}
	capacity, unit := octets[level], "bytes"
	if strings.Trim(text, alphabet) == "" {
		capacity, unit = alphanumeric[level], "characters"
	}
	if len(text) > capacity {
		return nil, fmt.Errorf("%w: %d %s, at most %d at this level of error correction", ErrTooLong, len(text), unit, capacity)
	}
	code, err := qrcode.New(text, qrcode.RecoveryLevel(level))
	if err != nil {
		return nil, fmt.Errorf("%w: %d %s", ErrTooLong, len(text), unit)
	}
	return code, nil
}

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
