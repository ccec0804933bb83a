package oidc_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plinth-id/plinth/registry/auth"
)

const caep = "https://schemas.openid.net/secevent/caep/event-type/"

// receiver is a client that wants to hear of its people, with its access token.
type receiver struct {
	rp
	w     *world
	token string
}

func (w *world) receiver(t *testing.T) receiver {
	t.Helper()
	c := w.register(t, map[string]any{"grant_types": []string{"authorization_code", "client_credentials"}, "scope": "openid profile email phone ssf.manage ssf.read"})
	got := w.post(t, "/oidc/token", w.signed(t, c, url.Values{"grant_type": {"client_credentials"}, "scope": {"ssf.manage"}}))
	if got.status != 200 {
		t.Fatalf("got %d %s, want a token", got.status, got.text)
	}
	return receiver{c, w, got.str("access_token")}
}

// call sends JSON; path may carry a query.
func (r receiver) call(t *testing.T, method, path string, body any) answer {
	t.Helper()
	raw, err := json.Marshal(body)
	must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, r.w.URL+path, bytes.NewReader(raw))
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := http.DefaultClient.Do(request)
	must(t, err)
	return read(t, resp)
}

func (r receiver) stream(t *testing.T, delivery map[string]any) string {
	t.Helper()
	got := r.call(t, "POST", "/oidc/ssf/streams", map[string]any{"delivery": delivery, "events_requested": []string{caep + "session-revoked", caep + "credential-change", "urn:other"}})
	if got.status != 201 || got.str("iss") != r.w.URL || got.str("aud") != r.id || len(got.body["events_delivered"].([]any)) != 2 {
		t.Fatalf("got %d %s, want a stream", got.status, got.text)
	}
	return got.str("stream_id")
}

// polled fetches what waits, without acknowledging it.
func (r receiver) polled(t *testing.T, stream string, ack ...string) (sets []map[string]any) {
	t.Helper()
	got := r.call(t, "POST", "/oidc/ssf/poll/"+stream, map[string]any{"returnImmediately": true, "ack": ack})
	if got.status != 200 {
		t.Fatalf("got %d %s, want events", got.status, got.text)
	}
	for _, set := range got.body["sets"].(map[string]any) {
		sets = append(sets, payload(t, set.(string)))
	}
	return sets
}

func TestTheEndOfASessionIsFetched(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	stream := r.stream(t, nil)
	w.rp = r.rp
	b, tokens := w.loggedIn(t)
	id := payload(t, tokens.str("id_token"))
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	sets := r.polled(t, stream)
	if len(sets) != 1 {
		t.Fatalf("got %d events, want the end of the session", len(sets))
	}
	set := sets[0]
	subject := set["sub_id"].(map[string]any)
	user, session := subject["user"].(map[string]any), subject["session"].(map[string]any)
	if user["sub"] != id["sub"] || user["iss"] != w.URL || session["id"] != id["sid"] || set["aud"] != r.id || set["sub"] != nil || set["exp"] != nil || set["jti"] == nil || set["txn"] == nil {
		t.Errorf("got %v, want the session of %v", set, id)
	}
	if events := set["events"].(map[string]any); events[caep+"session-revoked"] == nil || len(events) != 1 {
		t.Errorf("got %v", events)
	}
	if again := r.polled(t, stream); len(again) != 1 || again[0]["jti"] != set["jti"] {
		t.Errorf("got %v, want what was not acknowledged again", again)
	}
	if rest := r.polled(t, stream, set["jti"].(string)); len(rest) != 0 {
		t.Errorf("got %v after the acknowledgement", rest)
	}
}

// A dump of the database must not tell who is spoken of.
func TestEventsInLineNameNobody(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	r.stream(t, map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": "http://127.0.0.1:9/events", "authorization_header": "Bearer open-sesame"})
	w.rp = r.rp
	b, tokens := w.loggedIn(t)
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	var dump string
	must(t, w.pool.QueryRow(t.Context(), `SELECT string_agg(encode(sealed, 'escape') || e::text, '') || (SELECT string_agg(encode(credential, 'escape') || s::text, '') FROM oidc_signal_stream s) FROM oidc_signal_event e`).Scan(&dump))
	for _, secret := range []string{payload(t, tokens.str("id_token"))["sub"].(string), "open-sesame", w.person.String(), "session-revoked\""} {
		if strings.Contains(dump, secret) {
			t.Errorf("%q is in the database", secret)
		}
	}
}

func TestEventsArePushedInOrderUntilTheyAreTaken(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	var down atomic.Bool
	down.Store(true)
	taken := make(chan map[string]any, 10)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if down.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		raw, err := io.ReadAll(req.Body)
		must(t, err)
		if req.Header.Get("Authorization") != "Bearer open-sesame" || req.Header.Get("Content-Type") != "application/secevent+jwt" {
			t.Errorf("got headers %v", req.Header)
		}
		taken <- payload(t, string(raw))
		rw.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	stream := r.stream(t, map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": server.URL, "authorization_header": "Bearer open-sesame"})
	w.rp = r.rp
	b, tokens := w.loggedIn(t)
	if got := r.call(t, "POST", "/oidc/ssf/verify", map[string]any{"stream_id": stream, "state": "xyz"}); got.status != 204 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if got := r.call(t, "POST", "/oidc/ssf/verify", map[string]any{"stream_id": stream}); got.status != 429 {
		t.Errorf("got %d for a second verification at once, want 429", got.status)
	}
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	if err := w.signals.Deliver(t.Context()); err == nil {
		t.Error("got no error of a receiver that is down")
	}
	down.Store(false)
	must(t, w.signals.Deliver(t.Context())) // it waits before it tries again
	if len(taken) != 0 {
		t.Errorf("got %d events during the pause", len(taken))
	}
	w.ahead.Add(int64(time.Minute))
	must(t, w.signals.Deliver(t.Context()))
	must(t, w.signals.Deliver(t.Context()))
	if len(taken) != 2 {
		t.Fatalf("got %d events, want two, each once", len(taken))
	}
	first, second := <-taken, <-taken
	check, _ := first["events"].(map[string]any)["https://schemas.openid.net/secevent/ssf/event-type/verification"].(map[string]any)
	if check["state"] != "xyz" || first["sub_id"].(map[string]any)["id"] != stream || second["events"].(map[string]any)[caep+"session-revoked"] == nil {
		t.Errorf("got %v, then %v", first, second)
	}
}

func TestAReceiverThatIsDownForADayIsPaused(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	stream := r.stream(t, map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": "http://127.0.0.1:9/"})
	r.call(t, "POST", "/oidc/ssf/verify", map[string]any{"stream_id": stream})
	for range 2 {
		_ = w.signals.Deliver(t.Context())
		w.ahead.Add(int64(25 * time.Hour))
	}
	fresh := w.post(t, "/oidc/token", w.signed(t, r.rp, url.Values{"grant_type": {"client_credentials"}, "scope": {"ssf.manage"}}))
	r.token = fresh.str("access_token")
	if got := r.call(t, "GET", "/oidc/ssf/status?stream_id="+stream, nil); got.str("status") != "paused" || got.str("reason") == "" {
		t.Fatalf("got %s, want it paused", got.text)
	}
	// Taken up again as a stream that is fetched, it first has what waited, then the news.
	r.call(t, "PATCH", "/oidc/ssf/streams", map[string]any{"stream_id": stream, "delivery": map[string]any{"method": "urn:ietf:rfc:8936"}})
	if got := r.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "enabled"}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if sets := r.polled(t, stream); len(sets) != 2 {
		t.Errorf("got %d events, want the verification and that it was paused", len(sets))
	}
}

func TestAStreamIsItsPartysOwn(t *testing.T) {
	w := open(t)
	r, other := w.receiver(t), w.receiver(t)
	stream := r.stream(t, nil)
	for what, got := range map[string]answer{
		"reading":   other.call(t, "GET", "/oidc/ssf/streams?stream_id="+stream, nil),
		"status":    other.call(t, "GET", "/oidc/ssf/status?stream_id="+stream, nil),
		"changing":  other.call(t, "PATCH", "/oidc/ssf/streams", map[string]any{"stream_id": stream}),
		"pausing":   other.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "disabled"}),
		"verifying": other.call(t, "POST", "/oidc/ssf/verify", map[string]any{"stream_id": stream}),
		"fetching":  other.call(t, "POST", "/oidc/ssf/poll/"+stream, map[string]any{}),
		"deleting":  other.call(t, "DELETE", "/oidc/ssf/streams?stream_id="+stream, nil),
		"no stream": r.call(t, "GET", "/oidc/ssf/status?stream_id=x", nil),
	} {
		if got.status != 404 {
			t.Errorf("%s another's stream: got %d %s, want 404", what, got.status, got.text)
		}
	}
	if got := r.call(t, "POST", "/oidc/ssf/streams", map[string]any{}); got.status != 409 {
		t.Errorf("got %d for a second stream, want 409", got.status)
	}
	if got := other.call(t, "GET", "/oidc/ssf/streams", nil); got.status != 200 || strings.TrimSpace(got.text) != "[]" {
		t.Errorf("got %d %s, want no streams", got.status, got.text)
	}
	// Another party hears nothing of people that it has not seen.
	w.rp = r.rp
	theirs := other.stream(t, nil)
	b, tokens := w.loggedIn(t)
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	if sets := other.polled(t, theirs); len(sets) != 0 {
		t.Errorf("got %v at a party where nobody was", sets)
	}
	nobody := receiver{r.rp, w, "nonsense"}
	if got := nobody.call(t, "GET", "/oidc/ssf/streams", nil); got.status != 401 || got.header.Get("WWW-Authenticate") == "" {
		t.Errorf("got %d without a token, want 401", got.status)
	}
	persons := receiver{r.rp, w, tokens.str("access_token")}
	if got := persons.call(t, "GET", "/oidc/ssf/streams", nil); got.status != 401 && got.status != 403 {
		t.Errorf("got %d with a person's token, want it refused", got.status)
	}
	if got := r.call(t, "DELETE", "/oidc/ssf/streams?stream_id="+stream, nil); got.status != 204 {
		t.Errorf("got %d, want it deleted", got.status)
	}
}

func TestWhatAPartyDoesNotWantToHearOf(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	stream := r.stream(t, nil)
	w.rp = r.rp
	b, tokens := w.loggedIn(t)
	subject := map[string]any{"format": "iss_sub", "iss": w.URL, "sub": payload(t, tokens.str("id_token"))["sub"]}
	if got := r.call(t, "POST", "/oidc/ssf/subjects/remove", map[string]any{"stream_id": stream, "subject": subject}); got.status != 204 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	if sets := r.polled(t, stream); len(sets) != 0 {
		t.Errorf("got %v of somebody who is not wanted", sets)
	}
	if got := r.call(t, "POST", "/oidc/ssf/subjects/add", map[string]any{"stream_id": stream, "subject": subject}); got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	b, tokens = w.loggedIn(t)
	r.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "paused"})
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	if sets := r.polled(t, stream); len(sets) != 0 {
		t.Errorf("got %v of a stream that is paused", sets)
	}
	r.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "enabled"})
	if sets := r.polled(t, stream); len(sets) != 1 {
		t.Errorf("got %d events, want what was kept", len(sets))
	}
	r.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "disabled"})
	r.call(t, "POST", "/oidc/ssf/status", map[string]any{"stream_id": stream, "status": "enabled"})
	if sets := r.polled(t, stream); len(sets) != 0 {
		t.Errorf("got %v of a stream that was disabled", sets)
	}
}

func TestANewWayToLogInIsTold(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	stream := r.stream(t, nil)
	w.rp = r.rp
	b, _ := w.loggedIn(t)
	page := b.get(t, w.URL+"/oidc/account")
	resp, err := b.PostForm(w.URL+"/oidc/account/secret", url.Values{"kind": {string(auth.ByPIN)}, "secret": {"7302915"}})
	must(t, err)
	if got := read(t, resp); got.status != 200 {
		t.Fatalf("got %d %s after %s", got.status, got.text, page.text)
	}
	sets := r.polled(t, stream)
	if len(sets) != 1 {
		t.Fatalf("got %d events, want the new PIN", len(sets))
	}
	change, _ := sets[0]["events"].(map[string]any)[caep+"credential-change"].(map[string]any)
	if change["credential_type"] != "pin" || change["change_type"] != "update" || sets[0]["sub_id"].(map[string]any)["format"] != "iss_sub" {
		t.Errorf("got %v", sets[0])
	}
}

func TestAStreamThatCannotBeIsRefused(t *testing.T) {
	w := open(t)
	r := w.receiver(t)
	for what, body := range map[string]any{
		"no object":        "x",
		"another delivery": map[string]any{"delivery": map[string]any{"method": "urn:carrier-pigeon"}},
		"no address":       map[string]any{"delivery": map[string]any{"method": "urn:ietf:rfc:8935"}},
		"a file":           map[string]any{"delivery": map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": "file:///etc/passwd"}},
		"two headers":      map[string]any{"delivery": map[string]any{"method": "urn:ietf:rfc:8935", "endpoint_url": "https://rp.example", "authorization_header": "a\r\nX: y"}},
		"too many events":  map[string]any{"events_requested": strings.Split(strings.Repeat("x,", 100), ",")},
		"another issuer":   map[string]any{"iss": "https://evil.example"},
	} {
		if got := r.call(t, "POST", "/oidc/ssf/streams", body); got.status != 400 {
			t.Errorf("%s: got %d %s, want 400", what, got.status, got.text)
		}
	}
	if got := r.call(t, "POST", "/oidc/ssf/streams", map[string]any{"description": strings.Repeat("x", 100_000)}); got.status != 413 {
		t.Errorf("got %d for 100 KB, want 413", got.status)
	}
	metadata := w.getJSON(t, "/.well-known/ssf-configuration")
	if metadata["issuer"] != w.URL || metadata["configuration_endpoint"] != w.URL+"/oidc/ssf/streams" || metadata["default_subjects"] != "ALL" {
		t.Errorf("got %v", metadata)
	}
}

func (w *world) getJSON(t *testing.T, path string) map[string]any {
	t.Helper()
	resp, err := http.Get(w.URL + path)
	must(t, err)
	return read(t, resp).body
}
