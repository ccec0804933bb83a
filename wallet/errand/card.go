package errand

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/wallet/holder"
)

// refill is what is needed to fetch more copies of a card.
type refill struct {
	Refresh string        `json:"refresh_token"`
	Issuer  metadata      `json:"issuer"`
	Server  server        `json:"server"`
	ID      string        `json:"id"`
	Kind    configuration `json:"kind"`
	Client  Client        `json:"client"`
}

// More begins to fetch more copies of a card that the owner holds. The first of the
// keys is the one that the refresh token is bound to.
func (r *Runner) More(ctx context.Context, of holder.Card, keys holder.Keys) (*Fetch, Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if of.Refill == nil {
		return nil, Turn{}, holder.ErrKind
	}
	var from refill
	if err := json.Unmarshal(of.Refill.From, &from); err != nil {
		return nil, Turn{}, holder.ErrKind
	}
	if len(keys) < 2 || len(keys) > 1+maxCopies || holder.Thumbprint(keys[0]) != of.Refill.Key || !from.Kind.usable() {
		return nil, Turn{}, holder.ErrSignature
	}
	f := &Fetch{Begun: r.Now(), Card: of.ID, Issuer: from.Issuer, Server: from.Server, ID: from.ID, Kind: from.Kind, Client: from.Client, Keys: keys}
	f.Bound = slices.Contains(f.Server.DPoP, string(holder.Algorithm(keys[0])))
	form := map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {from.Refresh}}
	if f.Client.ID != "" {
		form["client_id"] = []string{f.Client.ID}
	}
	turn, err := r.redeem(ctx, f, form)
	return f, turn, err
}

// card checks what an issuer sent, and makes a card of it.
func (r *Runner) card(ctx context.Context, f *Fetch, documents []json.RawMessage) (*holder.Card, error) {
	c := &holder.Card{ID: uuid.NewString(), Issuer: f.Issuer.Issuer, Issuers: f.Issuer.Display, Configuration: f.ID, Format: f.Kind.Format,
		Display: f.Kind.display(), Labels: f.Kind.labels(), Received: r.Now(), Reuse: f.Kind.reuse()}
	if f.Card != "" {
		c.ID = f.Card
	}
	if err := c.Fill(ctx, holder.Finder{DID: r.IssuerKey, Issuer: r.publishedKey, Now: r.Now}, documents, f.holders()); err != nil {
		return nil, err
	}
	bound := ""
	if f.Bound {
		bound = holder.Thumbprint(f.Keys[0])
	}
	if f.Notify != "" && f.Issuer.Notification != "" {
		c.Notice = &holder.Notice{URL: f.Issuer.Notification, ID: f.Notify, Token: f.Access.Token, Key: bound}
	}
	if f.Access.Refresh == "" {
		return c, nil
	}
	from, err := json.Marshal(refill{Refresh: f.Access.Refresh, Issuer: f.Issuer, Server: f.Server, ID: f.ID, Kind: f.Kind, Client: f.Client})
	c.Refill = &holder.Refill{Key: holder.Thumbprint(f.Keys[0]), Copies: f.Kind.copies(f.Issuer), Alg: f.Kind.keyAlgorithm(), From: from}
	return c, err
}

// Forget begins to tell the issuer that the owner deleted a card.
func (r *Runner) Forget(ctx context.Context, n holder.Notice, keys holder.Keys) (*Fetch, Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	f := &Fetch{Begun: r.Now(), Issuer: metadata{Notification: n.URL}, Notify: n.ID, Event: "credential_deleted", Access: access{Token: n.Token}}
	if n.Key != "" {
		key, ok := keys.Find(n.Key)
		if !ok {
			return nil, Turn{}, holder.ErrSignature
		}
		f.Bound, f.Keys = true, holder.Keys{key}
	}
	turn, err := r.tell(ctx, f)
	return f, turn, err
}
