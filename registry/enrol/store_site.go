package enrol

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// count adds a tally to that of the application's station and week. In one order, so
// that two applications never wait for one another.
func count(ctx context.Context, db postgres.DB, application uuid.UUID, t tally) error {
	var modalities, items []string
	var numbers []int64
	for c, n := range t {
		modalities, items, numbers = append(modalities, string(c.modality)), append(items, c.item), append(numbers, n)
	}
	_, err := db.Exec(ctx, `INSERT INTO enrol_site (station, week, modality, item, n)
		SELECT a.station, date_trunc('week', a.received_at AT TIME ZONE 'UTC')::date, c.modality, c.item, c.n
		FROM enrol_application a, unnest($2::text[], $3::text[], $4::bigint[]) AS c (modality, item, n)
		WHERE a.id = $1 ORDER BY 3, 4
		ON CONFLICT (station, week, modality, item) DO UPDATE SET n = enrol_site.n + excluded.n`, application, modalities, items, numbers)
	return err
}

// eachCount gives what was counted since a day, by week, station and kind of sample.
func eachCount(ctx context.Context, db postgres.DB, since time.Time, take func(week time.Time, station uuid.UUID, c counted, n int64)) error {
	rows, _ := db.Query(ctx, `SELECT week, station, modality, item, n FROM enrol_site WHERE week >= $1
		ORDER BY week DESC, station, modality, item`, since)
	var week time.Time
	var station uuid.UUID
	var c counted
	var n int64
	_, err := pgx.ForEachRow(rows, []any{&week, &station, &c.modality, &c.item, &n}, func() error {
		take(week, station, c, n)
		return nil
	})
	return err
}

// setShots keeps what is known of an application's samples, sealed.
func setShots(ctx context.Context, db postgres.DB, application uuid.UUID, sealed []byte) error {
	_, err := db.Exec(ctx, `UPDATE enrol_application SET shots = $2 WHERE id = $1`, application, sealed)
	return err
}
