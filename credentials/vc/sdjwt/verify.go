package sdjwt

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// Options are what a verifier trusts and asks for.
type Options struct {
	jws.Trust
	// Binding demands that the holder has signed for this occasion. Whether it is
	// demanded is for the verifier to say, never for the token; nil demands nothing,
	// and a binding that is there is not looked at.
	Binding *Binding
	// Types, when there are any, takes plain SD-JWTs with one of these typ in place of
	// SD-JWT VCs.
	Types []string
	// Issuer reads who has issued it from the claims in the clear; nil reads iss.
	Issuer func(claims map[string]any) (string, error)
	Now    func() time.Time // nil means time.Now
}

// Credential is what a verified token says.
type Credential struct {
	Type      string   // vct
	AlsoTypes []string // aka_vcts
	// Issuer is who has signed: iss, or the subject of the certificate if that does
	// not speak for iss. Claims["iss"] alone says nothing.
	Issuer    string
	KeyID     string
	Chain     []*x509.Certificate // that was trusted, with the anchor; nil: found by Keys
	Claims    map[string]any      // numbers are json.Number
	Disclosed [][]any             // what was selective and is shown, by its path as issued
	Times     jws.Times
	Holder    crypto.PublicKey // nil: bound to nobody
	Bound     bool             // the holder has signed for this occasion
	Status    *Status          // the place in a Token Status List; nil: none
	// OtherStatus says that there is a status of a kind that is not understood:
	// whether the credential was revoked stays open.
	OtherStatus bool

	root *node
}

// Verify checks a token in any of its forms, and reads it. A credential that is
// ErrExpired or ErrNotYetValid is given back beside the error, for its signature is
// good; with any other error nothing is given back, so that nobody is shown what
// nobody signed. Whether it was revoked is for the caller to ask.
func Verify(ctx context.Context, raw string, o Options) (Credential, error) {
	p, err := take(raw)
	if err != nil {
		return Credential{}, err
	}
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	c, err := p.issued(ctx, o, now())
	if err != nil {
		return Credential{}, err
	}
	if o.Binding != nil {
		if err := o.Binding.check(p, c.Holder, now()); err != nil {
			return Credential{}, err
		}
		c.Bound = true
	}
	return c, c.Times.Check(now())
}

// issued checks what the issuer has signed.
func (p parts) issued(ctx context.Context, o Options, now time.Time) (Credential, error) {
	accepted := o.Types
	if accepted == nil {
		accepted = []string{TypeVC, typeVCBefore}
	}
	if !slices.Contains(accepted, p.token.Header.Type) {
		return Credential{}, ErrMediaType
	}
	readIssuer := o.Issuer
	if readIssuer == nil {
		readIssuer = func(claims map[string]any) (string, error) { return optionalText(claims, "iss") }
	}
	issuer, err := readIssuer(p.claims)
	if err != nil {
		return Credential{}, err
	}
	by, err := o.Signatory(ctx, p.token.Header, issuer, now)
	if err != nil {
		return Credential{}, err
	}
	if err := p.token.Verify(by.Key); err != nil {
		return Credential{}, err
	}
	root, err := p.weave()
	if err != nil {
		return Credential{}, err
	}
	c, err := read(root, o.Types == nil)
	if err != nil {
		return Credential{}, err
	}
	c.KeyID = p.token.Header.KeyID
	c.Issuer, c.Chain = by.Name, by.Path
	return c, nil
}

// read takes what is common to all credentials out of the claims.
func read(root *node, credential bool) (Credential, error) {
	c := Credential{root: root}
	c.Claims, _ = root.plain().(map[string]any)
	root.each(nil, func(path []any, n *node) {
		if n.from != nil {
			c.Disclosed = append(c.Disclosed, slices.Clone(path))
		}
	})
	var err error
	if c.Times, err = jws.ReadTimes(c.Claims); err != nil {
		return Credential{}, err
	}
	if c.Holder, err = readHolder(c.Claims["cnf"]); err != nil {
		return Credential{}, err
	}
	if !credential {
		return c, nil
	}
	for name := range everybody {
		if n := root.object[name]; n != nil && n.selective() {
			return Credential{}, fmt.Errorf("%w: %s", ErrProtected, name)
		}
	}
	if c.Type, err = optionalText(c.Claims, "vct"); err != nil || c.Type == "" {
		return Credential{}, fmt.Errorf("%w: vct is missing", ErrMalformed)
	}
	if c.AlsoTypes, err = alsoTypes(c.Claims, c.Type); err != nil {
		return Credential{}, err
	}
	c.Status, c.OtherStatus, err = readStatus(c.Claims)
	return c, err
}

func optionalText(claims map[string]any, name string) (string, error) {
	v, given := claims[name]
	text, ok := v.(string)
	if given && !ok {
		return "", fmt.Errorf("%w: %s is not text", ErrMalformed, name)
	}
	return text, nil
}

func alsoTypes(claims map[string]any, vct string) ([]string, error) {
	v, given := claims["aka_vcts"]
	if !given {
		return nil, nil
	}
	items, _ := v.([]any)
	var all []string
	for _, item := range items {
		text, ok := item.(string)
		if !ok || text == "" || text == vct {
			return nil, fmt.Errorf("%w: aka_vcts", ErrMalformed)
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: aka_vcts is not a list", ErrMalformed)
	}
	return all, nil
}

// readStatus demands a reference whole: the reader of half a one would miss a
// revocation.
func readStatus(claims map[string]any) (*Status, bool, error) {
	v, given := claims["status"]
	if !given {
		return nil, false, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, false, fmt.Errorf("%w: status is not an object", ErrMalformed)
	}
	entry, given := object["status_list"]
	if !given {
		return nil, true, nil
	}
	list, _ := entry.(map[string]any)
	uri, _ := list["uri"].(string)
	number, _ := list["idx"].(json.Number)
	index, err := number.Int64()
	if uri == "" || err != nil || index < 0 || index > 1<<31-1 {
		return nil, false, fmt.Errorf("%w: a status that is not whole", ErrMalformed)
	}
	return &Status{URI: uri, Index: int(index)}, len(object) > 1, nil
}

// readHolder reads cnf. A confirmation by other means than a key in it binds to
// nobody that we can check.
func readHolder(v any) (crypto.PublicKey, error) {
	if v == nil {
		return nil, nil
	}
	cnf, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: cnf is not an object", ErrMalformed)
	}
	entry, given := cnf["jwk"]
	if !given {
		return nil, nil
	}
	jwk, ok := entry.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: cnf.jwk is not an object", ErrMalformed)
	}
	return jws.ParseJWK(jwk)
}
