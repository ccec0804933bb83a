package present

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/internal/fault"
)

// Every answer here is refused; the ones that came from the wallet of the request
// end it, and nothing of them is shown.
func TestForgedAnswersAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	sdJWT := func(change func(*wallet)) func(claims map[string]any) url.Values {
		return func(claims map[string]any) url.Values {
			a := w.walletFor(claims)
			change(&a)
			return form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})
		}
	}
	spoilt := func(change func(token string) any) func(claims map[string]any) url.Values {
		return func(claims map[string]any) url.Values { return form(claims, change(w.sdJWT(w.walletFor(claims)))) }
	}
	one := func(token string) any { return map[string]any{"pid": []string{token}} }
	for name, c := range map[string]struct {
		make func(claims map[string]any) url.Values
		code string // of the reason that the verifier is told
	}{
		"another nonce":           {sdJWT(func(a *wallet) { a.nonce = secret() }), "request_mismatch"},
		"another audience":        {sdJWT(func(a *wallet) { a.audience = "x509_hash:other" }), "request_mismatch"},
		"audience without prefix": {sdJWT(func(a *wallet) { _, a.audience, _ = strings.Cut(a.audience, ":") }), "request_mismatch"},
		"another wallet's key":    {sdJWT(func(a *wallet) { a.key = p256() }), "holder_mismatch"},
		"signed long ago":         {sdJWT(func(a *wallet) { a.at = a.at.Add(-time.Hour) }), "request_mismatch"},
		"a claim too few":         {sdJWT(func(a *wallet) { a.show = [][]any{{"given_name"}} }), ""},
		"transaction not asked":   {sdJWT(func(a *wallet) { a.transaction = []string{"e30"} }), "transaction_missing"},
		"without holder's proof":  {spoilt(func(s string) any { return one(s[:strings.LastIndexByte(s, '~')+1]) }), "holder_unproved"},
		"disclosure added": {spoilt(func(s string) any {
			at := strings.IndexByte(s, '~')
			return one(s[:at] + "~WyJzYWx0IiwiYWdlIiw0MV0" + s[at:])
		}), "signature_bad"},
		"signature changed": {spoilt(func(s string) any {
			at := strings.IndexByte(s, '~') - 8
			return one(s[:at] + strings.Map(func(r rune) rune { return 'A' }, s[at:at+4]) + s[at+4:])
		}), "signature_bad"},
		"nothing of it": {spoilt(func(string) any { return one("x") }), "malformed"},
		"two for one":   {spoilt(func(s string) any { return map[string]any{"pid": []string{s, s}} }), ""},
		"unasked":       {spoilt(func(s string) any { return map[string]any{"pid": []string{s}, "more": []string{s}} }), ""},
		"an mdoc instead": {func(claims map[string]any) url.Values {
			a := w.walletFor(claims)
			return form(claims, one(w.mdoc(a, must(mdoc.RedirectTranscript(a.audience, a.nonce, a.responseTo, a.thumbprint)))))
		}, "malformed"},
	} {
		r := w.ask(t, map[string]any{"preset": "name"})
		_, claims := w.object(t, r, nil)
		status, answer := w.respond(t, claims["response_uri"].(string), c.make(claims))
		if status != 400 || answer["error"] != "invalid_request" {
			t.Errorf("%s: got %d %v, want invalid_request", name, status, answer)
		}
		_, result := w.result(t, r, "")
		if result.State != stateFailed || result.Verdict != "invalid" {
			t.Errorf("%s: got %+v, want it failed", name, result)
		}
		found := c.code == ""
		for _, shown := range result.Credentials {
			if shown.Claims != nil {
				t.Errorf("%s: got %v shown", name, shown.Claims)
			}
			for _, reason := range shown.Reasons {
				found = found || reason.Code == c.code
			}
		}
		if !found {
			t.Errorf("%s: got %+v, want the reason %s", name, result.Credentials, c.code)
		}
		if status, _ := w.respond(t, claims["response_uri"].(string), sdJWT(func(*wallet) {})(claims)); status != 404 {
			t.Errorf("%s: got %d for a second try, want the request ended", name, status)
		}
	}
}

func TestMdocOfAnotherSessionIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	for name, session := range map[string]func(wallet) mdoc.Transcript{
		"another nonce": func(a wallet) mdoc.Transcript {
			return must(mdoc.RedirectTranscript(a.audience, "n", a.responseTo, a.thumbprint))
		},
		"another client": func(a wallet) mdoc.Transcript {
			return must(mdoc.RedirectTranscript("x", a.nonce, a.responseTo, a.thumbprint))
		},
		"another address": func(a wallet) mdoc.Transcript {
			return must(mdoc.RedirectTranscript(a.audience, a.nonce, "https://evil.example", a.thumbprint))
		},
		"another key": func(a wallet) mdoc.Transcript {
			return must(mdoc.RedirectTranscript(a.audience, a.nonce, a.responseTo, make([]byte, 32)))
		},
		"not sealed": func(a wallet) mdoc.Transcript {
			return must(mdoc.RedirectTranscript(a.audience, a.nonce, a.responseTo, nil))
		},
		"of a browser": func(a wallet) mdoc.Transcript { return must(mdoc.DCAPITranscript(base, a.nonce, a.thumbprint)) },
	} {
		r := w.ask(t, map[string]any{"dcql_query": json.RawMessage(askAge)})
		_, claims := w.object(t, r, nil)
		a := w.walletFor(claims)
		if status, _ := w.respond(t, a.responseTo, form(claims, map[string]any{"age": []string{w.mdoc(a, session(a))}})); status != 400 {
			t.Errorf("%s: got %d, want 400", name, status)
		}
		if _, result := w.result(t, r, ""); result.State != stateFailed || result.Credentials[0].Claims != nil {
			t.Errorf("%s: got %+v", name, result)
		}
	}
}

// A wallet need not look at values; we must.
func TestCredentialThatFailsTheValuesIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"dcql_query": json.RawMessage(strings.Replace(askName, "Nkosi", "Smith", 1))})
	_, claims := w.object(t, r, nil)
	a := w.walletFor(claims)
	if status, _ := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != 400 {
		t.Errorf("got %d, want 400", status)
	}
	if _, result := w.result(t, r, ""); result.State != stateFailed || result.Credentials[0].Claims != nil {
		t.Errorf("got %+v, want nothing shown", result)
	}
}

// Who does not know the state, or cannot encrypt to the key of the request, has not
// read it: such an answer is refused and the wallet's own still counts.
func TestStrangersCannotEndARequest(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name"})
	_, claims := w.object(t, r, nil)
	_, others := w.object(t, w.ask(t, map[string]any{"preset": "name"}), nil)
	a := w.walletFor(claims)
	token := map[string]any{"pid": []string{w.sdJWT(a)}}
	state := claims["state"].(string)
	key, _ := sealingKey(claims)
	sealed := func(claims map[string]any, to jose.Recipient, enc jose.ContentEncryption, answer map[string]any, o *jose.EncrypterOptions) url.Values {
		e := must(jose.NewEncrypter(enc, to, o))
		return url.Values{"response": {must(must(e.Encrypt(must(json.Marshal(answer)))).CompactSerialize())}}
	}
	good := map[string]any{"vp_token": token, "state": state}
	to := jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Key, KeyID: key.KeyID}
	for name, sent := range map[string]url.Values{
		"nothing":              {},
		"in the open":          {"vp_token": {string(must(json.Marshal(token)))}, "state": {state}},
		"twice":                {"response": {"a", "b"}},
		"no JWE":               {"response": {"a.b.c.d.e"}},
		"another's key":        {"response": {seal(others, jose.A128GCM, good)}},
		"another state":        {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": token, "state": others["state"]})}},
		"no state":             {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": token})}},
		"state is no text":     {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": token, "state": 1})}},
		"two states":           {"response": {seal(claims, jose.A128GCM, good)}, "state": {"other"}},
		"token is text":        {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": "x", "state": state})}},
		"token is empty":       {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": map[string]any{}, "state": state})}},
		"token holds a number": {"response": {seal(claims, jose.A128GCM, map[string]any{"vp_token": map[string]any{"pid": []any{1}}, "state": state})}},
		"another enc":          sealed(claims, to, jose.A128CBC_HS256, good, nil),
		"another alg":          sealed(claims, jose.Recipient{Algorithm: jose.ECDH_ES_A128KW, Key: key.Key, KeyID: key.KeyID}, jose.A128GCM, good, nil),
		"another kid":          sealed(claims, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Key, KeyID: "x"}, jose.A128GCM, good, nil),
		"no kid":               sealed(claims, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Key}, jose.A128GCM, good, nil),
		"compressed":           sealed(claims, to, jose.A128GCM, good, &jose.EncrypterOptions{Compression: jose.DEFLATE}),
		"nested":               sealed(claims, to, jose.A128GCM, good, (&jose.EncrypterOptions{}).WithContentType("JWT")),
	} {
		if status, answer := w.respond(t, a.responseTo, sent); status != 400 || answer["error"] != "invalid_request" {
			t.Errorf("%s: got %d %v, want invalid_request", name, status, answer)
		}
	}
	if status := w.do(t, "POST", a.responseTo, []byte(`{}`), nil, "Content-Type", "application/json"); status != 400 {
		t.Errorf("got %d for JSON, want 400", status)
	}
	if status := w.do(t, "POST", a.responseTo, []byte("response="+strings.Repeat("x", maxResponse)), nil, "Content-Type", "application/x-www-form-urlencoded"); status != 413 {
		t.Errorf("got %d for a huge answer, want 413", status)
	}
	if status, answer := w.respond(t, a.responseTo, url.Values{"response": {seal(claims, jose.A128GCM, good)}}); status != 200 {
		t.Errorf("got %d %v, want the wallet's own answer taken", status, answer)
	}
}

func TestAnswerCountsOnce(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name"})
	_, claims := w.object(t, r, nil)
	a := w.walletFor(claims)
	sent := form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if status, _ := w.respond(t, a.responseTo, sent); status == 200 {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("got %d answers taken, want 1", taken.Load())
	}
	var given atomic.Int32
	for range 20 {
		all.Go(func() {
			if _, result := w.result(t, r, ""); result.Credentials != nil {
				given.Add(1)
			}
		})
	}
	all.Wait()
	if given.Load() != 1 {
		t.Errorf("got the claims given %d times, want once", given.Load())
	}
}

func TestAnswerOfAnotherRequestIsNoAnswer(t *testing.T) {
	w := newWorld(t, nil)
	_, first := w.object(t, w.ask(t, map[string]any{"preset": "name", "response_mode": modePost}), nil)
	second := w.ask(t, map[string]any{"preset": "name", "response_mode": modePost})
	_, claims := w.object(t, second, nil)
	replayed := form(first, map[string]any{"pid": []string{w.sdJWT(w.walletFor(first))}})
	if status, _ := w.respond(t, claims["response_uri"].(string), replayed); status != 400 {
		t.Errorf("got %d, want 400", status)
	}
	replayed.Set("state", claims["state"].(string))
	if status, _ := w.respond(t, claims["response_uri"].(string), replayed); status != 400 {
		t.Errorf("got %d with the state put right, want 400", status)
	}
	if _, result := w.result(t, second, ""); result.State != stateFailed {
		t.Errorf("got %+v", result)
	}
}

func TestLateAnswerIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	r := w.ask(t, map[string]any{"preset": "name"})
	_, claims := w.object(t, r, nil)
	w.wait(standardLife + time.Second)
	a := w.walletFor(claims)
	if status, answer := w.respond(t, a.responseTo, form(claims, map[string]any{"pid": []string{w.sdJWT(a)}})); status != 404 || answer["error"] != "invalid_request" {
		t.Errorf("got %d %v, want it refused", status, answer)
	}
	if status := w.do(t, "GET", r.RequestURI, nil, nil); status != 404 {
		t.Errorf("got %d, want no request object", status)
	}
	if _, result := w.result(t, r, ""); result.State != "expired" {
		t.Errorf("got %+v, want expired", result)
	}
}

func TestAnswerBelongsToWhoeverAsked(t *testing.T) {
	w := newWorld(t, nil)
	r, other := w.ask(t, map[string]any{"preset": "name"}), w.ask(t, map[string]any{"preset": "name"})
	for name, header := range map[string]string{"nobody": "", "another": "Bearer " + other.Secret, "no bearer": "Basic " + r.Secret} {
		if status := w.do(t, "GET", "/vp/requests/"+r.ID.String(), nil, nil, "Authorization", header); status != 404 {
			t.Errorf("%s: got %d, want 404", name, status)
		}
	}
	if status := w.do(t, "GET", "/vp/requests/x", nil, nil, "Authorization", "Bearer "+r.Secret); status != 404 {
		t.Errorf("got %d for no number, want 404", status)
	}
}

func TestOnlyPresetsAreForAnybody(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Allowed = func(_ context.Context, r *http.Request) error {
			if r.Header.Get("Authorization") == "Bearer partner" {
				return nil
			}
			return fault.New(fault.Denied, "no")
		}
	})
	own := must(json.Marshal(map[string]any{"dcql_query": json.RawMessage(askName)}))
	for name, c := range map[string]struct {
		body   string
		header string
		want   int
	}{
		"preset":               {`{"preset":"name"}`, "", 201},
		"own query":            {string(own), "", 403},
		"own query, a partner": {string(own), "Bearer partner", 201},
		"elsewhere":            {`{"preset":"name","flow":"same_device","redirect_uri":"https://evil.example"}`, "", 403},
		"kept":                 {`{"preset":"name","keep_presentation_days":1}`, "", 403},
	} {
		if status := w.do(t, "POST", "/vp/requests", []byte(c.body), nil, "Content-Type", "application/json", "Authorization", c.header); status != c.want {
			t.Errorf("%s: got %d, want %d", name, status, c.want)
		}
	}
}

func TestRequestsOfOneNetworkAreLimited(t *testing.T) {
	w := newWorld(t, nil)
	for range maxOpen {
		w.ask(t, map[string]any{"preset": "name"})
	}
	if status := w.do(t, "POST", "/vp/requests", []byte(`{"preset":"name"}`), nil, "Content-Type", "application/json"); status != 429 {
		t.Errorf("got %d, want 429", status)
	}
	w.wait(standardLife + time.Second)
	w.ask(t, map[string]any{"preset": "name"})
}

func TestRequestsThatCannotBeMade(t *testing.T) {
	w := newWorld(t, nil)
	pair := func(name, value string) string { return `{"preset":"name","` + name + `":` + value + `}` }
	for _, body := range []string{``, `[]`, `{}`, `{"preset":"nothing"}`, `{"preset":"name","preset":"name"}`, pair("unknown", "1"), pair("dcql_query", askName), `{"dcql_query":{"credentials":[]}}`,
		`{"dcql_query":{"credentials":[{"id":"a","format":"zip","meta":{}}]}}`, `{"presentation_definition":{"id":"x"}}`,
		pair("response_mode", `"fragment"`), pair("client_id_prefix", `"openid_federation"`), pair("flow", `"x"`), pair("flow", `"same_device"`), pair("redirect_uri", `"https://a.example"`),
		`{"preset":"name","flow":"same_device","redirect_uri":"javascript:alert(1)"}`, `{"preset":"name","flow":"same_device","redirect_uri":"http://a.example"}`,
		pair("request_uri_method", `"PUT"`), pair("expected_origins", `["https://a.example"]`), `{"preset":"name","response_mode":"dc_api","expected_origins":["https://a.example/"]}`,
		`{"preset":"name","response_mode":"dc_api","expected_origins":["http://a.example"]}`, pair("transaction_data", `[{}]`), pair("transaction_data", `[{"type":"x","credential_ids":["other"]}]`),
		pair("transaction_data", `[{"type":"x","credential_ids":["pid"],"transaction_data_hashes_alg":["md5"]}]`), pair("verifier_info", `[{}]`), pair("expires_in", `1`), pair("expires_in", `100000`),
		pair("purpose", `"a\u0000b"`), pair("purpose", `"`+strings.Repeat("x", maxPurpose+1)+`"`), pair("keep_presentation_days", `-1`), pair("policy", `{"undetermined":{"signature_bad":"tolerated"}}`),
		`{"dcql_query":` + askAge + `,"transaction_data":[{"type":"x","credential_ids":["age"]}]}`} {
		var problem struct{ Type string }
		if status := w.do(t, "POST", "/vp/requests", []byte(body), &problem, "Content-Type", "application/json"); status != 400 {
			t.Errorf("%s: got %d, want 400", body, status)
		}
	}
	if status := w.do(t, "POST", "/vp/requests", []byte(`{"preset":"`+strings.Repeat("x", maxTerms)+`"}`), nil, "Content-Type", "application/json"); status != 413 {
		t.Errorf("got %d for a huge request, want 413", status)
	}
}

func TestCounterNeedsKeyAndCertificateThatBelongTogether(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(*Config){
		"certificate without a key":  func(c *Config) { c.Signer = nil },
		"certificate of another key": func(c *Config) { c.Signer = p256() },
		"preset that is no query":    func(c *Config) { c.Presets = []Preset{{"x", json.RawMessage(`{}`)}} },
		"nowhere":                    func(c *Config) { c.Public = nil },
	} {
		c := w.Config
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: got nil, want it refused", name)
		}
	}
	c := w.Config
	c.Signer, c.Chain = nil, nil
	unsigned := must(New(c))
	if got := unsigned.prefixes(); len(got) != 1 || got[0] != byRedirect {
		t.Errorf("got %v, want redirect_uri alone without a key", got)
	}
	if _, err := w.sign(byRedirect, map[string]any{}); err == nil {
		t.Error("got nil, want no signature under redirect_uri")
	}
}

// FuzzResponse: no answer makes us panic, and none is taken without the state.
func FuzzResponse(f *testing.F) {
	key := must(newKey())
	for _, raw := range []string{"vp_token=%7B%7D&state=s", "response=a.b.c.d.e", "error=access_denied&state=s", `{"vp_token":{"a":["b"]}}`, "vp_token=%7B%22pid%22%3A%5B%22x%22%5D%7D&state=s"} {
		f.Add(raw, false)
		f.Add(raw, true)
	}
	f.Fuzz(func(t *testing.T, raw string, sealed bool) {
		a := asked{Mode: modePost, State: "s"}
		if sealed {
			a.Mode, a.Key = modePostSealed, key
		}
		if values, err := url.ParseQuery(raw); err == nil {
			r, err := a.fromForm(values, []byte(raw))
			if err == nil && r.State != a.State {
				t.Errorf("got %+v without the state", r)
			}
			if err == nil && sealed && r.Error == "" {
				t.Errorf("got %+v that nobody sealed", r)
			}
		}
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(raw), &members) == nil {
			_, _ = a.fromBrowser(members, []byte(raw))
		}
		a.Definition = json.RawMessage(`{"id":"d","input_descriptors":[{"id":"c","format":{"ldp_vp":{}}}]}`)
		if json.Unmarshal([]byte(raw), &members) == nil {
			_, _ = a.fromMembers(response{State: "s"}, members)
		}
	})
}

// strange is a presentation of a card by an issuer whom nobody knows here.
func (w *world) strange(a wallet) string {
	i := must(sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: p256(), ID: "https://nobody.example", KeyID: "1"}))
	raw := must(i.Issue(sdjwt.Draft{Type: vct, Holder: w.holder.Public(), IssuedAt: noon, Expires: noon.AddDate(1, 0, 0),
		Claims: map[string]any{"given_name": "x", "family_name": "Nkosi"}, Selective: [][]any{{"given_name"}, {"family_name"}}}))
	own := w.card
	defer func() { w.card = own }()
	w.card = must(sdjwt.Open(raw))
	return w.sdJWT(a)
}

// A presentation that we cannot read does not spare the others the comparison.
func TestUnknownIssuerSparesNoComparison(t *testing.T) {
	w := newWorld(t, nil)
	many := `{"credentials":[{"multiple":true,` + strings.TrimPrefix(askName, `{"credentials":[{`)
	confirm := []any{map[string]any{"type": "payment", "credential_ids": []string{"pid"}}}
	good := func(a wallet) string { return w.sdJWT(a) }
	short := func(a wallet) string { a.show = [][]any{{"given_name"}}; return w.sdJWT(a) }
	for name, c := range map[string]struct {
		terms   map[string]any
		shows   []func(wallet) string
		want    int
		state   string
		verdict string
		code    string
	}{
		"alone":                   {map[string]any{"dcql_query": json.RawMessage(askName)}, []func(wallet) string{w.strange}, 200, stateAnswered, "unknown", "query_uncompared"},
		"two for one":             {map[string]any{"dcql_query": json.RawMessage(askName)}, []func(wallet) string{good, w.strange}, 400, stateFailed, "invalid", "query_unmet"},
		"with a good one":         {map[string]any{"dcql_query": json.RawMessage(many)}, []func(wallet) string{good, w.strange}, 200, stateAnswered, "unknown", "query_uncompared"},
		"with a claim too few":    {map[string]any{"dcql_query": json.RawMessage(many)}, []func(wallet) string{short, w.strange}, 400, stateFailed, "invalid", "query_unmet"},
		"with an own transaction": {map[string]any{"dcql_query": json.RawMessage(askName), "transaction_data": confirm}, []func(wallet) string{w.strange}, 400, stateFailed, "invalid", "query_unmet"},
	} {
		r := w.ask(t, c.terms)
		_, claims := w.object(t, r, nil)
		var shown []string
		for _, show := range c.shows {
			shown = append(shown, show(w.walletFor(claims)))
		}
		if status, answer := w.respond(t, claims["response_uri"].(string), form(claims, map[string]any{"pid": shown})); status != c.want {
			t.Errorf("%s: got %d %v, want %d", name, status, answer, c.want)
		}
		_, result := w.result(t, r, "")
		if result.State != c.state || result.Verdict != c.verdict || len(result.Credentials) != len(c.shows) {
			t.Errorf("%s: got %+v, want %s and %s", name, result, c.state, c.verdict)
		}
		for _, each := range result.Credentials {
			if last := each.Reasons[len(each.Reasons)-1]; each.Claims != nil || each.Verdict.Verdict == "valid" || last.Code != c.code {
				t.Errorf("%s: got %+v, want nothing shown, and %s", name, each, c.code)
			}
		}
	}
}
