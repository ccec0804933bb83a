// Package chain keeps the certificates of the key that signs SD-JWT VCs and mobile
// documents: made by an authority of our own (an IACA), or brought by the deployer.
// A certificate that is about to expire stops the issuing of what needs it, with an
// alarm; there is never another one in its place that nobody asked for.
package chain

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

const (
	rootLife   = 10 * 365 * 24 * time.Hour
	rootEvery  = 5 * 365 * 24 * time.Hour // an authority certifies this long
	signerLife = 456 * 24 * time.Hour     // ISO/IEC 18013-5, annex B: at most 457 days
	renewEvery = 90 * 24 * time.Hour      // so that what was signed last still has a year
	skew       = time.Hour                // that a verifier's clock may be behind

	// Warn is how long before its end a certificate is a problem, and Stop how long
	// before it nothing is signed by it any more.
	Warn = 30 * 24 * time.Hour
	Stop = 7 * 24 * time.Hour
)

// Keys say how the keys of documents follow one another: each is known for a month
// before it signs, and signs for a year.
var Keys = map[keys.Domain]keys.Schedule{
	keys.VCIssuing:   {Every: 365 * 24 * time.Hour, Ahead: 30 * 24 * time.Hour},
	keys.VCDocument:  {Every: 365 * 24 * time.Hour, Ahead: 30 * 24 * time.Hour},
	keys.VCAuthority: {Every: rootEvery, Ahead: 90 * 24 * time.Hour},
}

// Config is what a Keeper works with.
type Config struct {
	Pool    *pgxpool.Pool
	Ring    *keys.Ring
	Issuer  *url.URL              // public base URL
	Country string                // ISO 3166-1 alpha-2
	Brought [][]*x509.Certificate // chains that the deployer brings, leaf first, anchor last; nil: ours
	Now     func() time.Time      // nil means time.Now
}

// Keeper knows the certificates.
type Keeper struct {
	Config
	kept atomic.Pointer[kept]
}

// kept is one reading of the table.
type kept struct {
	signers map[string][]certificate // by the key, the newest first
	roots   []certificate            // the newest first
}

type certificate struct {
	*x509.Certificate
	fingerprint []byte
	authority   []byte // fingerprint; nil: a root
	keyID       string
}

// Signer is the key of documents with its certificates.
type Signer struct {
	keys.SigningKey
	Chain []*x509.Certificate // the key's own first, without the anchor
	Until time.Time           // when the first of them ends
}

// ErrStopped says that nothing can be signed until somebody has seen to a certificate.
var ErrStopped = fault.New(fault.Busy, "Credentials of this kind cannot be issued now: the certificate of the issuer must be renewed. Its operators have been told.").Named("issuing-stopped")

// Open reads the certificates, and makes the first ones.
func Open(ctx context.Context, c Config) (*Keeper, error) {
	if c.Pool == nil || c.Ring == nil || c.Issuer == nil || c.Country == "" {
		return nil, errors.New("chain: Pool, Ring, Issuer and Country are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, brought := range c.Brought {
		if err := believable(brought, strings.TrimSuffix(c.Issuer.String(), "/")); err != nil {
			return nil, fmt.Errorf("the certificate %s that PLINTH_VC_CERTS brings would not be believed by verifiers; it must be for signing documents alone (extended key usage 1.0.18013.5.1.2), or say no usage and name %s: %w", fingerprint(brought[0]), c.Issuer, err)
		}
	}
	k := &Keeper{Config: c}
	if err := k.Refresh(ctx); err != nil {
		return nil, err
	}
	if k.Brought == nil && len(k.kept.Load().roots) == 0 {
		return k, k.certify(ctx)
	}
	return k, nil
}

// believable tells whether verifiers would believe what is signed under a chain that
// was brought, for as long as it holds: when it ends is for Problems to say.
func believable(brought []*x509.Certificate, issuer string) error {
	anchors := x509.NewCertPool()
	anchors.AddCert(brought[len(brought)-1])
	path, err := jws.CheckChain(brought[:len(brought)-1], anchors, ends(brought), true)
	if err != nil {
		return err
	}
	return jws.CheckDocumentSigner(path, issuer)
}

// Signer gives what documents are signed with now.
func (k *Keeper) Signer() (Signer, error) {
	key, err := k.Ring.Signer(keys.VCDocument)
	if err != nil {
		return Signer{}, err
	}
	chain := k.chain(key)
	if chain == nil {
		return Signer{}, ErrStopped.Because(fmt.Errorf("there is no certificate for the key %s", key.ID))
	}
	until := ends(chain)
	if now := k.Now(); now.Before(chain[0].NotBefore) || until.Sub(now) < Stop {
		return Signer{}, ErrStopped.Because(fmt.Errorf("the certificate of the key %s ends at %s", key.ID, until.Format(time.RFC3339)))
	}
	return Signer{SigningKey: key, Chain: chain, Until: until}, nil
}

// chain is the certificates of a key without the anchor; nil: there are none.
func (k *Keeper) chain(key keys.SigningKey) []*x509.Certificate {
	if k.Brought != nil {
		for _, brought := range k.Brought {
			if certifies(brought[0], key) {
				return brought[:len(brought)-1]
			}
		}
		return nil
	}
	if own := k.kept.Load().signers[key.ID]; len(own) > 0 {
		return []*x509.Certificate{own[0].Certificate}
	}
	return nil
}

func certifies(c *x509.Certificate, key keys.SigningKey) bool {
	return keys.Thumbprint(c.PublicKey) == key.ID
}

// ends is when the first certificate of a chain ends.
func ends(chain []*x509.Certificate) time.Time {
	until := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until
}

// Anchors are the certificates that verifiers must believe: those of our authority,
// earlier ones included, since what they certified is still in wallets; or those that
// the deployer's chains end at.
func (k *Keeper) Anchors() []*x509.Certificate {
	var all []*x509.Certificate
	for _, brought := range k.Brought {
		all = append(all, brought[len(brought)-1])
	}
	for _, root := range k.kept.Load().roots {
		if k.Now().Before(root.NotAfter) {
			all = append(all, root.Certificate)
		}
	}
	return all
}

// Problems are what somebody must see to; days is how long documents can still be
// signed before they stop, negative when they have.
func (k *Keeper) Problems() (days int, problems []string) {
	key, err := k.Ring.Signer(keys.VCDocument)
	if err != nil {
		return -1, []string{err.Error()}
	}
	chain := k.chain(key)
	if chain == nil {
		return -1, []string{fmt.Sprintf("credentials: there is no certificate for the key %s, and nothing that needs one is issued; make a request with plinth keys csr and set PLINTH_VC_CERTS", key.ID)}
	}
	left := ends(chain).Sub(k.Now()) - Stop
	days = int(left / (24 * time.Hour))
	if left < 0 {
		days = min(days, -1)
	}
	switch {
	case left < 0:
		problems = append(problems, fmt.Sprintf("credentials: the certificate of the key %s ends on %s, and nothing that needs it is issued any more; renew it", key.ID, ends(chain).Format(time.DateOnly)))
	case left < Warn-Stop:
		problems = append(problems, fmt.Sprintf("credentials: the certificate of the key %s ends on %s; in %d days nothing that needs it will be issued", key.ID, ends(chain).Format(time.DateOnly), days))
	}
	return days, problems
}

// Maintain lets keys and certificates follow one another, and raises the alarm. Any
// number of processes may do so at once.
func (k *Keeper) Maintain(ctx context.Context) error {
	for domain, schedule := range Keys {
		if next, ok := k.Ring.Next(domain); ok && domain == keys.VCDocument && k.Brought != nil && k.chain(next) == nil {
			continue // the next key must not sign before the deployer has brought a certificate for it
		}
		turned, err := k.Ring.Maintain(ctx, domain, schedule)
		if err != nil {
			return err
		}
		if turned {
			slog.InfoContext(ctx, "a signing key was rotated", "domain", domain)
		}
	}
	if err := k.Refresh(ctx); err != nil {
		return err
	}
	if k.Brought == nil && k.due() {
		if err := k.certify(ctx); err != nil {
			return err
		}
	}
	if days, problems := k.Problems(); len(problems) > 0 {
		slog.WarnContext(ctx, "a certificate must be seen to", "days", days, "problem", problems[0])
	}
	return nil
}

// due tells whether a key wants a certificate, or a newer one.
func (k *Keeper) due() bool {
	now, have := k.Now(), k.kept.Load()
	if len(have.roots) == 0 || now.Sub(have.roots[0].NotBefore) > rootEvery {
		return true
	}
	for _, key := range k.Ring.Published(keys.VCDocument, now, 0) {
		own := have.signers[key.ID]
		if len(own) == 0 || now.Sub(own[0].NotBefore) > renewEvery {
			return true
		}
	}
	return false
}
