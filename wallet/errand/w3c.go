package errand

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/plinth-id/plinth/credentials/vc"
)

// presentJWT prepares a W3C presentation as a JWT (OpenID4VP 1.0, B.1.3.1.5).
func presentJWT(p presenting) (shown, error) {
	if p.Key == nil {
		return shown{Body: p.Document}, nil
	}
	did, err := vc.DIDKey(p.Key.Key)
	if err != nil {
		return shown{}, err
	}
	name, err := vc.KeyName(did)
	if err != nil {
		return shown{}, err
	}
	w, err := draft(*p.Key, map[string]any{"typ": "JWT", "kid": name}, map[string]any{
		"iss": did, "jti": "urn:uuid:" + rand.Text(), "aud": p.Request.ClientID, "nonce": p.Request.Nonce, "iat": p.Now, "nbf": p.Now, "exp": p.Now + 300,
		"vp": map[string]any{"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "type": []string{"VerifiablePresentation"}, "verifiableCredential": []json.RawMessage{p.Document}},
	})
	return shown{Waiting: &w}, err
}

func completeJWT(b built, signature []byte) (json.RawMessage, error) {
	if b.Waiting == nil {
		return b.Body, nil
	}
	return json.Marshal(compact(*b.Waiting, signature))
}

func presentLDP(p presenting) (shown, error) {
	return shown{}, errors.New("not yet")
}

func completeLDP(b built, signature []byte) (json.RawMessage, error) {
	return nil, fmt.Errorf("not yet")
}
