// Package place holds where enrolment happens and who works there: officers with
// their sessions, and stations with their keys.
package place

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Role is what an officer may do.
type Role string

// The roles.
const (
	Operator      Role = "operator"
	Adjudicator   Role = "adjudicator"
	Administrator Role = "administrator"
)

// Officer is somebody who works here.
type Officer struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
	Role Role      `json:"role"`
}

// Config is what a Directory works with.
type Config struct {
	Pool *pgxpool.Pool
	Ring *keys.Ring
	Now  func() time.Time // nil means time.Now
}

// Directory knows the officers and the stations.
type Directory struct {
	Config
	hashing *semaphore.Weighted // passwords, which take 19 MiB each
}

// New makes a Directory.
func New(c Config) (*Directory, error) {
	if c.Pool == nil || c.Ring == nil {
		return nil, errors.New("place: Pool and Ring are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Directory{c, semaphore.NewWeighted(2 * int64(runtime.GOMAXPROCS(0)))}, nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{2,63}$`)

// AddOfficer adds an officer.
func (d *Directory) AddOfficer(ctx context.Context, name string, role Role, password string) (Officer, error) {
	o := Officer{ID: uuid.New(), Name: name, Role: role}
	if !nameForm.MatchString(name) {
		return o, fault.New(fault.Invalid, "An officer's name has 3 to 64 small letters, digits, dots or hyphens. Choose another.").At("name", "must match "+nameForm.String())
	}
	if role != Operator && role != Adjudicator && role != Administrator {
		return o, fault.New(fault.Invalid, "A role is operator, adjudicator or administrator. Choose one of them.").At("role", "is unknown")
	}
	if err := checkPassword(password, name); err != nil {
		return o, err
	}
	hash := hashPassword(password)
	err := postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		if err := insertOfficer(ctx, tx, o, hash, d.Now()); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.OfficerAdded, Subject: "officer:" + o.ID.String(), Details: map[string]string{"role": string(role)}})
	})
	if postgres.IsUnique(err, "") {
		return o, fault.New(fault.Conflict, "There is an officer with this name already. Choose another name.")
	}
	if err != nil {
		return o, fmt.Errorf("adding an officer: %w", err)
	}
	return o, nil
}

// Officers lists the officers.
func (d *Directory) Officers(ctx context.Context) ([]Officer, error) { return allOfficers(ctx, d.Pool) }

// Officer finds an officer by name.
func (d *Directory) Officer(ctx context.Context, name string) (Officer, error) {
	o, _, err := d.named(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, fault.New(fault.NotFound, "There is no officer with this name. List the officers to see who there are.")
	}
	return o, err
}

// named finds an officer and the hash of the password; pgx.ErrNoRows: there is
// none. What is no name is not asked for: some bytes the database refuses.
func (d *Directory) named(ctx context.Context, name string) (Officer, string, error) {
	if !nameForm.MatchString(name) {
		return Officer{}, "", pgx.ErrNoRows
	}
	return officerByName(ctx, d.Pool, name)
}

// Station is a place where packets are made; it signs each.
type Station struct {
	ID       uuid.UUID         `json:"id"`
	Name     string            `json:"name"`
	Public   ed25519.PublicKey `json:"-"`
	Disabled bool              `json:"disabled"`
}

// AddStation registers a station by its public key.
func (d *Directory) AddStation(ctx context.Context, name string, public ed25519.PublicKey) (Station, error) {
	s := Station{ID: uuid.New(), Name: name, Public: public}
	if len(public) != ed25519.PublicKeySize || name == "" || len(name) > 64 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return s, fault.New(fault.Invalid, "A station has a name of up to 64 characters in one line and an Ed25519 key. Correct them.")
	}
	err := postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		if err := insertStation(ctx, tx, s, d.Now()); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.StationAdded, Subject: "station:" + s.ID.String()})
	})
	if postgres.IsUnique(err, "") {
		return s, fault.New(fault.Conflict, "There is a station with this name or key already. Choose another name.")
	}
	if err != nil {
		return s, fmt.Errorf("adding a station: %w", err)
	}
	return s, nil
}

// Station finds a station; fault NotFound when there is none.
func (d *Directory) Station(ctx context.Context, db postgres.DB, id uuid.UUID) (Station, error) {
	s, err := stationByID(ctx, db, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, fault.New(fault.NotFound, "This enrolment station is not registered here. Register it first.").Named("station-unknown")
	}
	return s, err
}

// DisableStation shuts a station out: packets that it signs are refused from now on.
func (d *Directory) DisableStation(ctx context.Context, id uuid.UUID) error {
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		done, err := disableStation(ctx, tx, id)
		if err != nil {
			return fmt.Errorf("disabling a station: %w", err)
		}
		if !done {
			return fault.New(fault.NotFound, "This enrolment station is not registered here. Check the id.")
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.StationDisabled, Subject: "station:" + id.String()})
	})
}
