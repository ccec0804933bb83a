package holder

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
)

// presentJWT prepares a W3C presentation as a JWT (OpenID4VP 1.0, B.1.3.1.5).
func presentJWT(p Presenting) (Half, error) {
	if p.Key == nil {
		return Half{Body: p.Document}, nil
	}
	did, err := vc.DIDKey(p.Key.Key)
	if err != nil {
		return Half{}, err
	}
	name, err := vc.KeyName(did)
	if err != nil {
		return Half{}, err
	}
	w, err := Draft(*p.Key, map[string]any{"typ": "JWT", "kid": name}, map[string]any{
		"iss": did, "jti": "urn:uuid:" + rand.Text(), "aud": p.Audience, "nonce": p.Nonce, "iat": p.Now, "nbf": p.Now, "exp": p.Now + 300,
		"vp": map[string]any{"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "type": []string{"VerifiablePresentation"}, "verifiableCredential": []json.RawMessage{p.Document}},
	})
	return Half{Waiting: &w}, err
}

func completeJWT(h Half, signature []byte) (json.RawMessage, error) {
	if h.Waiting == nil {
		return h.Body, nil
	}
	return json.Marshal(Compact(*h.Waiting, signature))
}

// halfLDP is what a presentation with a Data Integrity proof is finished from: made
// again from it, it is the same.
type halfLDP struct {
	Document  json.RawMessage `json:"document"`
	Key       jose.JSONWebKey `json:"key"`
	Challenge string          `json:"challenge"`
	Domain    string          `json:"domain"`
	Created   int64           `json:"created"`
}

func (h halfLDP) pending() (vc.Pending, error) {
	did, err := vc.DIDKey(h.Key.Key)
	if err != nil {
		return vc.Pending{}, err
	}
	method, err := vc.KeyName(did)
	if err != nil {
		return vc.Pending{}, err
	}
	draft, err := vc.NewPresentation(vc.PresentationInput{Holder: did, Credentials: [][]byte{h.Document}})
	if err != nil {
		return vc.Pending{}, err
	}
	return draft.Prepare(vc.ProofInput{Key: h.Key.Key, Method: method, Created: time.Unix(h.Created, 0), Challenge: h.Challenge, Domain: h.Domain})
}

// presentLDP prepares a presentation with a Data Integrity proof: challenge and domain
// are nonce and client identifier (OpenID4VP 1.0, B.1.3.2).
func presentLDP(p Presenting) (Half, error) {
	if p.Key == nil {
		return Half{Body: p.Document}, nil
	}
	half := halfLDP{Document: p.Document, Key: *p.Key, Challenge: p.Nonce, Domain: p.Audience, Created: p.Now}
	pending, err := half.pending()
	if err != nil {
		return Half{}, err
	}
	body, err := json.Marshal(half)
	return Half{Body: body, Waiting: &Waiting{Key: *p.Key, Data: pending.Message()}}, err
}

func completeLDP(h Half, signature []byte) (json.RawMessage, error) {
	if h.Waiting == nil {
		return h.Body, nil
	}
	var half halfLDP
	if err := json.Unmarshal(h.Body, &half); err != nil {
		return nil, err
	}
	pending, err := half.pending()
	if err != nil {
		return nil, err
	}
	signed, err := pending.Finish(signature)
	return signed.JSON(), err
}
