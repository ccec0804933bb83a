package credentials

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

// offered makes an offer as a test wants it.
func (h *house) offered(t *testing.T, to OfferTo) (o Offer, err error) {
	t.Helper()
	to.Person, to.Voucher = h.person, voucher()
	err = postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) (err error) {
		o, err = h.Offer(t.Context(), tx, to)
		return err
	})
	return o, err
}

// held reads the offer that a link holds or leads to.
func held(t *testing.T, link string) (offer map[string]any) {
	t.Helper()
	u, err := url.Parse(link)
	must(t, err)
	if value := u.Query().Get("credential_offer"); value != "" {
		must(t, json.Unmarshal([]byte(value), &offer))
		return offer
	}
	_, offer = ask(t, "GET", u.Query().Get("credential_offer_uri"), "", "")
	return offer
}

func TestAnOfferIsTheSameByValueAndByReference(t *testing.T) {
	h := newHouse(t)
	o, err := h.offered(t, OfferTo{Grants: []string{GrantType, LoginGrant}, TxCode: true, Code: CodeForm{Mode: "text", Length: 8, Description: "On the letter."}})
	must(t, err)
	for _, link := range []string{o.Value, o.Link} {
		offer := held(t, link)
		grants, _ := offer["grants"].(map[string]any)
		code, _ := grants[GrantType].(map[string]any)
		login, _ := grants[LoginGrant].(map[string]any)
		form, _ := code["tx_code"].(map[string]any)
		if offer["credential_issuer"] != h.url || code["pre-authorized_code"] != h.code(o) || len(login["issuer_state"].(string)) < 40 || form["input_mode"] != "text" || form["length"] != 8.0 || form["description"] != "On the letter." {
			t.Errorf("got %v", offer)
		}
	}
	if len(o.TxCode) != 8 || strings.Trim(o.TxCode, codeLetters) != "" {
		t.Errorf("got %q, want eight letters and digits", o.TxCode)
	}
	must(t, h.redeem(t, h.code(o), strings.ToLower(o.TxCode)))
	if got, _ := ask(t, "GET", o.Page, "", ""); got.StatusCode != 404 {
		t.Errorf("got %d for an offer that was used, want 404", got.StatusCode)
	}
}

func TestAnOfferIsDrawnForACamera(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	answer, err := http.Get(o.Page + "/code.svg")
	must(t, err)
	defer answer.Body.Close()
	svg, err := io.ReadAll(answer.Body)
	must(t, err)
	want, err := qr.SVG(o.Link, qr.Medium)
	if err != nil || string(svg) != string(want) || answer.Header.Get("Content-Type") != "image/svg+xml" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v, want the link as a QR code", answer.StatusCode, answer.Header)
	}
	r, err := http.NewRequest(http.MethodGet, o.Page, nil)
	must(t, err)
	r.Header.Set("Accept", "text/html")
	page, err := http.DefaultClient.Do(r)
	must(t, err)
	defer page.Body.Close()
	html, err := io.ReadAll(page.Body)
	must(t, err)
	if !strings.Contains(string(html), "/code.svg") || !strings.Contains(string(html), url.QueryEscape(draft13Path)) {
		t.Errorf("got %s, want the code, and a link for older wallets", html)
	}
}

func TestAnOfferThatCannotBeMadeIsRefused(t *testing.T) {
	h := newHouse(t)
	for what, to := range map[string]OfferTo{
		"unknown kind":     {Kinds: []string{"driving_licence"}},
		"no kind":          {Kinds: []string{}},
		"unknown grant":    {Grants: []string{"password"}},
		"no grant":         {Grants: []string{}},
		"unknown mode":     {TxCode: true, Code: CodeForm{Mode: "voice"}},
		"short code":       {TxCode: true, Code: CodeForm{Length: 3}},
		"long code":        {TxCode: true, Code: CodeForm{Length: 13}},
		"long description": {TxCode: true, Code: CodeForm{Description: strings.Repeat("x", 301)}},
	} {
		_, err := h.offered(t, to)
		refused(t, what, err, "offer-invalid")
	}
}

const challengeOf = "a verifier of forty-three characters or more, no"

// loginFrom begins a login at the pushed request endpoint, and gives the address for
// the browser or the error.
func (h *house) loginFrom(t *testing.T, extra url.Values) (to, refusal string) {
	t.Helper()
	verifier := strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' {
			return '-'
		}
		return r
	}, challengeOf)
	sum := sha256.Sum256([]byte(verifier))
	form := url.Values{"response_type": {"code"}, "client_id": {h.wallet}, "redirect_uri": {loopback}, "scope": {"national_id"}, "state": {"a state of some length"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for name, values := range extra {
		form[name] = values
	}
	answer, err := http.PostForm(h.url+"/oidc/par", form)
	must(t, err)
	defer answer.Body.Close()
	var told map[string]any
	must(t, json.NewDecoder(answer.Body).Decode(&told))
	if answer.StatusCode != 201 {
		return "", told["error"].(string)
	}
	return h.url + "/oidc/authorize?" + url.Values{"client_id": {h.wallet}, "request_uri": {told["request_uri"].(string)}}.Encode(), ""
}

func TestIssuerStateBindsTheLoginToTheOffer(t *testing.T) {
	h := newHouse(t)
	o, err := h.offered(t, OfferTo{Grants: []string{LoginGrant}})
	must(t, err)
	offer := held(t, o.Link)
	state := offer["grants"].(map[string]any)[LoginGrant].(map[string]any)["issuer_state"].(string)
	refused(t, "the code of an offer that has none", h.redeem(t, h.code(o), ""), "invalid_grant")
	if _, no := h.loginFrom(t, url.Values{"issuer_state": {"injected"}}); no != "invalid_request" {
		t.Errorf("got %q for a state of nobody, want invalid_request", no)
	}
	// Somebody else logs in with the offer of the person.
	owner, uin := h.person, h.uin
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		a, err := h.Registry.Assign(t.Context(), tx, registry.NewIdentity{Application: owner, Fields: ada})
		h.uin = a.UIN
		return err
	}))
	to, _ := h.loginFrom(t, url.Values{"issuer_state": {state}})
	if back := h.logIn(t, to); !strings.Contains(back, "error=access_denied") {
		t.Errorf("got %s for another person, want access_denied", back)
	}
	h.uin = uin
	to, _ = h.loginFrom(t, url.Values{"issuer_state": {state}})
	second, _ := h.loginFrom(t, url.Values{"issuer_state": {state}})
	if back := h.logIn(t, to); !strings.Contains(back, "code=") {
		t.Errorf("got %s, want a code", back)
	}
	if back := h.logIn(t, second); !strings.Contains(back, "error=invalid_request") {
		t.Errorf("got %s for an offer that was taken up, want invalid_request", back)
	}
	if _, err := h.Offered(t.Context(), h.Pool, state); fault.Of(err) == nil {
		t.Errorf("got %v, want the offer used up", err)
	}
}
