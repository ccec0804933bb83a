package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

const (
	walletLife    = 180 * day
	walletType    = "plinth-wallet-login+jwt"
	signatureLife = 5 * time.Minute // from iat to exp, at most
	walletSkew    = 30 * time.Second
	longestJWS    = 8 << 10
)

// walletAlgorithms are those of the keys that are bound: EC P-256 and Ed25519.
var walletAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}

// Wallet is the key of a wallet as its person sees it.
type Wallet struct {
	ID         uuid.UUID
	Name       string
	Thumbprint string // RFC 7638: the kid of what it signs
	Created    time.Time
	Used       time.Time // zero: never
	Expires    time.Time
}

// walletRecord is what is kept of a wallet's key, sealed.
type walletRecord struct {
	Name string          `json:"name"`
	Key  jose.JSONWebKey `json:"key"`
}

// BindWallet lets a key of a wallet log its person in, for a while. One key belongs to
// one person; who binds it again begins anew.
func (d *Desk) BindWallet(ctx context.Context, proof Proof, key jose.JSONWebKey, name string) (Wallet, error) {
	if d.Public == nil {
		return Wallet{}, notOffered(ByWallet)
	}
	if err := d.mayBind(ctx, d.Pool, proof); err != nil {
		return Wallet{}, err
	}
	name, err := named(name)
	if err != nil {
		return Wallet{}, err
	}
	thumbprint := walletThumbprint(key)
	if thumbprint == "" {
		return Wallet{}, fault.New(fault.Invalid, "This key cannot be bound. Use a public key of EC P-256 or Ed25519, for signatures.").At("key", "must be a public EC P-256 or Ed25519 key")
	}
	lookups := d.Ring.LookupAll("wallet", thumbprint)
	until := d.Now().Add(walletLife)
	row := keyRow{ID: uuid.New(), Kind: ByWallet, Lookup: lookups[0], Person: proof.person, Created: d.Now(), Expires: &until}
	entry := audit.Entry{Event: audit.WalletBound, Subject: row.ID.String()}
	err = d.changing(ctx, proof, entry, func(tx pgx.Tx, sealer keys.PersonKey) error {
		// What is one's own, or has expired, makes room.
		if err := clearKey(ctx, tx, ByWallet, lookups, proof.person, d.Now()); err != nil {
			return fmt.Errorf("binding a wallet: %w", err)
		}
		if err := d.untaken(ctx, tx, ByWallet, lookups); err != nil {
			return err
		}
		// Nothing that came beside the key is kept.
		return d.keep(ctx, tx, row, walletRecord{name, jose.JSONWebKey{Key: key.Key}}, sealer)
	})
	if err != nil {
		return Wallet{}, err
	}
	return Wallet{ID: row.ID, Name: name, Thumbprint: thumbprint, Created: row.Created, Expires: until}, nil
}

// walletThumbprint names a key that may be bound; empty: it may not.
func walletThumbprint(key jose.JSONWebKey) string {
	algorithm := jose.EdDSA
	switch public := key.Key.(type) {
	case *ecdsa.PublicKey:
		if public == nil || !key.Valid() {
			return ""
		}
		algorithm = jose.ES256
	case ed25519.PublicKey:
		if len(public) != ed25519.PublicKeySize {
			return ""
		}
	default:
		return ""
	}
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return ""
	}
	return keys.Thumbprint(key.Key) // empty for other curves, and for what is no point
}

// Wallets lists the keys of wallets that a person has bound, the oldest first.
func (d *Desk) Wallets(ctx context.Context, db postgres.DB, person uuid.UUID) ([]Wallet, error) {
	rows, records, err := listKeys[walletRecord](ctx, d, db, keyRow{Person: person, Kind: ByWallet})
	all := make([]Wallet, len(rows))
	for n, row := range rows {
		all[n] = Wallet{row.ID, records[n].Name, walletThumbprint(records[n].Key), row.Created, timeOf(row.Used), timeOf(row.Expires)}
	}
	return all, err
}

// DropWallet takes the key of a wallet away.
func (d *Desk) DropWallet(ctx context.Context, proof Proof, id uuid.UUID) error {
	return d.dropKey(ctx, proof, id, ByWallet, audit.WalletDropped)
}

// errSignature says that what a wallet gave cannot be read.
var errSignature = fault.New(fault.Invalid, "What the wallet signed cannot be read. Begin again in the wallet.").Named("wallet-unusable")

// walletClaims are what a wallet signs. All of them together bind the signature to
// this service, this login and this relying party: one caught elsewhere is worth
// nothing here, and one made here nothing in another login.
type walletClaims struct {
	Audience    string `json:"aud"`
	Transaction string `json:"transaction"`
	Client      string `json:"client"`
	Nonce       string `json:"nonce"`
	Issued      int64  `json:"iat"`
	Expires     int64  `json:"exp"`
}

// walletFits judges a signature. The wallet's key says whose it is.
func (d *Desk) walletFits(a Attempt) (factor, error) {
	if d.Public == nil {
		return factor{}, notOffered(ByWallet)
	}
	if a.WalletNonce == "" {
		return factor{}, errors.New("auth: a wallet's signature needs a nonce to be held against")
	}
	if len(a.Wallet) > longestJWS {
		return factor{}, errSignature
	}
	signed, err := jose.ParseSignedCompact(string(a.Wallet), walletAlgorithms)
	if err != nil {
		return factor{}, errSignature.Because(err)
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != walletType || header.KeyID == "" {
		return factor{}, errSignature
	}
	var b bound
	var record walletRecord
	return factor{
		who: func(ctx context.Context, tx pgx.Tx) (who claimed, err error) {
			record = walletRecord{}
			b, who, err = d.holder(ctx, tx, ByWallet, d.Ring.LookupAll("wallet", header.KeyID), &record)
			if err != nil {
				return who, err
			}
			return d.sameAs(ctx, tx, who, a.Identifier)
		},
		unfit: func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
			if !who.exists || !d.signedFor(a, signed, record.Key) {
				return string(ByWallet), nil
			}
			// After the signature: a forger must not spend somebody else's login.
			token := sha256.Sum256(append([]byte("wallet\x00"), transaction(a.Client, a.Transaction)...))
			first, err := answerOnce(ctx, tx, token[:], d.Now().Add(2*signatureLife))
			if err != nil {
				return "", fmt.Errorf("spending a wallet's signature: %w", err)
			}
			if !first {
				return "replayed", nil
			}
			return "", d.used(ctx, tx, b)
		},
	}, nil
}

// signedFor holds a signature against the login that it is given to.
func (d *Desk) signedFor(a Attempt, signed *jose.JSONWebSignature, key jose.JSONWebKey) bool {
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return false
	}
	var c walletClaims
	if json.Unmarshal(payload, &c) != nil {
		return false
	}
	now := d.Now().Unix()
	return c.Audience == d.Public.String() && c.Transaction == a.Transaction && c.Client == a.Client && c.Nonce == a.WalletNonce &&
		c.Issued <= now+int64(walletSkew.Seconds()) && c.Expires > now && c.Expires > c.Issued && c.Expires-c.Issued <= int64(signatureLife.Seconds())
}
