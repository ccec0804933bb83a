package main

import (
	"context"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/wallet"
)

// A wallet on another device shows a credential of ours (OpenID4VP), its browser says the
// number of the page, and the page goes on by itself. Nothing of the person leaves but
// what they then allow.
func TestJourneyOfALoginByACredential(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Lucia Login")
	w, err := wallet.New(filepath.Join(t.TempDir(), "wallet"), "a passphrase for tests", web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Private: true}))
	must(t, err)
	_, err = w.Receive(t.Context(), offer, txCode)
	must(t, err)
	var profile string
	ctx := chromium(t)
	err = chromedp.Run(ctx,
		chromedp.Navigate(d.url+"/demo/portal"), chromedp.Click(`main form button`),
		chromedp.WaitVisible(`#method-credential`), chromedp.Click(`#method-credential`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#credential`), shot("credential"), narrow(t, "the credential page"),
		chromedp.ActionFunc(func(ctx context.Context) error {
			var link, number string
			if err := chromedp.Run(ctx, chromedp.AttributeValue(`#credential a.button`, "href", &link, nil), chromedp.Text(`#credential .lead .mono`, &number)); err != nil {
				return err
			}
			return d.showAndConfirm(ctx, w, link, number)
		}),
		chromedp.WaitVisible(`button[value=allow]`), chromedp.Click(`#claim-name`), chromedp.Click(`button[value=allow]`),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), chromedp.Text(`main`, &profile))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(profile, "Lucia Login") {
		t.Errorf("got %q, want the holder of the credential", profile)
	}
}

// showAndConfirm is what happens on the phone.
func (d *running) showAndConfirm(ctx context.Context, w *wallet.Wallet, link, number string) error {
	asked, err := w.Ask(ctx, link)
	if err != nil {
		return err
	}
	turn, err := w.Answer(ctx, asked, asked.Usual())
	if err != nil {
		return err
	}
	back, err := url.Parse(turn.Sent.Redirect)
	if err != nil {
		return err
	}
	form := url.Values{"login": {back.Query().Get("login")}, "response_code": {back.Query().Get("response_code")}, "number": {number}}
	answer, err := http.PostForm(d.url+"/oidc/login/credential/confirm", form)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
