package webp

import (
	"image"
	"image/color"
	"math"
)

// plane is one component of a picture, filled up to whole macroblocks.
type plane struct {
	pix    []uint8
	stride int
}

func newPlane(width, height int) plane {
	return plane{pix: make([]uint8, width*height), stride: width}
}

// source is the picture in luma and, unless it is grey, chroma of half the size.
type source struct {
	width, height int
	across, down  int // macroblocks
	luma          plane
	chroma        [2]plane
	grey          bool
}

func newSource(picture image.Image) (*source, error) {
	b := picture.Bounds()
	if b.Dx() < 1 || b.Dy() < 1 || b.Dx() > maxSide || b.Dy() > maxSide {
		return nil, ErrSize
	}
	s := &source{width: b.Dx(), height: b.Dy(), across: (b.Dx() + 15) / 16, down: (b.Dy() + 15) / 16, grey: true}
	s.luma = newPlane(s.across*16, s.down*16)
	s.chroma = [2]plane{newPlane(s.across*8, s.down*8), newPlane(s.across*8, s.down*8)}
	for y := range s.down * 8 {
		for x := range s.across * 8 {
			s.take(picture, x, y)
		}
	}
	return s, nil
}

// take converts four pixels by BT.601 in the narrow range that WebP has. The last row
// and column are repeated to fill a macroblock.
func (s *source) take(picture image.Image, x, y int) {
	b := picture.Bounds()
	var red, green, blue float64
	for i := range 4 {
		px, py := 2*x+i%2, 2*y+i/2
		r, g, bl := rgb(picture.At(b.Min.X+min(px, s.width-1), b.Min.Y+min(py, s.height-1)))
		s.luma.pix[py*s.luma.stride+px] = uint8(math.Round(16 + 0.25679*r + 0.50413*g + 0.09791*bl))
		s.grey = s.grey && r == g && g == bl
		red, green, blue = red+r/4, green+g/4, blue+bl/4
	}
	at := y*s.chroma[0].stride + x
	s.chroma[0].pix[at] = uint8(math.Round(128 - 0.14822*red - 0.29099*green + 0.43922*blue))
	s.chroma[1].pix[at] = uint8(math.Round(128 + 0.43922*red - 0.36779*green - 0.07143*blue))
}

// rgb gives a pixel on white: a code has no room for transparency.
func rgb(c color.Color) (r, g, b float64) {
	red, green, blue, alpha := c.RGBA()
	ground := 0xffff - alpha
	return float64(red+ground) / 257, float64(green+ground) / 257, float64(blue+ground) / 257
}
