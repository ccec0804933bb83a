package auth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/postgres"
)

// secretRow is a row of auth_secret.
type secretRow struct {
	Person uuid.UUID
	Kind   Method
	Sealed []byte
}

func putSecret(ctx context.Context, db postgres.DB, s secretRow, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO auth_secret (person, kind, sealed, set_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (person, kind) DO UPDATE SET sealed = excluded.sealed, set_at = excluded.set_at`, s.Person, s.Kind, s.Sealed, at)
	return err
}

func readSecret(ctx context.Context, db postgres.DB, person uuid.UUID, kind Method) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM auth_secret WHERE person = $1 AND kind = $2`, person, kind).Scan(&sealed)
	return sealed, err
}

func dropSecret(ctx context.Context, db postgres.DB, person uuid.UUID, kind Method) (bool, error) {
	tag, err := db.Exec(ctx, `DELETE FROM auth_secret WHERE person = $1 AND kind = $2`, person, kind)
	return tag.RowsAffected() > 0, err
}
