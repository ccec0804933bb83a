package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// asks has an officer make a request by a preset, whom our verifier tells what was shown.
func (d *running) asks(t *testing.T, terms map[string]any) (link, id, secret string) {
	t.Helper()
	raw, err := json.Marshal(terms)
	must(t, err)
	staff := d.sheet.Staff[0]
	api, err := signIn(t.Context(), d.url, staff.Name, staff.Password)
	must(t, err)
	r, err := http.NewRequest(http.MethodPost, d.url+"/vp/requests", bytes.NewReader(raw))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+api.token)
	answer, err := http.DefaultTransport.RoundTrip(r)
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

// What a wallet shows as a code is taken by our verifier, in every format; a code that
// cameras hardly take says so.
func TestWalletShowsEveryFormatAsACode(t *testing.T) {
	d := demoOf(t)
	dir := t.TempDir()
	file := "--file=" + filepath.Join(dir, "wallet")
	for _, kind := range []string{"national_id_ldp_vc", "national_id_sd_jwt", "national_id_mdoc"} {
		out, code := d.run(t, "offer", "--uin", d.sheet.People[0].UIN, "--kind", kind)
		if code != exitYes {
			t.Fatal(out)
		}
		offer := answerOf(t, out)
		if out, code := d.run(t, "wallet", file, "receive", offer["link"].(string), "--tx-code="+offer["tx_code"].(string)); code != exitYes {
			t.Fatal(out)
		}
	}
	out, _ := d.run(t, "wallet", file, "list")
	seen := map[string]bool{}
	var cards []struct{ ID, Format string }
	must(t, json.Unmarshal([]byte(out), &cards))
	for _, card := range cards {
		seen[card.Format] = true
		picture := filepath.Join(dir, card.ID+".png")
		var warned bytes.Buffer
		show := plinth(t.Context(), append(d.env, "PLINTH_WALLET_PASSPHRASE=a wallet for tests"), "wallet", file, "show", card.ID, "--qr", picture)
		show.Stderr = &warned
		must(t, show.Run())
		if out, code := d.run(t, "verify", picture); code != exitYes || !strings.Contains(out, `"valid"`) || !strings.Contains(out, card.Format) || answerOf(t, out)["claims"] == nil {
			t.Errorf("%s: exit %d: %s", card.Format, code, out)
		}
		if hard := card.Format != "ldp_vc"; hard != strings.Contains(warned.String(), "hard to read") {
			t.Errorf("%s: the wallet said %q", card.Format, warned.String())
		}
	}
	if !seen["dc+sd-jwt"] || !seen["mso_mdoc"] {
		t.Errorf("got %s, want every format", out)
	}
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

// Whoever serves the wallet vouches for its own verifier: nobody else does, and by none
// of its other identifiers.
func TestOurVerifierIsVouchedForInOurWallet(t *testing.T) {
	d := demoOf(t)
	for prefix, want := range map[string]string{"decentralized_identifier": "vouched", "redirect_uri": "unproven"} {
		link, _, _ := d.asks(t, map[string]any{"preset": "identity", "client_id_prefix": prefix})
		raw, err := json.Marshal(map[string]string{"link": link})
		must(t, err)
		answer, err := http.Post(d.url+"/wallet/errand/ask", "application/json", bytes.NewReader(raw))
		must(t, err)
		var asked struct{ Who struct{ Mark string } }
		must(t, json.NewDecoder(answer.Body).Decode(&asked))
		answer.Body.Close()
		if asked.Who.Mark != want {
			t.Errorf("%s: got %q, want %q", prefix, asked.Who.Mark, want)
		}
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

// fromCatalogue presses the button of the catalogue for one configuration.
func fromCatalogue(kind string) chromedp.Tasks {
	return chromedp.Tasks{chromedp.Click(`#view-home button[data-view=add]`), visible("add"), chromedp.WaitVisible(`#catalogue button`), shot("wallet-catalogue"),
		chromedp.Click(`#catalogue button[data-kind="` + kind + `"]`), visible("offer"), chromedp.Click(`#offer-form button:not(.second)`)}
}

func logsIn(who demoPerson) chromedp.Tasks {
	return chromedp.Tasks{chromedp.WaitVisible(`#method-code`), chromedp.Click(`main form button:not(.link)`), chromedp.WaitVisible(`#identifier`), chromedp.SendKeys(`#identifier`, who.UIN), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#code`), chromedp.SendKeys(`#code`, "111111"), chromedp.Click(`main form button:not(.second)`),
		chromedp.WaitVisible(`button[value=allow]`), shot("wallet-consent"), chromedp.Click(`button[value=allow]`)}
}

// Cards from the catalogue, by a login: an SD-JWT VC, of which only what is asked for
// leaves, and a mobile document.
func TestJourneyOfTheCatalogueInABrowser(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[1]
	ctx := chromium(t)
	err := chromedp.Run(ctx, chromedp.Navigate(d.url+"/wallet"), visible("welcome"), chromedp.Click(`#make-device`), visible("home"))
	troubled(t, ctx, err)
	for i, kind := range []string{"national_id_sd_jwt", "national_id_mdoc"} {
		begin, cancel := context.WithTimeout(ctx, 20*time.Second)
		if err := chromedp.Run(begin, fromCatalogue(kind)); err != nil {
			troubled(t, ctx, fmt.Errorf("%s: %w", kind, err))
		}
		cancel()
		if i == 0 {
			troubled(t, ctx, chromedp.Run(ctx, logsIn(who)))
		}
		troubled(t, ctx, chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
			// A login that is fresh goes through by itself, or asks for consent once more.
			for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
				var cards int
				step, cancel := context.WithTimeout(ctx, 2*time.Second) // a page that is left never answers
				_ = chromedp.Evaluate(`document.querySelector('button[value=allow]')?.click(); document.querySelectorAll('.idcard').length`, &cards).Do(step)
				cancel()
				if cards == i+1 {
					return nil
				}
			}
			var at, page string
			step, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			_ = chromedp.Location(&at).Do(step)
			_ = chromedp.Evaluate(`document.body.innerText`, &page).Do(step)
			return errors.New("the card did not come: " + kind + " at " + at + ": " + page)
		})))
	}
	for _, preset := range []string{"identity", "age"} {
		link, id, secret := d.asks(t, map[string]any{"preset": preset})
		var asked string
		troubled(t, ctx, chromedp.Run(ctx, chromedp.Navigate(d.url+"/wallet/present?"+strings.SplitN(link, "?", 2)[1]), visible("ask"), chromedp.Text(`#ask-form`, &asked), shot("wallet-ask-"+preset),
			chromedp.Click(`#ask-form button[value=share]`), visible("done")))
		if preset == "age" && (strings.Contains(asked, who.Name) || strings.Contains(asked, "besides")) {
			t.Errorf("got %q, want one question, and the name kept back", asked)
		}
		if found, _ := json.Marshal(d.result(t, id, secret)); !strings.Contains(string(found), `"valid"`) {
			t.Errorf("%s: got %s, want it accepted", preset, found)
		}
	}
}
