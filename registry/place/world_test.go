package place

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// world is a directory on a fresh database, with a clock that tests move.
type world struct {
	*Directory
	mu sync.Mutex
	at time.Time
}

// rootKey is one for all tests: stretching its passphrase takes long on purpose.
var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-place-")
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
	w := &world{at: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)}
	w.Directory, err = New(Config{Pool: pool, Ring: ring, Now: w.now})
	must(t, err)
	return w
}

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.at }

func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.at = w.at.Add(d) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	password = "a long walk by the sea"
	home     = "192.0.2.0/24"
	afar     = "198.51.100.0/24"
)

func (w *world) officer(t *testing.T, name string, role Role) Officer {
	t.Helper()
	o, err := w.AddOfficer(t.Context(), name, role, password)
	must(t, err)
	return o
}

// signedIn opens a session of an officer.
func (w *world) signedIn(t *testing.T, name string) string {
	t.Helper()
	token, _, err := w.SignIn(t.Context(), name, password, home)
	must(t, err)
	return token
}

// refused signs in in vain and gives the answer.
func (w *world) refused(t *testing.T, name, with, from string) *fault.Fault {
	t.Helper()
	token, o, err := w.SignIn(t.Context(), name, with, from)
	if err == nil || token != "" || o != (Officer{}) {
		t.Fatalf("got %v, %v; want nobody signed in", o, err)
	}
	return fault.Of(err)
}

func alike(a, b *fault.Fault) bool {
	return a.Kind == b.Kind && a.Code == b.Code && a.Sentence == b.Sentence && len(a.Fields) == len(b.Fields)
}

func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	must(t, w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// dump is every row of a table as text.
func (w *world) dump(t *testing.T, table string) []string {
	t.Helper()
	rows, err := w.Pool.Query(t.Context(), "SELECT x::text FROM "+table+" x")
	must(t, err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return texts
}
