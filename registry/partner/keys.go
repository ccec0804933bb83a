package partner

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
)

// overlap is how long an old secret is good beside the new one.
const overlap = 7 * 24 * time.Hour

// warned is how long before its end a key or certificate is complained about.
const warned = 30 * 24 * time.Hour

// leastSecret bounds secrets that somebody else has chosen: 128 bits in base64url.
const leastSecret = 22

// newSecret draws 256 random bits, and gives what is kept of them.
func newSecret() (plain string, hash []byte) {
	plain = rand.Text() + rand.Text()
	return plain, hashOf(plain)
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Knows tells whether a secret is the client's.
func (c Client) Knows(secret string, now time.Time) bool {
	hash, good := hashOf(secret), 0
	for _, s := range c.Secrets {
		if s.Until == nil || now.Before(*s.Until) {
			good |= subtle.ConstantTimeCompare(hash, s.Hash)
		}
	}
	return good == 1
}

// Manages tells whether a registration access token is the client's (RFC 7592).
func (c Client) Manages(token string) bool {
	return len(c.Manager) > 0 && subtle.ConstantTimeCompare(hashOf(token), c.Manager) == 1
}

// Rotate gives a client new keys; the old ones are refused from now on, so a
// client that overlaps sends both.
func (d *Directory) Rotate(ctx context.Context, id string, jwks []byte) error {
	c, err := d.Client(ctx, d.Pool, id)
	if err != nil {
		return err
	}
	if c.AuthMethod == NoAuth {
		return fault.New(fault.Conflict, "This client has no keys: it is registered with token_endpoint_auth_method none.")
	}
	if c.JWKSURI != "" {
		return fault.New(fault.Conflict, "The keys of this client are read at its jwks_uri. Publish the new key there, beside the old one.")
	}
	if c.JWKS, err = publicKeys(jwks); err != nil {
		return err
	}
	return d.change(ctx, audit.ClientRotated, id, func(tx pgx.Tx) (bool, error) { return update(ctx, tx, c, d.Now()) })
}

// RotateSecret gives a client a new secret; the old one is good for another week.
func (d *Directory) RotateSecret(ctx context.Context, id string) (string, error) {
	c, err := d.Client(ctx, d.Pool, id)
	if err != nil {
		return "", err
	}
	if c.AuthMethod != SecretBasic && c.AuthMethod != SecretPost {
		return "", fault.New(fault.Conflict, "This client has no secret: it proves itself in another way.")
	}
	plain, hash := newSecret()
	fresh, until := []Secret{{Hash: hash}}, d.Now().Add(overlap)
	for _, s := range c.Secrets {
		if s.Until == nil {
			s.Until = &until
			fresh = append(fresh, s)
		}
	}
	c.Secrets = fresh
	return plain, d.change(ctx, audit.ClientRotated, id, func(tx pgx.Tx) (bool, error) { return update(ctx, tx, c, d.Now()) })
}

// Warnings are what an operator of the client must see to before long.
func (c Client) Warnings(now time.Time) []string {
	var all []string
	var set struct {
		Keys []struct {
			ID      string  `json:"kid"`
			Expires float64 `json:"exp"`
		} `json:"keys"`
	}
	_ = json.Unmarshal(c.JWKS, &set) // was judged when it came
	for _, k := range set.Keys {
		if k.Expires > 0 && now.Add(warned).After(time.Unix(int64(k.Expires), 0)) {
			all = append(all, fmt.Sprintf("key %s ends on %s: publish the next one", k.ID, time.Unix(int64(k.Expires), 0).UTC().Format(time.DateOnly)))
		}
	}
	var keys jose.JSONWebKeySet
	_ = json.Unmarshal(c.JWKS, &keys)
	for _, k := range keys.Keys {
		if len(k.Certificates) > 0 && now.Add(warned).After(k.Certificates[0].NotAfter) {
			all = append(all, fmt.Sprintf("the certificate of key %s ends on %s: renew it", k.KeyID, k.Certificates[0].NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	for _, s := range c.Secrets {
		if s.Until != nil && now.Before(*s.Until) {
			all = append(all, "an old secret is still good until "+s.Until.UTC().Format(time.DateOnly)+": stop using it")
		}
	}
	if c.Rehearsed != "" {
		all = append(all, fmt.Sprintf("profile %s is rehearsed: see the readiness report", c.Rehearsed))
	}
	return all
}

// publicKeys wants public keys only, strong enough, each with a kid of its own.
// They come back without anything beside them, so that no private part that we
// do not know is kept.
func publicKeys(raw []byte) (json.RawMessage, error) {
	r := refusing()
	var set jose.JSONWebKeySet
	if len(raw) > 64<<10 || !storable(raw) || json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 || len(set.Keys) > 16 {
		r.unless(false, "jwks", "must hold 1 to 16 keys")
		return nil, r.err()
	}
	seen := make(map[string]bool)
	for _, k := range set.Keys {
		r.unless(k.IsPublic(), "jwks", "must hold public keys only: take out the private parts, and replace the key, for it has been shown")
		r.unless(k.KeyID != "" && !seen[k.KeyID], "jwks", "must give each key a kid of its own")
		r.unless(k.Use == "" || k.Use == "sig" || k.Use == "enc", "jwks", "has a key with an unknown use")
		seen[k.KeyID] = true
		if k.IsPublic() {
			rule := Strong(k.Key)
			r.unless(rule == "", "jwks", rule)
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return json.Marshal(set)
}

// Strong tells which rule a public key breaks; empty: none.
func Strong(public any) string {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return "must use P-256, P-384 or P-521"
		}
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return "must use RSA keys of at least 2048 bits, or better EC P-256"
		}
	default:
		return "must hold EC, Ed25519 or RSA keys"
	}
	return ""
}
