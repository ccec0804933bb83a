package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// visible waits for a view of the wallet.
func visible(view string) chromedp.Action {
	return chromedp.WaitVisible(`#view-` + view)
}

// troubled fails with what the page says is wrong.
func troubled(t *testing.T, ctx context.Context, err error) {
	t.Helper()
	if err != nil {
		var said string
		_ = chromedp.Run(ctx, chromedp.Evaluate(`document.getElementById('trouble').textContent + ' ' + [...document.querySelectorAll('.view')].filter(v => !v.hidden).map(v => v.id)`, &said))
		t.Fatalf("%v; the page says %q", err, said)
	}
}

func TestJourneyOfAWalletInABrowser(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Bruno Browser")
	ctx := chromium(t)
	var card, extractable, history string
	err := chromedp.Run(ctx, chromedp.Navigate(d.url+"/wallet"), visible("welcome"), shot("wallet-welcome"), chromedp.Click(`#make-device`),
		visible("home"), shot("wallet-empty"), chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`),
		visible("offer"), shot("wallet-offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`),
		chromedp.WaitVisible(`.idcard`), shot("wallet-cards"), chromedp.Click(`.idcard`),
		visible("card"), chromedp.Text(`#card-lines`, &card), chromedp.Click(`#card-draw`), chromedp.WaitVisible(`#card-code img`), shot("wallet-card"),
		chromedp.Evaluate(`new Promise((done) => { const a = indexedDB.open('plinth-wallet'); a.onsuccess = () => { const r = a.result.transaction('keys').objectStore('keys').getAll();
			r.onsuccess = () => done(r.result.length + ' ' + r.result.some(k => k.private.extractable)); }; })`, &extractable, awaited),
		// What was received is still there after a reload.
		chromedp.Navigate(d.url+"/wallet"), chromedp.WaitVisible(`.idcard`), chromedp.Click(`.idcard`), visible("card"),
		chromedp.Click(`#card-delete`), chromedp.WaitVisible(`#trouble`), chromedp.Click(`#card-sure`), chromedp.Click(`#card-delete`), visible("home"), chromedp.WaitVisible(`#none`),
		chromedp.Click(`#view-home button[data-view=history]`), visible("history"), chromedp.Text(`#events`, &history), shot("wallet-history"),
		chromedp.Click(`#view-history button[data-view=home]`), chromedp.Click(`#view-home button[data-view=settings]`), visible("settings"), shot("wallet-settings"),
		chromedp.Click(`#destroy-sure`), chromedp.Click(`#destroy`), visible("welcome"))
	troubled(t, ctx, err)
	if !strings.Contains(card, "Bruno Browser") {
		t.Errorf("got %q, want what the card says", card)
	}
	if !strings.HasSuffix(extractable, "false") || strings.HasPrefix(extractable, "0") {
		t.Errorf("got %s, want keys of which none can be read", extractable)
	}
	if !strings.Contains(history, "Received") || !strings.Contains(history, "Deleted") {
		t.Errorf("got %q, want what happened", history)
	}
}

// On the narrowest phone, right to left; every view passes the checker.
func TestJourneyOfAWalletOnAPhoneInArabic(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Amal Arabic")
	ctx := chromium(t)
	err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(320, 640, 2, true),
		chromedp.Navigate(d.url+"/wallet?lang=ar"), visible("welcome"), narrow(t, "the welcome"), shot("wallet-welcome-ar"), accessible(t, "the welcome"), chromedp.Click(`#make-device`),
		visible("home"), narrow(t, "the empty wallet"), accessible(t, "the empty wallet"), chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`),
		visible("offer"), narrow(t, "the offer"), shot("wallet-offer-ar"), accessible(t, "the offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`),
		chromedp.WaitVisible(`.idcard`), narrow(t, "the cards"), shot("wallet-cards-ar"), accessible(t, "the cards"), chromedp.Click(`.idcard`),
		visible("card"), narrow(t, "the card"), shot("wallet-card-ar"), accessible(t, "the card"),
		chromedp.Click(`#view-card button[data-view=home]`), chromedp.Click(`#view-home button[data-view=settings]`), visible("settings"), narrow(t, "the settings"), shot("wallet-settings-ar"), accessible(t, "the settings"))
	troubled(t, ctx, err)
}
