package scribe

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
)

// recheckEvery is how many drafts come from a shape between two that are worked out
// the long way as well.
const recheckEvery = 1024

// shaped makes drafts of a kind from its shape, as long as the two ways agree.
type shaped struct {
	shape vc.Shape
	drawn atomic.Uint64
	off   atomic.Bool
}

// learn works out the shape of a W3C kind from somebody of whom everything is known.
// Without one every draft is worked out the long way, which is slower and never wrong.
func (k *Kind) learn(base string) {
	if k.Format != kind.LDP || k.Definition.Formats.LDP.Suite == kind.SuiteDisclosable {
		return
	}
	did, err := vc.DIDWeb(base)
	if err != nil {
		return
	}
	now := time.Unix(1700000000, 0).UTC()
	s := Statement{ID: uuid.Max, Who: Samples(k.Definition)[0].Who, Entry: status.Entry{URL: base + "/status/1"}, From: now, Until: now.Add(time.Hour)}
	h := &Hand{Signer: Signer{Base: base, DID: did, Authority: "A", Country: "ZZ"}}
	input, err := h.draft(*k, s, h.facts(s))
	if err != nil {
		return
	}
	input.Subject = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	if shape, err := vc.NewShape(input); err == nil {
		k.shaped = &shaped{shape: shape}
	}
}

// of drafts a credential.
func (s *shaped) of(input vc.DraftInput) (vc.Draft, error) {
	if s == nil || s.off.Load() {
		return vc.NewDraft(input)
	}
	draft, err := s.shape.Draft(input)
	if errors.Is(err, vc.ErrShape) {
		return vc.NewDraft(input) // it says what the specimen did not
	}
	if err != nil || s.drawn.Add(1)%recheckEvery != 1 {
		return draft, err
	}
	if err := draft.Recheck(); err != nil {
		s.off.Store(true)
		slog.Error("a shape does not say what its credentials state; they are worked out the long way from now on", "error", err)
		return vc.NewDraft(input)
	}
	return draft, nil
}
