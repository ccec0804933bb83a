package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is a browser without a window, with a limit on its life.
func chromium(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	limited, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	t.Cleanup(func() { stuck(t, tab) })
	return limited
}

// stuck says on which page a journey that failed came to an end.
func stuck(t *testing.T, tab context.Context) {
	if !t.Failed() {
		return
	}
	soon, cancel := context.WithTimeout(tab, 10*time.Second)
	defer cancel()
	var at, text string
	if err := chromedp.Run(soon, chromedp.Location(&at), chromedp.Text(`body`, &text), shot("stuck")); err != nil {
		text = err.Error()
	}
	t.Logf("the journey ended at %s: %s", at, text)
}

// shot keeps a picture of the page where SCREENSHOTS names a directory.
func shot(name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		dir := os.Getenv("SCREENSHOTS")
		if dir == "" {
			return nil
		}
		var png []byte
		if err := chromedp.FullScreenshot(&png, 100).Do(ctx); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	})
}

// narrow checks that nothing has to be scrolled sideways (WCAG 2.2, 1.4.10).
func narrow(t *testing.T, page string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		var wide bool
		err := chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wide).Do(ctx)
		if wide {
			t.Errorf("%s is wider than its window", page)
		}
		return err
	})
}

func TestJourneyOfALoginInABrowser(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[4]
	var wrong, profile, at string
	err := chromedp.Run(chromium(t),
		chromedp.Navigate(d.url), shot("home"),
		chromedp.Navigate(d.url+"/demo/portal"), shot("portal"),
		chromedp.Click(`main form button`), chromedp.WaitVisible(`#method-code`), shot("login"), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#identifier`), shot("identify"),
		chromedp.SendKeys(`#identifier`, who.UIN), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#code`), shot("code"),
		chromedp.SendKeys(`#code`, "999999"), chromedp.Click(`main form button:not(.second)`),
		chromedp.WaitVisible(`.summary`), shot("code-wrong"), chromedp.Text(`.summary`, &wrong),
		chromedp.SendKeys(`#code`, "111111"), chromedp.Click(`main form button:not(.second)`),
		chromedp.WaitVisible(`button[value=allow]`), shot("consent"),
		chromedp.Click(`#claim-name`), chromedp.Click(`button[value=allow]`),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), shot("profile"),
		chromedp.Text(`main`, &profile), chromedp.Location(&at))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(wrong, "try again") {
		t.Errorf("got %q for a wrong code, want to be told", wrong)
	}
	if !strings.Contains(profile, who.Name) || strings.Contains(profile, who.Email) {
		t.Errorf("got %q at %s, want the name of %s and nothing that was not allowed", profile, at, who.Name)
	}
}

// On the narrowest phone, right to left.
func TestJourneyOfALoginOnAPhoneInArabic(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[5]
	var direction, profile string
	err := chromedp.Run(chromium(t), emulation.SetDeviceMetricsOverride(320, 640, 2, true),
		chromedp.Navigate(d.url+"/demo/portal?lang=ar"), shot("portal-ar"), narrow(t, "the portal"),
		chromedp.Evaluate(`document.documentElement.dir`, &direction),
		chromedp.Click(`main form button`), chromedp.WaitVisible(`#method-finger`), shot("login-ar"), narrow(t, "the login"),
		chromedp.Click(`#method-finger`), chromedp.Click(`main form button:not(.link)`), chromedp.WaitVisible(`#identifier`), shot("identify-ar"),
		chromedp.SendKeys(`#identifier`, who.VID), chromedp.Click(`main form button:not(.link)`),
		chromedp.WaitVisible(`#image`), narrow(t, "the finger page"),
		chromedp.SetUploadFiles(`#image`, []string{who.Finger}), shot("finger-ar"), chromedp.Click(`form[action="/oidc/login/image"] button`),
		chromedp.WaitVisible(`button[value=allow]`), shot("consent-ar"), narrow(t, "the consent"), chromedp.Click(`button[value=allow]`),
		chromedp.WaitVisible(`form[action="/demo/portal/logout"]`), shot("profile-ar"), narrow(t, "the profile"), chromedp.Text(`main`, &profile),
		chromedp.Navigate(d.url+"/verify"), shot("verify-ar"), narrow(t, "the verifier"),
		chromedp.Navigate(d.url+"/demo/inbox"), narrow(t, "the inbox"))
	if err != nil {
		t.Fatal(err)
	}
	if direction != "rtl" || profile == "" {
		t.Errorf("got direction %q and profile %q, want Arabic", direction, profile)
	}
}

func TestScanInABrowser(t *testing.T) {
	d := demoOf(t)
	card := filepath.Join(t.TempDir(), "card.png")
	if out, code := d.run(t, "issue", "--uin", d.sheet.People[6].UIN, "--format", "claim169", "-o", card); code != exitYes {
		t.Fatal(out)
	}
	var verdict string
	err := chromedp.Run(chromium(t), chromedp.Navigate(d.url+"/verify"), shot("verify"),
		chromedp.SetUploadFiles(`#file`, []string{card}), chromedp.Click(`main form button`),
		chromedp.WaitNotPresent(`#file`), shot("verdict"), chromedp.Text(`main`, &verdict))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(verdict, d.sheet.People[6].Name) {
		t.Errorf("got %q, want the name of the holder", verdict)
	}
}

// awaited waits for what a script promises.
func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// accessible checks the page as it is now by axe-core, where that is installed.
func accessible(t *testing.T, page string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		axe, err := os.ReadFile("../../bench/axe/node_modules/axe-core/axe.min.js")
		if os.IsNotExist(err) && os.Getenv("CI") == "" {
			return nil
		}
		if err != nil {
			return err
		}
		var found []string
		err = chromedp.Run(ctx, chromedp.Evaluate(string(axe), nil), chromedp.Evaluate(`axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
			.then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | ')))`, &found, awaited))
		for _, v := range found {
			t.Errorf("%s: %s", page, v)
		}
		return err
	})
}
