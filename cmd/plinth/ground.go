package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/embedded"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/registry/place"
)

// ground is what every command that works on the data needs: the database, the
// keys and the people.
type ground struct {
	Settings
	server   *embedded.Server
	pool     *pgxpool.Pool
	ring     *keys.Ring
	log      *audit.Log
	registry *registry.Registry
	places   *place.Directory
	partners *partner.Directory
	demo     bool
	changed  func(ctx context.Context, tx pgx.Tx, c registry.Change) error // set once the issuer stands
}

// openGround opens the data of a deployment. Unless migrate is set, a database
// that is not up to date is refused.
func openGround(ctx context.Context, s Settings, migrate bool) (*ground, error) {
	g := &ground{Settings: s}
	if err := g.open(ctx, migrate); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *ground) open(ctx context.Context, migrate bool) error {
	if !migrate {
		if err := g.settled(); err != nil {
			return err
		}
	}
	if err := g.openDatabase(ctx); err != nil {
		return err
	}
	prepare := upToDate
	if migrate {
		prepare = postgres.Migrate
	}
	if err := prepare(ctx, g.pool); err != nil {
		return err
	}
	return g.openPeople(ctx)
}

func (g *ground) openDatabase(ctx context.Context) (err error) {
	address := g.DatabaseURL
	if address == "" {
		if g.server, err = embedded.Start(ctx, embedded.Config{Dir: g.Data}); err != nil {
			return err
		}
		address = g.server.URL()
	}
	if g.pool, err = postgres.Open(ctx, address); err != nil {
		lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
		return wrongUse{fmt.Errorf("PLINTH_DATABASE_URL: the database does not answer (%s)", strings.TrimSpace(lines[len(lines)-1]))}
	}
	return nil
}

// settled tells whether there is a deployment: a command that only looks must not
// make a new one where the directory is mistyped.
func (g *ground) settled() error {
	if g.DatabaseURL == "" && !embedded.Exists(g.Data) {
		return wrongUse{fmt.Errorf("PLINTH_DATA: there is no deployment in %s; set it to the directory of one, or begin one with plinth serve or plinth demo", g.Data)}
	}
	return nil
}

func upToDate(ctx context.Context, pool *pgxpool.Pool) error {
	pending, err := postgres.Pending(ctx, pool)
	if err != nil {
		return err
	}
	if pending > 0 {
		return fault.New(fault.Conflict, "The database is not up to date. Run plinth migrate first.")
	}
	return nil
}

func (g *ground) openPeople(ctx context.Context) error {
	root, err := g.root()
	if err != nil {
		return err
	}
	if g.ring, err = keys.Open(ctx, g.pool, root); err != nil {
		return err
	}
	if g.log, err = audit.New(audit.Config{Pool: g.pool, Ring: g.ring, Origin: auditOrigin(g.ring)}); err != nil {
		return err
	}
	schema := registry.DefaultSchema()
	if g.Schema != "" {
		raw, err := os.ReadFile(g.Schema)
		if err != nil {
			return wrongUse{fmt.Errorf("PLINTH_SCHEMA: %w", err)}
		}
		if schema, err = registry.LoadSchema(raw); err != nil {
			return fmt.Errorf("PLINTH_SCHEMA: %w", err)
		}
	}
	if g.registry, err = registry.New(registry.Config{Pool: g.pool, Ring: g.ring, Schema: schema, UINDigits: g.UINDigits, OnChange: g.follow}); err != nil {
		return err
	}
	if g.places, err = place.New(place.Config{Pool: g.pool, Ring: g.ring}); err != nil {
		return err
	}
	g.partners, err = partner.New(partner.Config{Pool: g.pool, Fetch: g.fetchSector})
	return err
}

// auditOrigin names the log after its first key: unlike our address, that never
// changes.
func auditOrigin(ring *keys.Ring) string {
	all := slices.DeleteFunc(ring.List(), func(k keys.Info) bool { return k.Domain != keys.Audit })
	first := slices.MinFunc(all, func(a, b keys.Info) int { return a.Created.Compare(b.Created) })
	return "plinth/audit/" + first.ID
}

const rootKeyFile = "root.key"

// root opens the root key: a token, or the file in the data directory.
func (g *ground) root() (keys.Root, error) {
	if g.PKCS11.Module != "" {
		return tokenRoot(g.PKCS11)
	}
	passphrase := g.Passphrase
	if kept, err := os.ReadFile(filepath.Join(g.Data, demoPassphrase)); passphrase == "" && err == nil {
		passphrase, g.demo = string(kept), true
	}
	if passphrase == "" {
		return nil, wrongUse{errors.New("PLINTH_KEY_PASSPHRASE: set the passphrase that seals the root key (or PLINTH_PKCS11_MODULE for a token)")}
	}
	return keys.FileRoot(filepath.Join(g.Data, rootKeyFile), passphrase)
}

// follow lets what depends on an identity follow its changes.
func (g *ground) follow(ctx context.Context, tx pgx.Tx, c registry.Change) error {
	if g.changed == nil {
		return nil
	}
	return g.changed(ctx, tx, c)
}

// dsn is how other tools reach the database.
func (g *ground) dsn() string {
	if g.server != nil {
		return g.server.URL()
	}
	return g.DatabaseURL
}

func (g *ground) close() {
	if g.pool != nil {
		g.pool.Close()
	}
	if g.server != nil {
		g.server.Stop()
	}
}

// fetchSector reads the list of a sector of relying parties.
func (g *ground) fetchSector(ctx context.Context, address string) ([]byte, error) {
	return fetch(ctx, web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Limit: 64 << 10, Private: g.Inside}), address)
}
