package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/place"
)

// here opens the demo's data a second time, from the test.
func (d *running) here(t *testing.T, settings ...string) *house {
	t.Helper()
	s, err := readSettings("", append(append(slices.Clone(d.env), "PLINTH_ROLES=web"), settings...))
	must(t, err)
	g, err := openGround(t.Context(), s, false)
	must(t, err)
	t.Cleanup(g.close)
	h, err := openHouse(t.Context(), g)
	must(t, err)
	must(t, (&demo{ground: g, dir: d.dir}).openPortal(h))
	return h
}

// tokens are one of each kind of caller.
func (d *running) tokens(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"nobody": "", "a liar": "Bearer " + strings.Repeat("x", 43), "a password": "Basic b2xnYTpvbGdh"}
	for _, staff := range d.sheet.Staff {
		api, err := signIn(t.Context(), d.url, staff.Name, staff.Password)
		must(t, err)
		all[staff.Role] = "Bearer " + api.token
	}
	return all
}

var parameter = regexp.MustCompile(`[:*][a-z]+`)

// ask calls a door with nothing that it could act on.
func (d *running) ask(t *testing.T, method, path, authorization string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, d.url+parameter.ReplaceAllString(path, uuid.NewString()), bytes.NewReader(nil))
	must(t, err)
	r.Header.Set("Accept", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer, string(raw)
}

// Every door that names a role is called as everybody: those who may come in are
// not refused, all others are, by the same problem each time.
func TestASVS_8_3_1_EveryRouteRefusesEveryoneElse(t *testing.T) {
	d := demoOf(t)
	may := map[web.Caller][]place.Role{
		web.Officer:       {place.Operator, place.Adjudicator, place.Administrator},
		web.Operator:      {place.Operator, place.Administrator},
		web.Adjudicator:   {place.Adjudicator},
		web.Administrator: {place.Administrator},
	}
	asked := 0
	for _, route := range d.here(t).router.Routes() {
		roles, guarded := may[route.Who]
		if !guarded {
			continue
		}
		for who, authorization := range d.tokens(t) { // fresh ones: one of the doors signs out
			answer, body := d.ask(t, route.Method, route.Path, authorization)
			refused := answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden
			if let := slices.Contains(roles, place.Role(who)); let == refused {
				t.Errorf("%s %s as %s: got %d %s; want let in: %v", route.Method, route.Path, who, answer.StatusCode, body, let)
			}
			asked++
		}
	}
	if asked < 30 {
		t.Errorf("got %d questions, want every door asked by everybody", asked)
	}
}

// A door for clients or for holders of a token refuses who comes without.
func TestProtocolDoorsRefuseStrangers(t *testing.T) {
	d := demoOf(t)
	for _, route := range d.here(t).router.Routes() {
		answer, body := d.ask(t, route.Method, route.Path, "")
		switch route.Who {
		case web.Bearer:
			if answer.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(answer.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s: got %d %s, want 401 and a challenge", route.Method, route.Path, answer.StatusCode, body)
			}
		case web.Client:
			if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusBadRequest {
				t.Errorf("%s %s: got %d %s, want it refused", route.Method, route.Path, answer.StatusCode, body)
			}
		}
	}
}

// The doors that are open to all are listed here, so that none is opened by mistake.
func TestOpenDoorsAreTheseAndNoOthers(t *testing.T) {
	open := strings.Fields(`/ /static/*file /healthz /readyz /metrics /openapi.json /api/v1/sessions
		/.well-known/openid-configuration /.well-known/oauth-authorization-server /.well-known/openid-credential-issuer /.well-known/did.json
		/.well-known/plinth-trust.json /oidc/jwks /oidc/authorize /oidc/login /oidc/login/code /oidc/login/method /oidc/login/secret /oidc/login/knowledge /oidc/login/passkey /.well-known/ssf-configuration /oidc/ssf/streams /oidc/ssf/status /oidc/ssf/subjects/add /oidc/ssf/subjects/remove /oidc/ssf/verify /oidc/ssf/poll/:id /oidc/login/image /oidc/login/device /oidc/login/device/help /oidc/login/device/certificate /oidc/login/longer /oidc/logout /oidc/logout/confirm /oidc/device /oidc/device/code /oidc/device/done /oidc/ciba /oidc/ciba/code /oidc/account /oidc/account/receipts/:id /oidc/account/passkey/new /oidc/account/passkey /oidc/account/secret /oidc/account/drop /oidc/login/wallet /oidc/login/wallet/state /oidc/link /oidc/link/transaction /oidc/link/authenticate /oidc/link/consent /oidc/link/binding-otp /oidc/link/binding /oidc/account/withdraw /oidc/account/logout /oidc/login/consent
		/oidc/login/resend /oidc/login/back /oidc/login/cancel /contexts/identity/v1 /vci/offer/:secret /vci/nonce /status/:list /verify
		/wallet /wallet/receive /wallet/present /wallet/back /wallet/worker.js /wallet/manifest.webmanifest /wallet/scan /wallet/blob /wallet/errand/offer /wallet/errand/accept
		/wallet/errand/back /wallet/errand/sign /wallet/errand/poll /wallet/errand/more /wallet/errand/forget /wallet/errand/ask /wallet/errand/match /wallet/errand/choose
		/wallet/errand/answer /wallet/errand/refuse /wallet/errand/bind /wallet/errand/prove /wallet/errand/bound /wallet/errand/link /wallet/errand/allow /wallet/errand/allowed
		/wallet/errand/picture /wallet/errand/status /verify/check /verify/offline /verify/offline.json /verify/worker.js /verify/manifest.webmanifest /verify/embed.js /verify/frame
		/verify/ask /verify/ask/state /verify/ask/answer /vp/requests /vp/requests/:id /vp/requests/:id/presentation /vp/requests/:id/object /vp/responses/:id /vp/did.json /vp/jwks
		/oidc/login/credential /oidc/login/credential/browser /oidc/login/credential/state /oidc/login/credential/return /oidc/login/credential/confirm /status/:list/:purpose
		/vci/offer/:secret/code.svg /vci/draft13/offer/:secret /.well-known/openid-credential-issuer/vci/draft13 /vci/draft13/.well-known/openid-credential-issuer
		/.well-known/jwt-vc-issuer /.well-known/plinth-trust.jwt /.well-known/plinth-crl /vct/:name /contexts/kinds/:name/:hash`)
	for _, route := range demoOf(t).here(t).router.Routes() {
		if route.Who == web.Anyone && !slices.Contains(open, route.Path) {
			t.Errorf("%s %s is open to anyone and is not on the list", route.Method, route.Path)
		}
		if (route.Who == web.Demo) != strings.HasPrefix(route.Path, "/demo/") {
			t.Errorf("%s %s is for %s: doors of the demonstration are under /demo/, and no others", route.Method, route.Path, route.Who)
		}
	}
}

// /openapi.json names every door of our own API, and none that is not there.
func TestDescriptionAndDoorsAgree(t *testing.T) {
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	must(t, json.Unmarshal(openapi, &described))
	there := make(map[string]bool)
	for _, route := range demoOf(t).here(t).router.Routes() {
		path := regexp.MustCompile(`:([a-z]+)`).ReplaceAllString(route.Path, "{$1}")
		there[strings.ToLower(route.Method)+" "+path] = true
		if _, ok := described.Paths[path][strings.ToLower(route.Method)]; !ok && strings.HasPrefix(path, "/api/v1/") {
			t.Errorf("%s %s is not in openapi.json", route.Method, path)
		}
	}
	for path, methods := range described.Paths {
		for method := range methods {
			if method != "parameters" && !there[method+" "+path] {
				t.Errorf("openapi.json describes %s %s, which is not there", method, path)
			}
		}
	}
}
