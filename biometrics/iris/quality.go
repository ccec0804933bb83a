package iris

import (
	"slices"

	"github.com/plinth-id/plinth/biometrics"
)

// judge says how well an eye was captured: the share of the code that can be read,
// times what size, sharpness, dilation and contrast leave of it. What a rule takes
// away has a reason.
func judge(p *plane, e *eye, s *sheet, times int) biometrics.Quality {
	total := rows * directions
	seen := 0
	for _, is := range s.seen {
		if is {
			seen++
		}
	}
	dilation := 100 * e.pupil.r / e.limbus.r
	rules := []struct {
		reason           string
		value, bad, good int // at bad a fifth is left, at good all; the reason is given in the lower half
	}{
		{"eyelids closed", 100 * (total - s.lidded) / total, 30, 90},
		{"glare", 100 * (total - s.glaring) / total, 75, 98},
		{"off centre", 100 * (total - s.outside) / total, 75, 98},
		{"too small", 2 * e.limbus.r * times, 90, 210},
		{"blurred", e.sharpness(p), 22, 48},
		{"pupil too large", 100 - dilation, 22, 48},
		{"pupil too small", dilation, 8, 20},
		{"poor contrast", min(e.grey-e.dark, 2*(e.white-e.grey)), 8, 40},
	}
	value := 1000 * seen / total
	q := biometrics.Quality{}
	for _, r := range rules {
		share := 20 + 80*(max(r.bad, min(r.good, r.value))-r.bad)/(r.good-r.bad)
		if share < 60 {
			q.Reasons = append(q.Reasons, r.reason)
		}
		value = value * share / 100
	}
	q.Value = min(100, value/10)
	return q
}

// sharpness is how much of the step at the edge of the pupil happens within four
// pixels, in per cent, of the middle one of all rays; the pixels being those of an
// iris of usual size.
func (e *eye) sharpness(p *plane) int {
	around := newFan(every(8), mostPupil+24)
	around.spread(p, e.pupil.x, e.pupil.y)
	near := max(1, (e.limbus.r+27)/55)
	var all []int
	for ray := range around.rays {
		whole, ok := around.step(ray, e.pupil.r, 5*near)
		if !ok || whole < clear_ {
			continue
		}
		steepest := 0
		for r := e.pupil.r - 3*near; r <= e.pupil.r+3*near; r++ {
			if s, ok := around.step(ray, r, near); ok {
				steepest = max(steepest, s)
			}
		}
		all = append(all, min(100, 100*steepest/whole))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
