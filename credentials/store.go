package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
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

func spendNonce(ctx context.Context, db postgres.DB, hash []byte, expires time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `INSERT INTO credential_nonce (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, hash, expires)
	if err != nil {
		return false, fmt.Errorf("spending a nonce: %w", err)
	}
	return tag.RowsAffected() == 1, nil
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

type issuanceRow struct {
	ID            uuid.UUID
	Configuration string
	PersonLookup  []byte
	PersonSealed  []byte
	Holder        []byte
	List          int64
	Index         int
	Notification  []byte
	Intended      time.Time
	Expires       time.Time
}

func insertIssuance(ctx context.Context, db postgres.DB, r issuanceRow) error {
	_, err := db.Exec(ctx, `INSERT INTO credential_issuance (id, issuance, state, configuration, person_lookup, person_sealed,
			holder, status_list, status_index, notification, intended_at, expires_at)
		VALUES ($1, $1, 'intended', $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.ID, r.Configuration, r.PersonLookup, r.PersonSealed,
		r.Holder, r.List, r.Index, r.Notification, r.Intended, r.Expires)
	if err != nil {
		return fmt.Errorf("recording the intent to issue %s: %w", r.ID, err)
	}
	return nil
}

func markIssued(ctx context.Context, db postgres.DB, id uuid.UUID, digest []byte, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `UPDATE credential_issuance SET state = 'issued', digest = $2, issued_at = $3
		WHERE id = $1 AND state = 'intended'`, id, digest, now)
	if err != nil {
		return false, fmt.Errorf("recording that %s was issued: %w", id, err)
	}
	return tag.RowsAffected() == 1, nil
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

// placeOf is where the status of an issuance is published.
func placeOf(ctx context.Context, db postgres.DB, id uuid.UUID) (list int64, index int, err error) {
	err = db.QueryRow(ctx, `SELECT status_list, status_index FROM credential_issuance WHERE id = $1`, id).Scan(&list, &index)
	if err != nil {
		return 0, 0, fmt.Errorf("finding issuance %s: %w", id, err)
	}
	return list, index, nil
}

// issuancesOf lists what was issued, or intended, to a person.
func issuancesOf(ctx context.Context, db postgres.DB, person [][]byte) ([]uuid.UUID, error) {
	rows, err := db.Query(ctx, `SELECT id FROM credential_issuance WHERE person_lookup = ANY ($1)`, person)
	if err != nil {
		return nil, fmt.Errorf("finding the credentials of a person: %w", err)
	}
	defer rows.Close()
	var all []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("finding the credentials of a person: %w", err)
		}
		all = append(all, id)
	}
	return all, rows.Err()
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
	return tag.RowsAffected() == 1, nil
}
