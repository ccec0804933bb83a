// Package status gives every credential a place in a published list of bits, and
// sets its bit when the credential is revoked. The place tells nothing: it is
// drawn at random, and a list holds the places of tens of thousands.
package status

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Size is the number of entries of a list: the least that the specification
// allows, so that one entry hides among many.
const Size = 131072

// TTL is how long a verifier may use a list that it fetched; a revocation is
// known everywhere after it.
const TTL = 5 * time.Minute

// candidates is how many places are drawn for one entry. When all are taken the
// list is about half full or more, and the next one is opened.
const candidates = 16

// Config is what a Publisher works with.
type Config struct {
	Pool   *pgxpool.Pool
	Ring   *keys.Ring
	Issuer *url.URL         // public base URL; the lists are below it
	Now    func() time.Time // nil means time.Now
}

// Publisher draws places, sets bits and publishes the signed lists.
type Publisher struct {
	Config
	mu     sync.Mutex
	signed map[int64]edition
}

// New makes a Publisher.
func New(c Config) (*Publisher, error) {
	if c.Pool == nil || c.Ring == nil || c.Issuer == nil {
		return nil, errors.New("status: Pool, Ring and Issuer are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Publisher{Config: c, signed: map[int64]edition{}}, nil
}

// Entry is the place of one credential.
type Entry struct {
	List  int64
	Index int
	URL   string // where the list is published
}

// Draw reserves a place for an issuance. It belongs into the transaction that
// records the intent to issue: a place that is never used is harmless, a
// credential without a place could not be revoked.
func (p *Publisher) Draw(ctx context.Context, tx pgx.Tx, issuance uuid.UUID) (Entry, error) {
	for attempt := 0; attempt < 8; attempt++ {
		list, err := p.openList(ctx, tx)
		if err != nil {
			return Entry{}, err
		}
		drawn, err := draw()
		if err != nil {
			return Entry{}, err
		}
		index, free, err := reserve(ctx, tx, list, drawn, issuance)
		if err != nil {
			return Entry{}, err
		}
		if index >= 0 {
			return Entry{List: list, Index: index, URL: p.address(list)}, nil
		}
		// A free place that another transaction took at this moment: draw again.
		if free {
			continue
		}
		if err := closeList(ctx, tx, list); err != nil {
			return Entry{}, err
		}
	}
	return Entry{}, fault.New(fault.Busy, "No place for another credential could be found. Please try again.")
}

// Revoke sets the bit of an issuance, for good. Revoking twice is no error.
func (p *Publisher) Revoke(ctx context.Context, tx pgx.Tx, issuance uuid.UUID) error {
	known, err := revoke(ctx, tx, issuance, p.Now())
	if err != nil {
		return err
	}
	if !known {
		return fault.New(fault.NotFound, "There is no such credential. Check its number.")
	}
	return nil
}

// Revoked tells whether the bit of an issuance is set.
func (p *Publisher) Revoked(ctx context.Context, db postgres.DB, issuance uuid.UUID) (bool, error) {
	return revoked(ctx, db, issuance)
}

func (p *Publisher) openList(ctx context.Context, tx pgx.Tx) (int64, error) {
	list, err := findOpen(ctx, tx)
	if !errors.Is(err, pgx.ErrNoRows) {
		return list, err
	}
	if err := open(ctx, tx, p.Now()); err != nil {
		return 0, err
	}
	return findOpen(ctx, tx)
}

// draw picks the candidates for one place.
func draw() ([]int32, error) {
	raw := make([]byte, 4*candidates)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("drawing a place in the status list: %w", err)
	}
	drawn := make([]int32, candidates)
	for i := range drawn {
		drawn[i] = int32(binary.BigEndian.Uint32(raw[4*i:]) % Size) // Size is a power of two: no bias
	}
	return drawn, nil
}

func (p *Publisher) address(list int64) string {
	return strings.TrimSuffix(p.Issuer.String(), "/") + "/status/" + strconv.FormatInt(list, 10)
}
