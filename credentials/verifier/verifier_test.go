package verifier

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ed25519"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	base = "https://id.example.org"
	did  = "did:web:id.example.org"
)

// seed makes the same key in every run, for the fuzz corpus.
var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// trusting is a verifier at noon that believes our key.
func trusting(status func(context.Context, string) ([]byte, error)) *Verifier {
	list := vc.TrustList{Issuers: []vc.TrustedIssuer{{ID: did, Name: "Example",
		Keys: []vc.TrustedKey{{ID: did + "#k", PublicKeyMultibase: must(vc.Multikey(key.Public()))}}}}}
	return must(New(Config{Trust: func() vc.TrustList { return list }, Status: status, Now: func() time.Time { return noon }}))
}

func code(c qr.Claims) string {
	c.Issuer, c.IssuedAt = base, noon
	return must(qr.Encode(qr.Identity169{FullName: "Ada Example", DateOfBirth: "19840418", Gender: 1}, c, key, []byte("k")))
}

func document(status *vc.StatusEntry) []byte {
	address, _ := vc.IdentityContext(base)
	return sign(vc.DraftInput{ID: "urn:uuid:6f1c3f9c-6d4a-4a52-8a3e-0c4f0a3b8f11", Issuer: did, ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.Add(time.Hour),
		Types: []string{vc.TypeNationalID}, Contexts: []string{address}, Claims: map[string]any{"birthDate": "1984-04-18"}, Status: status})
}

func sign(d vc.DraftInput) []byte {
	return must(must(vc.NewDraft(d)).Sign(key, did+"#k", noon)).JSON()
}

const address = base + "/status/1"

// bits is a signed status list with one bit set; change spoils it.
func bits(set int, change func(*vc.DraftInput)) []byte {
	raw := make([]byte, statuslist.MinPlaces/8)
	raw[set/8] |= 0x80 >> (set % 8)
	d := vc.DraftInput{ID: address, Issuer: did, ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.Add(time.Hour), Types: []string{"BitstringStatusListCredential"},
		Subject: address + "#list", Claims: map[string]any{"type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": folded(raw), "ttl": 60000}}
	change(&d)
	return sign(d)
}

func says(v Verdict) string {
	text := v.Verdict
	for _, r := range v.Reasons {
		text += " " + r.Code
		if r.Sentence == "" {
			text += "(no sentence)"
		}
	}
	return text
}

// Whoever was on a list that is over may have been taken off it since.
func TestTrustListHasAnEnd(t *testing.T) {
	v := trusting(nil)
	list := v.Trust()
	v.Trust = func() vc.TrustList { return list }
	for until, want := range map[time.Time]string{{}: Valid, noon.Add(time.Hour): Valid, noon: Unknown, noon.Add(-time.Hour): Unknown} {
		list.Expires = until
		got := must(v.Check(t.Context(), []byte(code(qr.Claims{}))))
		if got.Verdict != want || (got.Claims != nil) != (want == Valid) || strings.Contains(says(got), "trust_expired") != (want == Unknown) {
			t.Errorf("until %s: got %s %v, want %s", until, says(got), got.Claims, want)
		}
	}
}

func TestStatusListIsJudgedBeforeItsBit(t *testing.T) {
	same := func(*vc.DraftInput) {}
	for name, c := range map[string]struct {
		list  []byte
		index int
		want  string
	}{
		"good":           {bits(1, same), 2, "valid well_formed issuer_trusted signature_good in_period not_revoked"},
		"revoked":        {bits(2, same), 2, "invalid well_formed issuer_trusted signature_good in_period revoked"},
		"last":           {bits(131071, same), 131071, "invalid well_formed issuer_trusted signature_good in_period revoked"},
		"out of range":   {bits(1, same), 131072, "invalid well_formed issuer_trusted signature_good in_period status_out_of_range"},
		"other purpose":  {bits(1, func(d *vc.DraftInput) { d.Claims["statusPurpose"] = "suspension" }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"other address":  {bits(1, func(d *vc.DraftInput) { d.ID = base + "/status/2" }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"expired":        {bits(1, func(d *vc.DraftInput) { d.ValidUntil = noon }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"no list":        {document(nil), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"too short":      {bits(1, func(d *vc.DraftInput) { d.Claims["encodedList"] = folded(make([]byte, 16)) }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"bomb":           {bits(1, func(d *vc.DraftInput) { d.Claims["encodedList"] = folded(make([]byte, 16<<20+1)) }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"flipped":        {bytes.Replace(bits(1, same), []byte(`"ttl":60000`), []byte(`"ttl":60001`), 1), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
		"not compressed": {bits(1, func(d *vc.DraftInput) { d.Claims["encodedList"] = "uAAAA" }), 2, "unknown well_formed issuer_trusted signature_good in_period status_refused"},
	} {
		v := trusting(func(context.Context, string) ([]byte, error) { return c.list, nil })
		for kind, shown := range map[string][]byte{
			"document": document(&vc.StatusEntry{Purpose: "revocation", List: address, Index: c.index}),
			"code":     []byte(code(qr.Claims{Status: &qr.Status{Index: c.index, URI: address}})),
		} {
			if got := must(v.Check(t.Context(), shown)); says(got) != c.want {
				t.Errorf("%s, %s: got %s, want %s", name, kind, says(got), c.want)
			}
		}
	}
}

func TestStatusListIsHeldForItsTime(t *testing.T) {
	asked := 0
	v := trusting(func(context.Context, string) ([]byte, error) { asked++; return bits(1, func(*vc.DraftInput) {}), nil })
	shown := document(&vc.StatusEntry{Purpose: "revocation", List: address, Index: 2})
	for range 3 {
		must(v.Check(t.Context(), shown))
	}
	if asked != 1 {
		t.Errorf("got %d requests, want 1", asked)
	}
	v.Now = func() time.Time { return noon.Add(2 * time.Minute) } // past its ttl
	must(v.Check(t.Context(), shown))
	if asked != 2 {
		t.Errorf("got %d requests, want 2", asked)
	}
}

func TestStatusOfAnUnknownKindIsNotPassedOver(t *testing.T) {
	c, err := vc.Verify(t.Context(), document(nil), vc.VerifyOptions{Keys: trusting(nil).Trust().Resolve, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	verdict := Verdict{}
	v := trusting(func(context.Context, string) ([]byte, error) { return nil, io.EOF })
	v.status(t.Context(), &verdict, shown{issuer: c.Issuer, status: []place{{}}})
	if got := says(verdict.conclude(Policy{})); !strings.HasPrefix(got, Unknown) {
		t.Errorf("got %s, want unknown", got)
	}
}

func TestPictureTextAndDocumentAreToldApart(t *testing.T) {
	text := code(qr.Claims{})
	picture := must(qr.PNG(text, qr.Medium))
	drawn := must(png.Decode(bytes.NewReader(picture)))
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, drawn, nil); err != nil {
		t.Fatal(err)
	}
	packed := must(qr.EncodeJSON(document(nil)))
	for name, sent := range map[string][]byte{
		"text": []byte(text), "text with a newline": []byte("\xef\xbb\xbf" + text + "\r\n"), "PNG": picture, "JPEG": photo.Bytes(), "document": document(nil),
		"indented": append([]byte("\n  "), document(nil)...), "packed": []byte(packed), "packed PNG": must(qr.PNG(packed, qr.Low)),
		"PDF with a JPEG": pdf("DCTDecode", "/DeviceRGB", 8, drawn.Bounds(), photo.Bytes()),
		"PDF, 8 bits":     pdf("FlateDecode", "/DeviceGray", 8, drawn.Bounds(), deflated(samples(drawn, 1))),
		"PDF, RGB":        pdf("FlateDecode", "/DeviceRGB", 8, drawn.Bounds(), deflated(samples(drawn, 3))),
	} {
		got, err := trusting(nil).Check(t.Context(), sent)
		if err != nil || got.Verdict != Valid || got.Claims["birthDate"] != "1984-04-18" {
			t.Errorf("%s: got %s, %v, %v; want valid", name, says(got), got.Claims, err)
		}
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	blank := image.NewGray(image.Rect(0, 0, 64, 64))
	var b bytes.Buffer
	if err := png.Encode(&b, blank); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sent []byte
		want *fault.Fault
	}{
		"nothing":       {nil, ErrUnreadable},
		"spaces":        {[]byte(" \n"), ErrUnreadable},
		"words":         {[]byte("hello"), ErrUnreadable},
		"blank picture": {b.Bytes(), ErrUnreadable},
		"cut picture":   {b.Bytes()[:40], ErrUnreadable},
		"empty PDF":     {[]byte("%PDF-1.7\n%%EOF"), ErrPDF},
		"odd PDF":       {pdf("JPXDecode", "/DeviceGray", 8, blank.Rect, nil), ErrPDF},
		"lying PDF":     {pdf("FlateDecode", "/DeviceGray", 8, image.Rect(0, 0, 3000, 3000), deflated([]byte("short"))), ErrPDF},
		"large":         {make([]byte, MaxInput+1), ErrTooLarge},
	} {
		if _, err := trusting(nil).Check(t.Context(), c.sent); fault.Of(err) == nil || fault.Of(err).Code != c.want.Code {
			t.Errorf("%s: got %v, want %s", name, err, c.want.Code)
		}
	}
}

func TestBrokenCredentialIsInvalidAndShowsNothing(t *testing.T) {
	text, made := code(qr.Claims{}), string(document(nil))
	for name, sent := range map[string]string{
		"cut document":          made[:len(made)/2],
		"cut code":              text[:len(text)/2],
		"other claim":           strings.Replace(made, "1984-04-18", "1994-04-18", 1),
		"other date":            strings.Replace(made, `"validUntil":"2026`, `"validUntil":"2036`, 1),
		"new claim":             strings.Replace(made, `"birthDate"`, `"gender":"x","birthDate"`, 1),
		"other issuer":          strings.Replace(made, did, "did:web:evil.example.org", 1),
		"our context elsewhere": strings.Replace(made, base+"/contexts", "https://evil.example.org/contexts", 1),
		"only JSON":             `{"a":1}`,
	} {
		got, err := trusting(nil).Check(t.Context(), []byte(sent))
		if err != nil || got.Verdict != Invalid || got.Claims != nil || got.Issuer != "" {
			t.Errorf("%s: got %s, %v, %v; want invalid and nothing shown", name, says(got), got.Claims, err)
		}
	}
}

// Codes that other products print are read, and none of their issuers is believed.
func TestCodesOfOthersAreReadAndNotBelieved(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("codes of other products were not read: TESTDATA_DIR is not set")
	}
	files := must(filepath.Glob(filepath.Join(dir, "vectors/pixelpass/*.png")))
	files = append(files, must(filepath.Glob(filepath.Join(dir, "vectors/claim-169/*.png")))...)
	for _, file := range files {
		got, err := trusting(nil).Check(t.Context(), must(os.ReadFile(file)))
		if err == nil && (got.Verdict == Valid || got.Claims != nil) {
			t.Errorf("%s: got %s, %v; want nothing believed", filepath.Base(file), says(got), got.Claims)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	if len(files) == 0 {
		t.Error("got no pictures, want those of the collection")
	}
}

// page posts a form and gives the answer.
func post(t *testing.T, fields map[string]string) (int, string) {
	t.Helper()
	at := must(url.Parse("http://localhost"))
	r := web.New(web.Config{Public: at, Log: slog.New(slog.DiscardHandler)})
	trusting(nil).Routes(r)
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for name, value := range fields {
		part := must(form.CreateFormFile(name, "x"))
		if name == "text" {
			part = must(form.CreateFormField(name))
		}
		must(io.WriteString(part, value))
	}
	form.Close()
	request := httptest.NewRequest(http.MethodPost, "/verify", &b)
	request.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w.Code, w.Body.String()
}

func TestPageShowsTheVerdict(t *testing.T) {
	text := code(qr.Claims{})
	for name, c := range map[string]struct {
		fields map[string]string
		status int
		want   string
	}{
		"text":      {map[string]string{"text": text}, 200, "This credential is valid"},
		"picture":   {map[string]string{"file": string(must(qr.PNG(text, qr.Low)))}, 200, "Ada Example"},
		"offline":   {map[string]string{"text": code(qr.Claims{Status: &qr.Status{Index: 1, URI: address}})}, 200, "made offline"},
		"broken":    {map[string]string{"text": text[:60]}, 200, "Do not accept"},
		"nothing":   {map[string]string{}, 400, "Choose a picture"},
		"both":      {map[string]string{"file": "x", "text": "y"}, 400, "not both"},
		"no code":   {map[string]string{"text": "hello"}, 400, "could be found"},
		"PDF":       {map[string]string{"file": "%PDF-1.4"}, 400, "in this PDF"},
		"too large": {map[string]string{"file": strings.Repeat("x", MaxInput+1)}, 400, "at most 5 MB"},
	} {
		status, body := post(t, c.fields)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d, want %d and %q in %s", name, status, c.status, c.want, body)
		}
	}
	if _, body := post(t, map[string]string{"text": text[:60]}); strings.Contains(body, "Ada") {
		t.Error("the page shows claims of a broken code")
	}
}

// FuzzCheck: no input makes the verifier panic, and none is believed but ours.
func FuzzCheck(f *testing.F) {
	for _, sent := range [][]byte{document(nil), []byte(code(qr.Claims{})), must(qr.PNG(code(qr.Claims{}), qr.Low)), []byte(must(qr.EncodeJSON(document(nil)))),
		[]byte(`{"@context":[]}`), []byte("%PDF-1.4 obj /Subtype /Image /Filter /DCTDecode stream\nendstream"), []byte("NCF%RN"), nil} {
		f.Add(sent)
	}
	v := trusting(nil)
	f.Fuzz(func(t *testing.T, sent []byte) {
		verdict, err := v.Check(t.Context(), sent)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want a fault that says what to do", err)
		}
		if err == nil && verdict.Verdict == Unknown && verdict.Claims != nil && verdict.Issuer != did {
			t.Errorf("got claims of %s, whom we do not know", verdict.Issuer)
		}
		if verdict.Claims != nil && verdict.Claims["birthDate"] != "1984-04-18" {
			t.Errorf("got %v, which we never signed", verdict.Claims)
		}
	})
}

// pdf is a PDF with one picture.
func pdf(filter, space string, bits int, size image.Rectangle, data []byte) []byte {
	return fmt.Appendf(nil, "%%PDF-1.7\n1 0 obj\n<</Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent %d /ColorSpace %s /Filter /%s /Length %d>>\nstream\n%s\nendstream\nendobj\n%%%%EOF",
		size.Dx(), size.Dy(), bits, space, filter, len(data), data)
}

func deflated(raw []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	must(w.Write(raw))
	w.Close()
	return b.Bytes()
}

func samples(picture image.Image, channels int) (raw []byte) {
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			grey := color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y
			raw = append(raw, bytes.Repeat([]byte{grey}, channels)...)
		}
	}
	return raw
}

// Only pages of the origins that are registered may have the verifier in them.
func TestFrameIsForRegisteredOrigins(t *testing.T) {
	for want, embed := range map[string][]string{
		"frame-ancestors 'self';":                      nil,
		"frame-ancestors 'self' https://shop.example;": {"https://shop.example"},
	} {
		v := must(New(Config{Trust: func() vc.TrustList { return vc.TrustList{} }, Embed: embed}))
		r := web.New(web.Config{Public: must(url.Parse("https://verifier.example")), Log: slog.New(slog.DiscardHandler)})
		v.Routes(r)
		a := httptest.NewRecorder()
		r.ServeHTTP(a, httptest.NewRequest("GET", "/verify/frame?mode=ask", nil))
		if got := a.Header().Get("Content-Security-Policy"); a.Code != 200 || !strings.Contains(got, want) {
			t.Errorf("got %d %s, want %s", a.Code, got, want)
		}
		for _, origin := range embed {
			if !strings.Contains(a.Body.String(), origin) {
				t.Errorf("got %s, want the page to know %s", a.Body, origin)
			}
		}
	}
}
