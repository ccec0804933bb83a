package evaluation

import (
	"encoding/xml"
	"errors"
	"math"
	"testing"
)

func trials(mates, strangers []float64) (all []Trial) {
	for _, s := range mates {
		all = append(all, Trial{s, true})
	}
	for _, s := range strangers {
		all = append(all, Trial{s, false})
	}
	return all
}

func sequence(n int, at func(i int) float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = at(i)
	}
	return all
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestErrorsAreCounted(t *testing.T) {
	// A thousand strangers score 0 to 999; ten mates 945, 955 … 1035.
	r, err := Measure(trials(sequence(10, func(i int) float64 { return 945 + 10*float64(i) }), sequence(1000, func(i int) float64 { return float64(i) })))
	if err != nil || r.Mated != 10 || r.NonMated != 1000 || len(r.Points) != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for i, want := range []struct {
		threshold, fnmr float64
		resolved        bool
	}{{990, .5, true}, {999, .6, true}, {1005, .6, false}} {
		p := r.Points[i]
		if !near(p.Threshold, want.threshold) || !near(p.FNMR.Value, want.fnmr) || p.Resolved != want.resolved || p.FNMR.Low >= p.FNMR.Value || p.FNMR.High <= p.FNMR.Value {
			t.Errorf("at FMR %g: got %+v, want %+v", p.FMR, p, want)
		}
	}
	if r.EER < .04 || r.EER > .11 {
		t.Errorf("got an EER of %g, want between a mate missed and two", r.EER)
	}
}

func TestSeparatedScoresHaveNoError(t *testing.T) {
	r, err := Measure(trials([]float64{5, 6, 7}, []float64{1, 2, 3}))
	if err != nil || r.EER != 0 {
		t.Errorf("got EER %g, %v; want 0", r.EER, err)
	}
	if p := r.Points[0]; p.FNMR.Value != 0 || p.Threshold != 5 || p.FNMR.High < .3 {
		t.Errorf("got %+v, want none missed, with the wide interval of three", p)
	}
}

// What could not be read is missed, not left out.
func TestUnusableSamplesAreMissed(t *testing.T) {
	r, err := Measure(trials([]float64{5, math.NaN()}, []float64{1, math.NaN(), 2}))
	if err != nil || r.Failed != 2 || r.Points[0].FNMR.Value != .5 {
		t.Errorf("got %+v, %v; want half of the mates missed", r, err)
	}
	if _, err := Measure(trials([]float64{1}, nil)); !errors.Is(err, ErrTooFew) {
		t.Errorf("got %v, want ErrTooFew", err)
	}
}

func TestIntervalAgreesWithThePaper(t *testing.T) {
	// 81 of 263: Newcombe, 1998, table I, method 3: 0.2553 to 0.3662.
	if r := wilson(81.0/263, 263); math.Abs(r.Low-.2553) > 1e-4 || math.Abs(r.High-.3662) > 1e-4 {
		t.Errorf("got %+v, want 0.2553 to 0.3662", r)
	}
}

func TestTheDrawingIsXML(t *testing.T) {
	r, err := Measure(trials([]float64{2, 5, 6}, []float64{1, 2, 3}))
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(r.SVG("a < b & c"), new(struct{})); err != nil {
		t.Error(err)
	}
}

// Whoever sets a threshold by their own strangers finds themselves: left out, they
// are judged by the others'.
func TestPersonsAreJudgedByOthers(t *testing.T) {
	var all []Person
	for _, a := range []string{"ann", "bob", "cyd"} {
		for _, b := range []string{"ann", "bob", "cyd"} {
			score := 1.
			switch {
			case a == b:
				score = 5
			case a == "ann" || b == "ann":
				score = 6 // like everybody
			}
			all = append(all, Person{Trial{score, a == b}, a, b})
		}
	}
	points, err := LeavePersonsOut(all)
	if err != nil || len(points) != 3 {
		t.Fatalf("got %v, %v", points, err)
	}
	// Ann passes by the strangers among Bob and Cyd; they fail by Ann's.
	if got := points[0].FNMR.Value; !near(got, 2./3) {
		t.Errorf("got %.3f missed, want two of three", got)
	}
	if _, err := LeavePersonsOut(all[:1]); !errors.Is(err, ErrTooFew) {
		t.Errorf("got %v for one person, want ErrTooFew", err)
	}
}
