package holder

import (
	"context"
	"crypto"
	"encoding/json"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// protocolClaims are those of an SD-JWT VC that are for machines.
var protocolClaims = []string{"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "aka_vcts", "cnf", "status", "jti", "sub", "_sd_alg"}

// verifySDJWT checks an SD-JWT VC. Its certificate need not be of an authority that we
// know: the card came from its issuer itself, and who believes it is for verifiers.
func verifySDJWT(ctx context.Context, f Finder, issuer string, document json.RawMessage) error {
	raw, err := Text(document)
	if err != nil {
		return err
	}
	chain, err := ChainOf(raw)
	if err != nil {
		return err
	}
	keys := func(ctx context.Context, name, id string) (crypto.PublicKey, error) {
		if len(chain) > 0 {
			return chain[0].PublicKey, HeldTogether(chain, f.Now())
		}
		return f.Issuer(ctx, issuer, name, id)
	}
	_, err = sdjwt.Receive(ctx, raw, sdjwt.Options{Trust: jws.Trust{Keys: keys}, Now: f.Now})
	return err
}

func openSDJWT(document json.RawMessage) (Facts, error) {
	raw, err := Text(document)
	if err != nil {
		return Facts{}, err
	}
	held, err := sdjwt.Open(raw)
	if err != nil {
		return Facts{}, err
	}
	said := Facts{Types: append([]string{held.Type}, held.AlsoTypes...), Tree: held.Claims, Hidden: protocolClaims,
		From: held.Times.NotBefore, Until: held.Times.Expires}
	if held.Holder != nil {
		said.Holder = held.Holder
	}
	if held.Status != nil {
		said.Status = []Status{{Type: "token", List: held.Status.URI, Index: held.Status.Index, Issuer: held.Issuer}}
	}
	chain, err := ChainOf(raw)
	for _, c := range chain {
		said.Keys = append(said.Keys, keyIdentifier(c.AuthorityKeyId))
	}
	said.signedBy(chain)
	return said, err
}

func presentSDJWT(p Presenting) (Half, error) {
	raw, err := Text(p.Document)
	if err != nil {
		return Half{}, err
	}
	held, err := sdjwt.Open(raw)
	if err != nil {
		return Half{}, err
	}
	chosen, err := held.Choose(p.Claims)
	if err != nil {
		return Half{}, err
	}
	body, err := json.Marshal(chosen.String())
	if err != nil || p.Key == nil {
		return Half{Body: body}, err
	}
	unbound, err := chosen.Bind(sdjwt.Occasion{Audience: p.Audience, Nonce: p.Nonce, At: time.Unix(p.Now, 0), Transaction: p.Transactions})
	return Half{Body: body, Waiting: &Waiting{Key: *p.Key, Data: unbound.Input()}}, err
}

func completeSDJWT(h Half, signature []byte) (json.RawMessage, error) {
	if h.Waiting == nil {
		return h.Body, nil
	}
	body, err := Text(h.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(body + Compact(*h.Waiting, signature))
}
