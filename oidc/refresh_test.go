package oidc_test

import (
	"net/url"
	"sync"
	"testing"
	"time"
)

func (w *world) refreshing(t *testing.T) (rp, answer) {
	t.Helper()
	c := w.register(t, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
	query := w.question(c)
	query.Set("scope", "openid profile email offline_access")
	code := w.browser(t).login(t, w.asks(query), "name", "email").Get("code")
	got := w.post(t, "/oidc/token", w.trade(t, c, code))
	if got.str("refresh_token") == "" {
		t.Fatalf("got %d %s, want a refresh token", got.status, got.text)
	}
	return c, got
}

func (w *world) refresh(t *testing.T, c rp, token string, more url.Values) answer {
	t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	for name, values := range more {
		form[name] = values
	}
	return w.post(t, "/oidc/token", w.signed(t, c, form))
}

func TestARefreshTokenIsRenewedAndItsReuseEndsTheGrant(t *testing.T) {
	w := open(t)
	c, first := w.refreshing(t)
	second := w.refresh(t, c, first.str("refresh_token"), nil)
	if second.status != 200 || second.str("refresh_token") == first.str("refresh_token") || second.str("id_token") == "" {
		t.Fatalf("got %d %s, want new tokens", second.status, second.text)
	}
	// The answer was lost: the client comes again with what it has.
	again := w.refresh(t, c, first.str("refresh_token"), nil)
	if again.status != 200 || again.str("refresh_token") != second.str("refresh_token") {
		t.Fatalf("got %d %s, want the same refresh token once more", again.status, again.text)
	}
	if got := w.userinfo(t, first.str("access_token")); got.status != 200 {
		t.Errorf("got %d for the access token of before, want it good until it ends", got.status)
	}
	w.ahead.Store(int64(time.Minute))
	w.refresh(t, c, first.str("refresh_token"), nil).refuses(t, 400, "invalid_grant")
	w.refresh(t, c, second.str("refresh_token"), nil).refuses(t, 400, "invalid_grant")
	if got := w.userinfo(t, second.str("access_token")); got.status != 401 {
		t.Errorf("got %d, want everything of the grant ended", got.status)
	}
	var logged int
	must(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE event = 'refresh-replayed' AND person = $1`, w.person).Scan(&logged))
	if logged != 1 {
		t.Errorf("got %d entries in the log, want 1", logged)
	}
}

func TestARefreshMayAskForLessAndForNoMore(t *testing.T) {
	w := open(t)
	c, first := w.refreshing(t)
	less := w.refresh(t, c, first.str("refresh_token"), url.Values{"scope": {"email"}})
	if less.status != 200 || less.str("scope") != "email" || less.str("id_token") != "" {
		t.Fatalf("got %d %s, want email alone", less.status, less.text)
	}
	if got := w.userinfo(t, less.str("access_token")); got.status != 403 {
		t.Errorf("got %d, want userinfo to be out of reach", got.status)
	}
	w.refresh(t, c, less.str("refresh_token"), url.Values{"scope": {"email phone"}}).refuses(t, 400, "invalid_scope")
	other := w.register(t, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}})
	w.refresh(t, other, less.str("refresh_token"), nil).refuses(t, 400, "invalid_grant")
	w.refresh(t, w.rp, less.str("refresh_token"), nil).refuses(t, 400, "unauthorized_client")
	for _, rubbish := range []string{"x", first.str("access_token"), less.str("refresh_token") + "x"} {
		w.refresh(t, c, rubbish, nil).refuses(t, 400, "invalid_grant")
	}
}

func TestOneRefreshTokenIsTurnedOnceByAHundred(t *testing.T) {
	w := open(t)
	c, first := w.refreshing(t)
	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	forms := make([]url.Values, 100)
	for i := range forms {
		forms[i] = w.signed(t, c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}})
	}
	for _, form := range forms {
		all.Go(func() {
			got := w.post(t, "/oidc/token", form)
			mu.Lock()
			seen[got.str("refresh_token")]++
			mu.Unlock()
		})
	}
	all.Wait()
	if len(seen) != 1 || seen[""] != 0 {
		t.Errorf("got %v, want one new refresh token for all", seen)
	}
	var generation int
	must(t, w.pool.QueryRow(t.Context(), `SELECT max(generation) FROM oidc_grant WHERE client = $1`, c.id).Scan(&generation))
	if generation != 1 {
		t.Errorf("got generation %d, want 1", generation)
	}
}

// FAPI 2.0, 5.3.2.1: no rotation, since the client's key guards the token.
func TestAStrictClientsRefreshTokenStays(t *testing.T) {
	w := open(t)
	c := w.strict(t, nil)
	first := w.tokens(t, c, func(form url.Values) { form.Set("scope", "openid offline_access") })
	for range 2 {
		got := w.send(t, "/oidc/token", w.signed(t, c.rp, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}}),
			map[string]string{"DPoP": w.proof(t, c.bound, "POST", "/oidc/token", "", nil)})
		if got.status != 200 || got.str("refresh_token") != first.str("refresh_token") || got.str("token_type") != "DPoP" {
			t.Fatalf("got %d %s, want a new access token and the same refresh token", got.status, got.text)
		}
	}
}
