package errand

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/credentials/vc"
)

// The formats that the wallet holds.
const (
	formatLDP   = "ldp_vc"
	formatJWT   = "jwt_vc_json"
	formatSDJWT = "dc+sd-jwt"
	formatOldSD = "vc+sd-jwt" // as drafts call it
	formatMdoc  = "mso_mdoc"
)

var formats map[string]format

func init() {
	formats = map[string]format{
		formatLDP: {read: readLDP, present: presentLDP},
		formatJWT: {read: readJWT, present: presentJWT},
	}
}

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

// w3c are the members of a W3C credential that are no claims of its owner.
var w3c = []string{"@context", "type", "id", "issuer", "validFrom", "validUntil", "issuanceDate", "expirationDate", "proof", "credentialStatus", "credentialSchema", "renderMethod", "refreshService", "termsOfUse"}

// readLDP reads a credential with a Data Integrity proof.
func readLDP(ctx context.Context, r *Runner, issuer string, document json.RawMessage) (facts, error) {
	c, err := vc.Verify(ctx, document, vc.VerifyOptions{Now: r.Now, Keys: func(ctx context.Context, method string) (crypto.PublicKey, error) {
		return r.issuerKey(ctx, issuer, method)
	}})
	if err != nil {
		return facts{}, err
	}
	said := facts{Issuer: c.Issuer, Types: expanded(c.Types), From: c.ValidFrom, Until: c.ValidUntil, Hidden: w3c}
	if err := json.Unmarshal(document, &said.Tree); err != nil {
		return facts{}, err
	}
	for _, s := range c.Status {
		said.Status = append(said.Status, Status{Type: s.Type, Purpose: s.Purpose, List: s.List, Index: s.Index, Issuer: c.Issuer})
	}
	said.Holder, err = subjectKey(c.Subject)
	return said, err
}

// subjectKey is the key of a subject that is named by one. A credential about somebody
// who is named in another way is bound to no key.
func subjectKey(subject string) (crypto.PublicKey, error) {
	if !strings.HasPrefix(subject, "did:key:") && !strings.HasPrefix(subject, "did:jwk:") {
		return nil, nil
	}
	return vc.ParseDID(subject)
}

// expanded are types as queries name them: by their IRI.
func expanded(types []string) []string {
	all := slices.Clone(types)
	for _, t := range types {
		switch t {
		case vc.TypeCredential:
			all = append(all, "https://www.w3.org/2018/credentials#VerifiableCredential")
		case vc.TypeNationalID:
			all = append(all, vc.TypeNationalIDIRI)
		}
	}
	return all
}

var signatures = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.RS256}

// readJWT reads a W3C credential as a JWT (Data Model 1.1, or 2.0 as its claims).
func readJWT(ctx context.Context, r *Runner, issuer string, document json.RawMessage) (facts, error) {
	var raw string
	if err := json.Unmarshal(document, &raw); err != nil || len(raw) > maxDocument {
		return facts{}, errors.New("the credential is no JWT")
	}
	token, err := jwt.ParseSigned(raw, signatures)
	if err != nil || len(token.Headers) != 1 {
		return facts{}, errors.New("the credential is no signed JWT")
	}
	var unproven jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&unproven); err != nil {
		return facts{}, errors.New("the credential is no JWT with claims")
	}
	method := token.Headers[0].KeyID
	if strings.HasPrefix(method, "#") {
		method = unproven.Issuer + method
	}
	did, _, _ := strings.Cut(method, "#")
	if did != unproven.Issuer || did == "" {
		return facts{}, vc.ErrForeignKey
	}
	key, err := r.issuerKey(ctx, issuer, method)
	if err != nil {
		return facts{}, err
	}
	var claims jwt.Claims
	tree := make(map[string]any)
	if err := token.Claims(key, &claims, &tree); err != nil {
		return facts{}, vc.ErrSignature
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: r.Now()}, time.Minute); err != nil {
		return facts{}, vc.ErrExpired
	}
	said := facts{Issuer: claims.Issuer, Tree: tree, Hidden: w3c, Until: claims.Expiry.Time(), From: claims.NotBefore.Time()}
	if inner, ok := tree["vc"].(map[string]any); ok {
		said.Tree = inner
	}
	said.Types = expanded(texts(said.Tree["type"]))
	if said.Holder, err = subjectKey(claims.Subject); err == nil && said.Holder == nil {
		said.Holder, err = confirmed(tree)
	}
	return said, err
}

const maxDocument = 512 << 10

func texts(v any) []string {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	var all []string
	if list, ok := v.([]any); ok {
		for _, item := range list {
			if s, ok := item.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

// confirmed is the key of a cnf claim (RFC 7800).
func confirmed(tree map[string]any) (crypto.PublicKey, error) {
	cnf, ok := tree["cnf"].(map[string]any)
	if !ok {
		return nil, nil
	}
	raw, err := json.Marshal(cnf["jwk"])
	if err != nil {
		return nil, err
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(raw, &key); err != nil || !key.IsPublic() {
		return nil, errors.New("the credential is bound to something else than a key")
	}
	return key.Key, nil
}
