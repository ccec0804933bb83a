package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/oidc/keyset"
	"github.com/plinth-id/plinth/registry/partner"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	skew          = 10 * time.Second // FAPI 2.0: clocks up to 10 s ahead
	assertionLife = 10 * time.Minute // the longest that we remember a jti for
	maxAssertion  = 16 << 10
)

// What clients may sign with; each profile says which of them.
var clientAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// authenticate finds out which client is asking, in the one way that it was
// registered for; one without a key or secret by its id alone (PKCE then protects
// the code).
func (p *Provider) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	c, err := p.prove(ctx, r, form)
	if err == nil || !errors.Is(err, errUnknownClient) {
		return c, err
	}
	return nil, fosite.ErrInvalidClient.WithHint("The client is not registered.")
}

func (p *Provider) prove(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	header, assertion, secret := r.Header.Get("Authorization") != "", form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "", form.Get("client_secret") != ""
	if header && (assertion || secret) || assertion && secret {
		return nil, fosite.ErrInvalidRequest.WithHint("Authenticate in one way only (RFC 6749 section 2.3).")
	}
	switch {
	case p.isAttested(r) && (header || assertion || secret):
		return nil, fosite.ErrInvalidRequest.WithHint("Authenticate in one way only (RFC 6749 section 2.3).")
	case p.isAttested(r):
		return p.byAttestation(ctx, r, form)
	case header:
		return p.byBasic(ctx, r, form)
	case secret:
		return p.bySecret(ctx, form.Get("client_id"), form.Get("client_secret"), partner.SecretPost)
	case assertion:
		return p.byAssertion(ctx, form)
	}
	c, err := p.find(ctx, txOf(ctx), form.Get("client_id"))
	switch {
	case err != nil:
		return nil, err
	case c.IsPublic():
		return c, nil
	case c.AuthMethod == partner.TLSAuth || c.AuthMethod == partner.SelfSignedTLS:
		return c, p.byCertificate(r, c)
	}
	return nil, fosite.ErrInvalidClient.WithHintf("Authenticate by %s, as the metadata of the client says.", c.AuthMethod)
}

// byBasic reads HTTP Basic, whose halves are form-encoded (RFC 6749 section 2.3.1).
func (p *Provider) byBasic(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return nil, fosite.ErrInvalidClient.WithHint("The Authorization header is not HTTP Basic.")
	}
	plainID, err := url.QueryUnescape(id)
	plainSecret, err2 := url.QueryUnescape(secret)
	if err != nil || err2 != nil || form.Get("client_id") != "" && form.Get("client_id") != plainID {
		return nil, fosite.ErrInvalidClient.WithHint("The halves of HTTP Basic must be form-encoded, and the client_id the same everywhere.")
	}
	return p.bySecret(ctx, plainID, plainSecret, partner.SecretBasic)
}

func (p *Provider) bySecret(ctx context.Context, id, secret string, method partner.AuthMethod) (fosite.Client, error) {
	c, err := p.find(ctx, txOf(ctx), id)
	if err != nil {
		return nil, err
	}
	if c.AuthMethod != method || !c.Knows(secret, p.Now()) {
		return nil, fosite.ErrInvalidClient.WithHint("The client_secret is wrong, or the client was registered to authenticate in another way.")
	}
	return c, p.demand(ctx, c, partner.FAPI2, "client authentication by key or certificate", false, nil)
}

func (p *Provider) byAssertion(ctx context.Context, form url.Values) (fosite.Client, error) {
	if form.Get("client_assertion_type") != assertionType || len(form.Get("client_assertion")) > maxAssertion {
		return nil, fosite.ErrInvalidClient.WithHintf("The client_assertion_type must be %s.", assertionType)
	}
	parsed, err := jwt.ParseSigned(form.Get("client_assertion"), clientAlgorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, fosite.ErrInvalidClient.WithHint("The client_assertion is no JWT that is signed as the metadata says.")
	}
	// What is read before the signature is checked chooses the key, no more.
	var unproven jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&unproven); err != nil {
		return nil, fosite.ErrInvalidClient.WithHint("The claims of the client_assertion cannot be read.")
	}
	if id := form.Get("client_id"); id != "" && id != unproven.Subject {
		return nil, fosite.ErrInvalidClient.WithHint("The client_id is not the subject of the client_assertion.")
	}
	c, err := p.find(ctx, txOf(ctx), unproven.Subject)
	if err != nil {
		return nil, err
	}
	if err := p.judgeAssertion(ctx, c, parsed); err != nil {
		return nil, err
	}
	return c, nil
}

// readKeys fetches the keys that a request will be judged by. It comes before the
// transaction: an address of a client that does not answer must not hold a connection
// of the database, of which everybody else has need. What the request says is not
// proven yet, and only chooses what is read.
func (p *Provider) readKeys(ctx context.Context, form url.Values) {
	id := form.Get("client_id")
	kids := []string{""}
	for _, name := range []string{"client_assertion", "request"} {
		if form.Get(name) == "" || len(form.Get(name)) > maxRequestObject {
			continue
		}
		parsed, err := jwt.ParseSigned(form.Get(name), clientAlgorithms)
		if err != nil || len(parsed.Headers) != 1 {
			continue
		}
		kids = append(kids, parsed.Headers[0].KeyID)
		var unproven jwt.Claims
		if name == "client_assertion" && parsed.UnsafeClaimsWithoutVerification(&unproven) == nil {
			id = unproven.Subject
		}
	}
	c, err := p.asking(ctx, id) // a relying party of a federation comes in by its first request
	if err != nil || c.JWKSURI == "" {
		return
	}
	for _, kid := range kids {
		if _, err := p.sets.Of(ctx, c.Client, kid); err != nil {
			return // whoever judges the request finds no keys, and says so
		}
	}
}

// assertion is what a client says to prove who it is.
type assertion struct {
	jwt.Claims
	Single string // the audience, when it was a string and no array
}

// judgeAssertion checks one (RFC 7523 section 3, FAPI 2.0 section 5.3.2).
func (p *Provider) judgeAssertion(ctx context.Context, c client, parsed *jwt.JSONWebToken) error {
	refused := func(why string) error {
		return fosite.ErrInvalidClient.WithHintf("The client_assertion was refused: %s.", why)
	}
	if c.AuthMethod != partner.PrivateKeyJWT {
		return refused("this client was registered to authenticate in another way")
	}
	if c.AuthAlg != "" && c.AuthAlg != parsed.Headers[0].Algorithm {
		return refused("its algorithm is not the one of token_endpoint_auth_signing_alg")
	}
	var a assertion
	var raw struct {
		Audience json.RawMessage `json:"aud"`
	}
	if err := p.verifyBy(ctx, c, parsed, &a.Claims, &raw); err != nil {
		return refused(err.Error())
	}
	_ = json.Unmarshal(raw.Audience, &a.Single) // stays empty for an array
	if err := p.judgeClaims(c, a); err != nil {
		return refused(err.Error())
	}
	if err := p.demand(ctx, c, partner.FAPI2, "audience of the client assertion is the issuer alone", a.Single == p.issuer, refused("aud must be "+p.issuer+" and no array")); err != nil {
		return err
	}
	first, err := useOnce(ctx, txOf(ctx), [][]byte{p.shownOnce("assertion", c.ID, a.ID)}, a.Expiry.Time().Add(skew))
	if err != nil {
		return err
	}
	if !first {
		return refused("it was used before; make a new one with another jti for every request")
	}
	return nil
}

// shownOnce is how something that passes only once is remembered.
func (p *Provider) shownOnce(kind, by, id string) []byte {
	return p.Ring.PRF("oidc once", []byte(kind), []byte(by), []byte(id))[:16]
}

// verifyBy checks a signature with the keys of a client, and no others, and reads the claims.
func (p *Provider) verifyBy(ctx context.Context, c client, parsed *jwt.JSONWebToken, into ...any) error {
	header := parsed.Headers[0]
	if !slices.Contains(c.Profile.Algorithms(), header.Algorithm) {
		return errors.New("its algorithm is not allowed for this client")
	}
	set, err := p.sets.Kept(c.Client) // readKeys has fetched what there is to fetch
	if err != nil {
		return errors.New("the keys of the client cannot be read")
	}
	if c.Rehearsed.Includes(partner.FAPI2) && header.Algorithm == "RS256" {
		p.lapses.note(ctx, p, c.ID, "signatures by ES256, PS256 or EdDSA")
	}
	for _, key := range set {
		if usable(key, header) && parsed.Claims(key.Public, into...) == nil {
			return nil
		}
	}
	return errors.New("no registered key made its signature")
}

// usable tells whether a key may have made a signature with this header.
func usable(key keyset.Key, header jose.Header) bool {
	if header.KeyID != "" && key.ID != header.KeyID || key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return false
	}
	_, isRSA := key.Public.(*rsa.PublicKey)
	return isRSA == (header.Algorithm == "RS256" || header.Algorithm == "PS256")
}

func (p *Provider) judgeClaims(c client, a assertion) error {
	now := p.Now()
	switch {
	case a.Issuer != c.ID || a.Subject != c.ID:
		return errors.New("iss and sub must be the client_id")
	case !p.forUs(a):
		return errors.New("aud must be " + p.issuer)
	case a.Expiry == nil || !now.Before(a.Expiry.Time().Add(skew)):
		return errors.New("it has no exp, or it has expired")
	case a.Expiry.Time().After(now.Add(assertionLife + skew)):
		return errors.New("exp is too far ahead; a minute is enough")
	case a.IssuedAt != nil && a.IssuedAt.Time().After(now.Add(skew)), a.NotBefore != nil && a.NotBefore.Time().After(now.Add(skew)):
		return errors.New("iat or nbf is in the future; check the clock")
	case a.ID == "" || len(a.ID) > 256:
		return errors.New("it has no jti")
	}
	return nil
}

// forUs tells whether an assertion is meant for us and for nobody else, so that
// one caught by a rogue server is of no use here, nor ours there.
func (p *Provider) forUs(a assertion) bool {
	for _, audience := range a.Audience {
		if audience != p.issuer && !slices.Contains(p.endpoints(), audience) {
			return false
		}
	}
	return len(a.Audience) > 0
}

// endpoints are the addresses at which clients authenticate.
func (p *Provider) endpoints() []string {
	var all []string
	for _, path := range []string{"token", "par", "revoke", "introspect", "ciba", "device"} {
		all = append(all, p.at("/oidc/"+path))
		if p.MTLS != nil {
			all = append(all, p.MTLS.JoinPath("/oidc/"+path).String())
		}
	}
	return all
}

// thumbprint is a certificate as tokens are bound to it (RFC 8705 section 3.1).
func thumbprint(der []byte) string {
	return base64.RawURLEncoding.EncodeToString(hashed(string(der)))
}

// byCertificate checks the certificate that the client's connection came with (RFC 8705 section 2).
func (p *Provider) byCertificate(r *http.Request, c client) error {
	refused := fosite.ErrInvalidClient.WithHint("The certificate of the connection is not the client's. Connect to the address in mtls_endpoint_aliases.")
	shown := p.certificate(r)
	if shown == nil {
		return refused
	}
	if c.AuthMethod == partner.TLSAuth {
		named := c.TLSSubject != "" && shown.Leaf.Subject.String() == c.TLSSubject || c.TLSName != "" && slices.Contains(shown.Leaf.DNSNames, c.TLSName) ||
			c.TLSURI != "" && slices.ContainsFunc(shown.Leaf.URIs, func(u *url.URL) bool { return u.String() == c.TLSURI })
		if named && shown.Trusted {
			return nil
		}
		return refused
	}
	set, err := p.sets.Kept(c.Client)
	if err != nil {
		return refused
	}
	for _, key := range set {
		if key.Certificate != nil && key.Certificate.Equal(shown.Leaf) {
			return nil
		}
	}
	return refused
}

func (p *Provider) certificate(r *http.Request) *Certificate {
	if p.Certificate == nil {
		return nil
	}
	return p.Certificate(r)
}

// wwwAuthenticate is the challenge that HTTP wants beside 401 (RFC 6749 section 5.2).
func wwwAuthenticate(r *http.Request) string {
	if strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") {
		return `Basic realm="plinth", charset="UTF-8"`
	}
	return ""
}
