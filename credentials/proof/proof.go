// Package proof judges what a wallet shows to prove that it holds the keys to which
// credentials are to be bound (OpenID4VCI 1.0, appendices D and F). It knows no
// database and no HTTP: that a nonce is fresh, its caller tells.
package proof

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/internal/attest"
)

const (
	jwtType  = "openid4vci-proof+jwt"
	age      = 10 * time.Minute // since it was made, by the wallet's clock
	skew     = 5 * time.Minute  // that the wallet's clock may be ahead
	maxProof = 48 << 10         // with an attestation in its header
)

// Algorithms are those of proofs; EdDSA is also named by its curve.
var Algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}

// The types of proofs.
const (
	JWT          = "jwt"
	Attestation  = "attestation"
	Presentation = "di_vp"
)

// Want is what proofs are judged by.
type Want struct {
	Audiences []string // identifiers of the issuer, one of which a proof must be for
	Client    string   // who asks with the access token; empty: a wallet without a name
	Most      int      // keys
	Levels    *Levels  // of the attestation that the keys must have; nil: they need none
	Attesters *attest.Attesters
	Now       time.Time
}

// Given is what proofs have shown: at least one key, and the nonces to be used up.
type Given struct {
	Keys   []Key
	Nonces []string
}

// Check judges the proofs of a request, all or nothing.
func Check(ctx context.Context, proofs map[string]json.RawMessage, w Want) (Given, error) {
	if len(proofs) != 1 {
		return Given{}, errors.New("exactly one type of proof is needed")
	}
	var g Given
	var err error
	switch {
	case proofs[JWT] != nil:
		g, err = w.tokens(proofs[JWT])
	case proofs[Attestation] != nil:
		g, err = w.attested(proofs[Attestation])
	case proofs[Presentation] != nil:
		g, err = w.presented(ctx, proofs[Presentation])
	default:
		err = errors.New("the type of proof is none of jwt, di_vp and attestation")
	}
	if err != nil {
		return Given{}, err
	}
	if len(g.Keys) > w.Most {
		return Given{}, fmt.Errorf("there are more than %d keys", w.Most)
	}
	return g, unlike(g.Keys)
}

// unlike refuses a key that comes twice: two credentials bound to one key are one
// credential that can be recognised.
func unlike(keys []Key) error {
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[string(k.thumbprint)] {
			return errors.New("a key comes twice")
		}
		seen[string(k.thumbprint)] = true
	}
	return nil
}

// tokens judges proofs of the type jwt. One that holds the attestation of many keys
// speaks for all of them.
func (w Want) tokens(raw json.RawMessage) (Given, error) {
	var tokens []string
	if json.Unmarshal(raw, &tokens) != nil || len(tokens) == 0 || len(tokens) > w.Most {
		return Given{}, fmt.Errorf("proofs.jwt must be a list of 1 to %d proofs", w.Most)
	}
	var g Given
	for _, token := range tokens {
		one, err := w.token(token)
		if err != nil {
			return Given{}, err
		}
		if len(tokens) > 1 {
			one.Keys = one.Keys[:1]
		}
		g.Keys = append(g.Keys, one.Keys...)
		for _, nonce := range one.Nonces {
			if !slices.Contains(g.Nonces, nonce) {
				g.Nonces = append(g.Nonces, nonce)
			}
		}
	}
	return g, nil
}

// body is what the JWT of a proof says.
type body struct {
	Audience json.RawMessage `json:"aud"`
	Issuer   *string         `json:"iss"`
	Issued   *float64        `json:"iat"`
	Expires  *float64        `json:"exp"`
	Nonce    string          `json:"nonce"`
}

type header struct {
	Algorithm   string          `json:"alg"`
	Type        string          `json:"typ"`
	KeyID       string          `json:"kid"`
	JWK         json.RawMessage `json:"jwk"`
	Chain       []string        `json:"x5c"`
	Attestation string          `json:"key_attestation"`
	Critical    json.RawMessage `json:"crit"`
}

// token judges one proof (F.1, F.4). Its own key comes first among those given.
func (w Want) token(token string) (Given, error) {
	h, err := read(token)
	if err != nil {
		return Given{}, err
	}
	var a attestation
	switch {
	case h.Attestation != "" && w.Attesters != nil:
		if a, err = w.attestation(h.Attestation); err != nil {
			return Given{}, err
		}
		if a.Expires == nil {
			return Given{}, errors.New("an attestation in the header of a proof needs exp")
		}
	case w.Levels != nil:
		return Given{}, errors.New("an attestation of the key is needed, in the header key_attestation")
	}
	own, err := w.key(h, a)
	if err != nil {
		return Given{}, err
	}
	nonce, err := w.signed(token, own)
	if err != nil {
		return Given{}, err
	}
	g := Given{Keys: []Key{own}, Nonces: []string{nonce}}
	if a.keys == nil {
		return g, nil
	}
	at := slices.IndexFunc(a.keys, own.Equal)
	if at < 0 {
		return Given{}, errors.New("the key of the proof is none of those attested")
	}
	g.Keys = append(g.Keys, slices.Delete(slices.Clone(a.keys), at, at+1)...)
	if a.Nonce != nonce {
		g.Nonces = append(g.Nonces, a.Nonce)
	}
	return g, nil
}

// signed checks the signature and the claims, and gives the nonce.
func (w Want) signed(token string, own Key) (string, error) {
	signed, err := jose.ParseSignedCompact(token, Algorithms)
	if err != nil {
		return "", err
	}
	payload, err := signed.Verify(own.public)
	if err != nil {
		return "", err
	}
	var b body
	if err := json.Unmarshal(payload, &b); err != nil {
		return "", err
	}
	return b.Nonce, w.claims(b)
}

func (w Want) claims(b body) error {
	var audience string
	if json.Unmarshal(b.Audience, &audience) != nil || !slices.Contains(w.Audiences, audience) {
		return errors.New("aud is not this issuer")
	}
	switch {
	case b.Issued == nil:
		return errors.New("iat is missing")
	case b.Nonce == "":
		return errors.New("nonce is missing")
	case b.Issuer != nil && w.Client != "" && *b.Issuer != w.Client:
		return errors.New("iss is not the client that got the access token")
	}
	return w.timely(b.Issued, b.Expires, age)
}

// timely judges when something was made, and until when it holds.
func (w Want) timely(issued, expires *float64, oldest time.Duration) error {
	at := time.Unix(int64(*issued), 0)
	if at.Before(w.Now.Add(-oldest)) || at.After(w.Now.Add(skew)) {
		return errors.New("iat is not near the present")
	}
	if expires != nil && !w.Now.Before(time.Unix(int64(*expires), 0)) {
		return errors.New("it has expired")
	}
	return nil
}

// read reads the header of a proof.
func read(token string) (h header, err error) {
	if len(token) > maxProof {
		return h, errors.New("the proof is too long")
	}
	encoded, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return h, err
	}
	named := 0
	for _, there := range []bool{h.KeyID != "", h.JWK != nil, h.Chain != nil} {
		if there {
			named++
		}
	}
	switch {
	case h.Type != jwtType:
		return h, errors.New("typ is another")
	case h.Critical != nil:
		return h, errors.New("crit names an extension that is unknown here")
	case named != 1:
		return h, errors.New("there must be exactly one of kid, jwk and x5c")
	}
	return h, nil
}

// key finds the key that a header names. Only DIDs that hold the key in the name are
// taken: nothing is fetched on the word of a stranger.
func (w Want) key(h header, a attestation) (Key, error) {
	var public crypto.PublicKey
	var err error
	switch {
	case h.JWK != nil:
		public, err = readJWK(h.JWK)
	case h.Chain != nil:
		public, err = readChain(h.Chain, w.Now)
	case a.keys != nil && !strings.HasPrefix(h.KeyID, "did:"):
		return a.named(h.KeyID, h.Algorithm)
	default:
		return ofDID(h.KeyID, h.Algorithm)
	}
	if err != nil {
		return Key{}, err
	}
	if err := fits(h.Algorithm, public); err != nil {
		return Key{}, err
	}
	return newKey(public)
}

// named finds an attested key by its kid or, as the example in appendix F.1 has it,
// by its place.
func (a attestation) named(kid, algorithm string) (Key, error) {
	at := slices.Index(a.kids, kid)
	if n, err := strconv.Atoi(kid); at < 0 && err == nil {
		at = n
	}
	if at < 0 || at >= len(a.keys) {
		return Key{}, errors.New("kid is none of the attested keys")
	}
	return a.keys[at], fits(algorithm, a.keys[at].public)
}
