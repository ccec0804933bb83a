package errand

import (
	"context"
	"crypto"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
)

// issuerKey finds the key behind a verification method: in the name itself, or
// in the document that a did:web names.
func (r *Runner) issuerKey(ctx context.Context, issuer, method string) (crypto.PublicKey, error) {
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
			ID        string           `json:"id"`
			Multibase string           `json:"publicKeyMultibase"`
			JWK       *jose.JSONWebKey `json:"publicKeyJwk"`
		} `json:"verificationMethod"`
		Assertion      []any `json:"assertionMethod"`
		Authentication []any `json:"authentication"`
	}
	if err := r.get(ctx, at, &document); err != nil {
		return nil, err
	}
	if document.ID != did {
		return nil, fmt.Errorf("%w: the DID document is another's", vc.ErrUnknownKey)
	}
	named := func(id any) bool { s, _ := id.(string); return s == method || did+s == method }
	if !slices.ContainsFunc(document.Assertion, named) && !slices.ContainsFunc(document.Authentication, named) {
		return nil, vc.ErrUnknownKey
	}
	for _, m := range document.Methods {
		switch {
		case !named(m.ID):
		case m.Multibase != "":
			return vc.ParseMultikey(m.Multibase)
		case m.JWK != nil && m.JWK.IsPublic() && m.JWK.Valid():
			return m.JWK.Key, nil
		}
	}
	return nil, vc.ErrUnknownKey
}

// didDocument is where a did:web keeps its document. It is over https, save
// for somebody with whom we speak plainly already, on this machine.
func didDocument(did, spoken string) (string, error) {
	host, path, deep := strings.Cut(strings.TrimPrefix(did, "did:web:"), ":")
	host, err := url.PathUnescape(host)
	if err != nil || strings.ContainsAny(host, "/?#@") {
		return "", fmt.Errorf("%w: a did:web without a host", vc.ErrMalformedKey)
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/.well-known/did.json"}
	if deep {
		u.Path = "/" + strings.ReplaceAll(path, ":", "/") + "/did.json"
	}
	if with, err := url.Parse(spoken); err == nil && with.Host == u.Host {
		u.Scheme = with.Scheme
	}
	return u.String(), nil
}
