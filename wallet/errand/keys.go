package errand

import (
	"context"
	"crypto"
	"fmt"
	"net/url"
	"strings"

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
	document, err := r.text(ctx, at, "application/did+json, application/did, application/json")
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
