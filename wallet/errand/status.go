package errand

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"

	"github.com/plinth-id/plinth/wallet/holder"
)

// State is what an issuer publishes about a card.
type State string

// The states. Unknown is neither good nor bad: the list could not be had, or is not
// in order.
const (
	Good      State = "good"
	Revoked   State = "revoked"
	Suspended State = "suspended"
	Unlisted  State = "unlisted" // the issuer publishes nothing
	Unknown   State = "unknown"
)

// Check asks the issuer's lists whether a credential still holds.
func (r *Runner) Check(ctx context.Context, issuer string, entries []holder.Status) State {
	ctx, cancel := bounded(ctx)
	defer cancel()
	state := Unlisted
	for _, entry := range entries[:min(len(entries), 4)] {
		found, err := r.entry(ctx, issuer, entry)
		switch {
		case err != nil:
			return Unknown
		case found != Good:
			return found
		}
		state = Good
	}
	return state
}

// entry looks up one place in one list.
func (r *Runner) entry(ctx context.Context, issuer string, entry holder.Status) (State, error) {
	if entry.Type == "token" {
		return r.token(ctx, issuer, entry)
	}
	raw, err := r.Text(ctx, entry.List, "application/vc, application/json")
	if err != nil {
		return Unknown, err
	}
	list, err := vc.Verify(ctx, raw, vc.VerifyOptions{Now: r.Now, Keys: func(ctx context.Context, method string) (crypto.PublicKey, error) {
		return r.IssuerKey(ctx, issuer, method)
	}})
	if err != nil {
		return Unknown, err
	}
	if list.Issuer != entry.Issuer {
		return Unknown, statuslist.ErrForeign
	}
	subject, err := statuslist.ReadSubject(list.Types, list.Claims)
	if err != nil {
		return Unknown, err
	}
	set, err := subject.Set(entry.Purpose, int64(entry.Index))
	if !set || err != nil {
		return Good, err
	}
	if entry.Purpose == "suspension" {
		return Suspended, nil
	}
	return Revoked, nil
}

// tied tells whether the certificates of a list are those of who signed the card: the
// same key, or a key that the same authority certified. Names alone tie nothing, since
// anybody can write them.
func tied(list []*x509.Certificate, ders [][]byte) bool {
	card, err := jws.ParseChain(ders)
	if err != nil {
		return false
	}
	if bytes.Equal(list[0].RawSubjectPublicKeyInfo, card[0].RawSubjectPublicKeyInfo) {
		return true
	}
	for _, above := range slices.Concat(list[1:], card[1:]) {
		if list[0].CheckSignatureFrom(above) == nil && card[0].CheckSignatureFrom(above) == nil {
			return true
		}
	}
	return false
}

// token looks up a place in a Token Status List.
func (r *Runner) token(ctx context.Context, issuer string, entry holder.Status) (State, error) {
	raw, err := r.Text(ctx, entry.List, "application/statuslist+jwt")
	if err != nil {
		return Unknown, err
	}
	token := strings.TrimSpace(string(raw))
	chain, err := holder.ChainOf(token)
	if err != nil {
		return Unknown, err
	}
	keys := func(ctx context.Context, name, id string) (crypto.PublicKey, error) {
		if len(chain) > 0 && tied(chain, entry.Chain) {
			return chain[0].PublicKey, holder.HeldTogether(chain, r.Now())
		}
		// An issuer that signs lists by another key publishes it. Where the card does
		// not name its issuer, that is who it came from.
		if own, _ := vc.DIDWeb(issuer); entry.Issuer == "" && name != own {
			name = issuer
		}
		return r.publishedKey(ctx, issuer, name, id)
	}
	list, err := statuslist.VerifyJWT(ctx, token, statuslist.Options{Trust: jws.Trust{Keys: keys}, Address: entry.List, Issuer: entry.Issuer, Now: r.Now})
	if err != nil {
		return Unknown, err
	}
	value, err := list.List.At(int64(entry.Index))
	switch {
	case err != nil:
		return Unknown, err
	case value == statuslist.Valid:
		return Good, nil
	case value == statuslist.Suspended:
		return Suspended, nil
	}
	return Revoked, nil
}
