package federation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// The ways by which a relying party comes in (OpenID Federation 1.0, 12).
const (
	automatic = "automatic"
	explicit  = "explicit"
)

const (
	refusedFor = time.Minute // that a failed try is remembered
	keysFor    = time.Hour   // that a registration lasts whose keys were fetched
	mimeJWKS   = "application/jwk-set+json"
)

// Client makes sure that an entity is registered as a relying party: it is resolved
// and handed to Register, unless it has been and that still holds. The caller must
// then see the entity prove that it has the keys (12.1.1).
func (f *Federation) Client(ctx context.Context, entityID string) error {
	if len(f.Anchors) == 0 || !isEntity(entityID) || entityID == f.issuer {
		return errNoEntity
	}
	if ok, err := isRegistered(ctx, f.Pool, entityID, f.Now()); err != nil || ok {
		return err
	}
	if o, ok := f.failed.recall(entityID, f.Now()); ok {
		return o.err
	}
	// All who ask at once wait for one answer, which must not end with the first of them.
	running := f.flight.DoChan(entityID, func() (any, error) {
		return nil, f.admit(context.WithoutCancel(ctx), entityID)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case done := <-running:
		return done.Err
	}
}

// admit looks an entity up and registers it.
func (f *Federation) admit(ctx context.Context, entityID string) error {
	t := f.trip()
	chain, err := f.resolve(ctx, t, entityID, f.anchors())
	if err == nil {
		_, err = f.register(ctx, t, chain, automatic)
	}
	if fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound) {
		f.failed.keep(entityID, outcome{err: err, until: f.Now().Add(refusedFor)})
	}
	return err
}

// party is a relying party as it was registered.
type party struct {
	metadata map[string]any
	expires  time.Time
}

// register hands a relying party over with what its chain makes of its metadata.
func (f *Federation) register(ctx context.Context, t *trip, chain Chain, way string) (party, error) {
	p, err := t.party(ctx, chain, way)
	if err != nil {
		return p, err
	}
	raw, err := json.Marshal(p.metadata)
	if err != nil {
		return p, err
	}
	err = postgres.InTx(ctx, f.Pool, func(tx pgx.Tx) error {
		if err := f.Register(ctx, tx, chain.Subject, raw, p.expires); err != nil {
			return err
		}
		r := registration{Entity: chain.Subject, Way: way, Anchor: chain.Anchor, Expires: p.expires}
		if err := saveRegistration(ctx, tx, r); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.ClientFederated, Actor: "client:" + chain.Subject, Subject: "client:" + chain.Subject,
			Details: map[string]string{"anchor": chain.Anchor, "way": way}})
	})
	return p, err
}

// party makes client metadata of a chain: by the way that the entity says it takes,
// and with its keys in place.
func (t *trip) party(ctx context.Context, chain Chain, way string) (party, error) {
	resolved, ok := chain.Metadata[relyingParty]
	if !ok {
		return party{}, misfit("%s has no metadata of an %s", chain.Subject, relyingParty)
	}
	ways, _ := resolved["client_registration_types"].([]any)
	if !slices.Contains(ways, any(way)) {
		return party{}, misfit("%s does not name %s among its client_registration_types", chain.Subject, way)
	}
	if id, ok := resolved["client_id"]; ok && id != chain.Subject {
		return party{}, misfit("%s has another client_id than its entity identifier", chain.Subject)
	}
	p := party{metadata: maps.Clone(resolved), expires: earlier(chain.Expires, t.f.Now().Add(longest))}
	keys, fetched, err := t.keysOf(ctx, chain, resolved)
	if err != nil {
		return p, err
	}
	if fetched {
		p.expires = earlier(p.expires, t.f.Now().Add(keysFor))
	}
	delete(p.metadata, "jwks_uri")
	delete(p.metadata, "signed_jwks_uri")
	p.metadata["jwks"], p.metadata["client_id"] = keys, chain.Subject
	return p, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// keysOf finds the keys of a relying party: in the metadata, so that the chain vouches
// for them, or signed with a key of the federation, or where they merely lie (5.2.1).
func (t *trip) keysOf(ctx context.Context, chain Chain, resolved map[string]any) (json.RawMessage, bool, error) {
	if held, ok := resolved["jwks"]; ok {
		raw, err := json.Marshal(held)
		if err == nil {
			_, err = readKeys(raw)
		}
		if err != nil {
			return nil, false, misfit("the jwks of %s cannot be used: %s", chain.Subject, err)
		}
		return raw, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var raw string
	var err error
	if at, ok := resolved["signed_jwks_uri"].(string); ok {
		raw, err = t.get(ctx, at, typeKeys, maxJWKS)
		if err == nil {
			raw, err = t.signedKeys(chain, raw)
		}
	} else if at, ok := resolved["jwks_uri"].(string); ok {
		raw, err = t.get(ctx, at, "jwk-set+json", maxJWKS)
	} else {
		err = misfit("%s has no keys: it needs jwks, signed_jwks_uri or jwks_uri", chain.Subject)
	}
	if err != nil {
		return nil, false, err
	}
	if err := wellFormed([]byte(raw)); err != nil {
		return nil, false, misfit("the keys of %s cannot be used: %s", chain.Subject, err)
	}
	if _, err := readKeys(json.RawMessage(raw)); err != nil {
		return nil, false, misfit("the keys of %s cannot be used: %s", chain.Subject, err)
	}
	return json.RawMessage(raw), true, nil
}

// signedKeys checks a signed JWK Set and takes the set out.
func (t *trip) signedKeys(chain Chain, raw string) (string, error) {
	s, err := open(raw, typeKeys, maxJWKS)
	if err == nil && !s.by(chain.links[0].keys) {
		err = errors.New("it is not signed with a key of the entity")
	}
	if err == nil && (s.text("iss") != chain.Subject || s.text("sub") != chain.Subject) {
		err = errors.New("its iss and sub must be the entity")
	}
	now := t.f.Now()
	if err == nil && (s.has("iat") && !s.begun(now) || s.has("exp") && !s.lasting(now)) {
		err = errors.New("it does not hold at this time")
	}
	if err != nil {
		return "", misfit("the signed keys of %s cannot be used: %s", chain.Subject, err)
	}
	set, err := json.Marshal(map[string]json.RawMessage{"keys": s.claims["keys"]})
	return string(set), err
}

// Sweep deletes registrations that have ended. It is called now and then.
func (f *Federation) Sweep(ctx context.Context) error {
	for {
		n, err := sweepRegistrations(ctx, f.Pool, f.Now())
		if err != nil || n == 0 {
			return err
		}
	}
}
