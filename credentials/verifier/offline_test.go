package verifier

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

// device is a browser that has fetched what it keeps, and runs our modules.
type device struct {
	tab     context.Context
	modules string
}

func newDevice(t *testing.T, v *Verifier) device {
	t.Helper()
	r := web.New(web.Config{Public: must(url.Parse("http://localhost")), Log: slog.New(slog.DiscardHandler)})
	v.Routes(r)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasPrefix(q.URL.Path, "/static/") {
			templates.Static().ServeHTTP(w, q)
			return
		}
		r.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	alloc, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	limited, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	var page string
	if err := chromedp.Run(limited, chromedp.Navigate(server.URL+"/verify/offline"), chromedp.WaitVisible(`#page`), chromedp.OuterHTML(`html`, &page)); err != nil {
		t.Fatal(err)
	}
	return device{limited, regexp.MustCompile(`/static/verify/[0-9a-f]+/`).FindString(page)}
}

// run evaluates a script that has judge and accept, and gives its JSON.
func (d device) run(t *testing.T, script string, into any) {
	t.Helper()
	var out string
	whole := `(async () => { const { judge, accept } = await import('` + d.modules + `judge.js'); return JSON.stringify(await (async () => { ` + script + ` })()); })()`
	if err := chromedp.Run(d.tab, chromedp.Evaluate(whole, &out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatal(err)
	}
}

func quoted(v any) string { return string(must(json.Marshal(v))) }

// offlineVerifier is a verifier whose devices keep one list, in which place 5 is
// revoked and place 6 suspended; it believes an Ed25519 and a P-256 key.
func offlineVerifier() (*Verifier, issuers) {
	l := must(statuslist.NewList(2, 64))
	for place, value := range map[int64]statuslist.Value{5: statuslist.Invalid, 6: statuslist.Suspended} {
		if err := l.Set(place, value); err != nil {
			panic(err)
		}
	}
	signed := must(statuslist.Token{Issuer: base, Address: token, IssuedAt: noon, Expires: noon.Add(time.Hour), List: l}.SignJWT(statuslist.Signing{Key: key, KeyID: "k"}))
	i := newIssuers(func(context.Context, string) ([]byte, error) { return signed, nil })
	i.Signer = p256()
	i.Lists = func(context.Context) ([]string, error) { return []string{token, base + "/status/none"}, nil }
	return i.Verifier, i
}

// The modules in the browser judge as we do.
func TestDeviceJudgesWithoutANetwork(t *testing.T) {
	v, i := offlineVerifier()
	d := newDevice(t, v)
	edition, public, err := v.Offline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := func(index int) *qr.Status { return &qr.Status{Index: index, URI: token} }
	sd := func(index int) string {
		draft := sdjwt.Draft{Type: "urn:x", IssuedAt: noon, Expires: noon.Add(time.Hour), Status: &sdjwt.Status{URI: token, Index: index},
			Claims: map[string]any{"birthDate": "1984-04-18", "places": []any{"a", "b"}, "address": map[string]any{"city": "x"}}, Selective: [][]any{{"birthDate"}, {"places", nil}, {"address"}, {"address", "city"}}}
		return must(i.sdjwt.Issue(draft))
	}
	good := code(qr.Claims{})
	cases := map[string]struct{ text, want string }{
		"code":                    {good, "valid well_formed issuer_trusted signature_good in_period status_none"},
		"code with a newline":     {good + "\r\n", "valid well_formed issuer_trusted signature_good in_period status_none"},
		"code, not revoked":       {code(qr.Claims{Status: at(4)}), "valid well_formed issuer_trusted signature_good in_period not_revoked"},
		"code, revoked":           {code(qr.Claims{Status: at(5)}), "invalid well_formed issuer_trusted signature_good in_period revoked"},
		"code, suspended":         {code(qr.Claims{Status: at(6)}), "invalid well_formed issuer_trusted signature_good in_period suspended"},
		"code, out of range":      {code(qr.Claims{Status: at(64)}), "invalid well_formed issuer_trusted signature_good in_period status_out_of_range"},
		"code, list not kept":     {code(qr.Claims{Status: &qr.Status{Index: 1, URI: "https://other.example/1"}}), "unknown well_formed issuer_trusted signature_good in_period status_unchecked"},
		"code, expired":           {code(qr.Claims{ExpiresAt: noon.Add(-time.Second)}), "invalid well_formed issuer_trusted signature_good expired status_none"},
		"code, not yet":           {code(qr.Claims{NotBefore: noon.Add(time.Minute)}), "invalid well_formed issuer_trusted signature_good not_yet_valid status_none"},
		"code of a stranger":      {must(qr.Encode(qr.Identity169{FullName: "Eve"}, qr.Claims{Issuer: "https://evil.example", IssuedAt: noon}, key, []byte("k"))), "unknown well_formed issuer_untrusted"},
		"code by another key":     {must(qr.Encode(qr.Identity169{FullName: "Eve"}, qr.Claims{Issuer: base, IssuedAt: noon}, p256(), []byte("k"))), "invalid well_formed signature_bad"},
		"cut code":                {good[:len(good)/2], "invalid malformed"},
		"word":                    {"hello", "invalid malformed"},
		"nothing":                 {"", "invalid malformed"},
		"SD-JWT VC":               {sd(4), "valid well_formed issuer_trusted signature_good in_period not_revoked"},
		"SD-JWT VC, revoked":      {sd(5), "invalid well_formed issuer_trusted signature_good in_period revoked"},
		"SD-JWT VC, part":         {sd(4)[:strings.IndexByte(sd(4), '~')+1], "valid well_formed issuer_trusted signature_good in_period not_revoked"},
		"SD-JWT VC, spoilt":       {strings.Replace(sd(4), ".", ".e", 1), "invalid malformed"},
		"SD-JWT VC, claim added":  {sd(4) + "WyJhIiwiYiIsImMiXQ~", "invalid signature_bad"},
		"SD-JWT VC, claim twice":  {func() string { s := sd(4); p := strings.Split(s, "~"); return s + p[1] + "~" }(), "invalid malformed"},
		"SD-JWT VC, another sign": {func() string { s := sd(4); n := strings.IndexByte(s, '~'); return s[:n-6] + "AAAAAA" + s[n:] }(), "invalid well_formed signature_bad"},
	}
	texts := map[string]string{}
	for name, c := range cases {
		texts[name] = c.text
	}
	var got map[string]Verdict
	d.run(t, `const kept = await accept(`+quoted(edition)+`, [`+quoted(public)+`], null, `+quoted(noon.Unix())+`); const all = {};
		for (const [name, text] of Object.entries(`+quoted(texts)+`)) { const v = await judge(text, kept, `+quoted(noon.Unix()+1)+`); all[name] = { verdict: v.verdict, reasons: v.reasons, claims: v.claims }; } return all;`, &got)
	for name, c := range cases {
		verdict := got[name]
		said := verdict.Verdict
		for _, r := range verdict.Reasons {
			said += " " + r.Code
		}
		if said != c.want {
			t.Errorf("%s: got %s, want %s", name, said, c.want)
		}
		if (verdict.Claims != nil) != strings.Contains(c.want, "signature_good") {
			t.Errorf("%s: got %v shown", name, verdict.Claims)
		}
	}
	if got["code"].Claims["fullName"] != "Ada Example" || got["code"].Claims["birthDate"] != "1984-04-18" || got["code"].Claims["gender"] != "male" || got["SD-JWT VC"].Claims["birthDate"] != "1984-04-18" {
		t.Errorf("got %v and %v", got["code"].Claims, got["SD-JWT VC"].Claims)
	}
}

// What a device keeps has an end: what it says of revocation still holds then, and
// whom it believes does not.
func TestDeviceDoubtsWhatIsOld(t *testing.T) {
	v, _ := offlineVerifier()
	d := newDevice(t, v)
	edition, public, err := v.Offline(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := func(index int) string {
		return code(qr.Claims{ExpiresAt: noon.AddDate(1, 0, 0), Status: &qr.Status{Index: index, URI: token}})
	}
	for name, c := range map[string]struct {
		text  string
		after time.Duration
		want  string
	}{
		"at once":              {at(4), time.Minute, "valid issuer_trusted not_revoked"},
		"list over":            {at(4), 2 * time.Hour, "unknown issuer_trusted status_old"},
		"edition over":         {at(4), 8 * 24 * time.Hour, "unknown trust_expired status_old"},
		"without status, over": {code(qr.Claims{ExpiresAt: noon.AddDate(1, 0, 0)}), 8 * 24 * time.Hour, "unknown trust_expired status_none"},
		"revoked, over":        {at(5), 8 * 24 * time.Hour, "invalid trust_expired revoked"},
	} {
		var got Verdict
		d.run(t, `const v = await judge(`+quoted(c.text)+`, await accept(`+quoted(edition)+`, [`+quoted(public)+`], null, `+quoted(noon.Unix())+`), `+quoted(noon.Add(c.after).Unix())+`);
			return { verdict: v.verdict, reasons: v.reasons.filter(({ name }) => name === 'issuer' || name === 'status'), claims: v.claims };`, &got)
		said := got.Verdict
		for _, r := range got.Reasons {
			said += " " + r.Code
		}
		if said != c.want || (got.Claims != nil) != strings.Contains(c.want, "issuer_trusted") {
			t.Errorf("%s: got %s, %v shown; want %s", name, said, got.Claims, c.want)
		}
	}
}

// What a device keeps is replaced by nothing that is not ours, or older.
func TestDeviceKeepsOnlyOurEditions(t *testing.T) {
	v, _ := offlineVerifier()
	d := newDevice(t, v)
	first, public, _ := v.Offline(t.Context())
	v.Now = func() time.Time { return noon.Add(time.Hour) }
	second, _, _ := v.Offline(t.Context())
	mine := v.Signer
	v.Signer = p256()
	foreign, other, _ := v.Offline(t.Context())
	v.Signer = mine
	parts := strings.Split(second, ".")
	spoilt := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sequence":9999999999,"exp":9999999999,"issuers":[],"lists":{},"keys":[]}`)) + "." + parts[2]
	var got []string
	d.run(t, `const said = []; const now = `+quoted(noon.Unix())+`; const first = await accept(`+quoted(first)+`, [`+quoted(public)+`], null, now);
		const tries = [[`+quoted(second)+`, now], [`+quoted(foreign)+`, now], [`+quoted(spoilt)+`, now], [`+quoted(second)+`, now + 8 * 86400]];
		for (const [edition, at] of tries) said.push(await accept(edition, [`+quoted(other)+`], first, at).then((e) => 'taken ' + (e.sequence > first.sequence), (e) => e.message));
		const later = await accept(`+quoted(second)+`, [], first, now); said.push(await accept(`+quoted(first)+`, [], later, now).then(() => 'taken', (e) => e.message)); return said;`, &got)
	if want := "taken true|signature_bad|signature_bad|expired|expired"; strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
}

// Codes of other products are read by the modules as they are by us.
func TestDeviceReadsWhatWeRead(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("codes of other products were not read: TESTDATA_DIR is not set")
	}
	v, _ := offlineVerifier()
	d := newDevice(t, v)
	texts, want := map[string]string{}, map[string]bool{}
	for _, file := range must(filepath.Glob(filepath.Join(dir, "vectors/claim-169/*.png"))) {
		text, err := qr.Read(must(os.ReadFile(file)))
		if kind, _ := qr.Detect(text); err != nil || kind != qr.KindClaim169 {
			continue
		}
		_, err = qr.Decode(text)
		texts[filepath.Base(file)], want[filepath.Base(file)] = text, err == nil
	}
	if len(texts) == 0 {
		t.Skip("no pictures of codes in the collection")
	}
	var got map[string]Verdict
	d.run(t, `const kept = { issuers: [], lists: {}, keys: [] }; const all = {};
		for (const [name, text] of Object.entries(`+quoted(texts)+`)) { const v = await judge(text, kept); all[name] = { verdict: v.verdict, reasons: v.reasons, claims: v.claims }; } return all;`, &got)
	for name, readable := range want {
		if verdict := got[name]; verdict.Verdict == Valid || verdict.Claims != nil || readable != (verdict.Reasons[0].Result == Pass) {
			t.Errorf("%s: got %+v, want it readable: %v, and not believed", name, verdict, readable)
		}
	}
}
