package finger

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/synth"
)

var refit = flag.Bool("refit", false, "remake quality.csv")

// mates are two impressions of one finger that were spoiled each by itself.
type mates struct {
	a, b  measures
	match bool
}

// spoiledMates makes pairs; those of which a print cannot be used are left out.
func spoiledMates(t *testing.T, from, fingers int64) []mates {
	t.Helper()
	all := make([][]mates, fingers)
	var wg sync.WaitGroup
	for part := range int64(2) {
		wg.Go(func() {
			for n := part; n < fingers; n += 2 {
				r := rand.New(rand.NewPCG(uint64(from+n), 99))
				grown := synth.Grow(from + n)
				for impression := 0; impression < 6; impression += 2 {
					a, first, err1 := spoiled(r, grown, impression)
					b, second, err2 := spoiled(r, grown, impression+1)
					if err1 == nil && err2 == nil {
						all[n] = append(all[n], mates{first, second, Compare(a, b) >= Threshold})
					}
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(all...)
}

// spoiled is an impression with up to three flaws.
func spoiled(r *rand.Rand, grown synth.Finger, impression int) (Template, measures, error) {
	of := synth.Spoil{}
	level := 1 + r.IntN(3)
	for range r.IntN(4) {
		of[synth.Flaws[r.IntN(len(synth.Flaws)-1)]] = r.Float64() // all but inverted
	}
	of[synth.Partial] = min(.7, of[synth.Partial])
	img, err := FromImage(grown.Flawed(impression, level, of), dpi)
	if err != nil {
		return Template{}, measures{}, err
	}
	return extract(img)
}

// The probability that a print is given is how often such prints match: of pairs of
// artificial prints with all flaws, and of pairs that the weights were not fitted to.
func TestQualityPredictsTheMatch(t *testing.T) {
	if *refit {
		write(t, fitted(spoiledMates(t, 20_000, 1500)))
	}
	pairs := spoiledMates(t, 90_000, 20)
	var expected, matched float64
	var good, poor [2]float64 // matched, all
	for _, p := range pairs {
		// What the worse of both is given.
		q := min(p.a.quality().Value, p.b.quality().Value)
		bin := &poor
		if q >= 80 {
			bin = &good
		}
		if bin[1]++; p.match {
			bin[0]++
			matched++
		}
		expected += float64(p.a.quality().Value+p.b.quality().Value) / 200
	}
	n := float64(len(pairs))
	t.Logf("%.0f pairs: %.2f matched, %.2f expected; from 80 on %.2f of %.0f, below %.2f of %.0f", n, matched/n, expected/n, good[0]/good[1], good[1], poor[0]/poor[1], poor[1])
	if math.Abs(matched-expected)/n > .1 {
		t.Errorf("%.2f matched, %.2f were expected to", matched/n, expected/n)
	}
	if good[0]/good[1] < .93 || poor[0]/poor[1] > good[0]/good[1]-.1 {
		t.Errorf("%.2f of good pairs match and %.2f of poor ones", good[0]/good[1], poor[0]/poor[1])
	}
}

// fitted is a logistic regression on the sum of both prints' signs, of which none may
// count against a print, by gradients; the constant is then chosen so that the prints
// by themselves are given what they reach.
func fitted(pairs []mates) (w [len(signNames) + 1]float64) {
	const rounds, pace, shrink = 20_000, .3, 4e-4
	n := float64(len(pairs))
	var both [][len(signNames)]float64
	var scale [len(signNames)]float64
	for _, p := range pairs {
		a, b := p.a.signs(), p.b.signs()
		for i := range a {
			a[i] += b[i]
			scale[i] += a[i] * a[i] / n
		}
		both = append(both, a)
	}
	constant := 0.
	for range rounds {
		var slope [len(signNames)]float64
		rise := 0.
		for k, p := range pairs {
			z := constant
			for i, v := range both[k] {
				z += w[i] * v
			}
			off := 1/(1+math.Exp(-z)) - float64(one(p.match))
			rise += off / n
			for i, v := range both[k] {
				slope[i] += off * v / n
			}
		}
		constant -= pace * rise
		for i := range slope {
			w[i] = max(0, w[i]-pace*(slope[i]/max(1e-6, scale[i])+shrink*w[i]))
		}
	}
	low, high := -10., 20.
	for range 60 {
		w[len(signNames)] = (low + high) / 2
		over := 0.
		for _, p := range pairs {
			for _, m := range []measures{p.a, p.b} {
				z := w[len(signNames)]
				for i, v := range m.signs() {
					z += w[i] * v
				}
				over += 1/(1+math.Exp(-z)) - float64(one(p.match))
			}
		}
		if over < 0 {
			low = w[len(signNames)]
		} else {
			high = w[len(signNames)]
		}
	}
	return w
}

func write(t *testing.T, w [len(signNames) + 1]float64) {
	t.Helper()
	f, err := os.Create("quality.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := [][]string{{"sign", "weight"}}
	for i := range w {
		name := "constant"
		if i < len(signNames) {
			name = signNames[i]
		}
		w[i] = math.Round(w[i]*1000) / 1000
		rows = append(rows, []string{name, strconv.FormatFloat(w[i], 'f', -1, 64)})
	}
	if err := csv.NewWriter(f).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	weights = w
}

func quality(t *testing.T, img *Image) (biometrics.Quality, error) {
	t.Helper()
	_, q, err := Extract(img)
	if err != nil && !errors.Is(err, biometrics.ErrNoFinger) {
		t.Fatal(err)
	}
	return q, err
}

// On real ink prints, of which the weights know nothing: quality goes with NIST's
// class, and without the worst prints fewer mates are missed.
func TestQualityHoldsOnRealPrints(t *testing.T) {
	dir := shared(t, "minex")
	f, err := os.Open(filepath.Join(dir, "index.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	type pair struct {
		prints []Template
		worse  float64
	}
	fingers := make(map[string]*pair)
	var ours, theirs []float64
	reasons := make(map[string]int)
	for _, row := range rows[1:] {
		raw, err := os.ReadFile(filepath.Join(dir, row[0]))
		if err != nil {
			t.Fatal(err)
		}
		img, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		template, q, err := Extract(img)
		if err != nil && !errors.Is(err, biometrics.ErrNoFinger) {
			t.Fatal(err)
		}
		class, err := strconv.ParseFloat(row[6], 64)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs = append(ours, float64(q.Value)), append(theirs, class)
		for _, r := range q.Reasons {
			reasons[r]++
		}
		key := row[1] + row[2]
		if fingers[key] == nil {
			fingers[key] = &pair{worse: 100}
		}
		fingers[key].prints = append(fingers[key].prints, template)
		fingers[key].worse = min(fingers[key].worse, float64(q.Value))
	}
	rank := correlation64(ranks(ours), ranks(theirs))
	var pairs []*pair
	refused := 0
	for _, p := range fingers {
		pairs = append(pairs, p)
		if p.worse < 20 && Compare(p.prints[0], p.prints[1]) >= Threshold {
			refused++
		}
	}
	slices.SortFunc(pairs, func(a, b *pair) int { return int(a.worse - b.worse) })
	missed := func(rest []*pair) float64 {
		n := 0
		for _, p := range rest {
			n += one(Compare(p.prints[0], p.prints[1]) < Threshold)
		}
		return float64(n) / float64(len(rest))
	}
	all, tenth, fifth := missed(pairs), missed(pairs[len(pairs)/10:]), missed(pairs[len(pairs)/5:])
	t.Logf("rank correlation with NIST's class %.2f; missed %.3f, without the worst tenth %.3f, fifth %.3f; %d that match would be refused; reasons %v", rank, all, tenth, fifth, refused, reasons)
	if rank > -.5 {
		t.Errorf("got a rank correlation of %.2f with NIST's class, want below −0.5", rank)
	}
	if tenth >= all || fifth > tenth || refused > 2 {
		t.Errorf("missed %.3f, without the worst tenth %.3f, fifth %.3f; %d that match would be refused", all, tenth, fifth, refused)
	}
}

// shared is where real prints are.
func shared(t *testing.T, folder string) string {
	t.Helper()
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: TESTDATA_DIR is not set, so there are no real prints")
	}
	return filepath.Join(dir, "biometrics", folder)
}

// ranks are the places of values in their order; equal ones share theirs.
func ranks(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		for _, u := range values {
			if u < v {
				out[i]++
			} else if u == v {
				out[i] += .5
			}
		}
	}
	return out
}

func correlation64(a, b []float64) float64 {
	var ma, mb, ab, aa, bb float64
	n := float64(len(a))
	for i := range a {
		ma, mb = ma+a[i]/n, mb+b[i]/n
	}
	for i := range a {
		x, y := a[i]-ma, b[i]-mb
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// The artificial prints of NIST's examples have NFIQ 2 scores of 45 to 57: none bad.
func TestPrintsThatNISTHoldsForUsableAreSo(t *testing.T) {
	dir := shared(t, "sfinge")
	for i, theirs := range []int{54, 45, 53, 52, 57} {
		raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("SFinGe_Test%02d.pgm", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		var w, h int
		if _, err := fmt.Sscanf(string(raw[:20]), "P5\n%d %d", &w, &h); err != nil {
			t.Fatal(err)
		}
		q, err := quality(t, &Image{Width: w, Height: h, Pix: raw[len(raw)-w*h:]})
		t.Logf("SFinGe %d: %d %v, NFIQ 2 says %d", i+1, q.Value, q.Reasons, theirs)
		if err != nil || q.Value < 70 {
			t.Errorf("SFinGe %d: got %d %v, %v; NFIQ 2 says %d", i+1, q.Value, q.Reasons, err, theirs)
		}
	}
}
