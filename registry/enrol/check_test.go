package enrol

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/biometrics/wsq"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
)

// picture is an image of which each pixel says for itself how bright it is.
func picture(width, height int, at func(x, y int) uint8) []byte {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetGray(x, y, color.Gray{Y: at(x, y)})
		}
	}
	return synth.PNG(img)
}

func blank(int, int) uint8 { return 255 }

// photograph has soft shades, edges and grain, as a picture of a room has.
func photograph(x, y int) uint8 {
	shade := 90 + 60*math.Sin(float64(x)/90) + 50*math.Cos(float64(y)/70)
	if (x-180)*(x-180)+(y-200)*(y-200) < 9000 {
		shade = 200 - float64(y)/4
	}
	return uint8(max(0, min(255, shade+rand.Float64()*25)))
}

func noise(int, int) uint8 { return uint8(rand.Uint32()) }

// bomb is a PNG of a few bytes that says it has 60,000 by 60,000 pixels.
func bomb() []byte {
	raw := bytes.Clone(picture(8, 8, blank))
	copy(raw[16:24], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	binary.BigEndian.PutUint32(raw[29:], crc32.ChecksumIEEE(raw[12:29]))
	return raw
}

// rejected forges a packet, lets it be processed, and wants it rejected with
// nothing left but the application and its packet.
func (w *world) rejected(t *testing.T, what string, c contents, code, reason string) {
	t.Helper()
	a := w.settled(t, w.receive(t, w.forge(t, w.header(), encoded(t, c))).ID)
	if a.State != Rejected || a.Code != code || !strings.Contains(a.Reason, reason) {
		t.Errorf("%s: got %s (%s: %s), want it rejected (%s: %s)", what, a.State, a.Code, a.Reason, code, reason)
	}
	if len(a.Reason) > longestReason+4 || strings.ContainsFunc(a.Reason, unicode.IsControl) {
		t.Errorf("%s: got a reason of %d bytes, want one that can be shown", what, len(a.Reason))
	}
	if left := w.count(t, `SELECT (SELECT count(*) FROM enrol_gallery) + (SELECT count(*) FROM enrol_case) + (SELECT count(*) FROM registry_identity)`); left != 0 {
		t.Errorf("%s: got %d rows left, want none", what, left)
	}
	if _, err := w.stored(t.Context(), a); err != nil {
		t.Errorf("%s: the packet is lost: %v", what, err)
	}
}

func TestAnImageThatIsNoFingerprintIsNamed(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	good := w.contents(t, newApplicant(1, 0))
	whole := print(1, 0)
	finger := func(data []byte) []sample { return []sample{{Position: "rightIndex", Format: "png", Data: data}} }
	two := func(other []byte) []sample {
		return append([]sample{{Position: "leftIndex", Format: "png", Data: other}}, good.Samples...)
	}
	for what, test := range map[string]struct {
		samples []sample
		reason  string
	}{
		"a text":                     {finger([]byte("This is a thumb, believe me.")), "rightIndex.png: this is no image"},
		"nothing":                    {finger(nil), "rightIndex.png: this is no image"},
		"half of a print":            {finger(whole[:len(whole)/2]), "rightIndex.png: this is no image"},
		"a blank sheet":              {finger(picture(388, 374, blank)), "rightIndex.png: there is no fingerprint"},
		"a photograph":               {finger(picture(388, 374, photograph)), "rightIndex.png: "},
		"noise":                      {finger(picture(388, 374, noise)), "rightIndex.png: "},
		"a stamp":                    {finger(picture(16, 16, noise)), "rightIndex.png: "},
		"a bomb":                     {finger(bomb()), "rightIndex.png: this image is too large"},
		"a face that is a text":      {append([]sample{{Position: "face", Format: "jpg", Data: []byte("a smile")}}, good.Samples...), "face.jpg: must be a JPEG or PNG"},
		"a good and a bad finger":    {two([]byte("x")), "leftIndex.png: this is no image"},
		"a finger for which is none": {good.Samples, "rightIndex.png: is there although an exception"},
	} {
		c := good
		c.Samples = test.samples
		if what == "a finger for which is none" {
			a := newApplicant(1, 0)
			a.person["exceptions"] = []any{map[string]any{"position": "rightIndex", "kind": "permanent", "reason": "An accident."}}
			c = w.contents(t, a)
		}
		w.rejected(t, what, c, "sample-unusable", test.reason)
	}
	c := good
	c.Samples = two(good.Samples[0].Data)
	w.rejected(t, "one image as two fingers", c, "sample-repeated", "is the same image as leftIndex.png")
	c.Samples = two(print(1, 1))
	w.rejected(t, "one finger as two", c, "sample-repeated", "shows the same finger as leftIndex.png")
	c.Samples = nil
	w.rejected(t, "no finger", c, "fingers-missing", "has neither an image nor an exception")
}

func TestAPersonAgainstTheRulesIsNamed(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	identity := func(name string, value any) func(map[string]any) {
		return func(p map[string]any) { p["identity"].(map[string]any)[name] = value }
	}
	top := func(name string, value any) func(map[string]any) {
		return func(p map[string]any) { p[name] = value }
	}
	exception := func(of map[string]any) func(map[string]any) { return top("exceptions", []any{of}) }
	for what, test := range map[string]struct {
		change       func(map[string]any)
		code, reason string
	}{
		"a day that never was":        {identity("dateOfBirth", "1999/02/30"), "person-invalid", "dateOfBirth: must be a day that exists"},
		"a birth date that is none":   {identity("dateOfBirth", 19990203), "person-invalid", "dateOfBirth: "},
		"no name":                     {func(p map[string]any) { delete(p["identity"].(map[string]any), "fullName") }, "person-invalid", "fullName: is required"},
		"a name that is a text":       {identity("fullName", "Anna"), "person-invalid", "fullName: "},
		"a name that breaks a line":   {identity("fullName", []any{map[string]any{"language": "eng", "value": "An\nna"}}), "person-invalid", "fullName: must not hold control characters"},
		"a phone that is a word":      {identity("phone", "at the baker's"), "person-invalid", "phone: must match"},
		"a field of nobody":           {identity("shoeSize", "43"), "person-invalid", "shoeSize: is not in the identity schema"},
		"a field that breaks a table": {identity("shoe\x00Size\r\n", "43"), "person-invalid", ""},
		"a field of endless name":     {identity(strings.Repeat("é", 20000), "43"), "person-invalid", ""},
		"a number already":            {identity("UIN", "1234567890"), "person-unreadable", "UIN: must be absent"},
		"a thousand fields": {func(p map[string]any) {
			for i := range 1000 {
				p["identity"].(map[string]any)[strconv.Itoa(i)] = i
			}
		}, "person-unreadable", "identity: must have at most 500 fields"},
		"no consent":                  {func(p map[string]any) { delete(p, "consent") }, "consent-missing", "consent: needs"},
		"a consent that was refused":  {top("consent", map[string]any{"given": false, "text": "I agree."}), "consent-missing", "consent: needs"},
		"a consent to nothing":        {top("consent", map[string]any{"given": true}), "consent-missing", "consent: needs"},
		"a consent that is a word":    {top("consent", "yes"), "person-unreadable", "consent: must be of another JSON type"},
		"another process":             {top("process", "UPDATE"), "process-unsupported", "process: must be NEW"},
		"no identity":                 {top("identity", map[string]any{}), "person-unreadable", "identity: is missing"},
		"an exception of no finger":   {exception(map[string]any{"position": "tail", "kind": "permanent", "reason": "x"}), "person-unreadable", "exceptions.position: "},
		"an exception without reason": {exception(map[string]any{"position": "leftThumb", "kind": "permanent", "reason": " "}), "person-unreadable", "exceptions.leftThumb: needs"},
	} {
		p := newApplicant(1, 0).person
		test.change(p)
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		c := w.contents(t, newApplicant(1, 0))
		c.Person = raw
		w.rejected(t, what, c, test.code, test.reason)
	}
	for what, raw := range map[string]string{"nothing": "", "no JSON": `{"identity": {`, "a list": "[]", "bytes": "\xff\x00"} {
		c := w.contents(t, newApplicant(1, 0))
		c.Person = []byte(raw)
		w.rejected(t, what, c, "person-unreadable", "person.json: ")
	}
	c := w.contents(t, newApplicant(1, 0))
	c.Documents = []document{{Name: "proofOfNothing", Format: "pdf", Data: []byte("%PDF-1.7")}}
	w.rejected(t, "a document of no category", c, "document-unknown", "proofOfNothing: is unknown")
}

func TestWhatIsWrongNeverQuotesThePerson(t *testing.T) {
	for _, raw := range []string{`{"consent": 2126000123}`, `{"process": {"phone": "2126000123"}}`, `{"identity": ["2126000123"]}`, `{"identity": 2126000123}`, `{"phone": 2126000123, "x": Anna}`, `2126000123`} {
		_, err := parsePerson([]byte(raw))
		if err == nil || strings.Contains(err.Error(), "2126000123") || strings.Contains(err.Error(), "Anna") {
			t.Errorf("%s: got %v, want an error without what was said", raw, err)
		}
	}
}

func TestOnlyAGoodAddressIsToldOfARejection(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	good := w.contents(t, newApplicant(1, 0))
	blurred := good
	blurred.Samples = []sample{{Position: "rightIndex", Format: "png", Data: picture(388, 374, blank)}}
	a := newApplicant(2, 0)
	a.identity()["email"], a.identity()["shoeSize"] = "p2@example.org", "43"
	misspelt := w.contents(t, a)
	w.rejected(t, "a blank sheet", blurred, "sample-unusable", "rightIndex.png")
	w.rejected(t, "a field of nobody", misspelt, "person-invalid", "shoeSize")
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sent) != 2 || w.sent[0].To != "p1@example.org" || w.sent[0].Channel != notify.Mail || w.sent[1].Channel != notify.SMS {
		t.Errorf("got %d messages, want a mail and a text message to the first applicant", len(w.sent))
	}
}

// One bundle holds what a directory of images would.
func TestABundleIsTakenApart(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	gray, err := png.Decode(bytes.NewReader(print(31, 0)))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := wsq.Encode(gray.(*image.Gray), wsq.RateKeep)
	if err != nil {
		t.Fatal(err)
	}
	size := gray.Bounds().Size()
	record, err := iso.WriteImage(iso.Image{Position: biometrics.RightIndex, Codec: iso.WSQ, Width: size.X, Height: size.Y, PPI: 500, Quality: 80, Data: packed})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := cbeff.Write([]cbeff.Record{{Position: biometrics.RightIndex, Format: cbeff.FingerImage, Level: "Raw", Purpose: "Enroll", Quality: 80, Data: record},
		{Position: biometrics.LeftIndex, Exception: true, Quality: -1}})
	if err != nil {
		t.Fatal(err)
	}
	a := newApplicant(31, 0)
	a.files = fstest.MapFS{bundleFile: {Data: bundle}}
	first := w.enrol(t, a)
	if first.State != Notified {
		t.Fatalf("got %s (%s), want a number", first.State, first.Reason)
	}
	if again := w.enrol(t, newApplicant(31, 1)); again.Code != "duplicate" {
		t.Errorf("got %s (%s), want the same finger from a PNG to be a duplicate", again.State, again.Reason)
	}
	for name, raw := range map[string]string{"a text": "dear office", "no record": `<BIR><BIR><BDBInfo><Type>Finger</Type><Subtype>Left Thumb</Subtype></BDBInfo><BDB>YWJj</BDB></BIR></BIR>`} {
		a.files = fstest.MapFS{bundleFile: {Data: []byte(raw)}}
		if _, err := Build(a.dir(t), w.station); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}
