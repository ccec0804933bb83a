// Package present asks wallets for credentials by OpenID4VP 1.0 and judges what they
// answer. A request lives for some minutes and takes one answer; what a wallet
// disclosed is kept sealed until whoever asked has collected it, once. What remains
// is the verdict and a hash, unless the request asks for more.
package present

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/keys"
)

const (
	standardLife = 5 * time.Minute // of a request
	longestLife  = 30 * time.Minute
	keptVerdict  = 90 * 24 * time.Hour // verdict and hash, of answered requests
	longestKept  = 365                 // days of a raw presentation
	maxOpen      = 60                  // requests of one network that wait for an answer
)

// Config is what a Counter works with.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Verifier *verifier.Verifier
	Public   *url.URL // under which wallets reach us

	Signer  crypto.Signer       // signs requests: ECDSA P-256 or Ed25519; nil: requests are not signed
	Chain   []*x509.Certificate // of the Signer's key, the leaf first; empty: no client ids by certificate
	KnownAs string              // the client id under which wallets know us beforehand; empty: none
	Name    string              // for people
	Info    []json.RawMessage   // attestations about us, for every request (verifier_info)

	Presets []Preset

	// Allowed tells whether a caller may send a query of its own, and choose where
	// the browser goes afterwards; nil: nobody may, and all have the presets only.
	// Only who is allowed to is given what was disclosed.
	Allowed func(ctx context.Context, r *http.Request) error

	Now func() time.Time // nil means time.Now
}

// Preset is a query that anybody may have asked, by its name.
type Preset struct {
	Name  string
	Query json.RawMessage
}

// Counter is where wallets present credentials.
type Counter struct {
	Config
	signer *signer // nil: requests are not signed
	did    string
	own    *http.CrossOriginProtection // tells pages of ours from those of others
}

// New makes a Counter.
func New(c Config) (*Counter, error) {
	if c.Pool == nil || c.Ring == nil || c.Verifier == nil || c.Public == nil {
		return nil, errors.New("present: a pool, a key ring, a verifier and a public address are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, p := range c.Presets {
		q, err := dcql.Parse(p.Query)
		if err == nil {
			err = q.Askable()
		}
		if err != nil {
			return nil, fmt.Errorf("present: the preset %s: %w", p.Name, err)
		}
	}
	k := &Counter{Config: c, own: http.NewCrossOriginProtection()}
	if err := k.own.AddTrustedOrigin(c.Public.Scheme + "://" + c.Public.Host); err != nil {
		return nil, fmt.Errorf("present: the public address: %w", err)
	}
	return k, k.identify()
}

// secret is 256 random bits, as text that may stand in a URL.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// hashed is what is kept of a secret.
func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
