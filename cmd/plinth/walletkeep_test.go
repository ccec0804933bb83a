package main

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// keyOf is a virtual authenticator whose passkeys yield secrets (PRF).
func keyOf(at *webauthn.AuthenticatorID) chromedp.Tasks {
	return chromedp.Tasks{webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		*at, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true, HasPrf: true}).Do(ctx)
		return err
	})}
}

// forgets has the browser lose everything that it keeps for us, as a second device has nothing yet.
const forgets = `new Promise((done) => { indexedDB.databases().then((all) => { let left = all.length; if (!left) done(0); for (const one of all) { const r = indexedDB.deleteDatabase(one.name); r.onsuccess = r.onblocked = () => { if (!--left) done(0); }; } }); })`

// A wallet of a passkey: locked after a reload; what the server has is ciphertext; a
// second device opens it by the same passkey, sees the cards and cannot sign for them.
func TestJourneyOfAWalletWithAPasskey(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Paula Passkey")
	ctx := chromium(t)
	var authenticator webauthn.AuthenticatorID
	var card, how string
	err := chromedp.Run(ctx, keyOf(&authenticator), chromedp.Navigate(d.url+"/wallet"), visible("welcome"), chromedp.Click(`#make-passkey`), visible("home"),
		chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`), visible("offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`), chromedp.WaitVisible(`.idcard`),
		chromedp.Click(`#view-home button[data-view=settings]`), visible("settings"), chromedp.Text(`#how`, &how),
		chromedp.Navigate(d.url+"/wallet"), visible("locked"), shot("wallet-locked"), accessible(t, "the locked wallet"), chromedp.Click(`#unlock`), chromedp.WaitVisible(`.idcard`))
	troubled(t, ctx, err)
	if !strings.Contains(how, "passkey") {
		t.Errorf("got %q, want to be told how it is kept", how)
	}
	h := d.here(t)
	var sealed []byte
	var rows int
	must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM wallet_blob`).Scan(&rows))
	must(t, h.pool.QueryRow(t.Context(), `SELECT sealed FROM wallet_blob ORDER BY changed_on DESC LIMIT 1`).Scan(&sealed))
	if rows == 0 || strings.Contains(string(sealed), "Paula") || len(sealed)%4096 != 28 {
		t.Errorf("got %d rows, the last of %d bytes; want ciphertext whose length tells little", rows, len(sealed))
	}
	err = chromedp.Run(ctx, chromedp.Navigate(d.url+"/healthz"), chromedp.Evaluate(forgets, nil, awaited), chromedp.Navigate(d.url+"/wallet"), visible("welcome"),
		chromedp.Click(`#open-passkey`), chromedp.WaitVisible(`.idcard`), chromedp.Click(`.idcard`), visible("card"), chromedp.Text(`#view-card`, &card), shot("wallet-elsewhere"),
		chromedp.Click(`#view-card button[data-view=home]`), chromedp.Click(`#view-home button[data-view=settings]`), visible("settings"), chromedp.Click(`#destroy-sure`), chromedp.Click(`#destroy`), visible("welcome"))
	troubled(t, ctx, err)
	if !strings.Contains(card, "Paula Passkey") || !strings.Contains(card, "another device") {
		t.Errorf("got %q, want the card, and that its key is elsewhere", card)
	}
	var left int
	must(t, h.pool.QueryRow(t.Context(), `SELECT count(*) FROM wallet_blob`).Scan(&left))
	if left != rows-1 {
		t.Errorf("got %d rows, want it deleted on our side too", left)
	}
}

// cut takes the network away, from the service worker too.
func cut() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := network.EmulateNetworkConditionsByRule([]*network.Conditions{{Offline: true, DownloadThroughput: -1, UploadThroughput: -1}}).WithEmulateOfflineServiceWorker(true).Do(ctx)
		return err
	})
}

// Without a network the page opens and shows cards, a QR code included.
func TestJourneyOfAWalletWithoutANetwork(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Oskar Offline")
	ctx := chromium(t)
	var card string
	err := chromedp.Run(ctx, network.Enable(), chromedp.Navigate(d.url+"/wallet"), visible("welcome"), chromedp.Click(`#make-device`), visible("home"),
		chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`), visible("offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`),
		chromedp.WaitVisible(`.idcard`), chromedp.Click(`.idcard`), visible("card"), chromedp.Click(`#card-draw`), chromedp.WaitVisible(`#card-code img`),
		chromedp.Evaluate(`navigator.serviceWorker.ready.then(() => 0)`, nil, awaited), chromedp.Navigate(d.url+"/wallet"), chromedp.WaitVisible(`.idcard`),
		cut(), chromedp.Navigate(d.url+"/wallet"), chromedp.WaitVisible(`.idcard`), chromedp.Click(`.idcard`), visible("card"),
		chromedp.WaitVisible(`#card-code img`), chromedp.Text(`#card-lines`, &card), shot("wallet-offline"))
	troubled(t, ctx, err)
	if !strings.Contains(card, "Oskar Offline") {
		t.Errorf("got %q without a network, want the card", card)
	}
}

// The wallet in one browser logs its owner in at a portal in another.
func TestJourneyOfALoginByTheWalletInABrowser(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[2]
	phone, desk := chromium(t), chromium(t)
	var link, number, asked, profile string
	err := chromedp.Run(phone, chromedp.Navigate(d.url+"/wallet"), visible("welcome"), chromedp.Click(`#make-device`), visible("home"),
		chromedp.Click(`#view-home button[data-view=settings]`), visible("settings"), chromedp.SendKeys(`#bind-number`, who.UIN), chromedp.Click(`#bind-begin button`),
		chromedp.WaitVisible(`#bind-code`), chromedp.SendKeys(`#bind-code`, "111111"), chromedp.SetUploadFiles(`#bind-finger`, []string{who.Finger}), chromedp.Click(`#bind-end button`), chromedp.WaitVisible(`#bound`), shot("wallet-bound"))
	troubled(t, phone, err)
	must(t, chromedp.Run(desk, chromedp.Navigate(d.url+"/demo/portal"), chromedp.Click(`main form button`), chromedp.WaitVisible(`#method-wallet`), chromedp.Click(`#method-wallet`), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#wallet`), chromedp.AttributeValue(`#wallet a.button`, "href", &link, nil), chromedp.Text(`#wallet .lead .mono`, &number)))
	u, err := url.Parse(link)
	must(t, err)
	err = chromedp.Run(phone, chromedp.Click(`#view-settings button[data-view=home]`), visible("home"), chromedp.SendKeys(`#link`, d.url+u.RequestURI()), chromedp.Click(`#follow button:not(.second)`),
		visible("login"), chromedp.Text(`#login-form`, &asked), shot("wallet-login"), accessible(t, "the login"), chromedp.SendKeys(`#login-number`, number), chromedp.Click(`#claim-name`), chromedp.Click(`#login-form button[value=allow]`), visible("done"))
	troubled(t, phone, err)
	must(t, chromedp.Run(desk, chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), chromedp.Text(`main`, &profile)))
	if !strings.Contains(asked, "Ministry of Examples") || !strings.Contains(profile, who.Name) {
		t.Errorf("got %q and %q, want who asks on the phone and who came on the desk", asked, profile)
	}
}
