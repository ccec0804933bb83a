package scribe

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
)

// recheck is how many drafts there are to one that is also made the long way, to
// compare what they state.
const recheck = 1000

// shaped finds the shape of a kind's W3C credentials when the first one is asked for.
// Nil: they have none, and are all made the long way.
func shaped(k Kind, base string) func() *vc.Shape {
	return sync.OnceValue(func() *vc.Shape {
		did, err := vc.DIDWeb(base)
		if err != nil {
			return nil
		}
		h := Hand{Signer: Signer{Base: base, DID: did}}
		// Of this person everything is known, so that every claim has its place.
		s := Statement{ID: uuid.New(), Who: Samples(k.Definition)[0].Who, Entry: status.Entry{List: 1, URL: base + "/status/1"}, From: time.Unix(0, 0), Until: time.Unix(1, 0)}
		facts := h.facts(s)
		facts.Who.Portrait = fitting(facts.Who.Portrait)
		input, err := h.inLDP(k, s, facts)
		if err != nil {
			return nil
		}
		input.Subject = kindHolder
		form, err := vc.NewShape(input)
		if err != nil {
			return nil
		}
		return &form
	})
}

// kindHolder stands for the holders of credentials that are bound to one.
const kindHolder = "did:example:holder"

// draft makes the draft of a W3C credential, by its shape if it has one.
func (k Kind) draft(input vc.DraftInput) (vc.Draft, error) {
	if k.shape == nil || k.shape() == nil {
		return vc.NewDraft(input)
	}
	draft, err := k.shape().Draft(input)
	if errors.Is(err, vc.ErrShape) { // it says what the sample did not
		return vc.NewDraft(input)
	}
	if err == nil && rand.N(recheck) == 0 {
		err = draft.Recheck()
	}
	return draft, err
}
