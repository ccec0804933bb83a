package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/registry/partner"
)

// A key set that does not come holds no connection of the database: others get their
// tokens meanwhile, and it is not asked for again by everybody.
func TestASlowKeySetKeepsNobodyElseWaiting(t *testing.T) {
	w := open(t)
	var asked sync.Map
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n, _ := asked.LoadOrStore("n", new(int))
		*n.(*int)++
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	bad := w.register(t, map[string]any{"jwks": nil, "jwks_uri": slow.URL})
	bad.key = newKey(t)
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			resp, err := http.PostForm(w.URL+"/oidc/token", w.signed(t, bad, url.Values{"grant_type": {"client_credentials"}}))
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	for range 100 { // until they are on their way
		if _, there := asked.Load("n"); there {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := w.post(t, "/oidc/token", w.trade(t, w.rp, w.code(t))); got.status != 200 {
		t.Errorf("got %d %s, want the other client served", got.status, got.text)
	}
	close(release)
	all.Wait()
	if n, _ := asked.Load("n"); *n.(*int) > 2 {
		t.Errorf("got %d fetches of one set, want few", *n.(*int))
	}
}

// An answer that is taken back was the answer to all askings of the question.
func TestWithdrawalReachesOlderAnswersToTheQuestion(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	first := w.post(t, "/oidc/token", w.trade(t, w.rp, b.login(t, w.asks(w.question(w.rp)), "name").Get("code")))
	again := w.question(w.rp)
	again.Set("prompt", "consent")
	page := b.get(t, w.asks(again))
	back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name"}}))
	account := b.get(t, w.URL+"/oidc/account")
	if n := strings.Count(account.text, `action="/oidc/account/withdraw"`); n != 1 {
		t.Errorf("got %d answers on the page, want the question once", n)
	}
	_, id, _ := strings.Cut(account.text, `name="id" value="`)
	id, _, _ = strings.Cut(id, `"`)
	resp, err := b.PostForm(w.URL+"/oidc/account/withdraw", url.Values{"id": {id}})
	must(t, err)
	resp.Body.Close()
	if got := b.get(t, w.asks(w.question(w.rp))); got.status != 200 || !strings.Contains(got.text, `value="allow"`) {
		t.Errorf("got %d %s, want to be asked again", got.status, got.text)
	}
	if got := w.userinfo(t, first.str("access_token")); got.status != 401 {
		t.Errorf("got %d for the token of the older answer, want it ended", got.status)
	}
}

// Somebody who is logged in and has answered before is still shown what another device asks.
func TestADeviceIsNeverLetInUnseen(t *testing.T) {
	w := open(t)
	tv := w.register(t, map[string]any{"grant_types": []string{deviceGrant, "refresh_token"}, "redirect_uris": nil, "response_types": []string{}})
	b := w.browser(t)
	for round := range 2 {
		begun := w.post(t, "/oidc/device", w.signed(t, tv, url.Values{"scope": {"openid profile"}}))
		page := b.enter(t, "device", begun.str("user_code"))
		if round == 0 {
			page = b.toConsent(t, page)
		}
		if page.status != 200 || !strings.Contains(page.text, `value="allow"`) {
			t.Fatalf("round %d: got %d %s, want to be asked", round, page.status, page.text)
		}
		b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name"}})
	}
}

func TestARequestGoesBeforeTheDefaultOfItsClient(t *testing.T) {
	w := open(t)
	w.rp = w.register(t, map[string]any{"default_acr_values": []string{"mosip:idp:acr:generated-code"}})
	b, _ := w.loggedIn(t)
	query := w.question(w.rp)
	query.Set("acr_values", "urn:plinth:acr:passkey")
	query.Set("prompt", "none")
	if said := back(t, b.get(t, w.asks(query))); said.Get("error") != "login_required" {
		t.Errorf("got %v, want a stronger login asked for", said)
	}
}

// A page that has an ID token of its own must not log out whoever visits it.
func TestATokenOfAnotherSessionLogsNobodyOut(t *testing.T) {
	w := open(t)
	_, stranger := w.loggedIn(t)
	victim, tokens := w.loggedIn(t)
	got := victim.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {stranger.str("id_token")}}.Encode())
	if got.status != 200 || !strings.Contains(got.text, "Do you want to log out?") {
		t.Errorf("got %d %s, want the person asked", got.status, got.text)
	}
	for _, access := range []string{tokens.str("access_token"), stranger.str("access_token")} {
		if info := w.userinfo(t, access); info.status != 200 {
			t.Errorf("got %d, want both still logged in", info.status)
		}
	}
}

// What a logout ended stays ended when the row of the session is swept.
func TestALogoutOutlivesItsSession(t *testing.T) {
	w := open(t)
	b, _ := w.loggedIn(t)
	w.ahead.Store(int64(55 * time.Minute))
	late := w.post(t, "/oidc/token", w.trade(t, w.rp, back(t, b.get(t, w.asks(w.question(w.rp)))).Get("code")))
	b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {late.str("id_token")}}.Encode())
	w.ahead.Store(int64(61 * time.Minute))
	must(t, w.provider.Sweep(t.Context()))
	if got := w.userinfo(t, late.str("access_token")); got.status != 401 {
		t.Errorf("got %d, want the token ended for good", got.status)
	}
}

// One relying party that does not answer delays no other.
func TestADeadPartyDelaysNoOther(t *testing.T) {
	w := open(t)
	hang := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(hang) })
	alive, told := w.backchannel(t)
	for _, c := range []rp{w.register(t, map[string]any{"backchannel_logout_uri": dead.URL}), alive} {
		w.rp = c
		b, tokens := w.loggedIn(t)
		b.get(t, w.URL+"/oidc/logout?"+url.Values{"id_token_hint": {tokens.str("id_token")}}.Encode())
	}
	go func() { _ = w.provider.Deliver(t.Context()) }()
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Error("the party that answers was not told")
	}
}

// What is in authorization_details is shown, whole, or refused; and the person finds it
// again, on their page and in the receipt.
func TestDetailsAreShownBeforeTheyAreAllowed(t *testing.T) {
	w := open(t)
	c := w.register(t, map[string]any{"authorization_details_types": []string{"payment_initiation"}})
	b := w.browser(t)
	query := w.question(c)
	query.Set("authorization_details", `[{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"99999.00"},"creditorName":"Mallory"}]`)
	page := b.toConsent(t, b.get(t, w.asks(query)))
	for _, want := range []string{"payment_initiation", "instructedAmount amount", "99999.00", "Mallory"} {
		if !strings.Contains(page.text, want) {
			t.Errorf("got %s, want %s shown", page.text, want)
		}
	}
	back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}))
	account := b.get(t, w.URL+"/oidc/account")
	if !strings.Contains(account.text, "Mallory") {
		t.Errorf("got %s, want it on the person's page", account.text)
	}
	_, id, _ := strings.Cut(account.text, `/oidc/account/receipts/`)
	id, _, _ = strings.Cut(id, `"`)
	record, _ := payload(t, b.get(t, w.URL+"/oidc/account/receipts/"+id).text)["consent"].(map[string]any)
	if record["authorization_details"] == nil {
		t.Errorf("got %v, want the details in the receipt", record)
	}
	for name, hidden := range map[string]string{
		"too many":   `[{"type":"payment_initiation","list":[` + strings.Repeat(`"x",`, 60) + `"x"]}]`,
		"too long":   `[{"type":"payment_initiation","memo":"` + strings.Repeat("x", 400) + `"}]`,
		"too deep":   `[{"type":"payment_initiation","a":` + strings.Repeat(`{"a":`, 12) + `1` + strings.Repeat(`}`, 12) + `}]`,
		"unlettered": `[{"type":"payment_initiation","memo":"\u0000"}]`,
	} {
		query.Set("authorization_details", hidden)
		if said := back(t, b.get(t, w.asks(query))); said.Get("error") == "" {
			t.Errorf("%s: got %v, want it refused", name, said)
		}
	}
}

// A cookie from before the person was proven again opens nothing afterwards.
func TestStepUpTurnsTheCookie(t *testing.T) {
	w := open(t)
	b, _ := w.loggedIn(t)
	at, err := url.Parse(w.URL)
	must(t, err)
	stolen := w.browser(t)
	stolen.Jar.SetCookies(at, b.Jar.Cookies(at))
	query := w.question(w.rp)
	query.Set("prompt", "login")
	b.login(t, w.asks(query))
	silent := w.question(w.rp)
	silent.Set("prompt", "none")
	if said := back(t, stolen.get(t, w.asks(silent))); said.Get("error") != "login_required" {
		t.Errorf("got %v for the old cookie, want it worth nothing", said)
	}
	if said := back(t, b.get(t, w.asks(silent))); said.Get("code") == "" {
		t.Errorf("got %v for the new cookie, want a code", said)
	}
}

// Keys are a relying party's own affair; by which name it knows people is not.
func TestASectorStays(t *testing.T) {
	w := open(t)
	raw := `{"client_name":"A","plinth_profile":"oidc","token_endpoint_auth_method":"client_secret_basic","redirect_uris":["https://evil.example/cb"],"sector_identifier_uri":"https://tax.gov.example/sector.json"}`
	added, err := w.partners.Add(t.Context(), []byte(raw))
	must(t, err)
	changed, err := w.partners.Update(t.Context(), added.ID, []byte(strings.Replace(raw, `,"sector_identifier_uri":"https://tax.gov.example/sector.json"`, "", 1)))
	must(t, err)
	if changed.Sector != "tax.gov.example" {
		t.Errorf("got sector %s, want it to stay", changed.Sector)
	}
}

// A federation vouches for who somebody is, and grants nothing else.
func TestAFederationGrantsLoginsOnly(t *testing.T) {
	w := open(t)
	raw := `{"client_name":"F","token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://rp.example/jwks","redirect_uris":["https://rp.example/cb"],"scope":"openid profile ssf.manage national_id",
		"grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:token-exchange"],"plinth_resources":["https://api.example"],"authorization_details_types":["payment"],"sector_identifier_uri":"https://tax.gov.example/s"}`
	must(t, pgx.BeginFunc(t.Context(), w.pool, func(tx pgx.Tx) error {
		return w.partners.Vouched(t.Context(), tx, "https://rp.example", []byte(raw), w.now().Add(time.Hour))
	}))
	c, err := w.partners.Client(t.Context(), w.pool, "https://rp.example")
	must(t, err)
	if c.Resources != nil || c.DetailTypes != nil || c.Sector != "rp.example" || len(c.Scopes) != 2 || len(c.GrantTypes) != 1 || c.Profile != partner.OIDC {
		t.Errorf("got %+v, want logins and nothing else", c)
	}
}

// Claims that are wished for with their verification are explained like all others.
func TestVerifiedClaimsAreExplained(t *testing.T) {
	w := open(t)
	query := w.question(w.rp)
	query.Set("claims", `{"userinfo":{"verified_claims":{"verification":{"trust_framework":null},"claims":{"birthdate":{"essential":true,"purpose":"To know that you are of age"}}}}}`)
	b := w.browser(t)
	page := b.toConsent(t, b.get(t, w.asks(query)))
	before, _, _ := strings.Cut(page.text, "You decide")
	if !strings.Contains(before, "To know that you are of age") || !strings.Contains(before, "Date of birth") {
		t.Errorf("got %s, want it among what is needed, with its purpose", page.text)
	}
}
