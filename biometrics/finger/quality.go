package finger

import (
	_ "embed"
	"encoding/csv"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
)

// quality.csv holds the weights by which the probability of a match is predicted
// from what is seen of a print. They are fitted to pairs of artificial prints with
// every flaw: of two prints that fit best, how many score at least Threshold.
//
//go:generate go test -run TestQualityPredictsTheMatch -timeout 1h -args -refit
//go:embed quality.csv
var weightsFile string

// weights are of signs, in their order, then the constant.
var weights = func() (w [len(signNames) + 1]float64) {
	rows, err := csv.NewReader(strings.NewReader(weightsFile)).ReadAll()
	if err != nil || len(rows) != len(w)+1 {
		panic("finger: quality.csv is broken")
	}
	for i, row := range rows[1:] {
		if w[i], err = strconv.ParseFloat(row[1], 64); err != nil || i < len(signNames) && row[0] != signNames[i] {
			panic("finger: quality.csv is broken")
		}
	}
	return w
}()

var signNames = [...]string{"worth", "likeness", "area", "smear"}

// signs are the measures that predict, each so that more is better, and none where
// more is not.
func (m measures) signs() [len(signNames)]float64 {
	return [...]float64{
		decibel(m.worth / 20),
		min(0, m.likeness-.55),
		decibel(m.area / 1400),
		// Of small prints it is known badly.
		-min(.35, max(0, m.smear-.35)),
	}
}

// decibel is the logarithm of a share: 0 from 1 on.
func decibel(share float64) float64 {
	// Logarithms differ in their last bits from processor to processor.
	return math.Round(math.Log(min(1, max(1e-3, share)))*4096) / 4096
}

// odds is the logarithm of the odds of a match.
func (m measures) odds() float64 {
	sum := weights[len(signNames)]
	for i, v := range m.signs() {
		sum += float64(weights[i] * v)
	}
	return sum
}

// percent is the probability of odds, in whole per cent.
func percent(odds float64) int {
	v := 0
	for v < 100 && odds >= halfway[v] {
		v++
	}
	return v
}

// halfway are the odds between a per cent and the next.
var halfway = func() (at [100]float64) {
	for v := range at {
		p := (float64(v) + .5) / 100
		at[v] = math.Round(math.Log(p/(1-p))*4096) / 4096
	}
	return at
}()

// The reasons why a print is poor: what a person can do something about.
const (
	noFinger  = "no finger"
	misstated = "resolution" // it is not what the image says
	inverted  = "inverted"   // ridges are light
	partial   = "partial"
	offCentre = "off centre"
	moved     = "moved"
	dry       = "dry"
	wet       = "wet"
	faint     = "too faint"
	unclear   = "unclear"
)

// From where on a measure is a reason.
const (
	smallArea    = 660  // blocks: 1.1 cm²
	thinRidges   = .395 // of the pixels, so many are dark
	thickRidges  = .53
	manyGaps     = .36 // of all change of grey, so much is along the ridges
	thinWithGaps = .45
	muchSmear    = .38
	lowContrast  = 18 // grey levels
	muchNoise    = 3.2
	fewRidges    = .34 // of what is seen
	narrowest    = 5.2 // ridges, in pixels: people's are 6 to 13 pixels apart
	widest       = 14.5
	darkGround   = 25  // grey levels below the print
	darkest      = 120 // grey level of such a ground

	leastTrace    = 40 // blocks: of less nobody can say that it was a finger
	mostMisstated = 10 // the quality of a print that is larger or smaller than it says
)

// quality predicts from 0 to 100 how probably a print will match another of the same
// finger, and says what is wrong with it.
func (m measures) quality() biometrics.Quality {
	q := biometrics.Quality{Value: percent(m.odds()), Reasons: m.reasons()}
	if slices.Contains(q.Reasons, misstated) {
		q.Value = min(q.Value, mostMisstated)
	}
	return q
}

func (m measures) reasons() (all []string) {
	add := func(is bool, reason string) {
		if is {
			all = append(all, reason)
		}
	}
	add(m.period < narrowest || m.period > widest, misstated)
	add(m.without < darkest && m.without < m.within-darkGround, inverted)
	add(m.aside, offCentre)
	add(m.area < smallArea && !m.aside, partial)
	add(m.smear > muchSmear, moved)
	add(m.contrast < lowContrast || m.noise > muchNoise, faint)
	add(m.dark > thickRidges, wet)
	add(len(all) == 0 && m.likeness < fewRidges, unclear)
	add(m.dark < thinRidges || m.gaps > manyGaps && m.dark < thinWithGaps && m.likeness >= fewRidges, dry)
	return all
}

// absent says why there is no print in a picture. If one appears when it is looked at
// larger or smaller, its resolution is not what was said.
func absent(img *Image, m measures) biometrics.Quality {
	reason := noFinger
	if m.area >= leastTrace && m.area < smallArea {
		reason = partial
	}
	for _, scale := range [...]float64{.5, 2.5} {
		if _, m, err := extract(img.scaled(scale)); err == nil && m.quality().Value > mostMisstated {
			reason = misstated
		}
	}
	return biometrics.Quality{Reasons: []string{reason}}
}

// scaled is a picture (of a large one, its middle) looked at larger or smaller.
func (i *Image) scaled(by float64) *Image {
	const most = 800
	w, h := min(i.Width, int(most/by)), min(i.Height, int(most/by))
	left, top := (i.Width-w)/2, (i.Height-h)/2
	part := i.Gray().SubImage(image.Rect(left, top, left+w, top+h))
	out, err := FromImage(part, dpi/by)
	if err != nil {
		return &Image{Width: minSide, Height: minSide, Pix: make([]uint8, minSide*minSide)}
	}
	return out
}
