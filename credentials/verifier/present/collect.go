package present

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// The states of a request.
const (
	stateAsked     = "asked"
	stateAnswered  = "answered"  // by presentations that were judged
	stateFailed    = "failed"    // by something that does not answer it
	stateRefused   = "refused"   // the wallet declined
	stateCollected = "collected" // and what was disclosed is forgotten
)

// Result is how far a request is. Credentials is given once.
type Result struct {
	ID          uuid.UUID `json:"id"`
	State       string    `json:"state"` // asked, opened, answered, failed, refused, collected or expired
	Verdict     string    `json:"verdict,omitempty"`
	Error       string    `json:"error,omitempty"` // of the wallet that declined
	Credentials []Shown   `json:"credentials,omitempty"`
}

var errCode = fault.New(fault.Denied, "The answer was given on another device, or in another browser. Start again there.").Named("response-code-needed")

// Collect gives whoever asked what has come: what a wallet disclosed once, and from
// then on the verdict alone. Of a request on the same device it wants the code that
// the wallet's browser brought along, so that nobody collects what somebody else was
// lured into answering (14.2).
func (k *Counter) Collect(ctx context.Context, id uuid.UUID, binding, code string) (Result, error) {
	row, err := find(ctx, k.Pool, id, hashed(binding))
	if errors.Is(err, pgx.ErrNoRows) {
		return Result{}, errGone
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{ID: id, State: row.State, Verdict: row.Verdict, Error: row.Reason}
	switch {
	case row.State == stateAsked && !k.Now().Before(row.Expires):
		r.State = "expired"
		return r, nil
	case row.State == stateAsked:
		if row.Fetched {
			r.State = "opened"
		}
		return r, nil
	case len(row.Code) > 0 && !equal(string(hashed(code)), string(row.Code)):
		return Result{ID: id, State: row.State}, errCode
	case row.State != stateAnswered && row.State != stateFailed:
		return r, nil
	}
	sealed, err := collect(ctx, k.Pool, id, k.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		r.State = stateCollected
		return r, nil
	}
	if err != nil {
		return Result{}, err
	}
	if len(sealed) == 0 {
		return r, nil
	}
	raw, err := k.Ring.Open(keys.Sessions, sealed, binds(id))
	if err == nil {
		err = json.Unmarshal(raw, &r.Credentials)
	}
	if err != nil {
		return Result{}, fmt.Errorf("opening the answer to %s: %w", id, err)
	}
	return r, nil
}

// Presented is Collect for a login: the credentials that answered, when all is good.
func (k *Counter) Presented(ctx context.Context, id uuid.UUID, binding, code string) ([]Shown, error) {
	r, err := k.Collect(ctx, id, binding, code)
	if err != nil {
		return nil, err
	}
	if r.State != stateAnswered || r.Verdict != "valid" {
		return nil, fault.New(fault.Denied, "The wallet has not shown a valid credential.").Named("not-presented")
	}
	return r.Credentials, nil
}

// Kept gives a raw presentation that a request asked to be kept.
func (k *Counter) Kept(ctx context.Context, id uuid.UUID, binding string) (map[string][]json.RawMessage, error) {
	sealed, err := kept(ctx, k.Pool, id, hashed(binding), k.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	raw, err := k.Ring.Open(keys.Sessions, sealed, binds(id))
	var token map[string][]json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &token)
	}
	return token, err
}

// Sweep forgets what is past its time.
func (k *Counter) Sweep(ctx context.Context) error {
	return sweep(ctx, k.Pool, k.Now(), k.Now().Add(-keptVerdict))
}

func mapKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
