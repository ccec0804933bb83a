package wallet

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
)

// check verifies what an issuer sent: signed by who it says, good now, and bound
// to our key and no other.
func (w *Wallet) check(ctx context.Context, issuer string, document []byte, key holderKey) error {
	bad := fault.New(fault.Invalid, "The issuer sent a credential that is not in order, so it was not kept. Tell the issuer.").Named("credential-bad")
	keys := func(ctx context.Context, method string) (crypto.PublicKey, error) {
		return w.issuerKey(ctx, issuer, method)
	}
	c, err := vc.Verify(ctx, document, vc.VerifyOptions{Keys: keys, Now: w.Now})
	if err != nil {
		return bad.Because(err)
	}
	if c.Subject != "" && c.Subject != key.DID {
		return bad.Because(errors.New("it is bound to another key"))
	}
	return nil
}

// issuerKey finds the key behind a verification method: in the name itself, or
// in the document that a did:web names.
func (w *Wallet) issuerKey(ctx context.Context, issuer, method string) (crypto.PublicKey, error) {
	if !strings.HasPrefix(method, "did:web:") {
		return vc.ParseDID(method)
	}
	did, _, _ := strings.Cut(method, "#")
	at, err := didDocument(did, issuer)
	if err != nil {
		return nil, err
	}
	var document struct {
		ID      string `json:"id"`
		Methods []struct {
			ID        string `json:"id"`
			Multibase string `json:"publicKeyMultibase"`
		} `json:"verificationMethod"`
		Assertion []any `json:"assertionMethod"`
	}
	if err := w.get(ctx, at, &document); err != nil {
		return nil, err
	}
	if document.ID != did {
		return nil, fmt.Errorf("%w: the DID document is another's", vc.ErrUnknownKey)
	}
	for _, allowed := range document.Assertion {
		for _, m := range document.Methods {
			if allowed == m.ID && m.ID == method {
				return vc.ParseMultikey(m.Multibase)
			}
		}
	}
	return nil, vc.ErrUnknownKey
}

// didDocument is where a did:web keeps its document. It is over https, save
// for an issuer with whom we speak plainly already, on this machine.
func didDocument(did, issuer string) (string, error) {
	host, path, deep := strings.Cut(strings.TrimPrefix(did, "did:web:"), ":")
	host, err := url.PathUnescape(host)
	if err != nil {
		return "", fmt.Errorf("%w: %w", vc.ErrMalformedKey, err)
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/.well-known/did.json"}
	if deep {
		u.Path = "/" + strings.ReplaceAll(path, ":", "/") + "/did.json"
	}
	if spoken, err := url.Parse(issuer); err == nil && spoken.Host == u.Host {
		u.Scheme = spoken.Scheme
	}
	return u.String(), nil
}
