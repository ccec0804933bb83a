package face

import (
	"math"

	"golang.org/x/image/draw"

	"image"
)

// small is a picture at a fixed height, on which what is a face is judged.
type small struct {
	w, h int
	pix  []uint8
}

const smallHeight = 60

// shrunk is the picture's grey at so many rows.
func (img *Image) shrunk(rows int) small {
	w := max(1, (img.Width*rows+img.Height/2)/img.Height)
	to := image.NewGray(image.Rect(0, 0, w, rows))
	from := &image.Gray{Pix: img.grey, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}
	draw.ApproxBiLinear.Scale(to, to.Rect, from, from.Rect, draw.Src, nil)
	return small{w, rows, to.Pix}
}

// mean of a box about a place; what is outside of the picture does not count.
func (s small) mean(x, y, rx, ry int) float64 {
	sum, n := 0, 0
	for v := max(0, y-ry); v <= min(s.h-1, y+ry); v++ {
		for u := max(0, x-rx); u <= min(s.w-1, x+rx); u++ {
			sum, n = sum+int(s.pix[v*s.w+u]), n+1
		}
	}
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// sighted is where a face may be: the line of its eyes, and their distance.
type sighted struct {
	x, y, half int // of the shrunk picture
	contrast   float64
	symmetry   float64
}

// Two things that frontal faces have, at a size at which beards, glasses and noise
// are blurred: two darker places side by side with a lighter nose between them and
// lighter cheeks below; and sides that mirror each other. (Hair and scarves hide brows.)
// Much else has one of them. This refuses what is certainly no portrait; it promises
// nothing of what it lets pass.
const (
	leastContrast = 6
	leastSymmetry = .35
)

// sight looks for a face.
func (s small) sight() (best sighted, ok bool) {
	for half := max(3, s.h/14); half <= s.w/4; half++ {
		for y := s.h / 5; y < s.h*2/3; y++ {
			for x := s.w * 3 / 10; x <= s.w*7/10; x++ {
				if x-2*half < 0 || x+2*half >= s.w || y-half < 0 || y+2*half >= s.h {
					continue
				}
				if c := s.eyesAt(x, y, half); c > max(leastContrast, best.contrast) {
					if m := s.mirrored(x, y, half); m >= leastSymmetry {
						best = sighted{x, y, half, c, m}
					}
				}
			}
		}
	}
	return best, best.contrast > 0
}

// eyesAt is by how much the two places are darker than the least of what is about
// them.
func (s small) eyesAt(x, y, half int) float64 {
	r := max(1, half/3)
	left, right := s.mean(x-half, y, r, r/2), s.mean(x+half, y, r, r/2)
	dark := max(left, right)
	light := min(s.mean(x, y, max(0, r-1), r/2), s.mean(x-half, y+half*9/10, r, r/2), s.mean(x+half, y+half*9/10, r, r/2))
	if math.Abs(left-right) > 40 {
		return 0
	}
	return light - dark
}

// mirrored is how alike the two sides of a face are: the correlation of the left with
// the right one, from brow to mouth.
func (s small) mirrored(x, y, half int) float64 {
	var n, a, b, aa, bb, ab float64
	for v := y - half; v <= y+2*half && v < s.h; v++ {
		for u := 1; u <= 2*half; u++ {
			if x-u < 0 || x+u >= s.w {
				continue
			}
			l, r := float64(s.pix[v*s.w+x-u]), float64(s.pix[v*s.w+x+u])
			n, a, b, aa, bb, ab = n+1, a+l, b+r, aa+l*l, bb+r*r, ab+l*r
		}
	}
	if n == 0 {
		return 0
	}
	va, vb := aa-a*a/n, bb-b*b/n
	if va < n || vb < n {
		return 0
	}
	return (ab - a*b/n) / math.Sqrt(va*vb)
}
