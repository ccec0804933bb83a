package chain

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// lock lets one process at a time certify ("x509" in ASCII).
func lock(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, 0x78353039); err != nil {
		return fmt.Errorf("locking the certificates: %w", err)
	}
	return nil
}

// all reads every certificate, the newest first.
func all(ctx context.Context, db postgres.DB) (*kept, error) {
	rows, _ := db.Query(ctx, `SELECT fingerprint, key_id, authority, document FROM credential_certificate ORDER BY not_before DESC, created_at DESC`)
	have := &kept{signers: map[string][]certificate{}}
	var c certificate
	var document []byte
	_, err := pgx.ForEachRow(rows, []any{&c.fingerprint, &c.keyID, &c.authority, &document}, func() (err error) {
		if c.Certificate, err = x509.ParseCertificate(document); err != nil {
			return err
		}
		if c.authority == nil {
			have.roots = append(have.roots, c)
		} else {
			have.signers[c.keyID] = append(have.signers[c.keyID], c)
		}
		c = certificate{}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the certificates: %w", err)
	}
	return have, nil
}

func insert(ctx context.Context, db postgres.DB, c certificate, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO credential_certificate (fingerprint, key_id, authority, document, not_before, not_after, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.fingerprint, c.keyID, c.authority, c.Raw, c.NotBefore, c.NotAfter, now)
	if err != nil {
		return fmt.Errorf("storing a certificate: %w", err)
	}
	return nil
}
