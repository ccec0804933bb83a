// Package plane reads QR codes in pictures that see them from the side. The detector of
// gozxing knows of four points of a code, which is too little for a large one. Here, the
// same finders are the start, and it goes from one alignment pattern to the next, until
// the plane of the code is known.
package plane

import (
	"cmp"
	"math"
	"slices"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

type point struct{ x, y float64 }

func (p point) plus(q point, times float64) point { return point{p.x + q.x*times, p.y + q.y*times} }
func (p point) distance(q point) float64          { return math.Hypot(p.x-q.x, p.y-q.y) }

// pair is a place in the code, in modules, and where it is seen.
type pair struct{ module, pixel point }

// view is how the plane of a code is seen.
type view struct {
	matrix  *gozxing.BitMatrix
	centres func(version int) []int
	known   []pair
	h       [8]float64
}

var tryHarder = map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}

const maxVersion = 40

func sideOf(version int) int { return 17 + 4*version }

// The bounds of the search for three finders among all that looks like one.
const (
	maxFinders = 12 // the surest
	maxTriples = 8  // the likeliest
)

// triple is three finders that could belong to one code.
type triple struct {
	top, right, foot point
	version          int
	across, down     float64 // how much farther away the others are than the first
	doubt            float64
}

// Read reads a code from black and white. It is told on which rows and columns of a
// version the alignment patterns stand.
func Read(matrix *gozxing.BitMatrix, centres func(version int) []int) (string, bool) {
	finder := detector.NewFinderPatternFinder(matrix, nil)
	// Whether it finds three that it likes does not matter: its judgement is for codes
	// that are seen from the front.
	_, _ = finder.Find(tryHarder)
	found := slices.Clone(finder.GetPossibleCenters())
	slices.SortStableFunc(found, func(a, b *detector.FinderPattern) int { return b.GetCount() - a.GetCount() })
	v := view{matrix: matrix, centres: centres}
	for _, t := range v.triples(found[:min(len(found), maxFinders)]) {
		// A plane in perspective: places times their depth are linear.
		depth := t.across + t.down - 1
		if depth < 0.2 {
			continue
		}
		corner := point{}.plus(t.right, t.across/depth).plus(t.foot, t.down/depth).plus(t.top, -1/depth)
		for _, version := range []int{t.version, t.version - 1, t.version + 1} {
			if version < 1 || version > maxVersion {
				continue
			}
			far := float64(sideOf(version)) - 3.5
			v.known = []pair{{point{3.5, 3.5}, t.top}, {point{far, 3.5}, t.right}, {point{3.5, far}, t.foot}, {point{far, far}, corner}}
			if text, ok := v.read(version); ok {
				return text, true
			}
		}
	}
	return "", false
}

// triples puts three finders each together, and the likeliest first: as many modules
// across as down.
func (v *view) triples(centres []*detector.FinderPattern) (all []triple) {
	at := func(i int) point { return point{centres[i].GetX(), centres[i].GetY()} }
	for i := range centres {
		for j := range centres {
			for k := range centres {
				t := triple{top: at(i), right: at(j), foot: at(k)}
				x, y := t.right.plus(t.top, -1), t.foot.plus(t.top, -1)
				if i == j || j == k || i == k || x.x*y.y-x.y*y.x < 0.4*math.Hypot(x.x, x.y)*math.Hypot(y.x, y.y) {
					continue
				}
				across, farX, okX := v.between(t.top, t.right)
				down, farY, okY := v.between(t.top, t.foot)
				modules := (across+down)/2 + 7
				t.version, t.across, t.down = int(math.Round((modules-17)/4)), farX, farY
				t.doubt = math.Abs(math.Log(across/down)) + math.Abs(math.Log(farX)) + math.Abs(math.Log(farY))
				if okX && okY && math.Abs(math.Log(across/down)) < 0.15 && t.version >= 1 && t.version <= maxVersion {
					all = append(all, t)
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b triple) int { return cmp.Compare(a.doubt, b.doubt) })
	return all[:min(len(all), maxTriples)]
}

// between counts the modules between the centres of two finders, from how large modules
// are at both. It tells as well how much farther away the second is.
func (v *view) between(a, b point) (modules, depth float64, ok bool) {
	first, second := v.moduleAt(a, b), v.moduleAt(b, a)
	if first == 0 || second == 0 {
		return 0, 0, false
	}
	return a.distance(b) / math.Sqrt(first*second), math.Sqrt(first / second), true
}

// moduleAt measures a finder from its centre, in one direction and its opposite: dark,
// light, dark, and out after three and a half modules.
func (v *view) moduleAt(centre, towards point) float64 {
	length := centre.distance(towards)
	step := point{(towards.x - centre.x) / length, (towards.y - centre.y) / length}
	sum := 0.0
	for _, sign := range []float64{1, -1} {
		changes, dark, out := 0, true, 0.0
		for ; changes < 3 && out < length/2; out += 0.25 {
			if now := v.dark(centre.plus(step, sign*out)); now != dark {
				dark = now
				changes++
			}
		}
		if changes < 3 {
			return 0
		}
		sum += out - 0.25
	}
	return sum / 7
}

func (v *view) dark(p point) bool {
	x, y := int(p.x), int(p.y)
	return p.x >= 0 && p.y >= 0 && x < v.matrix.GetWidth() && y < v.matrix.GetHeight() && v.matrix.Get(x, y)
}

// read goes through the alignment patterns, those near a finder first, and then reads
// all modules.
func (v *view) read(version int) (string, bool) {
	if !v.solve() {
		return "", false
	}
	side := sideOf(version)
	var places []point
	centres := v.centres(version)
	for i, y := range centres {
		for j, x := range centres {
			if last := len(centres) - 1; i == 0 && (j == 0 || j == last) || i == last && j == 0 {
				continue
			}
			places = append(places, point{float64(x) + 0.5, float64(y) + 0.5})
		}
	}
	near := func(p point) float64 {
		return min(p.distance(v.known[0].module), p.distance(v.known[1].module), p.distance(v.known[2].module))
	}
	slices.SortStableFunc(places, func(a, b point) int { return cmp.Compare(near(a), near(b)) })
	guessed := true
	for _, reach := range []float64{2.5, 1} {
		for _, place := range places {
			pixel, ok := v.alignment(place, reach)
			if !ok {
				continue
			}
			// The fourth corner was a guess, for as long as there was nothing better.
			if guessed && place.x > float64(side)/2 && place.y > float64(side)/2 {
				v.known, guessed = slices.Delete(v.known, 3, 4), false
			}
			v.known = slices.DeleteFunc(v.known, func(p pair) bool { return p.module == place })
			v.known = append(v.known, pair{place, pixel})
			if !v.solve() {
				return "", false
			}
		}
	}
	return v.decode(side)
}

// alignment looks for a pattern near its place: dark, round it light, round that dark.
func (v *view) alignment(place point, reach float64) (point, bool) {
	const enough = 22 // of 25 modules
	centre := v.project(place)
	right, down := v.project(place.plus(point{1, 0}, 1)), v.project(place.plus(point{0, 1}, 1))
	right, down = right.plus(centre, -1), down.plus(centre, -1)
	best, n, sum := enough-1, 0.0, point{}
	for dy := -reach; dy <= reach; dy += 0.25 {
		for dx := -reach; dx <= reach; dx += 0.25 {
			at := centre.plus(right, dx).plus(down, dy)
			alike := 0
			for y := -2; y <= 2; y++ {
				for x := -2; x <= 2; x++ {
					ring := max(x, -x, y, -y)
					if v.dark(at.plus(right, float64(x)).plus(down, float64(y))) == (ring != 1) {
						alike++
					}
				}
			}
			if alike > best {
				best, n, sum = alike, 0, point{}
			}
			if alike == best {
				n, sum = n+1, sum.plus(at, 1)
			}
		}
	}
	if n == 0 {
		return point{}, false
	}
	return point{sum.x / n, sum.y / n}, true
}

func (v *view) project(p point) point {
	w := v.h[6]*p.x + v.h[7]*p.y + 1
	return point{(v.h[0]*p.x + v.h[1]*p.y + v.h[2]) / w, (v.h[3]*p.x + v.h[4]*p.y + v.h[5]) / w}
}

// solve finds the projection that fits all known pairs best, by least squares.
func (v *view) solve() bool {
	var m [8][9]float64
	add := func(row [8]float64, value float64) {
		for i := range row {
			for j := range row {
				m[i][j] += row[i] * row[j]
			}
			m[i][8] += row[i] * value
		}
	}
	for _, p := range v.known {
		x, y, px, py := p.module.x, p.module.y, p.pixel.x, p.pixel.y
		add([8]float64{x, y, 1, 0, 0, 0, -x * px, -y * px}, px)
		add([8]float64{0, 0, 0, x, y, 1, -x * py, -y * py}, py)
	}
	for i := range 8 {
		pivot := i
		for j := i + 1; j < 8; j++ {
			if math.Abs(m[j][i]) > math.Abs(m[pivot][i]) {
				pivot = j
			}
		}
		if math.Abs(m[pivot][i]) < 1e-12 {
			return false
		}
		m[i], m[pivot] = m[pivot], m[i]
		for j := range 8 {
			if j == i {
				continue
			}
			factor := m[j][i] / m[i][i]
			for k := i; k < 9; k++ {
				m[j][k] -= factor * m[i][k]
			}
		}
	}
	for i := range 8 {
		v.h[i] = m[i][8] / m[i][i]
	}
	return true
}

// decode takes five samples of each module, and lets the error correction judge.
func (v *view) decode(side int) (string, bool) {
	bits, err := gozxing.NewSquareBitMatrix(side)
	if err != nil {
		return "", false
	}
	for y := range side {
		for x := range side {
			dark := 0
			for _, off := range [5]point{{0.5, 0.5}, {0.3, 0.3}, {0.7, 0.3}, {0.3, 0.7}, {0.7, 0.7}} {
				if v.dark(v.project(point{float64(x) + off.x, float64(y) + off.y})) {
					dark++
				}
			}
			if dark > 2 {
				bits.Set(x, y)
			}
		}
	}
	result, err := decoder.NewDecoder().Decode(bits, tryHarder)
	if err != nil {
		return "", false
	}
	return result.GetText(), true
}
