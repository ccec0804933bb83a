package present

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// Shown is one credential of an answer.
type Shown struct {
	Query  string           `json:"query"`
	ID     string           `json:"id,omitempty"` // of the credential, by its issuer
	Places []verifier.Place `json:"status,omitempty"`
	Holder []byte           `json:"holder_key,omitempty"` // thumbprint of the key that was proven
	verifier.Verdict
}

// bare is what somebody may know who has not said who it is.
func (s Shown) bare() Shown {
	s.ID, s.Places, s.Claims = "", nil, nil
	return s
}

var (
	errProof = refused("A presentation does not hold: its issuer or its holder has not signed it, or not for this request.")
	errQuery = refused("The presentations are not what was asked for.")
	errTaken = refused("The request has been answered already, or has expired.")
)

// outcome is how an answer ended.
type outcome struct {
	state   string
	verdict string
	shown   []Shown
	refusal *fault.Fault // for the wallet; nil: it is taken
}

// take judges an answer and ends the request with it, once. It gives the address at
// which the browser of the wallet goes on; empty: the wallet has nothing more to do.
func (k *Counter) take(ctx context.Context, id uuid.UUID, a asked, r response, origin string) (string, error) {
	o := outcome{state: stateRefused}
	if r.Error == "" {
		var err error
		if o, err = k.judge(ctx, a, r, origin); err != nil {
			return "", err
		}
	}
	if a.Bare {
		for i := range o.shown {
			o.shown[i] = o.shown[i].bare()
		}
	}
	now := k.Now()
	e := ending{ID: id, State: o.state, Verdict: o.verdict, Reason: r.Error, At: now, Expires: now.Add(standardLife)}
	digest := sha256.Sum256(r.Whole)
	e.Digest = digest[:]
	if len(o.shown) > 0 {
		raw, err := json.Marshal(o.shown)
		if err == nil {
			e.Result, err = k.Ring.Seal(keys.Sessions, raw, binds(id))
		}
		if err != nil {
			return "", fmt.Errorf("keeping an answer: %w", err)
		}
	}
	if a.KeepDays > 0 && o.state == stateAnswered {
		raw, err := json.Marshal(r.Token)
		if err == nil {
			e.Presentation, err = k.Ring.Seal(keys.Sessions, raw, binds(id))
		}
		if err != nil {
			return "", fmt.Errorf("keeping a presentation: %w", err)
		}
		until := now.Add(time.Duration(a.KeepDays) * 24 * time.Hour)
		e.PresentationUntil = &until
	}
	next := ""
	if a.Same {
		code := secret()
		e.Code = hashed(code)
		next = withCode(a.Redirect, code)
	}
	ended, err := endRequest(ctx, k.Pool, e)
	switch {
	case err != nil:
		return "", err
	case !ended:
		return "", errTaken
	case o.refusal != nil:
		return "", o.refusal
	}
	return next, nil
}

func withCode(address, code string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	query := u.Query()
	query.Set("response_code", code)
	u.RawQuery = query.Encode()
	return u.String()
}

// judge checks every presentation by itself and then all of them against the query.
// One bad proof spoils the whole answer (14.1.2).
func (k *Counter) judge(ctx context.Context, a asked, r response, origin string) (outcome, error) {
	binding, err := a.binding(origin)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{state: stateAnswered, verdict: verifier.Valid}
	candidates := map[string][]dcql.Candidate{}
	var confirmed []string
	unread := false
	for _, id := range slices.Sorted(mapKeys(r.Token)) {
		c, ok := a.Query.Credential(id)
		if !ok {
			return outcome{state: stateFailed, verdict: verifier.Invalid, refusal: errQuery}, nil
		}
		b := binding
		b.Unbound, b.Transaction = c.Unbound, a.claimsTransaction(id)
		for _, raw := range r.Token[id] {
			p := k.Verifier.Present(ctx, verifier.Presentation{Format: c.Format, Raw: raw, Binding: b, Policy: a.Policy})
			o.shown = append(o.shown, Shown{Query: id, ID: p.ID, Places: p.Places, Holder: p.Holder, Verdict: p.Verdict})
			o.verdict = worse(o.verdict, p.Verdict.Verdict)
			if !p.Good && p.Verdict.Verdict == verifier.Invalid {
				o.refusal = errProof
			}
			unread = unread || p.Candidate.Unread
			candidates[id] = append(candidates[id], p.Candidate)
			confirmed = append(confirmed, p.Confirmed...)
		}
	}
	unmet := a.Query.Check(candidates)
	switch {
	case o.refusal != nil:
	case unmet != nil:
		o.refusal = errQuery.Because(unmet)
	case slices.ContainsFunc(a.Transaction, func(t string) bool { return !slices.Contains(confirmed, t) }):
		o.refusal = errQuery
	}
	if o.refusal != nil {
		o.state, o.verdict = stateFailed, verifier.Invalid
	}
	for i := range o.shown {
		if unread && o.refusal == nil {
			o.shown[i].Uncompared() // one that we can read proves nothing about the rest
		} else {
			o.shown[i].Answers(o.refusal == nil)
		}
	}
	return o, nil
}

// binding is what the proofs of an answer must be made for.
func (a asked) binding(origin string) (verifier.Binding, error) {
	thumbprint, err := a.thumbprint()
	if err != nil {
		return verifier.Binding{}, err
	}
	b := verifier.Binding{Nonce: a.Nonce, Audience: a.ClientID}
	if a.overAPI() {
		b.Audience = "origin:" + origin
		b.Transcript, err = mdoc.DCAPITranscript(origin, a.Nonce, thumbprint)
		return b, err
	}
	b.Transcript, err = mdoc.RedirectTranscript(a.ClientID, a.Nonce, a.ResponseURI, thumbprint)
	return b, err
}

func worse(a, b string) string {
	for _, verdict := range []string{verifier.Invalid, verifier.Unknown} {
		if a == verdict || b == verdict {
			return verdict
		}
	}
	return verifier.Valid
}
