package credentials

import (
	"testing"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/internal/fault"
)

// A row whose work was broken off is begun again: what was made the first time is
// taken back, so that the person has one card in the end.
func TestARowThatWasBrokenOffIsIssuedOnce(t *testing.T) {
	h := newHouse(t)
	row := Row{Run: []byte("a list"), Number: 1}
	e := Errand{UIN: h.uin.Reveal(), Kind: "national_id", Formats: []string{FormatQRText}, Officer: uuid.New(), Reason: "the list of this year", Row: &row}
	for range 3 { // each time but the last the process dies before the row is finished
		_, err := h.Assisted(t.Context(), e)
		must(t, err)
	}
	if got := h.states(t); got["valid"] != 1 || got["revoked"] != 2 {
		t.Errorf("got %v, want one that is valid", got)
	}
	must(t, h.Finish(t.Context(), row, "done"))
	must(t, h.Finish(t.Context(), row, "something else"))
	if outcome, err := h.Outcome(t.Context(), row); err != nil || outcome != "done" {
		t.Errorf("got %q, %v; want the first outcome to stand", outcome, err)
	}
	if _, err := h.Assisted(t.Context(), e); fault.Of(err) == nil || fault.Of(err).Code != "row-done" {
		t.Errorf("got %v, want nothing issued for a row that is done", err)
	}
	if got := h.states(t); got["valid"] != 1 {
		t.Errorf("got %v, want one that is valid", got)
	}
}

func TestAnOfferThatWasBrokenOffIsTakenBack(t *testing.T) {
	h := newHouse(t)
	row := Row{Run: []byte("a list"), Number: 1}
	e := Errand{UIN: h.uin.Reveal(), Kind: "national_id", Formats: []string{FormatVC}, Officer: uuid.New(), Reason: "the list of this year"}
	for range 2 {
		_, err := h.OfferRow(t.Context(), row, e)
		must(t, err)
	}
	if n := h.count(t, "SELECT count(*) FROM credential_offer"); n != 1 {
		t.Errorf("got %d offers, want one", n)
	}
}
