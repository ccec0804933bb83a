package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/plinth-id/plinth/internal/postgres"
)

type offerRow struct {
	ID      uuid.UUID
	TxCode  []byte
	Sealed  []byte
	Expires time.Time
	Shape   offerShape
}

// offerHashes are what an offer is found by.
type offerHashes struct{ link, code, state []byte }

func insertOffer(ctx context.Context, db postgres.DB, o offerRow, by offerHashes) error {
	_, err := db.Exec(ctx, `INSERT INTO credential_offer (id, link_hash, code_hash, state_hash, tx_code, sealed, expires_at, shape)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, o.ID, by.link, by.code, by.state, o.TxCode, o.Sealed, o.Expires, o.Shape)
	if err != nil {
		return fmt.Errorf("storing an offer: %w", err)
	}
	return nil
}

// findOffer finds an offer that can still be redeemed; pgx.ErrNoRows otherwise.
func findOffer(ctx context.Context, db postgres.DB, code []byte, now time.Time) (offerRow, error) {
	return offerBy(ctx, db, "code_hash", code, now)
}

// findOfferByLink finds an offer to show it; pgx.ErrNoRows when it is of no more use.
func findOfferByLink(ctx context.Context, db postgres.DB, link []byte, now time.Time) (offerRow, error) {
	return offerBy(ctx, db, "link_hash", link, now)
}

// findOfferByState finds the offer that a login began with; pgx.ErrNoRows when it is of no more use.
func findOfferByState(ctx context.Context, db postgres.DB, state []byte, now time.Time) (offerRow, error) {
	return offerBy(ctx, db, "state_hash", state, now)
}

func offerBy(ctx context.Context, db postgres.DB, column string, hash []byte, now time.Time) (o offerRow, err error) {
	err = db.QueryRow(ctx, `SELECT id, tx_code, sealed, expires_at, shape FROM credential_offer
		WHERE `+column+` = $1 AND spent_at IS NULL AND expires_at > $2 AND tries < $3`, hash, now, offerTries).
		Scan(&o.ID, &o.TxCode, &o.Sealed, &o.Expires, &o.Shape)
	if err != nil {
		return o, fmt.Errorf("finding an offer by its %s: %w", column, err)
	}
	return o, nil
}

func countTry(ctx context.Context, db postgres.DB, offer uuid.UUID, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_offer SET tries = tries + 1
		WHERE id = $1 AND spent_at IS NULL AND expires_at > $2 AND tries < $3`, offer, now, offerTries)
	if err != nil {
		return false, fmt.Errorf("counting a try of offer %s: %w", offer, err)
	}
	return tag.RowsAffected() == 1, nil
}

func spendOffer(ctx context.Context, db postgres.DB, offer uuid.UUID, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_offer SET spent_at = $2
		WHERE id = $1 AND spent_at IS NULL AND expires_at > $2`, offer, now)
	if err != nil {
		return false, fmt.Errorf("spending offer %s: %w", offer, err)
	}
	return tag.RowsAffected() == 1, nil
}

// queueNonce spends a nonce; invalidNonce when it was spent before.
func queueNonce(b *pgx.Batch, hash []byte, expires time.Time) {
	b.Queue(`INSERT INTO credential_nonce (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, hash, expires).Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() != 1 {
			return invalidNonce
		}
		return nil
	})
}

// sweepNonces forgets the nonces that have expired anyway.
func sweepNonces(ctx context.Context, db postgres.DB, now time.Time) error {
	if _, err := db.Exec(ctx, `DELETE FROM credential_nonce WHERE expires_at < $1`, now); err != nil {
		return fmt.Errorf("sweeping nonces: %w", err)
	}
	return nil
}

// sweepOffers forgets the offers that have expired.
func sweepOffers(ctx context.Context, db postgres.DB, now time.Time) error {
	if _, err := db.Exec(ctx, `DELETE FROM credential_offer WHERE expires_at < $1`, now); err != nil {
		return fmt.Errorf("sweeping offers: %w", err)
	}
	return nil
}

// issuanceRows are the lines of one issuance, column by column: what differs between
// them is a list.
type issuanceRows struct {
	Issuance     uuid.UUID
	PersonLookup []byte
	Notification []byte
	Intended     time.Time

	ID            []uuid.UUID
	Configuration []string
	Version       []int32
	PersonSealed  [][]byte
	Holder        [][]byte
	List          []int64
	Index         []int32
	Expires       []time.Time
}

func (r *issuanceRows) add(a artefact, sealed []byte) {
	r.ID, r.Configuration, r.Version = append(r.ID, a.ID), append(r.Configuration, a.kind.ID), append(r.Version, int32(a.kind.Version))
	r.PersonSealed, r.Holder = append(r.PersonSealed, sealed), append(r.Holder, a.Holder.Thumbprint())
	r.List, r.Index, r.Expires = append(r.List, a.Entry.List), append(r.Index, int32(a.Entry.Index)), append(r.Expires, a.Until)
}

func queueIssuances(b *pgx.Batch, r issuanceRows) {
	b.Queue(`INSERT INTO credential_issuance (issuance, state, person_lookup, notification, intended_at,
			id, configuration, version, person_sealed, holder, status_list, status_index, expires_at)
		SELECT $1, 'intended', $2, $3, $4, * FROM unnest($5::uuid[], $6::text[], $7::int[], $8::bytea[], $9::bytea[], $10::bigint[], $11::int[], $12::timestamptz[])`,
		r.Issuance, r.PersonLookup, r.Notification, r.Intended, r.ID, r.Configuration, r.Version, r.PersonSealed, r.Holder, r.List, r.Index, r.Expires)
}

// queueIssued records what was signed; a conflict when any of it was recorded before.
func queueIssued(b *pgx.Batch, ids []uuid.UUID, digests [][]byte, now time.Time) {
	b.Queue(`UPDATE credential_issuance c SET state = 'issued', digest = d.digest, issued_at = $3
		FROM unnest($1::uuid[], $2::bytea[]) AS d (id, digest) WHERE c.id = d.id AND c.state = 'intended'`, ids, digests, now).Exec(func(done pgconn.CommandTag) error {
		if done.RowsAffected() != int64(len(ids)) {
			return errRecorded
		}
		return nil
	})
}

// personOf is the lookup value of the person whom an issuance is about;
// pgx.ErrNoRows when there is no such issuance.
func personOf(ctx context.Context, db postgres.DB, id uuid.UUID) (sealed []byte, err error) {
	err = db.QueryRow(ctx, `SELECT person_sealed FROM credential_issuance WHERE id = $1`, id).Scan(&sealed)
	if err != nil {
		return nil, fmt.Errorf("finding issuance %s: %w", id, err)
	}
	return sealed, nil
}

// notified records what a wallet did with a credential. The first word counts,
// except that a wallet may delete later what it accepted.
func notified(ctx context.Context, db postgres.DB, notification []byte, person [][]byte, outcome string) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_issuance
		SET outcome = CASE WHEN outcome IS NULL OR $3 = 'credential_deleted' THEN $3 ELSE outcome END
		WHERE notification = $1 AND person_lookup = ANY ($2)`, notification, person, outcome)
	if err != nil {
		return false, fmt.Errorf("recording a notification: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}
