package enrol

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/place"
)

// Who must judge sees the fingers beside one another, and the log knows it.
func TestAnAdjudicatorSeesWhatIsAlike(t *testing.T) {
	w := newWorld(t)
	first, second, c := doubtful(t, w)
	_ = second
	shown := func() int {
		return w.count(t, `SELECT count(*) FROM audit_entry WHERE event = 'case-shown' AND subject = $1`, c.ID.String())
	}
	all, err := w.Likenesses(t.Context(), c.ID, first.ID, adjudicator())
	if err != nil || len(all) == 0 {
		t.Fatalf("got %d drawings, %v", len(all), err)
	}
	for _, l := range all {
		if !strings.HasPrefix(l.SVG, "<svg") || l.Position == "" || l.Candidate == "" {
			t.Errorf("got %.80s for %s and %s, want a drawing", l.SVG, l.Position, l.Candidate)
		}
	}
	if got := shown(); got != 1 {
		t.Errorf("got %d entries in the log, want one", got)
	}
	operator := adjudicator()
	operator.Role = place.Operator
	if _, err := w.Likenesses(t.Context(), c.ID, first.ID, operator); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v for an operator, want it denied", err)
	}
	if _, err := w.Likenesses(t.Context(), c.ID, uuid.New(), adjudicator()); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v for somebody whom the case does not name, want it refused", err)
	}
	if _, err := w.Likenesses(t.Context(), uuid.New(), first.ID, adjudicator()); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v for no case, want none found", err)
	}
	if got := shown(); got != 1 {
		t.Errorf("got %d entries in the log after refusals, want still one", got)
	}
}
