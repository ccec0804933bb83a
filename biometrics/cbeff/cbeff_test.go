package cbeff

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

func samples() []Record {
	at := time.Date(2026, 11, 23, 9, 8, 7, 123e6, time.UTC)
	return []Record{
		{Position: biometrics.RightIndex, Format: FingerImage, Level: "Raw", Purpose: "Enroll", Created: at, Quality: 94, Algorithm: "HMAC/SHA-256",
			Data: []byte("a record"), Signature: []byte("a signature"), Others: map[string]string{"EXCEPTION": "false", "RETRIES": "1"}},
		{Position: biometrics.LeftEye, Format: IrisImage, Level: "Raw", Purpose: "Enroll", Created: at, Quality: -1, Data: []byte("<eye>")},
		{Position: biometrics.LeftThumb, Format: FingerImage, Quality: -1, Exception: true, Others: map[string]string{"EXCEPTION": "true"}},
		{Position: biometrics.FullFace, Format: FaceImage, Quality: 50, Algorithm: "a/b", Data: []byte("face")},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	raw, err := Write(samples())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := samples(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	again, err := Write(got)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("got another document the second time, %v", err)
	}
	// The order of the schema.
	last := 0
	for _, name := range []string{"<Version>", "<CBEFFVersion>", "<BIRInfo>", "<BDBInfo>", "<Format>", "<CreationDate>", "<Type>Finger", "<Subtype>", "<Level>", "<Purpose>", "<Quality>", "<BDB>", "<SB>", "<others>"} {
		at := strings.Index(string(raw[last:]), name)
		if at < 0 {
			t.Fatalf("got no %s after byte %d of %s", name, last, raw)
		}
		last += at
	}
}

// Whatever prefix a producer gives the namespace, and in whatever order it writes.
func TestOtherDialectsAreRead(t *testing.T) {
	raw := `<x:BIR xmlns:x="` + namespace + `"><x:BIR><x:BDB> YSBy
		ZWNvcmQ= </x:BDB><x:BDBInfo><x:Subtype>IndexFinger Left</x:Subtype><x:Type>Finger</x:Type><x:Format><x:Type>7</x:Type></x:Format></x:BDBInfo></x:BIR>
		<Others><Key>CONFIGURED</Key></Others></x:BIR>`
	got, err := Read([]byte(raw))
	if err != nil || len(got) != 1 || got[0].Position != biometrics.LeftIndex || string(got[0].Data) != "a record" || got[0].Format != FingerImage {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDocumentsInTheFieldAreRead(t *testing.T) {
	dir := os.Getenv("TESTDATA_DIR")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TESTDATA_DIR is not set")
		}
		t.Skip("skipped: a CBEFF document of MOSIP (TESTDATA_DIR is not set)")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "mosip-samples", "cbeff", "individualBiometrics_bio_CBEFF-trimmed.xml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(raw)
	if err != nil || len(got) != 13 {
		t.Fatalf("got %d records, %v; want 13", len(got), err)
	}
	seen := make(map[biometrics.Position]bool)
	for _, r := range got {
		seen[r.Position] = true
		if r.Position == "" || r.Quality != 94 || r.Created.IsZero() || len(r.Data) == 0 || r.Exception {
			t.Errorf("got %+v", r)
		}
	}
	if len(seen) != 13 {
		t.Errorf("got %d positions, want 13 different ones", len(seen))
	}
}

func TestBadDocumentsAreRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing": "", "a text": "dear office", "another root": "<a/>", "cut off": "<BIR><BIR>", "no base64": "<BIR><BDBInfo/><BDB>!</BDB></BIR>",
		"without end": strings.Repeat("<BIR>", 10000), "too many": "<BIR>" + strings.Repeat("<BIR><BDBInfo/></BIR>", 100) + "</BIR>",
	} {
		if _, err := Read([]byte(raw)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	if _, err := Write([]Record{{Position: "nose"}}); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v for a nose, want ErrFormat", err)
	}
}

func FuzzRead(f *testing.F) {
	raw, err := Write(samples())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := Read(raw); err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("got %v, want ErrFormat", err)
		}
	})
}

// Producers write base64 in either alphabet, and do not always fill it up.
func TestBase64OfEveryKindIsRead(t *testing.T) {
	want := []byte{0xfb, 0xff, 0xbf, 0x01}
	for _, text := range []string{"+/+/AQ==", "-_-_AQ==", "-_-_AQ", " +/+/\n\tAQ== "} {
		all, err := Read([]byte("<BIR><BIR><BDBInfo><Type>Face</Type></BDBInfo><BDB>" + text + "</BDB><SB>" + text + "</SB></BIR></BIR>"))
		if err != nil || len(all) != 1 || !bytes.Equal(all[0].Data, want) || !bytes.Equal(all[0].Signature, want) {
			t.Errorf("%q: got %v, %v; want %x", text, all, err, want)
		}
	}
}
