package oidc_test

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
)

// counter stands for the verifier: it keeps to what that promises, an answer given
// once, to whoever has the key and the code.
type counter struct {
	mu    sync.Mutex
	asked map[uuid.UUID]*counted
	last  uuid.UUID
}

type counted struct {
	login.WalletQuestion
	person uuid.UUID // who showed a credential; nil: nobody yet
	code   string
}

func (k *counter) ask(_ context.Context, q login.WalletQuestion) (login.WalletRequest, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked == nil {
		k.asked = map[uuid.UUID]*counted{}
	}
	id := uuid.New()
	k.asked[id], k.last = &counted{WalletQuestion: q}, id
	return login.WalletRequest{ID: id, Link: "openid4vp://?client_id=x&request_uri=" + id.String(), Browser: map[string]any{"digital": map[string]any{}},
		Answer: "/vp/responses/" + id.String(), Expires: time.Now().Add(5 * time.Minute)}, nil
}

// shows has a wallet answer the last request, and gives where its browser is sent.
func (k *counter) shows(t *testing.T, person uuid.UUID) string {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.asked[k.last]
	a.person = person
	if a.Return == "" {
		return ""
	}
	a.code = "code-" + k.last.String()
	return a.Return + "&" + url.Values{"response_code": {a.code}}.Encode()
}

func (k *counter) presented(_ context.Context, p auth.Presentation) (uuid.UUID, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.asked[p.Request]
	if a == nil || a.person == uuid.Nil || a.Key != p.Key || a.code != p.Code {
		return uuid.Nil, fault.New(fault.Denied, "The wallet has not shown a valid credential.")
	}
	delete(k.asked, p.Request)
	return a.person, nil
}

var shownNumber = regexp.MustCompile(`asks for this number: <strong class="mono" dir="ltr">(\d\d)<`)

// confirm types a number on the wallet's device, on the page that it was sent to.
func (b *browser) confirm(t *testing.T, at, number string) answer {
	t.Helper()
	u, err := url.Parse(at)
	must(t, err)
	resp, err := b.PostForm(b.w.URL+"/oidc/login/credential/confirm", url.Values{"login": {u.Query().Get("login")}, "response_code": {u.Query().Get("response_code")}, "number": {number}})
	must(t, err)
	return read(t, resp)
}

// showing is a login that waits for a credential.
func (w *world) showing(t *testing.T, b *browser) (page answer, number string) {
	t.Helper()
	page = b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login/method", url.Values{"method": {"credential"}})
	found := shownNumber.FindStringSubmatch(page.text)
	if found == nil || !strings.Contains(page.text, "openid4vp://?client_id=x") {
		t.Fatalf("got %s, want a link and a number", page.text)
	}
	return page, found[1]
}

// ends gives the acr of a login that is over but for the consent.
func (w *world) ends(t *testing.T, b *browser, page answer) any {
	t.Helper()
	said := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name"}}))
	tokens := w.post(t, "/oidc/token", w.trade(t, w.rp, said.Get("code")))
	return payload(t, tokens.str("id_token"))["acr"]
}

func TestACredentialFromAnotherDeviceLogsItsHolderIn(t *testing.T) {
	w := open(t)
	b, phone := w.browser(t), w.browser(t)
	page, number := w.showing(t, b)
	if q := w.counter.asked[w.counter.last]; !strings.Contains(q.Purpose, "Ministry of Examples") || q.Key == "" {
		t.Errorf("got %+v, want the party named and a key", q.WalletQuestion)
	}
	if got := b.submit(t, page, "/oidc/login/credential", url.Values{}); got.status != 422 {
		t.Errorf("got %d before the wallet answered, want 422", got.status)
	}
	at := w.counter.shows(t, w.person)
	confirm := phone.get(t, at)
	if confirm.status != 200 || !strings.Contains(confirm.text, "Ministry of Examples") || strings.Contains(confirm.text, `>`+number+`<`) {
		t.Fatalf("got %d %s, want the party named and the number asked", confirm.status, confirm.text)
	}
	if got := phone.confirm(t, at, ""); got.status != 422 {
		t.Errorf("got %d without a number, want 422", got.status)
	}
	if got := phone.confirm(t, at, number); got.status != 200 {
		t.Fatalf("got %d %s, want it confirmed", got.status, got.text)
	}
	if got := b.get(t, w.URL+"/oidc/login/credential/state"); got.str("state") != "confirmed" {
		t.Errorf("got %s, want confirmed", got.text)
	}
	if acr := w.ends(t, b, b.submit(t, page, "/oidc/login/credential", url.Values{})); acr != "urn:plinth:acr:credential" {
		t.Errorf("got %v", acr)
	}
	if again := phone.get(t, at); again.status != 400 {
		t.Errorf("got %d for an answer that was used, want 400", again.status)
	}
}

func TestACredentialOnTheSameDeviceNeedsNoNumber(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	w.showing(t, b)
	if acr := w.ends(t, b, b.get(t, w.counter.shows(t, w.person))); acr != "urn:plinth:acr:credential" {
		t.Errorf("got %v", acr)
	}
}

func TestACredentialByTheBrowserItself(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page, _ := w.showing(t, b)
	asked := b.submit(t, page, "/oidc/login/credential/browser", url.Values{})
	if asked.status != 200 || asked.str("answer_uri") == "" || asked.body["request"] == nil {
		t.Fatalf("got %d %s", asked.status, asked.text)
	}
	w.counter.shows(t, w.person)
	if acr := w.ends(t, b, b.submit(t, page, "/oidc/login/credential", url.Values{})); acr != "urn:plinth:acr:credential" {
		t.Errorf("got %v", acr)
	}
}

// Whoever is lured into showing a credential for somebody else's login does not know
// that login's number.
func TestAWrongNumberEndsTheRequest(t *testing.T) {
	w := open(t)
	b, victim := w.browser(t), w.browser(t)
	page, number := w.showing(t, b)
	at := w.counter.shows(t, w.person)
	wrong := string('0'+(number[0]-'0'+1)%10) + number[1:]
	if got := victim.confirm(t, at, wrong); got.status != 403 {
		t.Errorf("got %d, want 403", got.status)
	}
	if got := victim.confirm(t, at, number); got.status != 400 {
		t.Errorf("got %d for a second try, want 400", got.status)
	}
	if got := b.submit(t, page, "/oidc/login/credential", url.Values{}); got.status != 422 || !strings.Contains(got.text, "The number was wrong") {
		t.Errorf("got %d %s, want the login refused", got.status, got.text)
	}
}

func TestWhoShowsNothingIsNotLoggedIn(t *testing.T) {
	w := open(t)
	for name, answer := range map[string]struct {
		person uuid.UUID
		code   string
	}{"nobody": {uuid.Nil, "x"}, "a stranger": {uuid.New(), ""}, "another code": {w.person, "code-of-another"}} {
		b := w.browser(t)
		w.showing(t, b)
		at := w.counter.shows(t, answer.person)
		if answer.code != "" {
			u, err := url.Parse(at)
			must(t, err)
			query := u.Query()
			query.Set("response_code", answer.code)
			u.RawQuery = query.Encode()
			at = u.String()
		}
		if got := b.get(t, at); got.status != 422 {
			t.Errorf("%s: got %d %s, want it refused", name, got.status, got.text)
		}
	}
}

// A browser that was asked has not answered yet: the page shows its picture again.
func TestABrowserThatWasAskedHasNotAnswered(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page, _ := w.showing(t, b)
	asked := b.submit(t, page, "/oidc/login/credential/browser", url.Values{})
	if got := b.get(t, w.URL+"/oidc/login/credential/state"); got.str("state") != "asked" {
		t.Errorf("got %s, want asked", got.text)
	}
	if again := b.submit(t, page, "/oidc/login/credential/browser", url.Values{}); again.str("answer_uri") != asked.str("answer_uri") {
		t.Errorf("got %s, want the request that is open", again.text)
	}
	if got := b.get(t, w.URL+"/oidc/login"); got.status != 200 || !strings.Contains(got.text, "data:image/png;base64,") {
		t.Errorf("got %d %s, want the picture", got.status, got.text)
	}
}

func TestOneLoginAsksWalletsAFewTimes(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page, _ := w.showing(t, b)
	for range 20 {
		b.submit(t, page, "/oidc/login/credential/browser", url.Values{})
		b.get(t, w.URL+"/oidc/login")
	}
	var rows int
	must(t, w.pool.QueryRow(t.Context(), "SELECT count(*) FROM oidc_shown").Scan(&rows))
	if rows != 10 || len(w.counter.asked) != 10 {
		t.Errorf("got %d rows and %d requests, want 10", rows, len(w.counter.asked))
	}
}
