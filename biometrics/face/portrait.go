package face

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"

	"golang.org/x/image/draw"
)

// Options say what a portrait is for: a card takes 413 by 531 pixels in colour and
// 60,000 bytes, a code 90 by 115 in grey and 1,500.
type Options struct {
	Width, Height int // at most; the proportions are kept
	Bytes         int // of the JPEG, at most
	Grey          bool
}

const (
	mostSide     = 4000
	leastSide    = 32 // less than this shows no face
	bestQuality  = 92 // of a JPEG
	leastQuality = 30
)

// Portrait cuts a photograph to the proportions of a portrait, by the eyes where it is
// known where they are, and writes it as the best JPEG that fits: it is made coarser
// first, and smaller only then.
func Portrait(img *Image, o Options) ([]byte, error) {
	if img == nil || img.pixels == nil || img.Width < 1 || img.Height < 1 {
		return nil, ErrNoFace
	}
	if o.Width < leastSide || o.Height < leastSide || o.Width > mostSide || o.Height > mostSide || o.Bytes < 1 {
		return nil, fmt.Errorf("%w: %d by %d pixels in %d bytes", ErrBudget, o.Width, o.Height, o.Bytes)
	}
	crop := img.crop(float64(o.Width) / float64(o.Height))
	// A portrait is never larger than what there is to see.
	size := min(1, float64(crop.Dx())/float64(o.Width))
	for ; ; size *= .85 {
		w, h := int(math.Round(float64(o.Width)*size)), int(math.Round(float64(o.Height)*size))
		if w < leastSide || h < leastSide {
			return nil, ErrBudget
		}
		if out, err := fitting(scaled(img.pixels, crop, w, h, o.Grey), o.Bytes); out != nil || err != nil {
			return out, err
		}
	}
}

// crop is the part of a photograph that a portrait shows: the eyes at 45 hundredths of
// the height, a quarter of the width apart (ISO/IEC 19794-5, token image); without
// them the largest part that fits, of a tall picture nearer to the top.
func (img *Image) crop(proportion float64) image.Rectangle {
	w, h := float64(img.Width), float64(img.Height)
	width := min(w, h*proportion)
	x, y := (w-width)/2, (h-width/proportion)/3
	if img.Eyes != nil {
		m := img.Eyes.middle()
		width = min(width, img.Eyes.apart()*4)
		x, y = m.X-width/2, m.Y-.45*width/proportion
	}
	height := width / proportion
	x, y = max(0, min(w-width, x)), max(0, min(h-height, y))
	r := image.Rect(int(x), int(y), int(math.Round(x+width)), int(math.Round(y+height))).Intersect(img.pixels.Rect)
	if r.Empty() {
		return img.pixels.Rect
	}
	return r
}

// scaled brings a part of a picture to a size.
func scaled(src *image.RGBA, part image.Rectangle, w, h int, grey bool) image.Image {
	var to draw.Image = image.NewRGBA(image.Rect(0, 0, w, h))
	if grey {
		to = image.NewGray(image.Rect(0, 0, w, h))
	}
	draw.CatmullRom.Scale(to, to.Bounds(), src, part, draw.Src, nil)
	return to
}

// fitting is the best JPEG of so many bytes, or nil.
func fitting(img image.Image, most int) (best []byte, err error) {
	for low, high := leastQuality, bestQuality; low <= high; {
		quality := (low + high + 1) / 2
		if low == leastQuality && best == nil {
			quality = low // is there any that fits?
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("face: writing a portrait: %w", err)
		}
		if b.Len() > most {
			if best == nil {
				return nil, nil
			}
			high = quality - 1
			continue
		}
		best, low = b.Bytes(), quality+1
	}
	return best, nil
}
