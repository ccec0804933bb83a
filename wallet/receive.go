package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/plinth-id/plinth/internal/fault"
)

// access is a token and what it opens.
type access struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Details []struct {
		Type          string   `json:"type"`
		Configuration string   `json:"credential_configuration_id"`
		Identifiers   []string `json:"credential_identifiers"`
	} `json:"authorization_details"`
}

// redeem exchanges the pre-authorized code of an offer for an access token.
func (w *Wallet) redeem(ctx context.Context, p plan, txCode string) (access, error) {
	g := p.offer.Grants.PreAuthorized
	if g == nil || g.Code == "" {
		return access{}, fault.New(fault.Invalid, "This offer wants you to log in at the issuer. Use the login of the wallet.").Named("login-needed")
	}
	if g.TxCode != nil && txCode == "" {
		return access{}, fault.New(fault.Invalid, "This offer needs the transaction code that the issuer sent you apart. Give it too.").Named("tx-code-missing")
	}
	form := url.Values{"grant_type": {preAuthorized}, "pre-authorized_code": {g.Code}}
	if g.TxCode != nil {
		form.Set("tx_code", txCode)
	}
	if !p.server.Anonymous && p.clientID != "" {
		form.Set("client_id", p.clientID)
	}
	return w.token(ctx, p, form)
}

// token asks the token endpoint.
func (w *Wallet) token(ctx context.Context, p plan, form url.Values) (access, error) {
	var a access
	err := w.postForm(ctx, p.server.Token, form, &a)
	var no refused
	if errors.As(err, &no) {
		return a, fault.New(fault.Denied, "The issuer refused: the offer is used up, expired or locked, or the code is wrong. Check the code, or ask for a new offer.").
			Named("offer-refused").Because(no)
	}
	if err != nil {
		return a, err
	}
	if a.Token == "" {
		return a, errAnswer.Because(errors.New("no access token"))
	}
	return a, nil
}

// fetch asks for the credential, checks it and keeps it, and tells the issuer.
func (w *Wallet) fetch(ctx context.Context, p plan, a access) (Card, error) {
	key, err := newKey(p.kind)
	if err != nil {
		return Card{}, err
	}
	document, notification, err := w.request(ctx, p, a, key)
	if err != nil {
		return Card{}, err
	}
	held, err := w.accept(ctx, p, document, key)
	event := "credential_accepted"
	if err != nil {
		event = "credential_failure"
	}
	if notification != "" && p.issuer.Notification != "" {
		// Nothing depends on it: the credential is kept, or refused, already.
		_ = w.postJSON(ctx, p.issuer.Notification, a.Token, map[string]string{"notification_id": notification, "event": event}, nil)
	}
	return held.card(), err
}

// request asks the credential endpoint, with a new nonce a second time when the
// first was refused.
func (w *Wallet) request(ctx context.Context, p plan, a access, key holderKey) (document json.RawMessage, notification string, err error) {
	body := map[string]any{"credential_configuration_id": p.id}
	for _, d := range a.Details {
		if d.Type == "openid_credential" && d.Configuration == p.id && len(d.Identifiers) > 0 {
			body = map[string]any{"credential_identifier": d.Identifiers[0]}
		}
	}
	var answer struct {
		Credentials []struct {
			Credential json.RawMessage `json:"credential"`
		} `json:"credentials"`
		Notification string `json:"notification_id"`
		Transaction  string `json:"transaction_id"`
	}
	for attempt := 1; ; attempt++ {
		if len(p.kind.Proofs) > 0 {
			proof, err := w.prove(ctx, p, key)
			if err != nil {
				return nil, "", err
			}
			body["proofs"] = map[string][]string{"jwt": {proof}}
		}
		err = w.postJSON(ctx, p.issuer.Credential, a.Token, body, &answer)
		var no refused
		if !errors.As(err, &no) {
			break
		}
		if no.Code == "invalid_nonce" && attempt == 1 {
			continue
		}
		return nil, "", fault.New(fault.Denied, "The issuer refused to give the credential. Ask for a new offer.").Named("credential-refused").Because(no)
	}
	switch {
	case err != nil:
		return nil, "", err
	case answer.Transaction != "":
		return nil, "", fault.New(fault.Busy, "The issuer will have the credential later. Ask for a new offer then.").Named("credential-later")
	case len(answer.Credentials) == 0:
		return nil, "", errAnswer.Because(errors.New("no credential"))
	}
	return answer.Credentials[0].Credential, answer.Notification, nil
}

// prove makes the proof that we hold the key (OpenID4VCI 1.0, F.1).
func (w *Wallet) prove(ctx context.Context, p plan, key holderKey) (string, error) {
	if _, ok := p.kind.Proofs["jwt"]; !ok {
		return "", fault.New(fault.Invalid, "This wallet cannot make the proof that the issuer wants.").Named("proof-unsupported")
	}
	claims := map[string]any{"aud": p.issuer.Issuer, "iat": w.Now().Unix()}
	if p.clientID != "" {
		claims["iss"] = p.clientID
	}
	if p.issuer.Nonce != "" {
		var fresh struct {
			Nonce string `json:"c_nonce"`
		}
		if err := w.postJSON(ctx, p.issuer.Nonce, "", nil, &fresh); err != nil {
			return "", unreadableMetadata(err)
		}
		claims["nonce"] = fresh.Nonce
	}
	return key.sign(slices.Contains(p.kind.Binding, "jwk") && !boundByDID(p.kind.Binding), claims)
}

func boundByDID(binding []string) bool {
	return slices.Contains(binding, "did:key") || slices.Contains(binding, "did:jwk")
}

// accept checks a credential as anyone would who is shown it, and keeps it.
func (w *Wallet) accept(ctx context.Context, p plan, document json.RawMessage, key holderKey) (Held, error) {
	if err := w.check(ctx, p.issuer.Issuer, document, key); err != nil {
		return Held{}, err
	}
	name := p.kind.name()
	if name == "" {
		name = p.id
	}
	h, err := w.keep(Held{Issuer: p.issuer.Issuer, Configuration: p.id, Name: name, Format: p.kind.Format, Document: document, Key: key})
	if err != nil {
		return Held{}, fmt.Errorf("keeping the credential: %w", err)
	}
	return h, nil
}
