package oidc_test

import (
	"bytes"
	"mime/multipart"
	"strings"
	"testing"
)

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
		part, err := form.CreateFormFile("finger", "finger.png")
		must(t, err)
		_, err = part.Write(image)
		must(t, err)
	}
	must(t, form.Close())
	resp, err := b.Post(b.w.URL+"/oidc/login/finger", form.FormDataContentType(), &body)
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
		"none":             {"rightIndex", nil, "Choose the picture"},
		"empty":            {"rightIndex", []byte{}, "Choose the picture"},
		"of no finger":     {"rightIndex", []byte("hello"), "Scan the finger again"},
		"of a third thumb": {"thirdThumb", []byte("hello"), "Choose the picture"},
	} {
		if got := b.upload(t, page, c.position, c.image); got.status != 422 || !strings.Contains(got.text, c.want) || !strings.Contains(got.text, `href="#finger"`) {
			t.Errorf("%s: got %d %s, want %q and a link to the field", name, got.status, got.text, c.want)
		}
	}
	if got := b.upload(t, page, "rightIndex", bytes.Repeat([]byte("x"), 5<<20)); got.status != 413 {
		t.Errorf("got %d for 5 MB, want 413", got.status)
	}
}
