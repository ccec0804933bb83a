package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/keys"
)

// Keys of ours are published this long before they sign and after they did.
const overlap = 7 * 24 * time.Hour

// rotation is how our signing keys follow one another.
var rotation = keys.Schedule{Every: 90 * 24 * time.Hour, Ahead: 24 * time.Hour}

// defaultAlg is what we sign with for clients that do not ask for another.
const defaultAlg = "ES256"

// domainOf says which key signs by an algorithm.
func domainOf(alg string) (keys.Domain, jose.SignatureAlgorithm) {
	switch alg {
	case "RS256", "PS256":
		return keys.OIDCLegacy, jose.SignatureAlgorithm(alg)
	}
	return keys.OIDCSigning, jose.ES256
}

// signers keeps what it takes to sign: making it anew for every token costs more
// than the signature's own bookkeeping.
type signers struct {
	mu   sync.Mutex
	made map[string]jose.Signer
}

// sign makes a JWT by our key for an algorithm; empty: the default one.
func (p *Provider) sign(alg, typ string, claims map[string]any) (string, error) {
	domain, algorithm := domainOf(alg)
	if domain == keys.OIDCLegacy {
		if err := p.Ring.Ensure(context.Background(), domain); err != nil {
			return "", fmt.Errorf("signing: %w", err)
		}
	}
	key, err := p.Ring.Signer(domain)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	signer, err := p.signers.of(key, algorithm, typ)
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed, nil
}

// Maintain brings the signing keys up to their schedule. It is called now and then.
func (p *Provider) Maintain(ctx context.Context) error {
	if err := p.Ring.Ensure(ctx, keys.OIDCLegacy); err != nil {
		return err
	}
	for _, d := range []keys.Domain{keys.OIDCSigning, keys.OIDCLegacy} {
		turned, err := p.Ring.Maintain(ctx, d, rotation)
		if err != nil {
			return err
		}
		if !turned {
			continue
		}
		if err := audit.Append(ctx, p.Pool, audit.Entry{Event: audit.KeyRotated, Subject: string(d), Details: map[string]string{"by": "schedule"}}); err != nil {
			return err
		}
	}
	return nil
}

// Sign makes a JWT by the provider's key, of a type such as "logout+jwt".
func (p *Provider) Sign(typ string, claims map[string]any) (string, error) {
	return p.sign(defaultAlg, typ, claims)
}

func (s *signers) of(key keys.SigningKey, alg jose.SignatureAlgorithm, typ string) (jose.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.Join([]string{key.ID, string(alg), typ}, " ")
	if made := s.made[name]; made != nil {
		return made, nil
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", key.ID)
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: cryptosigner.Opaque(key.Signer)}, options)
	if err != nil {
		return nil, err
	}
	if s.made == nil || len(s.made) > 100 {
		s.made = make(map[string]jose.Signer)
	}
	s.made[name] = made
	return made, nil
}

// JWKS are the keys that our tokens are signed with: of now, of before, and of next.
func (p *Provider) JWKS() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, key := range p.Ring.Published(keys.OIDCSigning, p.Now(), overlap) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: crypto.PublicKey(key.Public), KeyID: key.ID, Algorithm: string(jose.ES256), Use: "sig"})
	}
	for _, key := range p.Ring.Published(keys.OIDCLegacy, p.Now(), overlap) {
		// No alg: it signs both by RS256 and by PS256.
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: crypto.PublicKey(key.Public), KeyID: key.ID, Use: "sig"})
	}
	return set
}

// ours reads claims of a JWT that we signed, however long ago.
func (p *Provider) ours(token string, into ...any) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
	if err != nil {
		return err
	}
	for _, key := range slices.Concat(p.Ring.Verifiers(keys.OIDCSigning), p.Ring.Verifiers(keys.OIDCLegacy)) {
		if parsed.Claims(key.Public, into...) == nil {
			return nil
		}
	}
	return errors.New("no key of ours made its signature")
}

// encrypt makes a nested JWT for a client (RFC 7519 section 5.2).
func (p *Provider) encrypt(ctx context.Context, c client, keyAlg, contentAlg, signed string) (string, error) {
	set, err := p.sets.Of(ctx, c.Client, "")
	if err != nil {
		return "", err
	}
	wantsRSA := strings.HasPrefix(keyAlg, "RSA")
	for _, key := range set {
		_, isRSA := key.Public.(*rsa.PublicKey)
		_, isEC := key.Public.(*ecdsa.PublicKey)
		if key.Use == "sig" || key.Algorithm != "" && key.Algorithm != keyAlg || wantsRSA != isRSA || !wantsRSA && !isEC {
			continue
		}
		encrypter, err := jose.NewEncrypter(jose.ContentEncryption(contentAlg), jose.Recipient{Algorithm: jose.KeyAlgorithm(keyAlg), Key: key.Public, KeyID: key.ID},
			(&jose.EncrypterOptions{}).WithContentType("JWT"))
		if err != nil {
			return "", fmt.Errorf("encrypting for client %s: %w", c.ID, err)
		}
		sealed, err := encrypter.Encrypt([]byte(signed))
		if err != nil {
			return "", fmt.Errorf("encrypting for client %s: %w", c.ID, err)
		}
		return sealed.CompactSerialize()
	}
	return "", fmt.Errorf("client %s has no key for %s", c.ID, keyAlg)
}
