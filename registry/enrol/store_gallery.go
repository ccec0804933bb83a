package enrol

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// insertGallery keeps the templates of an application that has no place yet.
func insertGallery(ctx context.Context, db postgres.DB, e galleryEntry) error {
	if e.Tokens == nil {
		e.Tokens = [][]byte{}
	}
	if e.Images == nil {
		e.Images = [][]byte{}
	}
	_, err := db.Exec(ctx, `INSERT INTO enrol_gallery (ref, application, sealed, tokens, images) VALUES ($1, $2, $3, $4, $5)`, e.Ref, e.Application, e.Sealed, e.Tokens, e.Images)
	return err
}

// lockLine is the one serial point of all enrolments; it is held to the commit.
func lockLine(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('enrol line', 80))`)
	return err
}

// drawPlace gives the next place, without gaps.
func drawPlace(ctx context.Context, tx pgx.Tx, application uuid.UUID) error {
	tag, err := tx.Exec(ctx, `UPDATE enrol_gallery SET place = (SELECT coalesce(max(place), 0) + 1 FROM enrol_gallery)
		WHERE application = $1 AND place IS NULL`, application)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "This application has its place already. Look at it again.").Named("application-moved")
	}
	return err
}

func galleryAfter(ctx context.Context, db postgres.DB, after, upTo int64) ([]galleryEntry, error) {
	rows, _ := db.Query(ctx, `SELECT ref, application, place, sealed, tokens, images FROM enrol_gallery
		WHERE place > $1 AND place <= $2 ORDER BY place`, after, upTo)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[galleryEntry])
}

func galleryOf(ctx context.Context, db postgres.DB, application uuid.UUID) (galleryEntry, error) {
	rows, _ := db.Query(ctx, `SELECT ref, application, place, sealed, tokens, images FROM enrol_gallery
		WHERE application = $1 AND place IS NOT NULL AND NOT removed`, application)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[galleryEntry])
}

// removeFromGallery erases the templates of an application; the place stays.
func removeFromGallery(ctx context.Context, db postgres.DB, application uuid.UUID) error {
	_, err := db.Exec(ctx, `UPDATE enrol_gallery SET sealed = NULL, tokens = '{}', images = '{}', removed = true WHERE application = $1`, application)
	return err
}

// standing tells of entries of the gallery whose they are and how they stand;
// those that were removed are left out.
func standing(ctx context.Context, db postgres.DB, refs []uuid.UUID) (map[uuid.UUID]candidate, error) {
	rows, _ := db.Query(ctx, `SELECT g.ref, g.application, g.place, a.state FROM enrol_gallery g
		JOIN enrol_application a ON a.id = g.application WHERE g.ref = ANY($1) AND NOT g.removed`, refs)
	all := make(map[uuid.UUID]candidate)
	var ref uuid.UUID
	var c candidate
	_, err := pgx.ForEachRow(rows, []any{&ref, &c.Application, &c.place, &c.state}, func() error {
		all[ref] = c
		return nil
	})
	return all, err
}

// other is somebody before us in line who shares something with us.
type other struct {
	galleryEntry
	State State
}

const otherColumns = `SELECT g.ref, g.application, g.place, g.sealed, g.tokens, g.images, a.state FROM enrol_gallery g
	JOIN enrol_application a ON a.id = g.application`

func others(ctx context.Context, db postgres.DB, sql string, args ...any) ([]other, error) {
	rows, _ := db.Query(ctx, sql, args...)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (n other, err error) {
		err = row.Scan(&n.Ref, &n.Application, &n.Place, &n.Sealed, &n.Tokens, &n.Images, &n.State)
		return n, err
	})
}

// sameTokens lists those before a place with the same name, birth date and gender.
func sameTokens(ctx context.Context, db postgres.DB, tokens [][]byte, before int64) ([]other, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	return others(ctx, db, otherColumns+` WHERE g.tokens && $1 AND g.place < $2 AND NOT g.removed ORDER BY g.place LIMIT 1000`, tokens, before)
}

// sameImages lists those before a place who came with one of the same images.
func sameImages(ctx context.Context, db postgres.DB, images [][]byte, before int64) ([]other, error) {
	if len(images) == 0 {
		return nil, nil
	}
	return others(ctx, db, otherColumns+` WHERE g.images && $1 AND g.place < $2 AND NOT g.removed ORDER BY g.place LIMIT 100`, images, before)
}

// standingIn lists those of some applications who are in line.
func standingIn(ctx context.Context, db postgres.DB, applications []uuid.UUID) ([]other, error) {
	return others(ctx, db, otherColumns+` WHERE g.application = ANY($1) AND NOT g.removed`, applications)
}
