package oidc_test

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// The fingers of testdata are synthetic and ours: two impressions of one, one of another.
func impression(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".png")
	must(t, err)
	return raw
}

// enrolled is what enrolment keeps of a finger.
var enrolled = sync.OnceValues(func() (map[biometrics.Position][]byte, error) {
	raw, err := os.ReadFile("testdata/enrolled.png")
	if err != nil {
		return nil, err
	}
	image, err := finger.Decode(raw)
	if err != nil {
		return nil, err
	}
	template, _, err := finger.Extract(image)
	return map[biometrics.Position][]byte{biometrics.RightIndex: template.Marshal()}, err
})

func TestAFingerLogsItsPersonIn(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login", url.Values{"identifier": {w.uin}, "factor": {"finger"}})
	for position, picture := range map[string]string{"rightIndex": "another", "leftThumb": "again"} {
		if got := b.upload(t, page, position, impression(t, picture)); got.status != 422 || !regexp.MustCompile(`<option value="`+position+`"[^>]* selected>`).MatchString(got.text) {
			t.Fatalf("%s as %s: got %d %s, want a refusal", picture, position, got.status, got.text)
		}
	}
	page = b.upload(t, page, "rightIndex", impression(t, "again"))
	said := back(t, b.submit(t, page, "/oidc/login/consent", url.Values{"decision": {"allow"}}))
	id := payload(t, w.post(t, "/oidc/token", w.trade(t, w.rp, said.Get("code"))).str("id_token"))
	if amr, _ := id["amr"].([]any); len(amr) != 1 || amr[0] != "fpt" {
		t.Fatalf("got amr %v, want fpt", id["amr"])
	}
}

// upload sends the form for a finger as a browser does.
func (b *browser) upload(t *testing.T, page answer, position string, image []byte) answer {
	t.Helper()
	found := visitField.FindStringSubmatch(page.text)
	if found == nil {
		t.Fatalf("got %d %s, want a page of the login", page.status, page.text)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	must(t, form.WriteField("visit", found[1]))
	must(t, form.WriteField("position", position))
	if image != nil {
		part, err := form.CreateFormFile("image", "finger.png")
		must(t, err)
		_, err = part.Write(image)
		must(t, err)
	}
	must(t, form.Close())
	resp, err := b.Post(b.w.URL+"/oidc/login/image", form.FormDataContentType(), &body)
	must(t, err)
	return read(t, resp)
}

func TestAPictureThatIsNoFingerIsSaidPlainly(t *testing.T) {
	w := open(t)
	b := w.browser(t)
	page := b.submit(t, b.get(t, w.asks(w.question(w.rp))), "/oidc/login", map[string][]string{"identifier": {w.uin}, "factor": {"finger"}})
	if page.status != 200 || !strings.Contains(page.text, `type="file"`) {
		t.Fatalf("got %d %s, want the page for the finger", page.status, page.text)
	}
	for name, c := range map[string]struct {
		position string
		image    []byte
		want     string
	}{
		"none":             {"rightIndex", nil, "Choose a picture"},
		"empty":            {"rightIndex", []byte{}, "Choose a picture"},
		"of no finger":     {"rightIndex", []byte("hello"), "Take it again"},
		"of a third thumb": {"thirdThumb", []byte("hello"), "Choose a picture"},
	} {
		if got := b.upload(t, page, c.position, c.image); got.status != 422 || !strings.Contains(got.text, c.want) || !strings.Contains(got.text, `href="#image"`) {
			t.Errorf("%s: got %d %s, want %q and a link to the field", name, got.status, got.text, c.want)
		}
	}
	if got := b.upload(t, page, "rightIndex", bytes.Repeat([]byte("x"), 5<<20)); got.status != 413 {
		t.Errorf("got %d for 5 MB, want 413", got.status)
	}
}
