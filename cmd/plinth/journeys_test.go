package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/cmd/plinth/portal"
)

var seeds atomic.Int64 // of fingers: every applicant of the tests has other ones

// applicant lays an enrolment directory of somebody new, with changes to person.json.
func applicant(t *testing.T, name string, changes map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	identity := map[string]any{
		"fullName":    []any{map[string]any{"language": "eng", "value": name}},
		"dateOfBirth": "1988/08/08",
		"gender":      []any{map[string]any{"language": "eng", "value": "Female"}},
		"phone":       "+212611000000", "email": "new@example.org",
	}
	maps.Copy(identity, changes)
	person := map[string]any{"identity": identity, "process": "NEW", "consent": map[string]any{"given": true, "language": "eng", "text": "I agree."}}
	raw, err := json.Marshal(person)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "person.json"), raw, 0o600))
	for _, position := range []string{"rightIndex", "leftIndex"} {
		print := synth.PNG(synth.Print(70_000+seeds.Add(1), 0, 1))
		must(t, os.WriteFile(filepath.Join(dir, position+".png"), print, 0o600))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answerOf reads the JSON line that a command printed.
func answerOf(t *testing.T, out string) map[string]any {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("got %q, want a line of JSON", out)
	}
	return answer
}

// The first journey: from a directory of files to one number, which a second
// enrolment does not get again.
func TestJourneyOfAnEnrolment(t *testing.T) {
	d := demoOf(t)
	dir := applicant(t, "Nadia Novak", nil)
	out, code := d.run(t, "enrol", dir, "--wait")
	if code != exitYes {
		t.Fatalf("enrol: exit %d: %s", code, out)
	}
	line := answerOf(t, out)
	if line["state"] != "notified" {
		t.Fatalf("got %v, want notified", line)
	}
	application := line["application"].(string)
	out, _ = d.run(t, "application", application)
	a := answerOf(t, out)
	if history, _ := a["history"].([]any); len(history) < 4 || a["process"] != "NEW" {
		t.Errorf("got %v, want the process and its history", a)
	}
	if strings.Contains(out, "Nadia") || !regexp.MustCompile(`^•+\d{4}$`).MatchString(a["uin_masked"].(string)) {
		t.Errorf("got %s, want no name and a masked number", out)
	}
	out, code = d.run(t, "enrol", dir, "--wait")
	if second := answerOf(t, out); code != exitNo || second["state"] != "rejected" || !strings.Contains(second["reason"].(string), application) {
		t.Errorf("got exit %d, %s; want a duplicate of %s", code, out, application)
	}
	if _, page := d.get(t, "/demo/inbox"); !strings.Contains(page, "212611000000") {
		t.Error("the new person was told nothing")
	}
}

// What cannot be enrolled is refused with what to do, and does not keep others
// from being enrolled in the same call.
func TestBadEnrolmentsAreNamed(t *testing.T) {
	d := demoOf(t)
	noFinger := applicant(t, "No Finger", nil)
	must(t, os.WriteFile(filepath.Join(noFinger, "rightIndex.png"), []byte("this is a text"), 0o600))
	for _, row := range []struct{ name, dir, want string }{
		{"an image that is a text", noFinger, "rightIndex"},
		{"a birth date that is none", applicant(t, "Bad Date", map[string]any{"dateOfBirth": "the third of May"}), "dateOfBirth"},
		{"a mail address that is none", applicant(t, "Bad Mail", map[string]any{"email": "nobody"}), "email"},
		{"a directory without person.json", t.TempDir(), "person.json"},
		{"nothing", filepath.Join(t.TempDir(), "nothing"), "no such file"},
	} {
		good := applicant(t, "Good "+row.name, nil)
		out, code := d.run(t, "enrol", row.dir, good, "--wait")
		if code == exitYes || code == exitInternal || !strings.Contains(out, row.want) {
			t.Errorf("%s: got exit %d, %s; want %q named", row.name, code, out, row.want)
		}
		if !strings.Contains(out, `"state":"notified"`) {
			t.Errorf("%s: the one beside it was not enrolled: %s", row.name, out)
		}
	}
}

// relyingParty is a portal with an OIDC library that others wrote.
func (d *running) relyingParty(t *testing.T) *portal.Portal {
	t.Helper()
	b := &bench{url: d.url, dir: d.dir, house: &house{ground: &ground{}}}
	rp, err := b.relyingParty()
	must(t, err)
	return rp
}

// The second journey, over plain HTTP: a login with a one-time code.
func TestJourneyOfALoginWithACode(t *testing.T) {
	d := demoOf(t)
	person := logInAs(t, d, d.sheet.People[0].UIN, func(b *browser) {
		must(t, b.submit(t.Context(), "/oidc/login/code", url.Values{"code": {"111111"}}))
	}, "code")
	if person.Name != d.sheet.People[0].Name || person.Claims["email"] != d.sheet.People[0].Email || person.Claims["sub"] == d.sheet.People[0].UIN {
		t.Errorf("got %+v, want the claims of %s and a pseudonym", person, d.sheet.People[0].Name)
	}
	if again := logInAs(t, d, d.sheet.People[0].VID, func(b *browser) {
		must(t, b.submit(t.Context(), "/oidc/login/code", url.Values{"code": {"111111"}}))
	}, "code"); again.Claims["sub"] != person.Claims["sub"] {
		t.Errorf("got sub %v by VID, want %v as by UIN", again.Claims["sub"], person.Claims["sub"])
	}
}

// The same with a finger; that of somebody else does not do.
func TestJourneyOfALoginWithAFinger(t *testing.T) {
	d := demoOf(t)
	mine, other := d.sheet.People[1], d.sheet.People[2]
	person := logInAs(t, d, mine.VID, func(b *browser) {
		if err := b.finger(t.Context(), other.Finger); err == nil && b.at.Path != "/oidc/login/image" {
			t.Fatalf("another's finger led to %s", b.at)
		}
		must(t, b.finger(t.Context(), mine.Finger))
	}, "finger")
	if person.Name != mine.Name {
		t.Errorf("got %q, want %q", person.Name, mine.Name)
	}
}

func logInAs(t *testing.T, d *running, identifier string, prove func(*browser), factor string) portal.Person {
	t.Helper()
	rp := d.relyingParty(t)
	b, err := newBrowser(http.DefaultTransport)
	must(t, err)
	attempt, to, err := rp.Begin(t.Context())
	must(t, err)
	must(t, b.do(t.Context(), http.MethodGet, to, nil))
	must(t, b.submit(t.Context(), "/oidc/login/method", url.Values{"method": {factor}}))
	must(t, b.submit(t.Context(), "/oidc/login", url.Values{"identifier": {identifier}}))
	prove(b)
	if b.at.Query().Get("code") == "" { // not answered before
		must(t, b.submit(t.Context(), "/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name", "email", "birthdate"}}))
	}
	code := b.at.Query().Get("code")
	person, err := rp.Finish(t.Context(), attempt, code)
	must(t, err)
	if _, err := rp.Finish(t.Context(), attempt, code); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("got %v for a code that was used, want invalid_grant", err)
	}
	return person
}

// finger sends an image in the form of the page.
func (b *browser) finger(ctx context.Context, image string) error {
	raw, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	found := hidden.FindStringSubmatch(b.page)
	if found == nil {
		return fmt.Errorf("the page at %s has no form", b.at)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("visit", found[1])
	_ = form.WriteField("position", "rightIndex")
	part, _ := form.CreateFormFile("image", "finger.png")
	_, _ = part.Write(raw)
	form.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.at.Scheme+"://"+b.at.Host+"/oidc/login/image", &body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	answer, err := b.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	b.page, b.at = string(page), answer.Request.URL
	return err
}

var (
	letter    = regexp.MustCompile(`(?s)<article.*?</article>`)
	offerLink = regexp.MustCompile(`https?://[^\s"<>]+/vci/offer/[^\s"<>]+`)
	codeLine  = regexp.MustCompile(`(\d{6}) is the code that your wallet asks for`)
)

// offered enrols somebody new and waits for the offer and its code, which come
// by mail and by text message.
func (d *running) offered(t *testing.T, name string) (offer, txCode string) {
	t.Helper()
	n := seeds.Add(1)
	mail, phone := fmt.Sprintf("n%d@example.org", n), fmt.Sprintf("2126220%05d", n)
	dir := applicant(t, name, map[string]any{"email": mail, "phone": "+" + phone})
	if out, code := d.run(t, "enrol", dir, "--wait"); code != exitYes {
		t.Fatalf("enrol: exit %d: %s", code, out)
	}
	for deadline := time.Now().Add(time.Minute); offer == "" || txCode == ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the offer did not come")
		}
		_, inbox := d.get(t, "/demo/inbox")
		for _, message := range letter.FindAllString(inbox, -1) {
			if strings.Contains(message, mail) && offerLink.MatchString(message) {
				offer = offerLink.FindString(message)
			}
			if strings.Contains(message, phone) && codeLine.MatchString(message) {
				txCode = codeLine.FindStringSubmatch(message)[1]
			}
		}
	}
	return offer, txCode
}

// The third journey: the offer that came with the number becomes a credential in
// a wallet, and its QR code is checked; the fourth, in the same breath: whoever
// scans it, with or without a network.
func TestJourneyOfACredential(t *testing.T) {
	d := demoOf(t)
	offer, txCode := d.offered(t, "Wanda Wallet")
	dir := t.TempDir()
	file := "--file=" + filepath.Join(dir, "wallet")
	if out, code := d.run(t, "wallet", file, "receive", offer); code != exitWrongUse || !strings.Contains(out, "code") {
		t.Errorf("got exit %d, %s without the code that came apart; want it asked for", code, out)
	}
	txCode = "--tx-code=" + txCode
	out, code := d.run(t, "wallet", file, "receive", offer, txCode)
	if code != exitYes {
		t.Fatalf("receive: exit %d: %s", code, out)
	}
	if out, code := d.run(t, "wallet", file, "receive", offer, txCode); code == exitYes {
		t.Errorf("got %s for an offer that was taken, want it refused", out)
	}
	if out, _ := d.run(t, "wallet", file, "list"); !strings.Contains(out, "ldp_vc") {
		t.Errorf("got %s, want the credential listed", out)
	}
	document, code1 := filepath.Join(dir, "vc.json"), filepath.Join(dir, "qr.png")
	if out, code := d.run(t, "wallet", file, "show", "--export", document, "--qr", code1); code != exitYes {
		t.Fatalf("show: exit %d: %s", code, out)
	}
	card := filepath.Join(dir, "card.png")
	if out, code := d.run(t, "issue", "--uin", d.sheet.People[0].UIN, "--type", "national_id", "--format", "claim169", "-o", card); code != exitYes {
		t.Fatalf("issue: exit %d: %s", code, out)
	}
	for _, file := range []string{document, code1, card} {
		for _, how := range [][]string{{}, {"--offline", "--trust", filepath.Join(d.dir, trustFile)}} {
			out, code := d.run(t, append([]string{"verify", file}, how...)...)
			if verdict := answerOf(t, out); code != exitYes || verdict["verdict"] != "valid" || verdict["claims"] == nil {
				t.Errorf("verify %s %v: got exit %d, %s; want valid", filepath.Base(file), how, code, out)
			}
		}
	}
	raw, err := os.ReadFile(card)
	must(t, err)
	if page := d.scan(t, raw); !strings.Contains(page, "verdict valid") && !strings.Contains(page, d.sheet.People[0].Name) {
		t.Errorf("the page says: %s", page)
	}
}

// scan uploads a file to the page of the verifier.
func (d *running) scan(t *testing.T, raw []byte) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "card.png")
	must(t, err)
	_, err = part.Write(raw)
	must(t, err)
	form.Close()
	answer, err := http.Post(d.url+"/verify", form.FormDataContentType(), &body)
	must(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	must(t, err)
	return string(page)
}

// A single flipped bit anywhere in the text of a QR code makes it invalid or
// unreadable, and no attribute is shown.
func TestAFlippedBitIsNeverValid(t *testing.T) {
	d := demoOf(t)
	who := d.sheet.People[3]
	text, code := d.run(t, "issue", "--uin", who.UIN, "--format", "claim169-text")
	if code != exitYes {
		t.Fatal(text)
	}
	for at := 5; at < len(text); at += 37 {
		changed := []byte(text)
		changed[at] ^= 1
		file := filepath.Join(t.TempDir(), "changed.txt")
		must(t, os.WriteFile(file, changed, 0o600))
		out, code := d.run(t, "verify", file, "--offline", "--trust", filepath.Join(d.dir, trustFile))
		if code != exitNo && code != exitWrongUse || strings.Contains(out, strings.Fields(who.Name)[0]) {
			t.Errorf("bit flipped at %d: got exit %d, %s", at, code, out)
		}
	}
}

// Everything of a deployment dies at once, in the middle of the work. The next
// start takes over the database, and every packet that was accepted has one outcome.
func TestKilledServerLosesNothing(t *testing.T) {
	d, err := startDemo("")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(d.dir) })
	var dirs []string
	for i := range 6 {
		dirs = append(dirs, applicant(t, fmt.Sprintf("Crash %c", 'A'+i), nil))
	}
	out, code := d.run(t, append([]string{"enrol"}, append(dirs, dirs[0])...)...) // the first of them twice
	if code != exitYes {
		t.Fatal(out)
	}
	must(t, d.process.Process.Kill())
	_ = d.process.Wait()
	if d, err = startDemo(d.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	states := make(map[string]int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for line := range strings.Lines(out) {
		application := answerOf(t, line)["application"].(string)
		wg.Go(func() {
			state := d.settledState(t, application)
			mu.Lock()
			defer mu.Unlock()
			states[state]++
		})
	}
	wg.Wait()
	if states["notified"] != 6 || states["rejected"] != 1 {
		t.Errorf("got %v, want 6 notified and 1 rejected", states)
	}
	if out, code := d.run(t, "audit", "verify"); code != exitYes {
		t.Errorf("audit verify: exit %d: %s", code, out)
	}
	// It came back at another address, to which the portal has moved along.
	who := d.sheet.People[0]
	if person := logInAs(t, d, who.UIN, func(b *browser) {
		must(t, b.submit(t.Context(), "/oidc/login/code", url.Values{"code": {"111111"}}))
	}, "code"); person.Name != who.Name {
		t.Errorf("got %q after the move, want %q", person.Name, who.Name)
	}
}
