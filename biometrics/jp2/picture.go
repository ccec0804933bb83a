package jp2

import (
	"image"
	"math"
)

// finish undoes the transform of components and puts a tile into the image.
func (d *decoder) finish(area rect, planes []plane) {
	w := d.x1 - d.x0
	for y := range area.h() {
		for x := range area.w() {
			i := y*area.w() + x
			to := (area.y0-d.y0+y)*w + area.x0 - d.x0 + x
			var v [3]int32
			switch {
			case d.coding.transform && d.coding.reversible:
				v = inverseRCT(planes[0].whole[i], planes[1].whole[i], planes[2].whole[i])
			case d.coding.transform:
				v = inverseICT(planes[0].real[i], planes[1].real[i], planes[2].real[i])
			default:
				for c := range planes {
					if d.coding.reversible {
						v[c] = planes[c].whole[i]
					} else {
						v[c] = round(planes[c].real[i])
					}
				}
			}
			for c := range planes {
				d.samples[c][to] = v[c]
			}
		}
	}
}

func round(v float32) int32 { return int32(math.RoundToEven(float64(v))) }

// inverseRCT is the reversible transform (G.2).
func inverseRCT(y, cb, cr int32) [3]int32 {
	g := y - (cb+cr)>>2
	return [3]int32{cr + g, g, cb + g}
}

// inverseICT is the irreversible one (G.3).
func inverseICT(y, cb, cr float32) [3]int32 {
	return [3]int32{round(y + float32(1.402*cr)), round(y - float32(0.344136*cb) - float32(0.714136*cr)), round(y + float32(1.772*cb))}
}

// level is a sample as it is shown: shifted, within its depth, and as 8 bits.
func (d *decoder) level(c, i int) uint8 {
	depth := d.depth[c]
	v := d.samples[c][i] + 1<<(depth-1) // signed ones are shown about the middle too
	v = min(1<<depth-1, max(0, v))
	if depth == 8 {
		return uint8(v)
	}
	return uint8(int(v) * 255 / (1<<depth - 1))
}

func (d *decoder) picture() image.Image {
	bounds := image.Rect(0, 0, d.x1-d.x0, d.y1-d.y0)
	if d.components == 1 {
		img := image.NewGray(bounds)
		for i := range img.Pix {
			img.Pix[i] = d.level(0, i)
		}
		return img
	}
	img := image.NewRGBA(bounds)
	for i := range len(img.Pix) / 4 {
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = d.level(0, i), d.level(1, i), d.level(2, i), 255
	}
	return img
}
