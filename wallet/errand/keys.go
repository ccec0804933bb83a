package errand

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// IssuerKey finds the key behind a verification method: in the name itself, or
// in the document that a did:web names.
func (r *Runner) IssuerKey(ctx context.Context, issuer, method string) (crypto.PublicKey, error) {
	if !strings.HasPrefix(method, "did:web:") {
		return vc.ParseDID(method)
	}
	did, _, _ := strings.Cut(method, "#")
	at, err := didDocument(did, issuer)
	if err != nil {
		return nil, err
	}
	document, err := r.Text(ctx, at, "application/did+json, application/did, application/json")
	if err != nil {
		return nil, err
	}
	c, err := vc.ParseController(document, did)
	if err != nil {
		return nil, err
	}
	if key, err := c.AssertionKey(method); err == nil {
		return key, nil
	}
	return c.AuthenticationKey(method)
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

// publishedKey is a key of an issuer that publishes them at its address (SD-JWT VC,
// section 5), or is named by a DID.
func (r *Runner) publishedKey(ctx context.Context, spoken, issuer, id string) (crypto.PublicKey, error) {
	if strings.HasPrefix(issuer, "did:") {
		if strings.HasPrefix(id, "#") || id == "" {
			id = issuer + id
		}
		if did, _, _ := strings.Cut(id, "#"); did != issuer {
			return nil, jws.ErrUnknownKey
		}
		return r.IssuerKey(ctx, spoken, id)
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
