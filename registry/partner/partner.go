// Package partner holds the relying parties: who they are, where people are sent
// back to, with which keys they prove themselves, and what they may ask.
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Client is a relying party.
type Client struct {
	ID           string            `json:"client_id"`
	Name         string            `json:"client_name"`
	Names        map[string]string `json:"client_names,omitempty"` // by language
	Profile      string            `json:"plinth_profile"`         // "oidc" or "fapi2"
	RedirectURIs []string          `json:"redirect_uris"`
	JWKS         json.RawMessage   `json:"jwks,omitempty"`
	AuthMethod   string            `json:"token_endpoint_auth_method"` // "private_key_jwt" or "none"
	Scopes       []string          `json:"scopes"`
	Claims       []string          `json:"claims"` // the most it may ever be given
	Sector       string            `json:"sector"` // clients of one sector know a person by one name
	PolicyURI    string            `json:"policy_uri,omitempty"`
	Disabled     bool              `json:"disabled"`
}

// Config is what a Directory works with.
type Config struct {
	Pool *pgxpool.Pool
	Now  func() time.Time // nil means time.Now
}

// Directory knows the relying parties.
type Directory struct{ Config }

// New makes a Directory.
func New(c Config) (*Directory, error) {
	if c.Pool == nil {
		return nil, errors.New("partner: Pool is needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Directory{c}, nil
}

var errUnknown = fault.New(fault.NotFound, "There is no relying party with this client_id. List them to see who there are.").Named("client-unknown")

// Add registers a client by its RFC 7591 metadata with plinth_profile.
func (d *Directory) Add(ctx context.Context, metadata []byte) (Client, error) {
	c, err := parse(metadata)
	if err != nil {
		return c, err
	}
	err = d.change(ctx, audit.ClientAdded, c.ID, func(tx pgx.Tx) (bool, error) { return insert(ctx, tx, c, d.Now()) })
	if fault.Is(err, fault.NotFound) {
		return c, fault.New(fault.Conflict, "There is a relying party with this client_id already. Choose another, or leave it out.")
	}
	return c, err
}

// List lists all clients.
func (d *Directory) List(ctx context.Context) ([]Client, error) { return all(ctx, d.Pool) }

// Client finds a client; fault NotFound when there is none.
func (d *Directory) Client(ctx context.Context, db postgres.DB, id string) (Client, error) {
	if !idForm.MatchString(id) {
		return Client{}, errUnknown // some bytes the database refuses
	}
	c, err := byID(ctx, db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, errUnknown
	}
	if err != nil {
		return c, fmt.Errorf("reading a client: %w", err)
	}
	return c, nil
}

// Disable shuts a client out, at once.
func (d *Directory) Disable(ctx context.Context, id string) error {
	if !idForm.MatchString(id) {
		return errUnknown
	}
	return d.change(ctx, audit.ClientDisabled, id, func(tx pgx.Tx) (bool, error) { return disable(ctx, tx, id, d.Now()) })
}

// Rotate gives a client new keys; the old ones are refused from now on, so a
// client that overlaps sends both.
func (d *Directory) Rotate(ctx context.Context, id string, jwks []byte) error {
	c, err := d.Client(ctx, d.Pool, id)
	if err != nil {
		return err
	}
	if c.AuthMethod == "none" {
		return fault.New(fault.Conflict, "This client has no keys: it is registered with token_endpoint_auth_method none.")
	}
	if c.JWKS, err = publicKeys(jwks, c.Profile); err != nil {
		return err
	}
	return d.change(ctx, audit.ClientRotated, id, func(tx pgx.Tx) (bool, error) { return update(ctx, tx, c, d.Now()) })
}

// change does one change and records it; nothing changed is fault NotFound.
func (d *Directory) change(ctx context.Context, event audit.Event, id string, do func(tx pgx.Tx) (bool, error)) error {
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		done, err := do(tx)
		if err != nil {
			return fmt.Errorf("changing a client: %w", err)
		}
		if !done {
			return errUnknown
		}
		return audit.Append(ctx, tx, audit.Entry{Event: event, Subject: "client:" + id})
	})
}
