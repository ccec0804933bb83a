package auth

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/registry"
)

// public is where the people of the tests reach us.
var public = &url.URL{Scheme: "https", Host: "id.example:8443"}

// world is a desk with a registry below it, an inbox, and a clock that tests move.
type world struct {
	*Desk
	mu      sync.Mutex
	at      time.Time
	inbox   []notify.Message
	without map[notify.Channel]bool // channels that are not offered
}

// unasking is a policy that asks for no device.
func unasking(t *testing.T) evidence.Policy {
	t.Helper()
	p, err := evidence.Parse([]byte(`{"login": {"any": {}}}`), nil)
	must(t, err)
	return p
}

// rootKey is one for all tests: stretching its passphrase takes long on purpose.
var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-auth-")
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
	w := &world{at: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC), without: map[notify.Channel]bool{}}
	people, err := registry.New(registry.Config{Pool: pool, Ring: ring, Schema: registry.DefaultSchema(), UINDigits: 10, Now: w.now})
	must(t, err)
	w.Desk, err = New(Config{Pool: pool, Ring: ring, Registry: people, Queue: w.queue, Offers: func(c notify.Channel) bool { return !w.without[c] }, Now: w.now, Public: public, Policy: unasking(t)})
	must(t, err)
	return w
}

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.at }

func (w *world) wait(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.at = w.at.Add(d) }

func (w *world) queue(_ context.Context, _ pgx.Tx, m notify.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inbox = append(w.inbox, m)
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in runs do in a transaction of its own.
func (w *world) in(t *testing.T, do func(tx pgx.Tx) error) {
	t.Helper()
	must(t, postgres.InTx(t.Context(), w.Pool, do))
}

// fields are what a person has, with what a test changes: nil takes a field out.
func fields(changes map[string]any) map[string]any {
	all := map[string]any{"fullName": []any{map[string]any{"language": "eng", "value": "Ada Example"}}, "dateOfBirth": "1984/04/18",
		"phone": "+15550100001", "email": "ada@example.org"}
	for name, v := range changes {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	return all
}

// enrolled puts a person into the registry.
func (w *world) enrolled(t *testing.T, n registry.NewIdentity) registry.Assigned {
	t.Helper()
	n.Application = uuid.New()
	if n.Fields == nil {
		n.Fields = fields(nil)
	}
	var a registry.Assigned
	w.in(t, func(tx pgx.Tx) (err error) {
		a, err = w.Registry.Assign(t.Context(), tx, n)
		return err
	})
	return a
}

func (w *world) person(t *testing.T) registry.Assigned {
	t.Helper()
	return w.enrolled(t, registry.NewIdentity{})
}

// The ranges from which people and attackers come.
const (
	home   = "192.0.2.0/24"
	afar   = "198.51.100.0/24"
	portal = "a-portal"
)

var inText = regexp.MustCompile(`\b[0-9]{6}\b`)

// send asks for a code and reads it in the inbox.
func (w *world) send(t *testing.T, r CodeRequest) string {
	t.Helper()
	w.mu.Lock()
	before := len(w.inbox)
	w.mu.Unlock()
	_, err := w.SendCode(t.Context(), r)
	must(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.inbox) != before+1 {
		t.Fatalf("got %d messages, want one more than %d", len(w.inbox), before)
	}
	return inText.FindString(w.inbox[before].Text)
}

// visit is one try of one person at one portal.
func visit(identifier, transaction string) CodeRequest {
	return CodeRequest{Identifier: identifier, Transaction: transaction, Client: portal, From: home}
}

// with answers a request for a code.
func with(r CodeRequest, code string) Attempt {
	return Attempt{Identifier: r.Identifier, Code: code, Transaction: r.Transaction, Client: r.Client, Device: r.Device, From: r.From, Work: r.Work}
}

// other is a code that is not this one.
func other(code string) string { return code[:5] + string('0'+(code[5]-'0'+1)%10) }

// logIn is a whole login by a code.
func (w *world) logIn(t *testing.T, identifier string) Proof {
	t.Helper()
	r := visit(identifier, uuid.NewString())
	p, err := w.Verify(t.Context(), with(r, w.send(t, r)))
	must(t, err)
	return p
}

// answered holds a refusal against the one that there must be, and wants no proof.
func answered(t *testing.T, what string, p Proof, err error, want *fault.Fault) {
	t.Helper()
	if !p.Zero() {
		t.Errorf("%s: got a proof", what)
	}
	got := fault.Of(err)
	if got == nil || got.Kind != want.Kind || got.Code != want.Code || got.Sentence != want.Sentence || len(got.Fields) != 0 {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (w *world) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	must(t, w.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

// print is the image of a finger of nobody, from the demonstration.
func print(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "cmd", "plinth", "demodata", "prints", name+".png"))
	must(t, err)
	return raw
}

// template is what enrolment keeps of a print.
func template(t *testing.T, name string) []byte {
	t.Helper()
	probe, err := readFinger(print(t, name))
	must(t, err)
	return probe.found.Marshal()
}

// withFingers is somebody whose two index fingers are enrolled.
func (w *world) withFingers(t *testing.T) registry.Assigned {
	t.Helper()
	return w.enrolled(t, registry.NewIdentity{Templates: map[biometrics.Position][]byte{
		biometrics.RightIndex: template(t, "p01_rightIndex_0"), biometrics.LeftIndex: template(t, "p01_leftIndex_0")}})
}

// blank is an image without a finger.
func blank(t *testing.T) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 300, 400))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	return b.Bytes()
}

// oneScore keeps the tests from passing with prints that hardly fit.
func oneScore(t *testing.T, a, b string) biometrics.Score {
	t.Helper()
	x, err := finger.ParseTemplate(template(t, a))
	must(t, err)
	y, err := finger.ParseTemplate(template(t, b))
	must(t, err)
	return finger.Compare(x, y)
}

// dump is every row of the tables whose names begin so.
func dump(t *testing.T, pool *pgxpool.Pool, prefix string) (all []string) {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, $1) ORDER BY 1", prefix)
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	for _, table := range tables {
		rows, err := pool.Query(t.Context(), "SELECT x::text FROM "+table+" x")
		must(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		all = append(all, texts...)
	}
	return all
}
