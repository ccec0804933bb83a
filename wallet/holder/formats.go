package holder

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/credentials/vc"
)

// The formats that the wallet holds.
const (
	LDP      = "ldp_vc"
	JWT      = "jwt_vc_json"
	SDJWT    = "dc+sd-jwt"
	OldSDJWT = "vc+sd-jwt" // as drafts call it
	Mdoc     = "mso_mdoc"
	Code     = "claim169" // the text of a QR code
)

const maxDocument = 512 << 10

const clockSkew = time.Minute

// Finder finds the keys of issuers. The issuer that is spoken with may be on this
// machine, and is then asked plainly.
type Finder struct {
	DID    func(ctx context.Context, spoken, method string) (crypto.PublicKey, error)
	Issuer func(ctx context.Context, spoken, issuer, keyID string) (crypto.PublicKey, error) // that publishes keys at its address
	Now    func() time.Time
}

// Supported tells whether cards of a format can be held.
func Supported(name string) bool { _, ok := formats[name]; return ok }

// format is what the wallet can do with one format of credentials.
type format struct {
	// verify checks a credential as anyone would who is shown it: signed by who it
	// says, and good now.
	verify func(ctx context.Context, f Finder, issuer string, document json.RawMessage) error
	// open reads a credential that was verified when it came.
	open func(document json.RawMessage) (Facts, error)
	// present prepares what is shown of one copy.
	present func(p Presenting) (Half, error)
	// complete adds the signature of the holder.
	complete func(h Half, signature []byte) (json.RawMessage, error)
}

var formats map[string]format

func init() {
	sd := format{verifySDJWT, openSDJWT, presentSDJWT, completeSDJWT}
	formats = map[string]format{
		LDP: {verifyLDP, openLDP, presentLDP, completeLDP}, JWT: {verifyJWT, openJWT, presentJWT, completeJWT},
		SDJWT: sd, OldSDJWT: sd, Mdoc: {verifyMdoc, openMdoc, presentMdoc, completeMdoc},
		Code: {verifyCode, openCode, presentCode, completeCode},
	}
}

// Facts are what a credential says.
type Facts struct {
	Types       []string
	Tree        map[string]any // what paths lead through
	Hidden      []string       // members at the root of the tree that are no claims
	Holder      any            // public key to which it is bound; nil: none
	From, Until time.Time
	Status      []Status
	Keys        []string // key identifiers of the authorities that certify the issuer
}

// w3c are the members of a W3C credential that are no claims of its owner.
var w3c = []string{"@context", "type", "id", "issuer", "validFrom", "validUntil", "issuanceDate", "expirationDate", "proof", "credentialStatus",
	"credentialSchema", "renderMethod", "refreshService", "termsOfUse", "evidence", "name", "description"}

func verifyLDP(ctx context.Context, f Finder, issuer string, document json.RawMessage) error {
	_, err := vc.Verify(ctx, document, vc.VerifyOptions{Now: f.Now, Keys: func(ctx context.Context, method string) (crypto.PublicKey, error) {
		return f.DID(ctx, issuer, method)
	}})
	return err
}

func openLDP(document json.RawMessage) (Facts, error) {
	said := Facts{Hidden: w3c}
	if err := decode(document, &said.Tree); err != nil {
		return Facts{}, err
	}
	return said, said.w3c()
}

func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// w3c reads what W3C credentials have in common, however they are signed.
func (f *Facts) w3c() (err error) {
	f.Types = expanded(Texts(f.Tree["type"]))
	when := func(into *time.Time, names ...string) {
		for _, name := range names {
			if text, ok := f.Tree[name].(string); ok && into.IsZero() {
				*into, _ = time.Parse(time.RFC3339, text) // zero: not said
			}
		}
	}
	when(&f.From, "validFrom", "issuanceDate")
	when(&f.Until, "validUntil", "expirationDate")
	issuer, _ := f.Tree["issuer"].(string)
	if object, ok := f.Tree["issuer"].(map[string]any); ok {
		issuer, _ = object["id"].(string)
	}
	entries, ok := f.Tree["credentialStatus"].([]any)
	if !ok {
		entries = []any{f.Tree["credentialStatus"]}
	}
	for _, entry := range entries {
		e, _ := entry.(map[string]any)
		list, _ := e["statusListCredential"].(string)
		if index, ok := whole(e["statusListIndex"]); ok && list != "" {
			purpose, _ := e["statusPurpose"].(string)
			f.Status = append(f.Status, Status{Type: "bitstring", Purpose: purpose, List: list, Index: index, Issuer: issuer})
		}
	}
	if subject, ok := f.Tree["credentialSubject"].(map[string]any); ok && f.Holder == nil {
		id, _ := subject["id"].(string)
		f.Holder, err = subjectKey(id)
	}
	return err
}

// whole reads an index, which stands as text or as a number.
func whole(v any) (int, bool) {
	text, ok := v.(string)
	if n, number := v.(json.Number); number {
		text, ok = n.String(), true
	}
	n, err := json.Number(text).Int64()
	return int(n), ok && err == nil && n >= 0 && n < 1<<31
}

// subjectKey is the key of a subject that is named by one. A credential about somebody
// who is named in another way is bound to no key.
func subjectKey(subject string) (any, error) {
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

// Text is a credential that stands as a JSON string.
func Text(document json.RawMessage) (string, error) {
	var raw string
	if err := json.Unmarshal(document, &raw); err != nil || len(raw) > maxDocument {
		return "", errors.New("the credential is no text, or too long")
	}
	return raw, nil
}

var signatureAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.RS256}

// verifyJWT checks a W3C credential as a JWT (Data Model 1.1, or 2.0 as its claims).
func verifyJWT(ctx context.Context, f Finder, issuer string, document json.RawMessage) error {
	raw, err := Text(document)
	if err != nil {
		return err
	}
	token, err := jwt.ParseSigned(raw, signatureAlgorithms)
	if err != nil || len(token.Headers) != 1 {
		return errors.New("the credential is no signed JWT")
	}
	said, err := openJWT(document)
	if err != nil {
		return err
	}
	name, _ := said.Tree["issuer"].(string)
	if object, ok := said.Tree["issuer"].(map[string]any); ok {
		name, _ = object["id"].(string)
	}
	method := token.Headers[0].KeyID
	if strings.HasPrefix(method, "#") {
		method = name + method
	}
	if did, _, _ := strings.Cut(method, "#"); did != name || did == "" {
		return vc.ErrForeignKey
	}
	key, err := f.DID(ctx, issuer, method)
	if err != nil {
		return err
	}
	if err := token.Claims(key, &struct{}{}); err != nil {
		return vc.ErrSignature
	}
	return said.now(f.Now())
}

// now tells a credential that is out of date.
func (f Facts) now(now time.Time) error {
	switch {
	case now.Add(clockSkew).Before(f.From):
		return vc.ErrNotYetValid
	case !f.Until.IsZero() && !now.Before(f.Until):
		return vc.ErrExpired
	}
	return nil
}

// openJWT reads the claims of a JWT as a W3C credential.
func openJWT(document json.RawMessage) (Facts, error) {
	raw, err := Text(document)
	if err != nil {
		return Facts{}, err
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return Facts{}, errors.New("the credential is no JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Facts{}, errors.New("the credential is no JWT")
	}
	var claims jwt.Claims
	said := Facts{Hidden: append(slices.Clone(w3c), "iss", "sub", "nbf", "exp", "iat", "jti", "cnf", "vc")}
	if err := errors.Join(decode(payload, &said.Tree), json.Unmarshal(payload, &claims)); err != nil {
		return Facts{}, errors.New("the claims cannot be read")
	}
	said.From, said.Until = claims.NotBefore.Time(), claims.Expiry.Time()
	if said.Holder, err = confirmed(said.Tree); err != nil {
		return Facts{}, err
	}
	if inner, ok := said.Tree["vc"].(map[string]any); ok {
		said.Tree = inner
		if inner["issuer"] == nil {
			inner["issuer"] = claims.Issuer
		}
	}
	if said.Holder == nil {
		if said.Holder, err = subjectKey(claims.Subject); err != nil {
			return Facts{}, err
		}
	}
	return said, said.w3c()
}

func Texts(v any) []string {
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
func confirmed(tree map[string]any) (any, error) {
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
