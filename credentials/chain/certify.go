package chain

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Refresh reads the table again, to see what another process certified.
func (k *Keeper) Refresh(ctx context.Context) error {
	have, err := all(ctx, k.Pool)
	if err != nil {
		return err
	}
	k.kept.Store(have)
	return nil
}

// certify makes the certificates that are due.
func (k *Keeper) certify(ctx context.Context) error {
	err := postgres.InTx(ctx, k.Pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		have, err := all(ctx, tx) // another process may have been first
		if err != nil {
			return err
		}
		root, authority, err := k.root(ctx, tx, have)
		if err != nil {
			return err
		}
		return k.signers(ctx, tx, have, root, authority)
	})
	if err != nil {
		return fmt.Errorf("certifying the keys of documents: %w", err)
	}
	return k.Refresh(ctx)
}

// root is the certificate of the authority that certifies now; it is made when there
// is none, or when it has certified long enough.
func (k *Keeper) root(ctx context.Context, tx pgx.Tx, have *kept) (certificate, mdoc.Authority, error) {
	now := k.Now().UTC().Truncate(time.Second)
	key, err := k.Ring.Signer(keys.VCAuthority)
	if err != nil {
		return certificate{}, mdoc.Authority{}, err
	}
	for _, root := range have.roots {
		if root.keyID == key.ID && now.Sub(root.NotBefore) <= rootEvery {
			return root, mdoc.Authority{Certificate: root.Certificate, Signer: key.Signer}, nil
		}
	}
	made, err := mdoc.NewIACA(mdoc.Root{CommonName: k.Issuer.Hostname() + " issuing authority", Country: k.Country, Contact: k.contact(),
		CRL: k.Issuer.JoinPath(CRLPath).String(), From: now.Add(-skew), Until: now.Add(rootLife)}, key.Signer)
	if err != nil {
		return certificate{}, mdoc.Authority{}, err
	}
	root := newCertificate(made, nil)
	return root, mdoc.Authority{Certificate: made, Signer: key.Signer}, insert(ctx, tx, root, now)
}

// signers certifies the key of now and the next one.
func (k *Keeper) signers(ctx context.Context, tx pgx.Tx, have *kept, root certificate, by mdoc.Authority) error {
	now := k.Now().UTC().Truncate(time.Second)
	for _, key := range k.Ring.Published(keys.VCDocument, now, 0) {
		if own := have.signers[key.ID]; len(own) > 0 && now.Sub(own[0].NotBefore) <= renewEvery {
			continue
		}
		from := now.Add(-skew)
		if from.Before(root.NotBefore) {
			from = root.NotBefore
		}
		made, err := by.NewDS(mdoc.Leaf{CommonName: k.signerName(key), URL: k.Issuer.String(),
			Key: key.Public, From: from, Until: from.Add(signerLife)})
		if err != nil {
			return err
		}
		if err := insert(ctx, tx, newCertificate(made, root.fingerprint), now); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) signerName(key keys.SigningKey) string {
	return k.Issuer.Hostname() + " document signer " + key.ID[:8]
}

func newCertificate(c *x509.Certificate, authority []byte) certificate {
	sum := sha256.Sum256(c.Raw)
	return certificate{Certificate: c, fingerprint: sum[:], authority: authority, keyID: keys.Thumbprint(c.PublicKey)}
}

// contact is where the authority can be asked.
func (k *Keeper) contact() string {
	if k.Issuer.Scheme == "https" {
		return k.Issuer.String()
	}
	return "postmaster@" + k.Issuer.Hostname()
}

// CRLPath is where the list of certificates that were revoked is.
const CRLPath = "/.well-known/plinth-crl"

// CRL is the list of certificates that our authority has revoked: none. A key that is
// no longer to be trusted is taken off the trust list.
func (k *Keeper) CRL() ([]byte, error) {
	key, err := k.Ring.Signer(keys.VCAuthority)
	if err != nil {
		return nil, err
	}
	for _, root := range k.kept.Load().roots {
		if root.keyID == key.ID {
			now := k.Now().UTC()
			return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now.Add(-skew), NextUpdate: now.Add(Warn)}, root.Certificate, key.Signer)
		}
	}
	return nil, fault.New(fault.NotFound, "There is no such list: the certificates of this issuer are made by somebody else.")
}

// Request is a certificate signing request (PEM) for the key of now and, if there is
// one, the next: for deployers who bring their own certificates.
func (k *Keeper) Request() ([]byte, error) {
	key, err := k.Ring.Signer(keys.VCDocument)
	if err != nil {
		return nil, err
	}
	wanting := []keys.SigningKey{key}
	if next, ok := k.Ring.Next(keys.VCDocument); ok {
		wanting = append(wanting, next)
	}
	var requests []byte
	for _, key := range wanting {
		raw, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
			Subject: pkix.Name{Country: []string{k.Country}, CommonName: k.signerName(key)}, URIs: []*url.URL{k.Issuer}}, key.Signer)
		if err != nil {
			return nil, fmt.Errorf("requesting a certificate: %w", err)
		}
		requests = append(requests, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: raw})...)
	}
	return requests, nil
}

// maxChains bounds what ReadPEM reads.
const maxChains = 16

// ReadPEM reads chains that a deployer brings: each from the leaf to its anchor, which
// is self-signed and ends it.
func ReadPEM(raw []byte) ([][]*x509.Certificate, error) {
	var chains [][]*x509.Certificate
	var chain []*x509.Certificate
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a %s; only certificates belong into it", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(chain)+1, err)
		}
		if len(chain) > 0 {
			if err := chain[len(chain)-1].CheckSignatureFrom(c); err != nil {
				return nil, fmt.Errorf("the certificate %s was not made by the one after it: %w", fingerprint(chain[len(chain)-1]), err)
			}
		}
		chain = append(chain, c)
		if c.CheckSignatureFrom(c) != nil {
			continue
		}
		if len(chain) < 2 {
			return nil, errors.New("a chain begins with its anchor; the certificate of the key comes first")
		}
		if chains = append(chains, chain); len(chains) > maxChains {
			return nil, fmt.Errorf("it holds more than %d chains", maxChains)
		}
		chain = nil
	}
	if len(chain) > 0 || len(chains) == 0 {
		return nil, errors.New("a chain must end with its anchor, a certificate signed by itself")
	}
	return chains, nil
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:8])
}
