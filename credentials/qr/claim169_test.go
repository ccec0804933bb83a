package qr

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/plinth-id/plinth/credentials/vc"
)

var (
	issuerKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

const issuer = "https://id.example.org"

func amina() (Identity169, Claims) {
	return Identity169{
			ID: "3918592438", Version: "1.2", Language: "eng", FullName: "Amina Yusuf", FirstName: "Amina", MiddleName: "W", LastName: "Yusuf",
			DateOfBirth: "19840418", Gender: 2, Address: "12 Palm Lane\nFlat 3", Email: "amina@example.org", Phone: "+254 700 000 001",
			Nationality: "KE", MaritalStatus: 2, Guardian: "77", Photo: []byte{1, 2, 3}, PhotoFormat: 4, BestFingers: []int{1, 6},
			SecondFullName: "أمينة يوسف", SecondLanguage: "ara", LocationCode: "6GCRMQRG+7V", LegalStatus: "citizen", CountryOfIssuance: "KE",
			Biometrics: map[int64][]Biometric{
				KeyFace: {{Data: []byte("RIFF"), Format: 0, SubFormat: 4}},
				50:      {{Data: []byte("FMR"), Format: 1, SubFormat: 1, Issuer: "X"}, {Data: []byte("F"), Format: -1, SubFormat: -1}},
			},
			Unknown: map[int64]any{47: "later", 70: []any{int64(1), []byte{2}}},
		}, Claims{
			Issuer: issuer, Subject: "7", IssuedAt: noon, NotBefore: noon, ExpiresAt: noon.AddDate(1, 0, 0),
			Status: &Status{Index: 41293, URI: issuer + "/status/7"},
		}
}

func encode(t testing.TB) string {
	t.Helper()
	id, claims := amina()
	text, err := Encode(id, claims, issuerKey, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func keys(kid []byte, iss string) (crypto.PublicKey, error) {
	if string(kid) != "1" || iss != issuer {
		return nil, ErrUnknownKey
	}
	return issuerKey.Public(), nil
}

func TestWhatWasSignedIsRead(t *testing.T) {
	id, claims := amina()
	got, err := Decode(encode(t))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Identity, id) {
		t.Errorf("got %+v, want %+v", got.Identity, id)
	}
	if !reflect.DeepEqual(got.Claims, claims) || got.Dialect != Specified || string(got.KeyID) != "1" || got.Algorithm != -8 {
		t.Errorf("got %+v, %s, %s, %d", got.Claims, got.Dialect, got.KeyID, got.Algorithm)
	}
	if err := got.Verify(keys, noon.Add(time.Hour)); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestP256SignsToo(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Encode(Identity169{ID: "1"}, Claims{Issuer: issuer}, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(text)
	if err != nil || d.Algorithm != -7 {
		t.Fatalf("got %d (%v), want -7", d.Algorithm, err)
	}
	for name, c := range map[string]struct {
		key  crypto.PublicKey
		want error
	}{"its key": {key.Public(), nil}, "another kind": {issuerKey.Public(), ErrSignature}, "none": {nil, ErrUnknownKey}} {
		if err := d.Verify(func([]byte, string) (crypto.PublicKey, error) { return c.key, nil }, noon); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestValidityIsHalfOpenAndToldApartFromForgery(t *testing.T) {
	d, err := Decode(encode(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now  time.Time
		want error
	}{
		"before":   {noon.Add(-time.Second), ErrNotYetValid},
		"at start": {noon, nil},
		"at end":   {noon.AddDate(1, 0, 0), ErrExpired},
	} {
		if err := d.Verify(keys, c.now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestEveryBitIsSigned flips each bit of the signed message in turn.
func TestEveryBitIsSigned(t *testing.T) {
	text, err := Encode(Identity169{ID: "3918592438", FullName: "Amina Yusuf", DateOfBirth: "19840418"}, Claims{Issuer: issuer, ExpiresAt: noon.AddDate(1, 0, 0)}, issuerKey, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := unpack(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(raw) * 8 {
		changed := bytes.Clone(raw)
		changed[i/8] ^= 1 << (i % 8)
		packed, err := pack(changed)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Decode(packed)
		if err == nil {
			err = d.Verify(keys, noon)
		}
		if err == nil {
			t.Errorf("bit %d of byte %d: got valid, want an error", i%8, i/8)
		}
	}
}

// TestDamagedTextIsNeverAnotherIdentity changes each character of the text. A few
// bits that fill the last byte of a deflate stream carry nothing.
func TestDamagedTextIsNeverAnotherIdentity(t *testing.T) {
	text := encode(t)
	id, _ := amina()
	for i := range text {
		changed := []byte(text)
		changed[i] = alphabet[(strings.IndexByte(alphabet, changed[i])+1)%45]
		d, err := Decode(string(changed))
		if err == nil {
			err = d.Verify(keys, noon)
		}
		if err == nil && !reflect.DeepEqual(d.Identity, id) {
			t.Errorf("character %d: got %+v", i, d.Identity)
		}
	}
}

func deflate(t testing.TB, raw []byte, level int) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return encode45(b.Bytes())
}

func TestStoredBlocksAreRead(t *testing.T) {
	raw, err := unpack(encode(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Decode(deflate(t, raw, zlib.NoCompression))
	if err != nil || d.Verify(keys, noon) != nil {
		t.Errorf("got %v, want the same as deflated", err)
	}
}

// message wraps a payload as a COSE_Sign1 that is not signed.
func message(protected, payload string) string {
	p, q := mustHex(protected), mustHex(payload)
	raw, err := canonical.Marshal(cbor.Tag{Number: 18, Content: []any{p, map[int]any{}, q, []byte{}}})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(raw)
}

func mustHex(s string) []byte {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return raw
}

func TestHarmfulCodesAreRefused(t *testing.T) {
	const identity = "a1 18a9 a1 01 6131" // {169: {1: "1"}}
	for name, c := range map[string]struct {
		inflated string
		want     error
	}{
		"nothing":               {"", ErrMalformed},
		"not CBOR":              {"ff", ErrMalformed},
		"a map":                 {"a0", ErrMalformed},
		"another tag":           {"d8 40 80", ErrMalformed},
		"tags in tags":          {strings.Repeat("d83d", 30) + "d280", ErrMalformed},
		"a short message":       {"d2 83 40 a0 40", ErrMalformed},
		"encrypted":             {"d0 83 43a10103 a0 40", ErrEncrypted},
		"something after it":    {message("", identity) + "00", ErrMalformed},
		"indefinite length":     {message("", "bf 18a9 a1 01 6131 ff"), ErrMalformed},
		"a repeated claim":      {message("", "a2 18a9 a1 01 6131 18a9 a1 01 6132"), ErrMalformed},
		"a repeated attribute":  {message("", "a1 18a9 a2 01 6131 01 6132"), ErrMalformed},
		"repeated in a wrap":    {message("", "a1 18a9 47 a2 01 6131 01 6132"), ErrMalformed},
		"no claim 169":          {message("", "a1 01 6131"), ErrMalformed},
		"claim 169 is text":     {message("", "a1 18a9 6131"), ErrMalformed},
		"a name that is bytes":  {message("", "a1 18a9 a1 04 4131"), ErrMalformed},
		"a gender that is real": {message("", "a1 18a9 a1 09 f93e00"), ErrMalformed},
		"a face that is text":   {message("", "a1 18a9 a1 183e 6131"), ErrMalformed},
		"data that is a number": {message("", "a1 18a9 a1 183e a1 00 01"), ErrMalformed},
		"text that is broken":   {message("", "a1 18a9 a1 01 61ff"), ErrMalformed},
		"a date after 9999":     {message("", "a2 04 1b7fffffffffffffff 18a9 a1 01 6131"), ErrMalformed},
		"a date that is NaN":    {message("", "a2 04 f97e00 18a9 a1 01 6131"), ErrMalformed},
		"an unreadable status":  {message("", "a2 19ffff 6131 18a9 a1 01 6131"), ErrMalformed},
		"a status before zero":  {message("", "a2 19ffff a1 6b7374617475735f6c697374 a2 63696478 20 63757269 6175 18a9 a1 01 6131"), ErrMalformed},
		"critical headers":      {message("a1 02 81 01", identity), ErrUnsupported},
		"too deep":              {message("", "a1 18a9 a1 1846"+strings.Repeat("81", 40)+"00"), ErrMalformed},
		"a long array":          {message("", "a1 18a9 a1 1846 9b 00000000ffffffff"), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(deflate(t, mustHex(c.inflated), zlib.BestCompression)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := Decode(deflate(t, mustHex(message("", identity)), zlib.BestCompression)); err != nil {
		t.Errorf("the harmless one: got %v, want nil", err)
	}
}

func TestBombsAreRefusedBeforeTheyAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"inflates to a megabyte": {deflate(t, make([]byte, 1<<20), zlib.BestCompression), ErrTooLarge},
		"one byte too many":      {deflate(t, make([]byte, maxInflated+1), zlib.BestCompression), ErrTooLarge},
		"a long text":            {strings.Repeat("000", maxText), ErrTooLarge},
		"something after zlib":   {encode45(append(mustDecode45(t, encode(t)), 0)), ErrMalformed},
		"cut short":              {encode(t)[:300], ErrMalformed},
	} {
		if _, err := Decode(c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func mustDecode45(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := decode45(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestUnsignedIsToldApart(t *testing.T) {
	d, err := Decode(deflate(t, mustHex(message("a10127", "a1 18a9 a1 01 6131")), zlib.BestCompression))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(keys, noon); !errors.Is(err, ErrUnsigned) {
		t.Errorf("got %v, want %v", err, ErrUnsigned)
	}
}

func TestWhatTheSpecificationForbidsIsNotEncoded(t *testing.T) {
	for name, id := range map[string]Identity169{
		"nobody":               {},
		"a date in words":      {DateOfBirth: "18 April 1984"},
		"a key with a meaning": {Unknown: map[int64]any{4: "x"}},
		"no sample":            {Biometrics: map[int64][]Biometric{KeyFace: nil}},
		"no biometric":         {Biometrics: map[int64][]Biometric{4: {{}}}},
	} {
		if _, err := Encode(id, Claims{Issuer: issuer}, issuerKey, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMalformed)
		}
	}
	noise := make([]byte, 4000)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	if _, err := Encode(Identity169{Photo: noise}, Claims{}, issuerKey, nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("a large photo: got %v, want %v", err, ErrTooLong)
	}
}

func TestOtherWaysToWriteADateBecomeOne(t *testing.T) {
	text, err := Encode(Identity169{DateOfBirth: "1984-04-18"}, Claims{}, issuerKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Decode(text); err != nil || d.Identity.DateOfBirth != "19840418" {
		t.Errorf("got %q (%v), want 19840418", d.Identity.DateOfBirth, err)
	}
}

func TestTrustListServesCodesToo(t *testing.T) {
	multikey, err := vc.Multikey(issuerKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	const did = "did:web:id.example.org"
	list := vc.TrustList{Issuers: []vc.TrustedIssuer{{ID: did, Keys: []vc.TrustedKey{{ID: did + "#1", PublicKeyMultibase: multikey}}}}}
	for _, c := range []struct {
		kid, issuer string
		want        error
	}{
		{"1", issuer, nil}, {"1", did, nil}, {did + "#1", did, nil},
		{"2", did, ErrUnknownKey}, {"1", "https://b.example", ErrUnknownKey}, {"", "", ErrUnknownKey},
	} {
		key, err := Trusted(list)([]byte(c.kid), c.issuer)
		if !errors.Is(err, c.want) || (err == nil && !issuerKey.Public().(ed25519.PublicKey).Equal(key)) {
			t.Errorf("%q of %q: got %v, want %v", c.kid, c.issuer, err, c.want)
		}
	}
}

// The example of RFC 8392, A.3, in base45: a CWT of another purpose.
func TestForeignCWTIsNoIdentity(t *testing.T) {
	const cwt = "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b7158405427c1ff28d23fbad1f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a52b9b63632c57209120e1c9e30"
	if _, err := Decode(deflate(t, mustHex(cwt), zlib.BestCompression)); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want %v", err, ErrMalformed)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f))
	f.Add(deflate(f, mustHex(message("a10127", "a1 18a9 47 a2 01 6131 02 6132")), zlib.NoCompression))
	f.Add("NCF3QBXJA5NJRCOC004 QN4")
	f.Add("6BFGPD$.PV0Q$LPFDQI00LTDH1")
	id, _ := amina()
	f.Fuzz(func(t *testing.T, text string) {
		if kind, document := Detect(text); document != nil && !json.Valid(document) {
			t.Errorf("%s: not JSON: %s", kind, document)
		}
		d, err := Decode(text)
		if err == nil && d.Verify(keys, noon) == nil && !reflect.DeepEqual(d.Identity, id) {
			t.Errorf("nobody signed %+v", d.Identity)
		}
	})
}

// FuzzCWT goes past base45 and zlib, which random bytes do not.
func FuzzCWT(f *testing.F) {
	for _, text := range []string{encode(f), deflate(f, mustHex(message("a10127", "a1 18a9 47 a2 01 6131 02 6132")), zlib.NoCompression)} {
		raw, err := unpack(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := pack(raw)
		if err != nil {
			return
		}
		if d, err := Decode(text); err == nil && d.Dialect == "" {
			t.Error("got no dialect")
		}
		Detect(text)
	})
}
