package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// asks has our verifier make a request by a preset.
func (d *running) asks(t *testing.T, terms map[string]any) (link, id, secret string) {
	t.Helper()
	raw, err := json.Marshal(terms)
	must(t, err)
	answer, err := http.Post(d.url+"/vp/requests", "application/json", bytes.NewReader(raw))
	must(t, err)
	defer answer.Body.Close()
	var made struct{ ID, Secret, Link string }
	must(t, json.NewDecoder(answer.Body).Decode(&made))
	if made.Link == "" {
		t.Fatalf("got %d, want a request", answer.StatusCode)
	}
	return made.Link, made.ID, made.Secret
}

// result is what the verifier found.
func (d *running) result(t *testing.T, id, secret string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, d.url+"/vp/requests/"+id, nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+secret)
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer answer.Body.Close()
	var found map[string]any
	must(t, json.NewDecoder(answer.Body).Decode(&found))
	return found
}

func TestJourneyOfAPresentationWithoutAScreen(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Petra Presenter")
	file := "--file=" + filepath.Join(t.TempDir(), "wallet")
	if out, code := d.run(t, "wallet", file, "receive", offer, "--tx-code="+txCode); code != exitYes {
		t.Fatal(out)
	}
	for name, terms := range map[string]map[string]any{
		"sealed":   {"preset": "identity"},
		"open":     {"preset": "identity", "response_mode": "direct_post"},
		"fetched":  {"preset": "identity", "request_uri_method": "get"},
		"unsigned": {"preset": "identity", "client_id_prefix": "redirect_uri"},
	} {
		link, id, secret := d.asks(t, terms)
		out, code := d.run(t, "wallet", file, "present", link, "--yes")
		if code != exitYes || !strings.Contains(out, "Petra Presenter") {
			t.Errorf("%s: present: exit %d: %s", name, code, out)
			continue
		}
		if found, _ := json.Marshal(d.result(t, id, secret)); !strings.Contains(string(found), "Petra Presenter") || !strings.Contains(string(found), "valid") {
			t.Errorf("%s: got %s, want it accepted", name, found)
		}
		if out, code := d.run(t, "wallet", file, "present", link, "--yes"); code == exitYes {
			t.Errorf("%s: got %s for a request that was answered, want it refused", name, out)
		}
	}
	link, id, secret := d.asks(t, map[string]any{"preset": "identity"})
	if out, code := d.run(t, "wallet", file, "present", link, "--refuse"); code != exitYes {
		t.Errorf("refuse: exit %d: %s", code, out)
	}
	if found, _ := json.Marshal(d.result(t, id, secret)); strings.Contains(string(found), "Petra") {
		t.Errorf("got %s after a refusal", found)
	}
}

// A person shows a card to our verifier: in English, and in Arabic on a narrow phone.
func TestJourneyOfAPresentationInABrowser(t *testing.T) {
	d := demoOf(t)
	for lang, dialog := range map[string]struct{ name, size string }{"en": {"Emil English", "wide"}, "ar": {"Aisha Arabic", "narrow"}} {
		offer, txCode := d.offered(t, dialog.name)
		link, id, secret := d.asks(t, map[string]any{"preset": "identity"})
		width := int64(1000)
		if dialog.size == "narrow" {
			width = 320
		}
		ctx := chromium(t)
		var asked, done, history string
		err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(width, 700, 1, false),
			chromedp.Navigate(d.url+"/wallet?lang="+lang), visible("welcome"), chromedp.Click(`#make-device`), visible("home"),
			chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`), visible("offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`),
			chromedp.WaitVisible(`.idcard`), chromedp.Navigate(d.url+"/wallet/present?"+strings.SplitN(link, "?", 2)[1]),
			visible("ask"), chromedp.Text(`#ask-form`, &asked), shot("wallet-ask-"+lang), narrow(t, "the request"), accessible(t, "the request"),
			chromedp.Click(`#ask-form button[value=share]`), visible("done"), chromedp.Text(`#done-text`, &done), shot("wallet-done-"+lang), accessible(t, "the end"),
			chromedp.Click(`#view-done button[data-view=home]`), chromedp.Click(`#view-home button[data-view=history]`), visible("history"), chromedp.Text(`#events`, &history), shot("wallet-history-"+lang), narrow(t, "the history"))
		troubled(t, ctx, err)
		if !strings.Contains(asked, dialog.name) || !strings.Contains(asked, "localhost") {
			t.Errorf("%s: got %q, want who asks, and what would leave", lang, asked)
		}
		if found, _ := json.Marshal(d.result(t, id, secret)); !strings.Contains(string(found), dialog.name) {
			t.Errorf("%s: got %s, want it accepted", lang, found)
		}
		if !strings.Contains(history, "localhost") {
			t.Errorf("%s: got %q, want to whom it was shown", lang, history)
		}
	}
}
