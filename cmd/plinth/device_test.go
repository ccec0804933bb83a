package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"image"
	"image/color"
	"image/jpeg"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// fingersOf is a folder with a left slap, a right index finger, an eye and a face.
func fingersOf(t *testing.T) string {
	t.Helper()
	dir, seed := t.TempDir(), 900_000+seeds.Add(10)
	for i, p := range append(sbi.Parts(sbi.Finger, 1), biometrics.RightIndex) {
		must(t, os.WriteFile(filepath.Join(dir, string(p)+".png"), synth.PNG(synth.Print(seed+int64(i), 0, 1)), 0o600))
	}
	face := image.NewRGBA(image.Rect(0, 0, 120, 160))
	for y := range 160 {
		for x := range 120 {
			face.Set(x, y, color.RGBA{uint8(2 * x), uint8(y), 99, 0xff})
		}
	}
	var out bytes.Buffer
	must(t, jpeg.Encode(&out, face, nil))
	must(t, os.WriteFile(filepath.Join(dir, "face.jpg"), out.Bytes(), 0o600))
	return dir
}

// announced is what a simulator says when it starts.
type announced struct {
	Service    string `json:"service"`
	ProviderCA string `json:"provider_ca"`
	ChipCA     string `json:"chip_ca"`
	Provider   string `json:"provider"`
}

// deviceOf runs plinth device in a process of its own.
func deviceOf(t *testing.T, args ...string) announced {
	t.Helper()
	if !slices.Contains(args, "--server") { // a page looks where devices are; nobody else does here
		free, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		must(t, free.Close())
		args = append(args, "--listen", free.Addr().String())
	}
	command := plinth(t.Context(), nil, append([]string{"device"}, args...)...)
	out, err := command.StdoutPipe()
	must(t, err)
	said, err := command.StderrPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	warning, err := bufio.NewReader(said).ReadString('\n')
	must(t, err)
	var a announced
	if err := json.NewDecoder(out).Decode(&a); err != nil || a.Provider != sbi.Simulator || !strings.Contains(warning, "never do that in production") {
		t.Fatalf("got %+v, %v, %s; want a device that says that it is a simulated one", a, err, warning)
	}
	return a
}

// runs runs a command of the program, and gives what it says and its exit code.
func runs(t *testing.T, args ...string) (string, int) {
	t.Helper()
	command := plinth(t.Context(), nil, args...)
	out, _ := command.CombinedOutput()
	return string(out), command.ProcessState.ExitCode()
}

// A page as anybody may write it, with the custom methods of the interface. Its
// script finds the finger device, captures a left slap and then a face in one chain,
// and looks at the stream.
const page = `<!doctype html><meta charset=utf-8><title>A page</title><pre id=result></pre><script>
const device = new URLSearchParams(location.search).get("device");
const ask = async (method, path, body) => (await fetch(device + path, {method, body: JSON.stringify(body), headers: {"Content-Type": "application/json"}})).json();
const text = part => { const raw = atob(part.replaceAll("-", "+").replaceAll("_", "/")); return JSON.parse(raw); };
const capture = (bio, transactionId) => ask("RCAPTURE", "/capture", {env: "Developer", purpose: "Registration", specVersion: "0.9.5", timeout: "10000",
	captureTime: new Date().toISOString().slice(0, 19) + "Z", transactionId, bio: [{requestedScore: "60", ...bio}], customOpts: {}});
(async () => {
	const result = {found: await ask("MOSIPDISC", "/device", {type: "Biometric Device"})};
	result.info = await ask("MOSIPDINFO", "/info", {});
	result.slap = await capture({type: "Finger", count: "4", bioSubType: [], exception: [], deviceId: "1", deviceSubId: "1", previousHash: ""}, "page-transaction-1");
	const last = result.slap.biometrics.at(-1).hash;
	result.face = await capture({type: "Face", count: "1", bioSubType: [], exception: [], deviceId: "3", deviceSubId: "0", previousHash: last}, "page-transaction-2");
	result.subTypes = result.slap.biometrics.map(b => text(b.data.split(".")[1]).bioSubType);
	const stream = await fetch(device + "/stream", {method: "STREAM", body: JSON.stringify({deviceId: "1", deviceSubId: "1", timeout: "5000"})});
	const {value} = await stream.body.getReader().read();
	result.stream = stream.headers.get("Content-Type") + " " + value.length;
	return result;
})().catch(e => ({failed: String(e)})).then(r => { document.querySelector("#result").textContent = JSON.stringify(r); document.body.id = "done"; });
</script>`

func TestDeviceServesAPlainPage(t *testing.T) {
	device := deviceOf(t, fingersOf(t))
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(host.Close)
	var text string
	if err := chromedp.Run(chromium(t), chromedp.Navigate(host.URL+"/?device="+device.Service), chromedp.WaitVisible(`#done #result`), chromedp.Text(`#result`, &text)); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Failed, Stream string
		Found          []sbi.Device
		Info           []sbi.SignedInfo
		Slap, Face     sbi.Answer
		SubTypes       []string
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Failed != "" {
		t.Fatalf("got %.300s, %v", text, err)
	}
	if len(got.Found) != 3 || len(got.Info) != 3 || !slices.Equal(got.SubTypes, []string{"Left IndexFinger", "Left MiddleFinger", "Left RingFinger", "Left LittleFinger"}) {
		t.Errorf("got %d devices, %d, %v", len(got.Found), len(got.Info), got.SubTypes)
	}
	if !strings.HasPrefix(got.Stream, "multipart/x-mixed-replace") || strings.HasSuffix(got.Stream, " 0") {
		t.Errorf("got the stream %q", got.Stream)
	}
	roots, err := pool([]string{device.ProviderCA})
	must(t, err)
	trust := sbi.Trust{Roots: roots}
	asked := sbi.Request{TransactionID: "page-transaction-1", Env: sbi.Developer, Bio: []sbi.Ask{{Type: sbi.Finger, DeviceSubID: 1}}}
	slap, err := trust.CheckAnswer(asked, got.Slap, time.Now())
	if err != nil || len(slap) != 4 {
		t.Fatalf("got %d fingers, %v", len(slap), err)
	}
	asked = sbi.Request{TransactionID: "page-transaction-2", Env: sbi.Developer, Bio: []sbi.Ask{{Type: sbi.Face, PreviousHash: slap[3].Hash}}}
	if face, err := trust.CheckAnswer(asked, got.Face, time.Now()); err != nil || len(face) != 1 || face[0].Position != biometrics.FullFace {
		t.Errorf("got %d faces, %v", len(face), err)
	}
}

// What a device captured is enrolled: from its images over biometrics.xml to a number.
func TestWhatADeviceCapturesIsEnrolled(t *testing.T) {
	d := demoOf(t)
	device := deviceOf(t, fingersOf(t), "--level", "L1")
	dir := applicant(t, "Device Applicant", nil)
	for _, p := range []string{"rightIndex.png", "leftIndex.png"} {
		must(t, os.Remove(filepath.Join(dir, p)))
	}
	bundle := filepath.Join(dir, "biometrics.xml")
	out, code := runs(t, "device", "capture", "--device", device.Service, "--trust", device.ProviderCA, "--chip-trust", device.ChipCA, "--exception", "leftThumb", "--out", bundle)
	if code != exitYes || strings.Count(out, `"level":"L1"`) != 6 || !strings.Contains(out, "rightMiddle was not captured") {
		t.Fatalf("got exit %d, %s; want six samples", code, out)
	}
	raw, err := os.ReadFile(bundle)
	must(t, err)
	records, err := cbeff.Read(raw)
	must(t, err)
	roots, err := pool([]string{device.ProviderCA})
	must(t, err)
	chips, err := pool([]string{device.ChipCA})
	must(t, err)
	for _, r := range records {
		if r.Exception {
			continue
		}
		if e, err := (sbi.Trust{Roots: roots, Chips: chips}).CheckRecord(r, time.Now()); err != nil || e.Level != sbi.L1 {
			t.Errorf("%s: got %+v, %v", r.Position, e, err)
		}
	}
	if out, code := d.run(t, "enrol", dir, "--wait"); code != exitYes || !strings.Contains(out, "notified") {
		t.Errorf("got exit %d, %s; want the person enrolled", code, out)
	}
}

func TestOnlyBelievedDevicesCapture(t *testing.T) {
	device := deviceOf(t, fingersOf(t))
	other := deviceOf(t, fingersOf(t), "--modality", "finger")
	bundle := filepath.Join(t.TempDir(), "biometrics.xml")
	out, code := runs(t, "device", "capture", "--device", device.Service, "--trust", other.ProviderCA, "--out", bundle)
	if _, err := os.Stat(bundle); code != exitWrongUse || !strings.Contains(out, "not believed") || err == nil {
		t.Errorf("got exit %d, %s, %v of a provider who is not trusted", code, out, err)
	}
	out, code = runs(t, "device", "capture", "--device", device.Service, "--trust", device.ProviderCA, "--env", "Production", "--out", bundle)
	if code != exitWrongUse {
		t.Errorf("got exit %d, %s of a device of another environment", code, out)
	}
	out, code = runs(t, "device", "capture", "--device", device.Service, "--trust", device.ProviderCA, "--position", "rightIndex", "--position", "rightThumb", "--out", bundle)
	if code != exitNo || !strings.Contains(out, "rightThumb was not captured") || !strings.Contains(out, `"position":"rightIndex"`) {
		t.Errorf("got exit %d, %s; want one of two", code, out)
	}
	out, code = runs(t, "device", "capture", "--device", device.Service, "--trust", device.ProviderCA, "--position", "leftIndex", "--score", "100", "--tries", "2", "--out", bundle)
	if code != exitYes || !strings.Contains(out, `"position":"leftIndex"`) {
		t.Errorf("got exit %d, %s", code, out)
	}
}

func TestADeviceThatAuthenticatesSealsToItsServer(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	certificate, err := x509.ParseCertificate(raw)
	must(t, err)
	file := filepath.Join(t.TempDir(), "server.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	device := deviceOf(t, fingersOf(t), "--purpose", "Auth", "--modality", "finger", "--server-certificate", file)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	asked := sbi.Request{Env: sbi.Developer, Purpose: sbi.Authentication, SpecVersion: sbi.Version, Timeout: 10_000, CaptureTime: sbi.Stamp(time.Now()), DomainURI: "https://id.example",
		TransactionID: "authentication-1", Bio: []sbi.Ask{{Type: sbi.Finger, Count: 1, BioSubType: []string{"Right IndexFinger"}, DeviceID: "1", PreviousHash: sbi.FirstHash()}}}
	answer, err := sbi.Service{Base: device.Service, HTTP: http.DefaultClient}.Capture(ctx, asked)
	must(t, err)
	roots, err := pool([]string{device.ProviderCA})
	must(t, err)
	chips, err := pool([]string{device.ChipCA})
	must(t, err)
	all, err := sbi.Trust{Roots: roots, Chips: chips}.CheckSealed(asked, answer, sbi.Server{Certificate: certificate, Key: key}, time.Now())
	if err != nil || len(all) != 1 || all[0].Position != biometrics.RightIndex {
		t.Errorf("got %d, %v", len(all), err)
	}
	if out, code := runs(t, "device", fingersOf(t), "--purpose", "Auth", "--level", "L0"); code != exitWrongUse || !strings.Contains(out, "take L1") {
		t.Errorf("got exit %d, %s; want no L0 that authenticates", code, out)
	}
}
