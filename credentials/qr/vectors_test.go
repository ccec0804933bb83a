package qr

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// vectors is the folder of outside test data.
func vectors(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TESTDATA_DIR"); dir != "" {
		return filepath.Join(dir, "vectors")
	}
	if os.Getenv("CI") != "" {
		t.Fatal("TESTDATA_DIR is not set")
	}
	t.Skip("TESTDATA_DIR is not set: skipped the vectors of other makers")
	return ""
}

func read(t *testing.T, into any, parts ...string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

type vector struct {
	Name       string
	QR         string          `json:"qr_data"`
	Key        json.RawMessage `json:"signing_key"`
	Encryption json.RawMessage `json:"encryption_key"`
	Identity   struct {
		ID, FullName, DateOfBirth, SecondaryFullName, CountryOfIssuance string
		Gender, MaritalStatus, PhotoFormat                              int
		BestQualityFingers                                              []int
		Face                                                            []struct {
			Data              []byte
			Format, SubFormat int
		}
	} `json:"expected_claim169"`
	Claims struct {
		Issuer, Subject                string
		ExpiresAt, NotBefore, IssuedAt int64
	} `json:"expected_cwt_meta"`
}

func TestVectorsOfIdpassAreRead(t *testing.T) {
	dir := filepath.Join(vectors(t), "claim-169", "idpass")
	for _, folder := range []string{"valid", "edge"} {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no vectors in %s (%v)", folder, err)
		}
		for _, file := range files {
			var v vector
			read(t, &v, file)
			t.Run(v.Name, func(t *testing.T) { checkVector(t, v) })
		}
	}
}

func checkVector(t *testing.T, v vector) {
	d, err := Decode(v.QR)
	if v.Encryption != nil {
		if !errors.Is(err, ErrEncrypted) {
			t.Errorf("got %v, want %v", err, ErrEncrypted)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	i, want := d.Identity, v.Identity
	if got, want := []any{i.ID, i.FullName, i.DateOfBirth, i.SecondFullName, i.CountryOfIssuance, i.Gender, i.MaritalStatus, i.PhotoFormat, i.BestFingers},
		[]any{want.ID, want.FullName, compactDate(want.DateOfBirth), want.SecondaryFullName, want.CountryOfIssuance, want.Gender, want.MaritalStatus, want.PhotoFormat, want.BestQualityFingers}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for n, face := range want.Face {
		got := i.Biometrics[KeyFace][n]
		if got.Format != face.Format || got.SubFormat != face.SubFormat || len(face.Data) != len(got.Data) && face.Data != nil { // their text of the data is damaged
			t.Errorf("face: got %+v, want %+v", got, face)
		}
	}
	c := Claims{Issuer: v.Claims.Issuer, Subject: v.Claims.Subject, ExpiresAt: seconds(v.Claims.ExpiresAt), NotBefore: seconds(v.Claims.NotBefore), IssuedAt: seconds(v.Claims.IssuedAt)}
	if !reflect.DeepEqual(d.Claims, c) || d.Dialect != Specified {
		t.Errorf("got %+v in %s, want %+v", d.Claims, d.Dialect, c)
	}
	checkVectorSignature(t, d, v.Key)
}

func seconds(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// checkVectorSignature: most "valid" vectors of idpass have an empty signature.
func checkVectorSignature(t *testing.T, d Decoded, raw json.RawMessage) {
	t.Helper()
	if raw == nil {
		if err := d.Verify(keys, time.Unix(1750000000, 0)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("got %v, want %v", err, ErrUnsigned)
		}
		return
	}
	var named struct {
		Public string `json:"public_key_hex"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		t.Fatal(err)
	}
	public, err := hex.DecodeString(named.Public)
	if err != nil {
		t.Fatal(err)
	}
	var key crypto.PublicKey = ed25519.PublicKey(public)
	if len(public) == 65 {
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), public); err != nil {
			t.Fatal(err)
		}
	}
	find := func([]byte, string) (crypto.PublicKey, error) { return key, nil }
	if err := d.Verify(find, time.Unix(1750000000, 0)); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if err := d.Verify(find, time.Unix(1900000000, 0)); !errors.Is(err, ErrExpired) {
		t.Errorf("later: got %v, want %v", err, ErrExpired)
	}
}

func TestInvalidVectorsOfIdpassAreRefused(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors(t), "claim-169", "idpass", "invalid", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors (%v)", err)
	}
	for _, file := range files {
		var v vector
		read(t, &v, file)
		if _, err := Decode(v.QR); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", v.Name, err, ErrMalformed)
		}
	}
}

func TestUnknownAttributesAreKept(t *testing.T) {
	var v vector
	read(t, &v, vectors(t), "claim-169", "idpass", "edge", "unknown-fields.json")
	d, err := Decode(v.QR)
	if err != nil || len(d.Identity.Unknown) == 0 {
		t.Errorf("got %v (%v), want what is unknown", d.Identity.Unknown, err)
	}
}

// TestExampleOfTheSpecificationIsRead: it departs from its own table, in a claim
// wrapped in bytes, a gender that is text and a face that is one map.
func TestExampleOfTheSpecificationIsRead(t *testing.T) {
	var v struct {
		Protected string `json:"protected_header_hex"`
		KID       string `json:"kid_hex"`
		Payload   string `json:"payload_hex"`
		Signature string `json:"signature_hex"`
	}
	read(t, &v, vectors(t), "claim-169", "spec-1.2.0-section-3.2.1.json")
	raw, err := canonical.Marshal([]any{mustHex(v.Protected), map[int]any{4: mustHex(v.KID)}, mustHex(v.Payload), mustHex(v.Signature)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := pack(append(mustHex("d83d d2"), raw...))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	face := d.Identity.Biometrics[KeyFace]
	if d.Identity.FullName != "Janardhan BS" || d.Identity.Gender != 1 || d.Identity.DateOfBirth != "19840418" || d.Claims.Issuer != "www.mosip.io" || d.Dialect != Specified {
		t.Errorf("got %+v of %+v", d.Identity, d.Claims)
	}
	if len(face) != 1 || !bytes.HasPrefix(face[0].Data, []byte("RIFF")) || face[0].SubFormat != 4 {
		t.Errorf("got %d faces, want one WebP", len(face))
	}
}

func TestInjisDialectIsReadFromItsImage(t *testing.T) {
	dir := filepath.Join(vectors(t), "claim-169")
	var v struct {
		Text     string `json:"qr_text"`
		Expected struct {
			Iss      string
			Exp      int64
			Claim169 map[string]string `json:"claim_169"`
		}
	}
	read(t, &v, dir, "inji-dialect.json")
	image, err := os.ReadFile(filepath.Join(dir, "inji-claim169-qr-v36L.png"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Read(image)
	if err != nil || text != v.Text {
		t.Fatalf("got another text (%v)", err)
	}
	if kind, _ := Detect(text); kind != KindClaim169 {
		t.Errorf("got %s, want %s", kind, KindClaim169)
	}
	d, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	want := v.Expected
	if d.Dialect != Inji || d.Claims.Issuer != want.Iss || d.Claims.ExpiresAt.Unix() != want.Exp || len(d.KeyID) != 43 {
		t.Errorf("got %s, %+v, %s", d.Dialect, d.Claims, d.KeyID)
	}
	if d.Identity.FullName != want.Claim169["4"] || d.Identity.DateOfBirth != "19920415" || d.Identity.Phone != want.Claim169["12"] {
		t.Errorf("got %+v, want %v", d.Identity, want.Claim169)
	}
	if face := d.Identity.Biometrics[KeyFace]; len(face) != 1 || !bytes.HasPrefix(face[0].Data, []byte{0xff, 0xd8}) {
		t.Errorf("got %d faces, want one JPEG", len(face))
	}
}

func TestVectorsOfPixelPass(t *testing.T) {
	var v struct {
		Cases []struct {
			Encoded string
			Decoded any
			Note    string
		}
		Errors []struct{ Encoded string }
	}
	read(t, &v, vectors(t), "pixelpass", "encode-decode.json")
	for _, c := range v.Cases {
		kind, document := Detect(c.Encoded)
		want := c.Decoded
		if text, ok := want.(string); ok {
			if json.Unmarshal([]byte(text), &want) != nil {
				if kind != KindText || string(document) != text {
					t.Errorf("%.40s: got %s %s, want %s", c.Encoded, kind, document, text)
				}
				continue
			}
		}
		if want == nil {
			continue
		}
		var got any
		if err := json.Unmarshal(document, &got); err != nil || kind != KindPacked || !reflect.DeepEqual(got, want) {
			t.Errorf("%.40s: got %s %s, want %v", c.Encoded, kind, document, want)
		}
	}
	for _, c := range v.Errors {
		if kind, _ := Detect(c.Encoded); kind != KindUnknown {
			t.Errorf("%s: got %s, want %s", c.Encoded, kind, KindUnknown)
		}
	}
}

func TestImagesOfInjiVerifyAreRead(t *testing.T) {
	dir := filepath.Join(vectors(t), "pixelpass")
	var fixtures []struct {
		Fixture, PNG string
		Text         string `json:"qr_text"`
		Kind         string `json:"inflated_kind"`
	}
	read(t, &fixtures, dir, "inji-verify-fixtures.json")
	for _, f := range fixtures {
		if f.PNG != "" {
			image, err := os.ReadFile(filepath.Join(dir, f.PNG))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Read(image); err != nil || got != f.Text {
				t.Errorf("%s: got another text (%v)", f.Fixture, err)
			}
		}
		kind, document := Detect(f.Text)
		want := KindPacked
		if f.Kind == "cbor text string" {
			want = KindText
		}
		if want == KindText && (strings.Count(string(document), ".") != 2 || !strings.Contains(string(document), "~")) {
			t.Errorf("%s: got %.40s, want an SD-JWT", f.Fixture, document)
		}
		if kind != want || want == KindPacked && !strings.Contains(string(document), `"credentialSubject"`) {
			t.Errorf("%s: got %s, want %s", f.Fixture, kind, want)
		}
	}
}

func TestBase45VectorsOfTheRFC(t *testing.T) {
	var pairs []struct{ Text, Base45 string }
	read(t, &pairs, vectors(t), "pixelpass", "base45-rfc9285.json")
	for _, p := range pairs {
		if got := encode45([]byte(p.Text)); got != p.Base45 {
			t.Errorf("got %q, want %q", got, p.Base45)
		}
	}
}

// TestMappedDataIsNoCredential: the maps that PixelPass makes without a signature are
// read as JSON where their keys are text, and else as nothing.
func TestMappedDataIsNoCredential(t *testing.T) {
	var cases []struct {
		CBOR string `json:"cbor_hex"`
	}
	read(t, &cases, vectors(t), "pixelpass", "mapped-data.json")
	for _, c := range cases {
		if c.CBOR == "" {
			continue
		}
		text, err := pack(mustHex(c.CBOR))
		if err != nil {
			t.Fatal(err)
		}
		kind, document := Detect(text)
		var asText map[string]any
		if unmarshal(mustHex(c.CBOR), &asText) == nil {
			if kind != KindPacked || !json.Valid(document) {
				t.Errorf("%.20s: got %s, want %s", c.CBOR, kind, KindPacked)
			}
		} else if kind != KindUnknown {
			t.Errorf("%.20s: got %s, want %s", c.CBOR, kind, KindUnknown)
		}
		if _, err := Decode(text); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.20s as a claim 169: got %v, want %v", c.CBOR, err, ErrMalformed)
		}
	}
}

// TestKeysMeanWhatPixelPassMeans: its table has the names of version 1.1.
func TestKeysMeanWhatPixelPassMeans(t *testing.T) {
	var v struct{ Keys map[string]int64 }
	read(t, &v, vectors(t), "pixelpass", "claim169-key-mapper-0.8.0.json")
	id, _ := amina()
	for name, want := range map[string]string{"ID": id.ID, "Version": id.Version, "Full Name": id.FullName, "Middle Name": id.MiddleName, "Date of Birth": id.DateOfBirth,
		"Address": id.Address, "Email ID": id.Email, "Phone Number": id.Phone, "Nationality": id.Nationality, "Guardian": id.Guardian} {
		if at := textKeys[v.Keys[name]]; at == nil || *at(&id) != want {
			t.Errorf("%s is key %d: want %q there", name, v.Keys[name], want)
		}
	}
	for name, want := range map[string]int{"Gender": id.Gender, "Marital Status": id.MaritalStatus, "Binary Image Format": id.PhotoFormat} {
		if at := numberKeys[v.Keys[name]]; at == nil || *at(&id) != want {
			t.Errorf("%s is key %d: want %d there", name, v.Keys[name], want)
		}
	}
	if v.Keys["Face"] != KeyFace || v.Keys["Right Thumb"] != firstBio || v.Keys["Voice"] != lastBio || v.Keys["Binary Image"] != keyPhoto ||
		v.Keys["Best Quality Fingers"] != keyBestFingers || v.Keys["Data"] != bioData || v.Keys["Data sub format"] != bioSubFormat {
		t.Error("the keys of biometrics differ")
	}
}
