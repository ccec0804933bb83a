package registry

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// world is a registry on a fresh database, with a clock that tests move.
type world struct {
	*Registry
	mu      sync.Mutex
	late    time.Duration
	changes []Change
	refuse  error // what OnChange answers
}

// rootKey is one for all tests: stretching its passphrase takes long on purpose.
var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-registry-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return keys.FileRoot(filepath.Join(dir, "root.key"), "a passphrase for tests")
})

func newWorld(t *testing.T) *world {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := rootKey()
	must(t, err)
	ring, err := keys.Open(t.Context(), pool, root)
	must(t, err)
	w := &world{}
	w.Registry, err = New(Config{Pool: pool, Ring: ring, Schema: DefaultSchema(), UINDigits: 10, OnChange: w.changed, Now: w.now})
	must(t, err)
	return w
}

func (w *world) changed(_ context.Context, _ pgx.Tx, c Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, c)
	return w.refuse
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.late)
}

func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.late += d }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in runs do in a transaction of its own.
func (w *world) in(t *testing.T, do func(tx pgx.Tx) error) error {
	t.Helper()
	return postgres.InTx(t.Context(), w.Pool, do)
}

// templateOf is bytes that stand for a template: the registry never looks inside.
func templateOf(p biometrics.Position) []byte { return []byte("minutiae of " + string(p)) }

// pngHead makes a content type of what follows.
var pngHead = []byte("\x89PNG\r\n\x1a\n")

// applicant is Ada, who has applied.
func applicant(t *testing.T) NewIdentity {
	t.Helper()
	var fields map[string]any
	must(t, json.Unmarshal([]byte(ada), &fields))
	return NewIdentity{Application: uuid.New(), Fields: fields, Portrait: append(pngHead[:len(pngHead):len(pngHead)], "a portrait of Ada"...),
		Templates: map[biometrics.Position][]byte{biometrics.RightIndex: templateOf(biometrics.RightIndex), biometrics.LeftIndex: templateOf(biometrics.LeftIndex)}}
}

// assign makes an identity of an application.
func (w *world) assign(t *testing.T, n NewIdentity) Assigned {
	t.Helper()
	var a Assigned
	must(t, w.in(t, func(tx pgx.Tx) (err error) {
		a, err = w.Assign(t.Context(), tx, n)
		return err
	}))
	return a
}

// set changes a status in a transaction of its own.
func (w *world) set(t *testing.T, person uuid.UUID, from, to Status) error {
	t.Helper()
	return w.in(t, func(tx pgx.Tx) error { return w.SetStatus(t.Context(), tx, person, from, to) })
}

// count counts by one statement.
func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	must(t, w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// isUnknown holds an answer against the one answer for what cannot be found.
func isUnknown(t *testing.T, what string, err error) {
	t.Helper()
	got, want := fault.Of(err), errUnknown
	if got == nil || got.Kind != want.Kind || got.Code != want.Code || got.Sentence != want.Sentence || len(got.Fields) != 0 {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}
