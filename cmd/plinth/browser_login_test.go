package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/wallet"
	"github.com/plinth-id/plinth/wallet/errand"
)

// enter goes through the first two pages of a login with a code.
func enter(number string) chromedp.Tasks {
	return chromedp.Tasks{chromedp.WaitVisible(`#method-code`), chromedp.Click(`#method-code`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#identifier`), chromedp.SendKeys(`#identifier`, number), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#code`), chromedp.SendKeys(`#code`, "111111"), chromedp.Click(`main form button:not(.second)`)}
}

// A passkey is made on the person's own page, and logs them in at a portal without
// a number and without a code.
func TestJourneyOfAPasskey(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[3]
	var profile string
	err := chromedp.Run(chromium(t),
		webauthn.Enable(),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}).Do(ctx)
			return err
		}),
		chromedp.Navigate(d.url+"/oidc/account"), enter(who.UIN),
		chromedp.WaitVisible(`form[action="/oidc/account/passkey/new"]`), shot("account"), narrow(t, "the account"),
		// Who was enrolled with fingers shows one, beside the code.
		chromedp.Click(`form[action="/oidc/account/passkey/new"] button`),
		chromedp.WaitVisible(`#method-finger`), chromedp.Click(`#method-finger`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#identifier`), chromedp.SendKeys(`#identifier`, who.UIN), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#image`), chromedp.SetUploadFiles(`#image`, []string{who.Finger}), chromedp.Click(`form[action="/oidc/login/image"] button`),
		chromedp.WaitVisible(`form[action="/oidc/account/passkey/new"]`), chromedp.Click(`form[action="/oidc/account/passkey/new"] button`),
		chromedp.WaitVisible(`#passkey-form`), chromedp.SendKeys(`#name`, "A phone"), shot("passkey-new"), chromedp.Click(`#passkey`),
		chromedp.WaitVisible(`form[action="/oidc/account/drop"] bdi`), shot("account-passkey"),
		chromedp.Click(`form[action="/oidc/account/logout"] button`), chromedp.WaitNotPresent(`form[action="/oidc/account/logout"]`), shot("logged-out"),
		chromedp.Navigate(d.url+"/demo/portal"), chromedp.Click(`main form button`),
		chromedp.WaitVisible(`#method-passkey`), chromedp.Click(`#method-passkey`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#passkey`), shot("passkey"), chromedp.Click(`#passkey`),
		chromedp.WaitVisible(`button[value=allow]`), chromedp.Click(`#claim-name`), chromedp.Click(`button[value=allow]`),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), chromedp.Text(`main`, &profile))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(profile, who.Name) {
		t.Errorf("got %q, want %s", profile, who.Name)
	}
}

// A scanner on the computer of the browser is found, and logs its person in. The
// person is of this journey alone: whoever consented before is not asked again.
func TestJourneyOfAFingerOnADevice(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[2]
	pictures := t.TempDir()
	raw, err := os.ReadFile(who.Finger)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(pictures, "rightIndex.png"), raw, 0o600))
	var profile string
	begin := chromedp.Tasks{chromedp.Navigate(d.url + "/demo/portal"), chromedp.Click(`main form button`),
		chromedp.WaitVisible(`#method-finger`), chromedp.Click(`#method-finger`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#identifier`), chromedp.SendKeys(`#identifier`, who.UIN), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#device`), shot("device"), narrow(t, "the device page"), chromedp.Click(`#device`)}
	ctx := chromium(t)
	must(t, chromedp.Run(ctx, begin, chromedp.WaitVisible(`#device-none`), shot("device-none"),
		chromedp.Navigate(d.url+"/oidc/login/device/help"), shot("device-help"), narrow(t, "the help page")))
	deviceOf(t, pictures, "--modality", "finger", "--purpose", "Auth", "--server", d.url)
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.url+"/oidc/login"), chromedp.WaitVisible(`#device`), chromedp.Click(`#device`),
		chromedp.WaitVisible(`button[value=allow]`), chromedp.Click(`#claim-name`), chromedp.Click(`button[value=allow]`),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), chromedp.Text(`main`, &profile)))
	if !strings.Contains(profile, who.Name) {
		t.Errorf("got %q, want %s", profile, who.Name)
	}
}

// A wallet on another device takes the code of the page, and the page goes on by itself.
func TestJourneyOfALoginWithAWallet(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[6]
	w, err := wallet.New(filepath.Join(t.TempDir(), "wallet"), "a passphrase for tests", web.NewClient(web.ClientConfig{Timeout: 20 * time.Second, Private: true}))
	must(t, err)
	binding, err := w.BeginBinding(t.Context(), d.url, who.UIN)
	must(t, err)
	picture, err := os.ReadFile(who.Finger) // somebody who was enrolled with fingers shows one
	must(t, err)
	must(t, w.Bind(t.Context(), binding, errand.Owner{Code: "111111", Finger: picture}, "A phone"))
	var profile string
	err = chromedp.Run(chromium(t),
		chromedp.Navigate(d.url+"/demo/portal"), chromedp.Click(`main form button`),
		chromedp.WaitVisible(`#method-wallet`), shot("methods"), chromedp.Click(`#method-wallet`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#wallet`), shot("wallet"), narrow(t, "the wallet page"),
		chromedp.ActionFunc(func(ctx context.Context) error {
			var link, number string
			if err := chromedp.Run(ctx, chromedp.AttributeValue(`#wallet a.button`, "href", &link, nil), chromedp.Text(`#wallet .lead .mono`, &number)); err != nil {
				return err
			}
			u, err := url.Parse(link)
			if err != nil {
				return err
			}
			asked, err := w.Open(ctx, d.url+u.RequestURI(), "")
			if err != nil {
				return err
			}
			return w.Allow(ctx, asked, number, []string{"name"})
		}),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), chromedp.Text(`main`, &profile))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(profile, who.Name) || strings.Contains(profile, who.Email) {
		t.Errorf("got %q, want %s and nothing that was not allowed", profile, who.Name)
	}
}
