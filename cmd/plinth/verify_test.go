package main

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/plinth-id/plinth/credentials/qr"
)

// filmed makes a film for a camera that shows a picture in the middle of a table.
func filmed(t *testing.T, picture string) string {
	t.Helper()
	in, err := os.Open(picture)
	must(t, err)
	defer in.Close()
	code, err := png.Decode(in)
	must(t, err)
	frame := image.NewGray(image.Rect(0, 0, 1280, 960))
	draw.Draw(frame, frame.Bounds(), image.NewUniform(color.Gray{Y: 200}), image.Point{}, draw.Src)
	size := code.Bounds().Size()
	at := image.Pt((1280-size.X)/2, (960-size.Y)/2)
	draw.Draw(frame, image.Rectangle{Min: at, Max: at.Add(size)}, code, code.Bounds().Min, draw.Src)
	file := filepath.Join(t.TempDir(), "camera.mjpeg")
	out, err := os.Create(file)
	must(t, err)
	for range 10 {
		must(t, jpeg.Encode(out, frame, &jpeg.Options{Quality: 90}))
	}
	must(t, out.Close())
	return file
}

// camera is a browser before whose camera a picture lies.
func camera(t *testing.T, film string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", film))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, end := chromedp.NewContext(alloc)
	t.Cleanup(end)
	limited, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	t.Cleanup(func() { stuck(t, tab) })
	return limited
}

// printed gives the QR code of a person as a picture and as text.
func (d *running) printed(t *testing.T, person int) (picture, text string) {
	t.Helper()
	dir := t.TempDir()
	picture, file := filepath.Join(dir, "card.png"), filepath.Join(dir, "card.txt")
	for format, to := range map[string]string{"claim169": picture, "claim169-text": file} {
		if out, code := d.run(t, "issue", "--uin", d.sheet.People[person].UIN, "--format", format, "-o", to); code != exitYes {
			t.Fatal(out)
		}
	}
	raw, err := os.ReadFile(file)
	must(t, err)
	return picture, string(raw)
}

func TestJourneyOfACodeBeforeTheCamera(t *testing.T) {
	d := demoOf(t)
	picture, _ := d.printed(t, 6)
	var verdict string
	err := chromedp.Run(camera(t, filmed(t, picture)), chromedp.Navigate(d.url+"/verify"), chromedp.WaitVisible(`#scan`), shot("verify-camera-before"), chromedp.Click(`#scan`),
		chromedp.WaitVisible(`.verdict`), shot("verify-camera"), accessible(t, "the verdict"), chromedp.Text(`main`, &verdict))
	must(t, err)
	if !strings.Contains(verdict, d.sheet.People[6].Name) || !strings.Contains(verdict, "is valid") {
		t.Errorf("got %q, want the verdict", verdict)
	}
}

// The network is cut by taking the server away: nothing reaches it any more.
func TestJourneyWithoutANetwork(t *testing.T) {
	d := demoOf(t)
	_, text := d.printed(t, 6)
	to, err := url.Parse(d.url)
	must(t, err)
	line := httptest.NewServer(httputil.NewSingleHostReverseProxy(to))
	defer line.Close()
	var good, bad, known string
	ctx := chromium(t)
	must(t, chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(320, 640, 1, true), chromedp.Navigate(line.URL+"/verify/offline?lang=eng"),
		chromedp.WaitReady(`html[data-ready=true]`), shot("verify-offline"), narrow(t, "the offline page"), accessible(t, "the offline page")))
	line.Close()
	if _, err := http.Get(line.URL); err == nil {
		t.Fatal("the network is not cut")
	}
	must(t, chromedp.Run(ctx, chromedp.Navigate(line.URL+"/verify/offline"), chromedp.WaitVisible(`#text`), chromedp.Text(`#known`, &known),
		chromedp.SendKeys(`#text`, text), chromedp.Click(`#check button`), chromedp.WaitVisible(`.verdict.valid`), shot("verify-offline-valid"), accessible(t, "the verdict"), narrow(t, "the verdict"),
		chromedp.Text(`#result`, &good), chromedp.Evaluate(`document.getElementById('text').value = document.getElementById('text').value.slice(0, 90)`, nil),
		chromedp.Click(`#check button`), chromedp.WaitVisible(`.verdict.invalid`), shot("verify-offline-invalid"), chromedp.Text(`#result`, &bad)))
	if !strings.Contains(good, d.sheet.People[6].Name) || !strings.Contains(known, "as of") {
		t.Errorf("got %q and %q, want a verdict, and as of when", good, known)
	}
	if strings.Contains(bad, d.sheet.People[6].Name) {
		t.Errorf("got %q for a broken code", bad)
	}
}

// The whole in Arabic, on the narrowest phone.
func TestJourneyOfAVerifierOnAPhoneInArabic(t *testing.T) {
	d := demoOf(t)
	picture, _ := d.printed(t, 5)
	must(t, chromedp.Run(camera(t, filmed(t, picture)), emulation.SetDeviceMetricsOverride(320, 640, 2, true),
		chromedp.Navigate(d.url+"/verify?lang=ar"), chromedp.WaitVisible(`#scan`), shot("verify-ar"), narrow(t, "the verifier"), accessible(t, "the verifier"),
		chromedp.Click(`#scan`), chromedp.WaitVisible(`.verdict`), shot("verify-verdict-ar"), narrow(t, "the verdict"), accessible(t, "the verdict"),
		chromedp.Navigate(d.url+"/verify"), chromedp.Click(`button[value=cross_device]`), chromedp.WaitVisible(`.qr`), shot("verify-asked-ar"), narrow(t, "the question"), accessible(t, "the question"),
		chromedp.Navigate(d.url+"/verify"), chromedp.Click(`button[value=same_device]`), chromedp.WaitVisible(`#asked a.button`), shot("verify-same-ar"), narrow(t, "the link"), accessible(t, "the link")))
}

// A wallet on another device answers, and the page shows it once.
func TestJourneyOfAQuestionToAWallet(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Wanda Wallet")
	file := "--file=" + filepath.Join(t.TempDir(), "wallet")
	if out, code := d.run(t, "wallet", file, "receive", offer, "--tx-code="+txCode); code != exitYes {
		t.Fatal(out)
	}
	ctx := chromium(t)
	picture := filepath.Join(t.TempDir(), "asked.png")
	var code []byte
	must(t, chromedp.Run(ctx, chromedp.Navigate(d.url+"/verify"), shot("verify"), chromedp.Click(`button[value=cross_device]`), chromedp.WaitVisible(`.qr`), shot("verify-asked"), chromedp.Screenshot(`.qr`, &code)))
	must(t, os.WriteFile(picture, code, 0o600))
	link := readLink(t, picture)
	if out, code := d.run(t, "wallet", file, "present", link, "--yes"); code != exitYes {
		t.Fatal(out)
	}
	var answer, again string
	must(t, chromedp.Run(ctx, chromedp.WaitVisible(`.verdict`), shot("verify-answered"), accessible(t, "the answer"), chromedp.Text(`main`, &answer),
		chromedp.Navigate(d.url+"/verify/ask"), chromedp.WaitVisible(`main h1`), chromedp.Text(`main`, &again)))
	if !strings.Contains(answer, "Wanda Wallet") || strings.Contains(again, "Wanda Wallet") {
		t.Errorf("got %q, then %q; want the answer once", answer, again)
	}
}

// A page of a registered origin has the verifier in it and is told the verdict; one that was
// not greeted by its host is told nothing.
func TestJourneyOfAnEmbeddedVerifier(t *testing.T) {
	d := demoOf(t)
	_, text := d.printed(t, 6)
	shop := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1><plinth-verify></plinth-verify><p id="said"></p>
			<script src="` + d.url + `/verify/embed.js"></script>
			<script>document.querySelector('plinth-verify').addEventListener('verdict', (e) => { document.getElementById('said').textContent = e.detail.verdict + ' ' + JSON.stringify(e.detail); });
			window.addEventListener('message', (e) => { window.heard = (window.heard || 0) + 1; });</script>`))
	}))
	shop.Listener.Close()
	var err error
	shop.Listener, err = net.Listen("tcp", d.shop)
	must(t, err)
	shop.Start()
	defer shop.Close()
	var said string
	inside := `document.querySelector('iframe').contentWindow`
	ctx := chromium(t)
	must(t, chromedp.Run(ctx, chromedp.Navigate(shop.URL), chromedp.WaitVisible(`iframe`), shot("verify-embedded")))
	var reachable bool
	must(t, chromedp.Run(ctx, chromedp.Evaluate(`(() => { try { return !!`+inside+`.document; } catch { return false; } })()`, &reachable)))
	if reachable {
		t.Error("the page around can look into the verifier")
	}
	frame := frameOf(t, ctx, d.url+"/verify/frame")
	quoted, err := json.Marshal(text)
	must(t, err)
	must(t, chromedp.Run(frame, chromedp.Evaluate(`document.getElementById('text').value = `+string(quoted)+`; document.getElementById('check').requestSubmit()`, nil)))
	must(t, chromedp.Run(ctx, chromedp.WaitVisible(`#said:not(:empty)`), chromedp.Text(`#said`, &said), shot("verify-embedded-verdict")))
	if !strings.HasPrefix(said, "valid ") || strings.Contains(said, "claims") || strings.Contains(said, d.sheet.People[6].Name) {
		t.Errorf("got %q, want the page told the verdict, and not who it is", said)
	}
}

// readLink reads a code from a screen.
func readLink(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	text, err := qr.Read(raw)
	must(t, err)
	return text
}

// frameOf is the page of another origin within a page.
func frameOf(t *testing.T, tab context.Context, address string) context.Context {
	t.Helper()
	var found *target.Info
	for range 50 {
		all, err := chromedp.Targets(tab)
		must(t, err)
		for _, each := range all {
			if each.Type == "iframe" && strings.HasPrefix(each.URL, address) {
				found = each
			}
		}
		if found != nil {
			break
		}
		must(t, chromedp.Run(tab, chromedp.Sleep(100*time.Millisecond)))
	}
	if found == nil {
		t.Fatal("there is no frame")
	}
	frame, end := chromedp.NewContext(tab, chromedp.WithTargetID(found.TargetID))
	t.Cleanup(end)
	return frame
}

// plinth verify takes what plinth issue gives, by a plain and by a signed trust list.
func TestVerifyTakesEveryFormat(t *testing.T) {
	d := demoOf(t)
	dir := t.TempDir()
	list := map[string]string{}
	for name, path := range map[string]string{"plain": "/.well-known/plinth-trust.json", "signed": "/.well-known/plinth-trust.jwt"} {
		answer, err := http.Get(d.url + path)
		must(t, err)
		raw, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		must(t, err)
		list[name] = filepath.Join(dir, name)
		must(t, os.WriteFile(list[name], raw, 0o600))
	}
	policy := filepath.Join(dir, "policy.json")
	must(t, os.WriteFile(policy, []byte(`{"undetermined":{"status":"fatal"}}`), 0o600))
	for _, format := range []string{"ldp_vc", "dc+sd-jwt", "mso_mdoc", "claim169", "claim169-text"} {
		file := filepath.Join(dir, "card-"+format)
		if out, code := d.run(t, "issue", "--uin", d.sheet.People[6].UIN, "--format", format, "-o", file); code != exitYes {
			t.Fatal(out)
		}
		for name, trust := range list {
			if out, code := d.run(t, "verify", file, "--trust", trust); code != exitYes || !strings.Contains(out, `"not_revoked"`) || !strings.Contains(out, d.sheet.People[6].Name) {
				t.Errorf("%s, %s list: exit %d: %s", format, name, code, out)
			}
		}
		if out, code := d.run(t, "verify", file, "--trust", list["plain"], "--offline"); code != exitYes || !strings.Contains(out, `"status_unchecked"`) {
			t.Errorf("%s offline: exit %d: %s", format, code, out)
		}
		if out, code := d.run(t, "verify", file, "--trust", list["plain"], "--offline", "--policy", policy); code != exitNo || !strings.Contains(out, `"invalid"`) {
			t.Errorf("%s offline, by a strict policy: exit %d: %s", format, code, out)
		}
	}
	card := filepath.Join(dir, "card-ldp_vc")
	d.doubts(t, card, list)
	for name, arguments := range map[string][]string{
		"another signer": {"--trust", list["signed"], "--signer", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}, "a plain list": {"--trust", list["plain"], "--signer", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"},
		"no policy": {"--trust", list["plain"], "--policy", list["plain"]},
	} {
		if out, code := d.run(t, append([]string{"verify", card}, arguments...)...); code != exitWrongUse {
			t.Errorf("%s: exit %d: %s", name, code, out)
		}
	}
}

// doubts tells what plinth verify says of lists that are over, or that anybody could
// have signed.
func (d *running) doubts(t *testing.T, card string, list map[string]string) {
	t.Helper()
	plain, err := os.ReadFile(list["plain"])
	must(t, err)
	signed, err := os.ReadFile(list["signed"])
	must(t, err)
	var fields map[string]any
	must(t, json.Unmarshal(plain, &fields))
	fields["issued"], fields["expires"] = "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"
	old, err := json.Marshal(fields)
	must(t, err)
	parts := strings.Split(string(signed), ".")
	spoilt := parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))
	elsewhere := func(beside []byte) *running {
		other := &running{env: []string{"PLINTH_DATA=" + t.TempDir(), "PLINTH_URL=" + d.url}}
		if beside != nil {
			must(t, os.WriteFile(filepath.Join(strings.TrimPrefix(other.env[0], "PLINTH_DATA="), trustFile), beside, 0o600))
		}
		return other
	}
	for name, c := range map[string]struct {
		where *running
		list  []byte
		exit  int
		want  string
	}{
		"a plain list that is over":           {d, old, exitNo, `"The list of trusted issuers is from 2020-01-01 and has expired on 2020-02-01: fetch it anew."`},
		"signed, and a signer is known":       {elsewhere(plain), signed, exitYes, `"not_revoked"`},
		"signed, and no signer is known":      {elsewhere(nil), signed, exitYes, `"trust_unsigned"`},
		"not signed by a signer that is ours": {elsewhere(plain), []byte(spoilt), exitWrongUse, "signature"},
	} {
		file := filepath.Join(t.TempDir(), "list")
		must(t, os.WriteFile(file, c.list, 0o600))
		out, code := c.where.run(t, "verify", card, "--trust", file)
		if code != c.exit || !strings.Contains(out, c.want) || strings.Contains(out, "trust_unsigned") != strings.Contains(c.want, "trust_unsigned") || strings.Contains(out, `"claims"`) != (c.exit == exitYes) {
			t.Errorf("%s: exit %d: %s; want exit %d, %s", name, code, out, c.exit, c.want)
		}
	}
	// What is kept in the data directory is fetched anew when it is over.
	if out, code := elsewhere(old).run(t, "verify", card); code != exitYes {
		t.Errorf("an old list in the data directory: exit %d: %s", code, out)
	}
	if out, code := elsewhere(old).run(t, "verify", card, "--offline"); code != exitNo || !strings.Contains(out, `"unknown"`) {
		t.Errorf("an old list in the data directory, offline: exit %d: %s", code, out)
	}
}

// The wallet is in the same browser, which it brings back to the page that asked.
func TestJourneyOfAQuestionOnTheSameDevice(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Sami Samedevice")
	ctx := chromium(t)
	var answer, at string
	err := chromedp.Run(ctx, chromedp.Navigate(d.url+"/wallet"), visible("welcome"), chromedp.Click(`#make-device`), visible("home"),
		chromedp.SendKeys(`#link`, offer), chromedp.Click(`#follow button:not(.second)`), visible("offer"), chromedp.SendKeys(`#tx`, txCode), chromedp.Click(`#offer-form button:not(.second)`), chromedp.WaitVisible(`.idcard`),
		chromedp.Navigate(d.url+"/verify"), chromedp.Click(`button[value=same_device]`), chromedp.WaitVisible(`#asked a.second`), chromedp.Click(`#asked a.second`),
		visible("ask"), chromedp.Click(`#ask-form button[value=share]`), visible("done"), chromedp.Click(`#done-on`), chromedp.WaitVisible(`a.button[href="/verify"]`), shot("verify-same-answered"), chromedp.Text(`main`, &answer), chromedp.Location(&at))
	troubled(t, ctx, err)
	if !strings.Contains(answer, "Sami Samedevice") || !strings.Contains(at, "/verify/ask?response_code=") {
		t.Errorf("got %q at %s, want the answer", answer, at)
	}
}
