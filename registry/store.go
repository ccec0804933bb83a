package registry

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/postgres"
)

// identityRow is a row of registry_identity.
type identityRow struct {
	Person      uuid.UUID
	Application uuid.UUID
	UINLookup   []byte
	UIN         []byte
	Fields      []byte
	Portrait    []byte
	Vetting     []byte
	Status      Status
	Schema      string
	At          time.Time
}

// insertIdentity reports false when the number is taken.
func insertIdentity(ctx context.Context, db postgres.DB, r identityRow) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO registry_identity
		(person, application, uin_lookup, uin, fields, portrait, status, schema, created_at, updated_at, vetting)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) ON CONFLICT (uin_lookup) DO NOTHING`,
		r.Person, r.Application, r.UINLookup, r.UIN, r.Fields, r.Portrait, r.Status, r.Schema, r.At, r.Vetting)
	return tag.RowsAffected() == 1, err
}

// lockApplication makes two assignments of one application wait for each other.
func lockApplication(ctx context.Context, tx pgx.Tx, application uuid.UUID) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 40))`, application.String())
	return err
}

func personOf(ctx context.Context, db postgres.DB, application uuid.UUID) (person uuid.UUID, err error) {
	err = db.QueryRow(ctx, `SELECT person FROM registry_identity WHERE application = $1`, application).Scan(&person)
	return person, err
}

// readIdentity leaves the portrait, by far the largest part, where it is unless it is wanted.
func readIdentity(ctx context.Context, db postgres.DB, person uuid.UUID, portrait bool) (r identityRow, err error) {
	r.Person = person
	err = db.QueryRow(ctx, `SELECT uin, fields, CASE WHEN $2 THEN portrait END, status, schema, updated_at FROM registry_identity WHERE person = $1`, person, portrait).
		Scan(&r.UIN, &r.Fields, &r.Portrait, &r.Status, &r.Schema, &r.At)
	return r, err
}

func readVetting(ctx context.Context, db postgres.DB, person uuid.UUID) (sealed []byte, created time.Time, err error) {
	err = db.QueryRow(ctx, `SELECT vetting, created_at FROM registry_identity WHERE person = $1`, person).Scan(&sealed, &created)
	return sealed, created, err
}

func findByUIN(ctx context.Context, db postgres.DB, lookups [][]byte) (person uuid.UUID, err error) {
	err = db.QueryRow(ctx, `SELECT person FROM registry_identity WHERE uin_lookup = ANY($1) AND status = 'active'`, lookups).Scan(&person)
	return person, err
}

// traceUIN is findByUIN for an identity in any status.
func traceUIN(ctx context.Context, db postgres.DB, lookups [][]byte) (person uuid.UUID, err error) {
	err = db.QueryRow(ctx, `SELECT person FROM registry_identity WHERE uin_lookup = ANY($1)`, lookups).Scan(&person)
	return person, err
}

// uinTaken asks whether a number was ever given out, to whomever.
func uinTaken(ctx context.Context, db postgres.DB, lookups [][]byte) (taken bool, err error) {
	err = db.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM registry_identity WHERE uin_lookup = ANY($1))`, lookups).Scan(&taken)
	return taken, err
}

func findByVID(ctx context.Context, db postgres.DB, lookups [][]byte) (person uuid.UUID, err error) {
	err = db.QueryRow(ctx, `SELECT v.person FROM registry_vid v JOIN registry_identity i ON i.person = v.person
		WHERE v.vid_lookup = ANY($1) AND v.state = 'active' AND i.status = 'active'`, lookups).Scan(&person)
	return person, err
}

func setStatus(ctx context.Context, db postgres.DB, person uuid.UUID, from, to Status, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE registry_identity SET status = $3, updated_at = $4 WHERE person = $1 AND status = $2`, person, from, to, at)
	return tag.RowsAffected() == 1, err
}

func heldStatus(ctx context.Context, tx pgx.Tx, person uuid.UUID) (status Status, err error) {
	err = tx.QueryRow(ctx, `SELECT status FROM registry_identity WHERE person = $1 FOR SHARE`, person).Scan(&status)
	return status, err
}

func insertTemplate(ctx context.Context, db postgres.DB, person uuid.UUID, p biometrics.Position, sealed []byte) error {
	_, err := db.Exec(ctx, `INSERT INTO registry_template (person, position, sealed) VALUES ($1, $2, $3)`, person, p, sealed)
	return err
}

// templateRow is a row of registry_template.
type templateRow struct {
	Position biometrics.Position
	Sealed   []byte
}

func readTemplates(ctx context.Context, db postgres.DB, person uuid.UUID) ([]templateRow, error) {
	rows, _ := db.Query(ctx, `SELECT position, sealed FROM registry_template WHERE person = $1 ORDER BY position`, person)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[templateRow])
}

// insertVID reports false when the number is taken.
func insertVID(ctx context.Context, db postgres.DB, lookup []byte, person uuid.UUID, sealed []byte, at time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO registry_vid (vid_lookup, person, sealed, state, created_at)
		VALUES ($1, $2, $3, 'active', $4) ON CONFLICT (vid_lookup) DO NOTHING`, lookup, person, sealed, at)
	return tag.RowsAffected() == 1, err
}

func readVIDs(ctx context.Context, db postgres.DB, person uuid.UUID) ([][]byte, error) {
	rows, _ := db.Query(ctx, `SELECT sealed FROM registry_vid WHERE person = $1 AND state = 'active' ORDER BY created_at`, person)
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

func readPairwise(ctx context.Context, db postgres.DB, row []byte) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT sealed FROM registry_pairwise WHERE sector_person = $1`, row).Scan(&sealed)
	return sealed, err
}

func insertPairwise(ctx context.Context, db postgres.DB, row, sealed []byte) error {
	_, err := db.Exec(ctx, `INSERT INTO registry_pairwise (sector_person, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING`, row, sealed)
	return err
}

func insertSchema(ctx context.Context, db postgres.DB, version, document string, at time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO registry_schema (version, document, loaded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, version, document, at)
	return err
}

// countOne counts one number given out, in one of many rows.
func countOne(ctx context.Context, db postgres.DB, shard int) error {
	_, err := db.Exec(ctx, `UPDATE registry_issued SET issued = issued + 1 WHERE shard = $1`, shard)
	return err
}

func countIssued(ctx context.Context, db postgres.DB) (issued int64, err error) {
	err = db.QueryRow(ctx, `SELECT sum(issued)::bigint FROM registry_issued`).Scan(&issued)
	return issued, err
}
