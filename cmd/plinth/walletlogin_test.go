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
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
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

// What was revoked a moment ago logs nobody in, though verifiers may still hold a list
// in which it stands.
func TestARevokedCredentialLogsNobodyIn(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Rita Revoked")
	w, err := wallet.New(filepath.Join(t.TempDir(), "wallet"), "a passphrase for tests", web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Private: true}))
	must(t, err)
	_, err = w.Receive(t.Context(), offer, txCode)
	must(t, err)
	h := d.here(t)
	must(t, postgres.InTx(t.Context(), h.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), `SELECT id FROM credential_issuance WHERE holder IS NOT NULL ORDER BY intended_at DESC LIMIT 20`)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range ids {
			if err == nil {
				err = h.issuer.Revoke(t.Context(), tx, id, "system", "reported stolen")
			}
		}
		return err
	}))
	var shown string
	err = chromedp.Run(chromium(t),
		chromedp.Navigate(d.url+"/demo/portal"), chromedp.Click(`main form button`),
		chromedp.WaitVisible(`#method-credential`), chromedp.Click(`#method-credential`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#credential`),
		chromedp.ActionFunc(func(ctx context.Context) error {
			var link, number string
			if err := chromedp.Run(ctx, chromedp.AttributeValue(`#credential a.button`, "href", &link, nil), chromedp.Text(`#credential .lead .mono`, &number)); err != nil {
				return err
			}
			_ = d.showAndConfirm(ctx, w, link, number) // the verifier may refuse it already
			return nil
		}),
		chromedp.Sleep(3*time.Second), chromedp.Text(`main`, &shown))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown, "Rita") || !strings.Contains(shown, "Show your digital credential") {
		t.Errorf("got %q, want nobody logged in", shown)
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
