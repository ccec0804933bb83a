package face

import (
	"slices"

	"github.com/plinth-id/plinth/biometrics"
)

// Check tells whether a photograph can be used for enrolment, from 0 to 100, with
// reasons that the one who takes it can act on. It measures size, pose where the
// record says where the eyes are, light, sharpness, colour and background. Whose face
// it is, or whether it is a living one, it cannot tell. ErrNoFace says that nothing in
// the picture looks like a portrait.
func Check(img *Image) (biometrics.Quality, error) {
	if img == nil || img.Width < 60 || img.Height < 60 || img.Width > 2*img.Height || img.Height > 3*img.Width ||
		len(img.grey) != img.Width*img.Height {
		return biometrics.Quality{Reasons: []string{"no face"}}, ErrNoFace
	}
	s := img.shrunk(smallHeight)
	at, ok := s.sight()
	if !ok || img.rough(at) > mostRough {
		return biometrics.Quality{Reasons: []string{"no face"}}, ErrNoFace
	}
	q := biometrics.Quality{Value: 100}
	take := func(is bool, reason string, left int) {
		if is {
			q.Reasons = append(q.Reasons, reason)
			q.Value = q.Value * left / 100
		}
	}
	take(img.Width < leastWidth || img.Height < leastHeight, "too small", 50)
	if img.Eyes != nil {
		for _, reason := range img.Eyes.posed(img.Width, img.Height) {
			take(true, reason, 50)
		}
	}
	light := img.light(at.box(img))
	take(light.middle < 50, "too dark", 50)
	take(light.burnt > 10 || light.middle > 225, "too bright", 50)
	take(light.high-light.low < 40, "poor contrast", 60)
	take(at.uneven(s), "light from one side", 70)
	take(img.blur(at.box(img)) > mostBlur, "blurred", 40)
	take(!img.coloured(), "no colour", 80)
	take(!img.plainBackground(), "background not plain", 80)
	return q, nil
}

// box is where the face is, in pixels of the picture: left, top, right, bottom.
func (f sighted) box(img *Image) [4]int {
	scale := func(v int) int { return v * img.Height / smallHeight }
	return [4]int{max(0, scale(f.x-2*f.half)), max(0, scale(f.y-f.half)),
		min(img.Width, scale(f.x+2*f.half)), min(img.Height, scale(f.y+2*f.half))}
}

// mostRough is more than beards have, and less than printed words.
const mostRough = 45

// rough is by how much shades differ on the smoother cheek: their mean distance from
// the mean.
func (img *Image) rough(at sighted) int {
	least := 255
	for _, side := range []int{-1, 1} {
		f := sighted{x: at.x + side*at.half, y: at.y + at.half, half: max(1, at.half/4)}
		box := f.box(img)
		sum, n := 0, max(1, (box[2]-box[0])*(box[3]-box[1]))
		for y := box[1]; y < box[3]; y++ {
			for _, v := range img.grey[y*img.Width+box[0] : y*img.Width+box[2]] {
				sum += int(v)
			}
		}
		mean, away := sum/n, 0
		for y := box[1]; y < box[3]; y++ {
			for _, v := range img.grey[y*img.Width+box[0] : y*img.Width+box[2]] {
				away += max(int(v)-mean, mean-int(v))
			}
		}
		least = min(least, away/n)
	}
	return least
}

// light is how shades are spread: the middle one, those below which 5 and 95 of a
// hundred lie, and how many in a hundred are burnt out.
type light struct{ middle, low, high, burnt int }

func (img *Image) light(box [4]int) light {
	var shades []uint8
	burnt := 0
	for y := box[1]; y < box[3]; y += 2 {
		for x := box[0]; x < box[2]; x += 2 {
			v := img.grey[y*img.Width+x]
			shades = append(shades, v)
			if v >= 250 {
				burnt++
			}
		}
	}
	if len(shades) == 0 {
		return light{}
	}
	slices.Sort(shades)
	at := func(percent int) int { return int(shades[len(shades)*percent/100]) }
	return light{at(50), at(5), at(95), 100 * burnt / len(shades)}
}

// uneven tells whether one cheek is much darker than the other.
func (f sighted) uneven(s small) bool {
	left, right := s.mean(f.x-f.half, f.y+f.half, f.half/2, f.half/2), s.mean(f.x+f.half, f.y+f.half, f.half/2, f.half/2)
	return max(left, right)*2 > min(left, right)*3
}

// mostBlur was set between sharp pictures and ones blurred by a hundredth of their
// width.
const mostBlur = .62

// blur is what share of the differences between neighbouring pixels a further blur
// leaves (Crété and others, 2007): little of a sharp picture, most of a blurred one.
// It is measured along rows, at the scale at which the face has 240 pixels.
func (img *Image) blur(box [4]int) float64 {
	step := max(1, (box[2]-box[0])/240)
	const reach = 4
	var all, lost float64
	for y := box[1]; y < box[3]; y += step {
		row := img.grey[y*img.Width:][:img.Width]
		var line []int
		for x := box[0]; x+step <= box[2]; x += step {
			sum := 0
			for _, v := range row[x : x+step] {
				sum += int(v)
			}
			line = append(line, sum*16/step)
		}
		var before int
		for x := reach; x+reach < len(line); x++ {
			sum := 0
			for _, v := range line[x-reach : x+reach+1] {
				sum += v
			}
			mean := sum / (2*reach + 1)
			if x > reach {
				sharp, soft := max(line[x]-line[x-1], line[x-1]-line[x]), max(mean-before, before-mean)
				all += float64(sharp)
				lost += float64(max(0, sharp-soft))
			}
			before = mean
		}
	}
	if all == 0 {
		return 1
	}
	return 1 - lost/all
}

// coloured tells whether there are colours: of a hundred pixels five differ between
// their channels.
func (img *Image) coloured() bool {
	n, coloured := 0, 0
	for i := 0; i+3 < len(img.pixels.Pix); i += 4 * 7 {
		r, g, b := img.pixels.Pix[i], img.pixels.Pix[i+1], img.pixels.Pix[i+2]
		n++
		if max(r, g, b)-min(r, g, b) > 12 {
			coloured++
		}
	}
	return coloured*20 > n
}

// plainBackground looks at the two upper corners, where on a portrait there is neither
// head nor shoulder: nine in ten pixels are near to the middle shade.
func (img *Image) plainBackground() bool {
	var shades []uint8
	for y := 0; y < img.Height/4; y += 2 {
		for x := 0; x < img.Width/8; x += 2 {
			shades = append(shades, img.grey[y*img.Width+x], img.grey[y*img.Width+img.Width-1-x])
		}
	}
	slices.Sort(shades)
	return shades[len(shades)*95/100]-shades[len(shades)*5/100] <= 60
}
