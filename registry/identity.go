package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Identity is what the registry holds of one person.
type Identity struct {
	Person   uuid.UUID
	UIN      UIN
	Status   Status
	Fields   map[string]any // by the identity schema
	Portrait []byte         // JPEG or PNG; nil: none
	Updated  time.Time
}

// String shows nothing of the person.
func (i Identity) String() string { return "identity " + i.Person.String() }

// GoString is String.
func (i Identity) GoString() string { return i.String() }

// LogValue is String.
func (i Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }

// NewIdentity is what an accepted application brings.
type NewIdentity struct {
	Application uuid.UUID
	Fields      map[string]any
	Templates   map[biometrics.Position][]byte
	Portrait    []byte
	Vetting     Vetting // how it was found out who this is
}

// String shows nothing of the person.
func (n NewIdentity) String() string { return "application " + n.Application.String() }

// GoString is String.
func (n NewIdentity) GoString() string { return n.String() }

// LogValue is String.
func (n NewIdentity) LogValue() slog.Value { return slog.StringValue(n.String()) }

// Assigned is what a person got.
type Assigned struct {
	Person uuid.UUID
	UIN    UIN
	VID    VID
}

// tries bounds how often a number that is taken is drawn again; at half the
// capacity each draw fails with one half.
const tries = 200

// Assign draws a number for a new person and seals the identity. Called again
// for the same application it gives what was given the first time.
func (r *Registry) Assign(ctx context.Context, tx pgx.Tx, n NewIdentity) (Assigned, error) {
	if err := lockApplication(ctx, tx, n.Application); err != nil {
		return Assigned{}, fmt.Errorf("assigning: %w", err)
	}
	a, err := r.assignedTo(ctx, tx, n.Application)
	if !errors.Is(err, pgx.ErrNoRows) {
		return a, err
	}
	a = Assigned{Person: uuid.New()}
	key, err := r.Ring.NewPerson(ctx, tx, a.Person)
	if err != nil {
		return a, err
	}
	if err := r.keepSchema(ctx, tx); err != nil {
		return a, err
	}
	if a.UIN, err = r.place(ctx, tx, key, a.Person, n); err != nil {
		return a, err
	}
	for position, template := range n.Templates {
		sealed, err := key.Seal(template, templatePlace(position))
		if err != nil {
			return a, err
		}
		if err := insertTemplate(ctx, tx, a.Person, position, sealed); err != nil {
			return a, fmt.Errorf("assigning: %w", err)
		}
	}
	if a.VID, err = r.CreateVID(ctx, tx, a.Person); err != nil {
		return a, err
	}
	err = audit.Append(ctx, tx, audit.Entry{Event: audit.UINAssigned, Person: a.Person, Subject: n.Application.String()})
	return a, err
}

// place draws numbers until one is free and stores the identity under it.
func (r *Registry) place(ctx context.Context, tx pgx.Tx, key keys.PersonKey, person uuid.UUID, n NewIdentity) (UIN, error) {
	plain, err := json.Marshal(n.Fields)
	if err != nil {
		return UIN{}, fmt.Errorf("assigning: %w", err)
	}
	row := identityRow{Person: person, Application: n.Application, Status: Active, Schema: r.Schema.Version(), At: r.Now()}
	if row.Fields, err = key.Seal(plain, fieldsPlace); err != nil {
		return UIN{}, err
	}
	if len(n.Portrait) > 0 {
		if row.Portrait, err = key.Seal(n.Portrait, portraitPlace); err != nil {
			return UIN{}, err
		}
	}
	if n.Vetting.Framework != "" {
		if plain, err = json.Marshal(n.Vetting); err != nil {
			return UIN{}, fmt.Errorf("assigning: %w", err)
		}
		if row.Vetting, err = key.Seal(plain, vettingPlace); err != nil {
			return UIN{}, err
		}
	}
	for range tries {
		u, err := drawUIN(r.UINDigits)
		if err != nil {
			return UIN{}, err
		}
		// A retired lookup key may have stored this number under another hash.
		taken, err := uinTaken(ctx, tx, r.Ring.LookupAll("uin", u.digits))
		if err != nil {
			return UIN{}, fmt.Errorf("assigning: %w", err)
		}
		if taken {
			continue
		}
		row.UINLookup = r.Ring.Lookup("uin", u.digits)
		if row.UIN, err = key.Seal([]byte(u.digits), uinPlace); err != nil {
			return UIN{}, err
		}
		stored, err := insertIdentity(ctx, tx, row)
		if err != nil {
			return UIN{}, fmt.Errorf("assigning: %w", err)
		}
		if stored {
			return u, countOne(ctx, tx, int(person[0])%64)
		}
	}
	return UIN{}, errors.New("assigning: hardly any numbers are left; set PLINTH_UIN_DIGITS higher")
}

// assignedTo is what an application got already; pgx.ErrNoRows: nothing.
func (r *Registry) assignedTo(ctx context.Context, tx pgx.Tx, application uuid.UUID) (Assigned, error) {
	person, err := personOf(ctx, tx, application)
	if err != nil {
		return Assigned{}, err
	}
	i, err := r.Read(ctx, tx, person)
	if err != nil {
		return Assigned{}, err
	}
	vids, err := r.VIDs(ctx, tx, person)
	if err != nil || len(vids) == 0 {
		return Assigned{}, fmt.Errorf("reading what was assigned: %w", err)
	}
	return Assigned{Person: person, UIN: i.UIN, VID: vids[0]}, nil
}

// Read opens an identity.
func (r *Registry) Read(ctx context.Context, db postgres.DB, person uuid.UUID) (Identity, error) {
	return r.read(ctx, db, person, true)
}

// Details opens an identity without its portrait, by far the largest part.
func (r *Registry) Details(ctx context.Context, db postgres.DB, person uuid.UUID) (Identity, error) {
	return r.read(ctx, db, person, false)
}

func (r *Registry) read(ctx context.Context, db postgres.DB, person uuid.UUID, portrait bool) (Identity, error) {
	key, err := r.key(ctx, db, person)
	if err != nil {
		return Identity{}, err
	}
	row, err := readIdentity(ctx, db, person, portrait)
	if errors.Is(err, pgx.ErrNoRows) {
		return Identity{}, errUnknown
	}
	if err != nil {
		return Identity{}, fmt.Errorf("reading an identity: %w", err)
	}
	i := Identity{Person: person, Status: row.Status, Updated: row.At}
	digits, err := key.Open(row.UIN, uinPlace)
	if err != nil {
		return Identity{}, fmt.Errorf("reading an identity: %w", err)
	}
	i.UIN = UIN{string(digits)}
	plain, err := key.Open(row.Fields, fieldsPlace)
	if err == nil {
		err = json.Unmarshal(plain, &i.Fields)
	}
	if err == nil && row.Portrait != nil {
		i.Portrait, err = key.Open(row.Portrait, portraitPlace)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("reading an identity: %w", err)
	}
	return i, nil
}

// Templates opens a person's biometric templates.
func (r *Registry) Templates(ctx context.Context, db postgres.DB, person uuid.UUID) (map[biometrics.Position][]byte, error) {
	key, err := r.key(ctx, db, person)
	if err != nil {
		return nil, err
	}
	rows, err := readTemplates(ctx, db, person)
	if err != nil {
		return nil, fmt.Errorf("reading templates: %w", err)
	}
	all := make(map[biometrics.Position][]byte, len(rows))
	for _, row := range rows {
		if all[row.Position], err = key.Open(row.Sealed, templatePlace(row.Position)); err != nil {
			return nil, fmt.Errorf("reading templates: %w", err)
		}
	}
	return all, nil
}

// CreateVID gives a person one more VID.
func (r *Registry) CreateVID(ctx context.Context, tx pgx.Tx, person uuid.UUID) (VID, error) {
	key, err := r.key(ctx, tx, person)
	if err != nil {
		return VID{}, err
	}
	for range tries {
		v, err := drawVID()
		if err != nil {
			return VID{}, err
		}
		sealed, err := key.Seal([]byte(v.digits), vidPlace)
		if err != nil {
			return VID{}, err
		}
		stored, err := insertVID(ctx, tx, r.Ring.Lookup("vid", v.digits), person, sealed, r.Now())
		if err != nil {
			return VID{}, fmt.Errorf("making a VID: %w", err)
		}
		if stored {
			return v, audit.Append(ctx, tx, audit.Entry{Event: audit.VIDCreated, Person: person})
		}
	}
	return VID{}, errors.New("making a VID: no free number was found")
}

// VIDs lists a person's active VIDs, the oldest first.
func (r *Registry) VIDs(ctx context.Context, db postgres.DB, person uuid.UUID) ([]VID, error) {
	key, err := r.key(ctx, db, person)
	if err != nil {
		return nil, err
	}
	sealed, err := readVIDs(ctx, db, person)
	if err != nil {
		return nil, fmt.Errorf("reading VIDs: %w", err)
	}
	all := make([]VID, len(sealed))
	for i, s := range sealed {
		digits, err := key.Open(s, vidPlace)
		if err != nil {
			return nil, fmt.Errorf("reading VIDs: %w", err)
		}
		all[i] = VID{string(digits)}
	}
	return all, nil
}

// keepSchema keeps the document of the schema that an identity names.
func (r *Registry) keepSchema(ctx context.Context, tx pgx.Tx) error {
	if err := insertSchema(ctx, tx, r.Schema.Version(), string(r.Schema.document), r.Now()); err != nil {
		return fmt.Errorf("keeping the identity schema: %w", err)
	}
	return nil
}

// The places that sealed values are bound to; the person is part of each.
var (
	uinPlace      = []byte("registry_identity.uin")
	fieldsPlace   = []byte("registry_identity.fields")
	portraitPlace = []byte("registry_identity.portrait")
	vettingPlace  = []byte("registry_identity.vetting")
	vidPlace      = []byte("registry_vid.sealed")
)

func templatePlace(p biometrics.Position) []byte { return []byte("registry_template." + string(p)) }

func pairwisePlace(row []byte) []byte { return append([]byte("registry_pairwise\x00"), row...) }

// encodePairwise keeps 192 bits, in 32 characters.
func encodePairwise(prf []byte) string { return base64.RawURLEncoding.EncodeToString(prf[:24]) }

// PersonOf is the person whom an application became.
func (r *Registry) PersonOf(ctx context.Context, db postgres.DB, application uuid.UUID) (uuid.UUID, error) {
	return found(personOf(ctx, db, application))
}
