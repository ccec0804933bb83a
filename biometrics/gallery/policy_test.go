package gallery

import (
	"testing"

	"github.com/plinth-id/plinth/biometrics"
)

func TestAStricterPolicyAsksForMore(t *testing.T) {
	usual, strict, lax := Policy{}, Policy{FPIR: 1e-6, Bother: 1e-4}, Policy{FPIR: 1e-2, Bother: .5}
	const size = 1_000_000
	for _, c := range []struct {
		best   float64
		policy Policy
		want   Verdict
	}{
		{12.9, usual, Doubtful}, {13, usual, Duplicate}, {13, strict, Doubtful}, {16, strict, Duplicate}, {12, lax, Duplicate},
		{8, usual, Doubtful}, {7.9, usual, Unique}, {9.9, strict, Unique}, {10, strict, Doubtful}, {6.4, lax, Doubtful},
	} {
		if got := c.policy.Decide(biometrics.Score(c.best), size); got != c.want {
			t.Errorf("%+v, %v among a million: got %s, want %s", c.policy, c.best, got, c.want)
		}
	}
	// Whatever a policy says, one good finger among few decides nothing alone.
	if got := (Policy{FPIR: .9, Bother: .9}).Decide(5, 1); got != Doubtful {
		t.Errorf("got %s, want doubtful", got)
	}
	for _, nonsense := range []float64{-1, 0, 1, 7} {
		if got := (Policy{FPIR: nonsense, Bother: nonsense}).Decide(12.9, size); got != Doubtful {
			t.Errorf("a rate of %v: got %s, want the default's", nonsense, got)
		}
	}
}
