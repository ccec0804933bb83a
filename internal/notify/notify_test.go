package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// post is a sender, what it handed over, and what it does next.
type post struct {
	*Sender
	mu    sync.Mutex
	sent  []Message
	fail  error
	ahead time.Duration
}

func newPost(t *testing.T) *post {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := keys.FileRoot(filepath.Join(t.TempDir(), "root.key"), "a passphrase for tests")
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), pool, root)
	if err != nil {
		t.Fatal(err)
	}
	p := &post{}
	p.Sender, err = New(Config{Pool: pool, Ring: ring, Mail: p.hand, SMS: p.hand, Now: func() time.Time { return time.Now().Add(p.ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *post) hand(_ context.Context, m Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.sent = append(p.sent, m)
	}
	return p.fail
}

func (p *post) queue(t *testing.T, m Message) {
	t.Helper()
	if err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) error { return p.Queue(t.Context(), tx, m) }); err != nil {
		t.Fatal(err)
	}
}

// work delivers once, and leaves what remains due at once.
func (p *post) work(t *testing.T) {
	t.Helper()
	if _, err := p.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.due(t)
}

func (p *post) due(t *testing.T) {
	t.Helper()
	if _, err := p.Pool.Exec(t.Context(), `UPDATE notify_outbox SET due_at = queued_at`); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, query string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const rowsLeft = `SELECT count(*) FROM notify_outbox`

func TestAMessageGoesOutOnceAndIsForgotten(t *testing.T) {
	p := newPost(t)
	p.queue(t, hello)
	for range 3 {
		p.work(t)
	}
	if len(p.sent) != 1 || p.sent[0].To != hello.To || p.sent[0].Subject != hello.Subject || p.sent[0].Text != hello.Text || p.sent[0].ID == uuid.Nil {
		t.Fatalf("got %d messages, want the one that was queued", len(p.sent))
	}
	if n := count(t, p.Pool, rowsLeft); n != 0 {
		t.Errorf("got %d messages still kept, want 0", n)
	}
}

func TestAMessageOfWorkThatFailedIsNeverSent(t *testing.T) {
	p := newPost(t)
	failed := errors.New("the rest of the work failed")
	err := postgres.InTx(t.Context(), p.Pool, func(tx pgx.Tx) error {
		if err := p.Queue(t.Context(), tx, hello); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	p.work(t)
	if n := count(t, p.Pool, rowsLeft); len(p.sent) != 0 || n != 0 {
		t.Fatalf("got %d messages sent and %d queued, want none", len(p.sent), n)
	}
}

func TestTheDatabaseHoldsNothingOfAMessage(t *testing.T) {
	p := newPost(t)
	inbox := NewInbox(p.Pool, p.Ring)
	p.queue(t, hello)
	if err := inbox.Deliver(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	var dump string
	if err := p.Pool.QueryRow(t.Context(), `SELECT (SELECT string_agg(encode(sealed, 'escape'), '') FROM notify_outbox) || (SELECT string_agg(o::text, '') FROM notify_outbox o)
		|| (SELECT string_agg(encode(sealed, 'escape'), '') FROM notify_inbox)`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"amina", "123456", "code", "Votre"} {
		if strings.Contains(dump, secret) {
			t.Errorf("%q is in the database", secret)
		}
	}
	// A row cannot be given the text of another.
	if _, err := p.Pool.Exec(t.Context(), `INSERT INTO notify_outbox (id, sealed, queued_at) SELECT gen_random_uuid(), sealed, queued_at FROM notify_outbox`); err != nil {
		t.Fatal(err)
	}
	all, err := takeOutbox(t.Context(), p.Pool, time.Now(), time.Now())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d messages, %v", len(all), err)
	}
	opened := 0
	for _, q := range all {
		if _, err := p.open(q); err == nil {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("got %d rows that open, want the one that was sealed", opened)
	}
}

func TestAFailureIsTriedAgainAndARefusalIsNot(t *testing.T) {
	p := newPost(t)
	p.queue(t, hello)
	p.fail = errors.New("the gateway is down")
	if n, err := p.Deliver(t.Context()); n != 1 || err != nil || count(t, p.Pool, rowsLeft) != 1 {
		t.Fatalf("got %d, %v; want the message kept for the next attempt", n, err)
	}
	if n, err := p.Deliver(t.Context()); n != 0 || err != nil {
		t.Fatalf("got %d, %v; want a pause", n, err)
	}
	p.due(t)
	p.fail = fmt.Errorf("no such number: %w", ErrRefused)
	p.work(t)
	if n := count(t, p.Pool, rowsLeft); n != 0 {
		t.Fatalf("got %d messages, want it forgotten", n)
	}
}

func TestACodeIsNotSentAfterItsTime(t *testing.T) {
	p := newPost(t)
	m := hello
	m.Until = time.Now().Add(3 * time.Minute)
	p.queue(t, m)
	p.queue(t, hello)
	p.ahead = 4 * time.Minute
	p.work(t)
	if len(p.sent) != 1 || !p.sent[0].Until.IsZero() || count(t, p.Pool, rowsLeft) != 0 {
		t.Fatalf("got %d messages, want only the one that is of use for ever", len(p.sent))
	}
}

func TestACrashBeforeTheMarkSendsTheSameMessageAgain(t *testing.T) {
	p := newPost(t)
	p.queue(t, hello)
	disarm := failpoint.Arm(delivered, func() { panic("crash") })
	func() {
		defer func() { _ = recover() }()
		p.work(t)
	}()
	disarm()
	p.work(t) // nobody else may take it yet
	if len(p.sent) != 1 {
		t.Fatalf("got %d messages while the one that fell may still be at it, want one", len(p.sent))
	}
	p.work(t)
	if len(p.sent) != 2 || p.sent[0].ID != p.sent[1].ID {
		t.Fatalf("got %d messages, want two with one id, by which a gateway can drop the second", len(p.sent))
	}
}

func TestChannelsThatAreNotOfferedArePassedOver(t *testing.T) {
	p := newPost(t)
	p.Config.SMS = nil
	if p.Offers(SMS) || !p.Offers(Mail) || p.Offers("pigeon") {
		t.Error("want mail to be offered alone")
	}
	p.queue(t, Message{Channel: SMS, To: "+1", Text: "x"})
	p.queue(t, Message{Channel: Mail, Text: "x"})
	if n := count(t, p.Pool, rowsLeft); n != 0 {
		t.Errorf("got %d queued, want 0", n)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a sender of nothing was made")
	}
}

func TestPausesGrowToABound(t *testing.T) {
	var total time.Duration
	for attempt := 1; attempt < 10; attempt++ {
		if now, later := pause(attempt), pause(attempt+1); now < firstPause || later > maxPause || later < now {
			t.Fatalf("attempt %d: got %v, then %v; want them to grow up to %v", attempt, now, later, maxPause)
		}
		total += pause(attempt)
	}
	if total > time.Hour {
		t.Errorf("got ten attempts over %v, want a gateway that comes back soon to be met soon", total)
	}
}

func TestWhatNeverWentOutIsForgottenAfterDays(t *testing.T) {
	p := newPost(t)
	p.queue(t, hello)
	p.ahead = keepFor - time.Hour
	if err := p.Sweep(t.Context()); err != nil || count(t, p.Pool, rowsLeft) != 1 {
		t.Errorf("got %v, want it kept while it is tried", err)
	}
	p.ahead = keepFor + time.Hour
	if err := p.Sweep(t.Context()); err != nil || count(t, p.Pool, rowsLeft) != 0 {
		t.Errorf("got %v, want it forgotten", err)
	}
}

func TestTheInboxShowsTheNewestFirst(t *testing.T) {
	p := newPost(t)
	inbox := NewInbox(p.Pool, p.Ring)
	for i := range 3 {
		m := Message{ID: uuid.New(), Channel: SMS, To: "+212600000000", Text: fmt.Sprint(i)}
		for range 2 { // delivered twice
			if err := inbox.Deliver(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := inbox.Messages(t.Context(), 2)
	if err != nil || len(got) != 2 || got[0].Text != "2" || got[1].Text != "1" || got[0].At.IsZero() || got[0].Channel != SMS {
		t.Fatalf("got %d messages, %v; want the last two, newest first", len(got), err)
	}
}

func TestASVS_16_2_5_AMessageIsNeverLogged(t *testing.T) {
	var out bytes.Buffer
	for _, v := range []any{hello, &hello, []Message{hello}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("test", "message", hello, "pointer", &hello)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("test", "message", hello, "pointer", &hello)
	if strings.Contains(out.String(), "amina") || strings.Contains(out.String(), "123456") {
		t.Errorf("got %s", out.String())
	}
}

// The whole way: queue, two processes that deliver, a gateway that is down at first.
func TestAGatewayThatWasDownGetsEveryMessage(t *testing.T) {
	p := newPost(t)
	var mu sync.Mutex
	calls, taken := 0, map[string]int{}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var body struct{ ID, Text string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		taken[body.Text]++
	}))
	defer gateway.Close()
	deliver, err := SMSGateway(gateway.URL, gateway.Client())
	if err != nil {
		t.Fatal(err)
	}
	p.Config.SMS = deliver
	want := []string{"a", "b", "c", "d", "e"}
	for _, text := range want {
		p.queue(t, Message{Channel: SMS, To: "+212600000000", Text: text})
	}
	ctx, stop := context.WithCancel(t.Context())
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { _ = p.Run(ctx) })
	}
	for begun := time.Now(); count(t, p.Pool, rowsLeft) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatal("a message was lost")
		}
	}
	stop()
	both.Wait()
	mu.Lock()
	defer mu.Unlock()
	for _, text := range want {
		if taken[text] != 1 {
			t.Errorf("%s: got %d deliveries, want 1", text, taken[text])
		}
	}
}
