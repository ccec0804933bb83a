package verifier

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// registered are claims about the credential, not about a person.
var registered = []string{"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "aka_vcts", "cnf", "status", "jti", "sub"}

// openSDJWT checks an SD-JWT VC, with the holder's proof when there is a binding.
func (v *Verifier) openSDJWT(ctx context.Context, text string, b *Binding) (shown, error) {
	s := shown{format: dcql.FormatSDJWT, holder: holderNotAsked}
	o := sdjwt.Options{Trust: v.jwsTrust(), Now: v.Now}
	if b != nil && !b.Unbound {
		s.holder, s.confirmed = holderProved, confirmed(text, b.Transaction)
		o.Binding = &sdjwt.Binding{Audience: b.Audience, Nonce: b.Nonce, Transaction: s.confirmed}
	}
	c, err := sdjwt.Verify(ctx, text, o)
	if errors.Is(err, sdjwt.ErrExpired) || errors.Is(err, sdjwt.ErrNotYetValid) {
		s.timing, err = err, nil
	}
	if err != nil {
		return s, err
	}
	if s.issuer, err = v.signer(c.Issuer, c.Chain); err != nil {
		return s, err
	}
	if o.Binding != nil {
		s.key = c.Holder
	}
	s.root, s.types, s.authorities = c.Claims, append([]string{c.Type}, c.AlsoTypes...), authorities(c.Chain)
	s.from, s.until = c.Times.NotBefore, c.Times.Expires
	s.id, _ = c.Claims["jti"].(string)
	s.claims = map[string]any{}
	for name, value := range c.Claims {
		if !slices.Contains(registered, name) {
			s.claims[name] = value
		}
	}
	switch {
	case c.Status != nil:
		s.status = []place{{purpose: tokenStatus, list: c.Status.URI, index: c.Status.Index}}
	case c.OtherStatus:
		s.status = []place{{}}
	}
	return s, nil
}

// jwsTrust is whom we believe of those who sign tokens: issuers by their keys on the
// trust list, and document signers by their certificates.
func (v *Verifier) jwsTrust() jws.Trust {
	t := jws.Trust{Keys: v.issuerKey}
	if anchors := v.anchors(); len(anchors) > 0 {
		t.Anchors = x509.NewCertPool()
		for _, anchor := range anchors {
			t.Anchors.AddCert(anchor)
		}
	}
	return t
}

func (v *Verifier) anchors() []*x509.Certificate {
	var all []*x509.Certificate
	for _, anchor := range v.Trust().Anchors() {
		all = append(all, anchor.Certificate)
	}
	return all
}

// signer is who has signed a token: under a certificate the issuer on the list that
// its anchor stands for, since the name in the token may be another's.
func (v *Verifier) signer(named string, path []*x509.Certificate) (string, error) {
	if path == nil {
		return named, nil
	}
	issuer, ok := v.certified(path)
	switch {
	case !ok: // the list has changed meanwhile
		return "", jws.ErrUntrusted
	case sameIssuer(issuer, named):
		return named, nil
	}
	return issuer, nil
}

// certified is the issuer on the trust list that stands behind a path: the one whose
// anchor ends it.
func (v *Verifier) certified(path []*x509.Certificate) (string, bool) {
	if len(path) == 0 {
		return "", false
	}
	for _, anchor := range v.Trust().Anchors() {
		if path[len(path)-1].Equal(anchor.Certificate) {
			return anchor.Issuer.ID, true
		}
	}
	return "", false
}

// issuerKey finds a key of an issuer, which may name itself by its address or by its
// DID, and the key by its whole name or by what follows the #.
func (v *Verifier) issuerKey(ctx context.Context, issuer, kid string) (crypto.PublicKey, error) {
	list := v.Trust()
	for _, known := range list.Issuers {
		if !sameIssuer(known.ID, issuer) {
			continue
		}
		for _, key := range known.Keys {
			if key.ID == kid || strings.HasSuffix(key.ID, "#"+kid) && kid != "" || kid == "" && len(known.Keys) == 1 {
				return list.Resolve(ctx, key.ID)
			}
		}
	}
	return nil, jws.ErrUnknownKey
}

// authorities are who certifies along a path, by the identifiers of their keys.
func authorities(path []*x509.Certificate) map[string][]string {
	var all []string
	for _, certificate := range path {
		if len(certificate.AuthorityKeyId) > 0 {
			all = append(all, base64.RawURLEncoding.EncodeToString(certificate.AuthorityKeyId))
		}
	}
	return map[string][]string{dcql.AuthorityKey: all}
}

// confirmed picks the transactions whose hashes stand in the key binding: of several
// credentials that may confirm one, a wallet uses one only (5.1). Nothing is believed
// here; that the holder has signed exactly these is checked with the binding.
func confirmed(text string, may []string) []string {
	if len(may) == 0 {
		return nil
	}
	_, payload, _ := strings.Cut(text[strings.LastIndexByte(text, '~')+1:], ".")
	payload, _, _ = strings.Cut(payload, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	var claims struct {
		Hashes    []string `json:"transaction_data_hashes"`
		Algorithm string   `json:"transaction_data_hashes_alg"`
	}
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return nil
	}
	var some []string
	for _, data := range may {
		if slices.Contains(claims.Hashes, digest(claims.Algorithm, data)) {
			some = append(some, data)
		}
	}
	return some
}

func digest(algorithm, data string) string {
	encode := base64.RawURLEncoding.EncodeToString
	switch algorithm {
	case "sha-384":
		sum := sha512.Sum384([]byte(data))
		return encode(sum[:])
	case "sha-512":
		sum := sha512.Sum512([]byte(data))
		return encode(sum[:])
	}
	sum := sha256.Sum256([]byte(data))
	return encode(sum[:])
}
