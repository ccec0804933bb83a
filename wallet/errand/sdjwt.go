package errand

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// protocolClaims are those of an SD-JWT VC that are for machines.
var protocolClaims = []string{"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "aka_vcts", "cnf", "status", "jti", "sub", "_sd_alg"}

// verifySDJWT checks an SD-JWT VC. Its certificate need not be of an authority that we
// know: the card came from its issuer itself, and who believes it is for verifiers.
func verifySDJWT(ctx context.Context, r *Runner, issuer string, document json.RawMessage) error {
	raw, err := text(document)
	if err != nil {
		return err
	}
	chain, err := chainOf(raw)
	if err != nil {
		return err
	}
	keys := func(ctx context.Context, name, id string) (crypto.PublicKey, error) {
		if len(chain) > 0 {
			return chain[0].PublicKey, heldTogether(chain, r.Now())
		}
		return r.jwtIssuerKey(ctx, issuer, name, id)
	}
	_, err = sdjwt.Receive(ctx, raw, sdjwt.Options{Trust: jws.Trust{Keys: keys}, Now: r.Now})
	return err
}

// jwtIssuerKey is a key of an issuer that publishes them at its address (SD-JWT VC,
// section 5), or is named by a DID.
func (r *Runner) jwtIssuerKey(ctx context.Context, spoken, issuer, id string) (crypto.PublicKey, error) {
	if strings.HasPrefix(issuer, "did:") {
		if strings.HasPrefix(id, "#") || id == "" {
			id = issuer + id
		}
		if did, _, _ := strings.Cut(id, "#"); did != issuer {
			return nil, jws.ErrUnknownKey
		}
		return r.issuerKey(ctx, spoken, id)
	}
	var about struct {
		Issuer string              `json:"issuer"`
		Keys   *jose.JSONWebKeySet `json:"jwks"`
		At     string              `json:"jwks_uri"`
	}
	if err := r.known(ctx, issuer, &about, "jwt-vc-issuer"); err != nil {
		return nil, err
	}
	if about.Issuer != issuer {
		return nil, errors.New("the keys are another issuer's")
	}
	if about.Keys == nil && about.At != "" {
		about.Keys = new(jose.JSONWebKeySet)
		if err := r.get(ctx, about.At, about.Keys); err != nil {
			return nil, err
		}
	}
	if about.Keys != nil {
		for _, k := range about.Keys.Keys {
			if (k.KeyID == id || id == "" && len(about.Keys.Keys) == 1) && k.IsPublic() {
				return k.Key, nil
			}
		}
	}
	return nil, jws.ErrUnknownKey
}

func openSDJWT(document json.RawMessage) (facts, error) {
	raw, err := text(document)
	if err != nil {
		return facts{}, err
	}
	held, err := sdjwt.Open(raw)
	if err != nil {
		return facts{}, err
	}
	said := facts{Types: append([]string{held.Type}, held.AlsoTypes...), Tree: held.Claims, Hidden: protocolClaims,
		From: held.Times.NotBefore, Until: held.Times.Expires}
	if held.Holder != nil {
		said.Holder = held.Holder
	}
	if held.Status != nil {
		said.Status = []Status{{Type: "token", List: held.Status.URI, Index: held.Status.Index, Issuer: held.Issuer}}
	}
	chain, err := chainOf(raw)
	for _, c := range chain {
		said.Keys = append(said.Keys, keyIdentifier(c.AuthorityKeyId))
	}
	return said, err
}

func presentSDJWT(p presenting) (shown, error) {
	raw, err := text(p.Document)
	if err != nil {
		return shown{}, err
	}
	held, err := sdjwt.Open(raw)
	if err != nil {
		return shown{}, err
	}
	paths := make([][]any, 0, len(p.Claims))
	for _, c := range p.Claims {
		paths = append(paths, c.At)
	}
	chosen, err := held.Choose(paths)
	if err != nil {
		return shown{}, err
	}
	body, err := json.Marshal(chosen.String())
	if err != nil || p.Key == nil {
		return shown{Body: body}, err
	}
	unbound, err := chosen.Bind(sdjwt.Occasion{Audience: p.Request.ClientID, Nonce: p.Request.Nonce, At: time.Unix(p.Now, 0), Transaction: p.Transactions})
	return shown{Body: body, Waiting: &waiting{Key: *p.Key, Data: unbound.Input()}}, err
}

func completeSDJWT(b built, signature []byte) (json.RawMessage, error) {
	if b.Waiting == nil {
		return b.Body, nil
	}
	body, err := text(b.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(body + compact(*b.Waiting, signature))
}
