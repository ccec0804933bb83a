package card

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"

	"github.com/plinth-id/plinth/credentials/card/pdf"
	"github.com/plinth-id/plinth/credentials/qr"
	"golang.org/x/image/draw"
)

// A portrait is printed with at most so many pixels, 300 to the inch on a card; a small
// JPEG is taken as it is.
const (
	portraitSide    = 480
	portraitQuality = 85
	smallJPEG       = 64 << 10
)

// portraitOf brings a portrait into the form that all documents can hold: a JPEG.
func (p *Printer) portraitOf(file []byte) (*portrait, error) {
	if len(file) == 0 {
		return nil, nil
	}
	if len(file) > maxPortrait {
		return nil, fmt.Errorf("%w: %d bytes", ErrPortrait, len(file))
	}
	whole := bytes.HasSuffix(file, []byte{0xff, 0xd9})
	if size, err := jpeg.DecodeConfig(bytes.NewReader(file)); err == nil && whole && len(file) <= smallJPEG &&
		max(size.Width, size.Height) <= 2*portraitSide && size.ColorModel != color.CMYKModel {
		return &portrait{jpeg: file, width: size.Width, height: size.Height}, nil
	}
	picture, err := qr.Picture(file)
	if err != nil {
		return nil, errors.Join(ErrPortrait, err)
	}
	b := picture.Bounds()
	longer := max(b.Dx(), b.Dy())
	side := min(longer, portraitSide)
	small := image.NewRGBA(image.Rect(0, 0, max(1, b.Dx()*side/longer), max(1, b.Dy()*side/longer)))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	draw.BiLinear.Scale(small, small.Bounds(), picture, b, draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: portraitQuality}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPortrait, err)
	}
	return &portrait{jpeg: out.Bytes(), width: small.Rect.Dx(), height: small.Rect.Dy()}, nil
}

// within keeps the proportions of a face.
func (p *portrait) within(f pdf.Figure) pdf.Figure {
	scale := min(f.Width/float64(p.width), f.Height/float64(p.height))
	width, height := float64(p.width)*scale, float64(p.height)*scale
	f.X, f.Y, f.Width, f.Height = f.X+(f.Width-width)/2, f.Y+(f.Height-height)/2, width, height
	return f
}
