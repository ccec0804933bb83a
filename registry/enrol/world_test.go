package enrol

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/blob"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/place"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
	}
	os.Exit(m.Run())
}

// world is one office with all that it needs, and a station that makes packets.
type world struct {
	*Office
	dir     string
	places  *place.Directory
	log     *audit.Log
	river   *river.Client[pgx.Tx]
	sender  *notify.Sender // used where notices really go out
	inbox   *notify.Inbox  // where they then arrive
	station Seal

	mu   sync.Mutex
	sent []notify.Message
}

// newWorld is an office on a fresh database; nobody works in it yet.
func newWorld(t testing.TB) *world {
	t.Helper()
	w, err := openWorld(t.Context(), pgtest.Pool(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.station = w.addStation(t, "station one")
	return w
}

// workers is how many applications a process works on at once.
var workers = 8

// openWorld opens an office as a process does that starts.
func openWorld(ctx context.Context, pool *pgxpool.Pool, dir string) (*world, error) {
	w := &world{dir: dir}
	root, err := keys.FileRoot(filepath.Join(dir, "root.key"), "a passphrase for tests")
	if err != nil {
		return nil, err
	}
	ring, err := keys.Open(ctx, pool, root)
	if err != nil {
		return nil, err
	}
	store, err := blob.Dir(filepath.Join(dir, "blobs"))
	if err != nil {
		return nil, err
	}
	people, err := registry.New(registry.Config{Pool: pool, Ring: ring, Schema: registry.DefaultSchema(), UINDigits: 10})
	if err != nil {
		return nil, err
	}
	if w.places, err = place.New(place.Config{Pool: pool, Ring: ring}); err != nil {
		return nil, err
	}
	if w.log, err = audit.New(audit.Config{Pool: pool, Ring: ring, Origin: "test/audit"}); err != nil {
		return nil, err
	}
	enqueue := func(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) error {
		_, err := w.river.InsertTx(ctx, tx, args, opts)
		return err
	}
	w.inbox = notify.NewInbox(pool, ring)
	if w.sender, err = notify.New(notify.Config{Pool: pool, Ring: ring, Mail: w.inbox.Deliver, SMS: w.inbox.Deliver}); err != nil {
		return nil, err
	}
	if w.Office, err = New(Config{Pool: pool, Ring: ring, Blob: store, Registry: people, Stations: w.places.Station, Gallery: gallery.New(gallery.Config{}), Enqueue: enqueue,
		Notify: func(_ context.Context, _ pgx.Tx, m notify.Message) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sent = append(w.sent, m)
			return nil
		}}); err != nil {
		return nil, err
	}
	list := river.NewWorkers()
	w.AddWorkers(list)
	w.river, err = river.NewClient(riverpgxv5.New(pool), &river.Config{Workers: list, FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))})
	return w, err
}

// start lets people work in the office until the test ends.
func (w *world) start(t testing.TB) {
	t.Helper()
	if err := w.river.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := w.river.StopAndCancel(ctx); err != nil {
			t.Errorf("stopping the workers: %v", err)
		}
	})
}

func (w *world) addStation(t testing.TB, name string) Seal {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.places.AddStation(t.Context(), name, public)
	if err != nil {
		t.Fatal(err)
	}
	id, key := w.Ring.PacketKey()
	return Seal{Station: s.ID, Key: private, Officer: uuid.New(), PacketKeyID: id, PacketKey: key, Created: time.Now()}
}

// prints are made once: they take longer than anything that is done with them.
var prints sync.Map

func print(seed int64, impression int) []byte {
	key := fmt.Sprint(seed, "/", impression)
	if made, ok := prints.Load(key); ok {
		return made.([]byte)
	}
	png := synth.PNG(synth.Print(seed, impression, 1))
	prints.Store(key, png)
	return png
}

// applicant is an enrolment directory that a test changes as it likes.
type applicant struct {
	person map[string]any
	files  fstest.MapFS
}

// newApplicant is somebody of their own, with the finger that the seed is.
func newApplicant(seed int64, impression int) applicant {
	return applicant{files: fstest.MapFS{"rightIndex.png": {Data: print(seed, impression)}}, person: map[string]any{
		"identity": map[string]any{
			"fullName":    []any{map[string]any{"language": "eng", "value": fmt.Sprintf("Person Number%c", 'A'+rune(seed))}},
			"dateOfBirth": fmt.Sprintf("19%02d/04/17", 10+seed%80),
			"gender":      []any{map[string]any{"language": "eng", "value": "Female"}},
			"phone":       fmt.Sprintf("+2126000%05d", seed), "email": fmt.Sprintf("p%d@example.org", seed),
		},
		"consent": map[string]any{"given": true, "text": "I agree."},
		"process": "NEW",
	}}
}

func (a applicant) identity() map[string]any { return a.person["identity"].(map[string]any) }

// dir is the enrolment directory.
func (a applicant) dir(t testing.TB) fstest.MapFS {
	t.Helper()
	raw, err := json.Marshal(a.person)
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{personFile: {Data: raw}}
	for name, file := range a.files {
		dir[name] = file
	}
	return dir
}

// packet builds the applicant's packet at the world's station.
func (w *world) packet(t testing.TB, a applicant) []byte {
	t.Helper()
	packet, err := Build(a.dir(t), w.station)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// receive hands a packet in.
func (w *world) receive(t testing.TB, packet []byte) Application {
	t.Helper()
	a, err := w.Receive(t.Context(), packet, w.station.Officer)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// enrol hands an applicant's packet in, and waits until nobody but a person can
// move it on.
func (w *world) enrol(t testing.TB, a applicant) Application {
	t.Helper()
	return w.settled(t, w.receive(t, w.packet(t, a)).ID)
}

// until waits for an application to be as it should.
func (w *world) until(t testing.TB, id uuid.UUID, is func(Application) bool) Application {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		a, err := w.Application(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if is(a) {
			return a
		}
		if time.Now().After(end) {
			t.Fatalf("application %s is still %s: %s", id, a.State, a.Reason)
		}
	}
}

func (w *world) settled(t testing.TB, id uuid.UUID) Application {
	t.Helper()
	return w.until(t, id, func(a Application) bool {
		return a.State == Notified || a.State == Rejected || a.State == Doubtful || a.State == Quarantined
	})
}

// count runs a query for one number.
func (w *world) count(t testing.TB, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// run lets one stage do its work, and gives the next state.
func (w *world) run(t testing.TB, id uuid.UUID) (State, error) {
	t.Helper()
	a, err := readApplication(t.Context(), w.Pool, id)
	if err != nil {
		t.Fatal(err)
	}
	return w.step(t.Context(), a, 0)
}

// moveTo runs one stage after the other until the application is in a state.
func (w *world) moveTo(t testing.TB, id uuid.UUID, to State) {
	t.Helper()
	for next := State(""); next != to; {
		var err error
		if next, err = w.run(t, id); err != nil || next == "" {
			t.Fatalf("got %q, %v; want it to come to %s", next, err, to)
		}
	}
}
