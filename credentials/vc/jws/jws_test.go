package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, key crypto.Signer, header map[string]any, payload string) string {
	t.Helper()
	signer, err := NewSigner(key, header)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func TestSignedIsVerified(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	keys := map[string]crypto.Signer{
		"ES256": newKey(t, elliptic.P256()), "ES384": newKey(t, elliptic.P384()), "ES512": newKey(t, elliptic.P521()), "EdDSA": ed,
	}
	for alg, key := range keys {
		for range 20 { // numbers with leading zeroes among them
			token, err := Parse(sign(t, key, map[string]any{"typ": "Application/X+JWT", "kid": "1"}, `{"a":1}`))
			if err != nil {
				t.Fatal(err)
			}
			if want := (Header{Algorithm: alg, Type: "x+jwt", KeyID: "1"}); !reflect.DeepEqual(token.Header, want) {
				t.Errorf("got %+v, want %+v", token.Header, want)
			}
			if err := token.Verify(key.Public()); err != nil || string(token.Payload) != `{"a":1}` {
				t.Errorf("%s: got %q (%v)", alg, token.Payload, err)
			}
		}
		for other, key := range keys {
			token, _ := Parse(sign(t, key, nil, "x"))
			if err := token.Verify(keys[alg].Public()); other != alg && !errors.Is(err, ErrSignature) {
				t.Errorf("%s by a key for %s: got %v, want ErrSignature", other, alg, err)
			}
		}
	}
}

func TestKeysThatSignNothing(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for what, key := range map[string]crypto.PublicKey{
		"RSA": r.Public(), "P-224": newKey(t, elliptic.P224()).Public(), "a short one": ed25519.PublicKey{1}, "text": "key", "none": nil,
	} {
		if _, err := Algorithm(key); !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", what, err)
		}
	}
	if _, err := NewSigner(r, nil); !errors.Is(err, ErrKey) {
		t.Errorf("signing by RSA: got %v, want ErrKey", err)
	}
}

// broken is a signer, as a faulty module of hardware.
type broken struct {
	crypto.Signer
	signature []byte
	err       error
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return b.signature, b.err }

func TestFaultySignerIsNoticed(t *testing.T) {
	key := newKey(t, elliptic.P256())
	down := errors.New("the module is gone")
	signer, err := NewSigner(broken{key, nil, down}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signer.Sign(nil); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
	long := append([]byte{0x30, 0x26, 0x02, 0x21, 1}, make([]byte, 32)...)
	for _, der := range [][]byte{nil, {0x30, 0}, []byte("x"), {0x30, 6, 2, 1, 0, 2, 1, 1}, {0x30, 6, 2, 1, 0xff, 2, 1, 1}, append(long, 2, 1, 1), {0x30, 6, 2, 1, 1, 2, 1, 1, 0}} {
		signer, _ := NewSigner(broken{key, der, nil}, nil)
		if _, err := signer.Sign(nil); !errors.Is(err, ErrSignature) {
			t.Errorf("%x: got %v, want ErrSignature", der, err)
		}
	}
}

func TestTokensThatAreNotTaken(t *testing.T) {
	key := newKey(t, elliptic.P256())
	good := sign(t, key, nil, `{}`)
	pieces := strings.Split(good, ".")
	with := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + pieces[1] + "." + pieces[2]
	}
	for what, c := range map[string]struct {
		token string
		want  error
	}{
		"empty":             {"", ErrMalformed},
		"two parts":         {pieces[0] + "." + pieces[1], ErrMalformed},
		"four parts":        {good + ".", ErrMalformed},
		"JSON":              {`{"payload":"."}`, ErrMalformed},
		"with padding":      {pieces[0] + "=." + pieces[1] + "." + pieces[2], ErrMalformed},
		"line breaks":       {pieces[0] + "\n." + pieces[1] + "." + pieces[2], ErrMalformed},
		"loose bits":        {strings.TrimSuffix(good, good[len(good)-1:]) + "*", ErrMalformed},
		"too large":         {strings.Repeat("a", maxToken) + ".a.a", ErrTooLarge},
		"a header too long": {strings.Repeat("a", maxHeader+1) + ".a.a", ErrMalformed},
		"no header":         {with(`x`), ErrMalformed},
		"a list":            {with(`[]`), ErrMalformed},
		"alg twice":         {with(`{"alg":"ES256","alg":"none"}`), ErrMalformed},
		"no alg":            {with(`{}`), ErrUnsupported},
		"none":              {with(`{"alg":"none"}`), ErrUnsupported},
		"HS256":             {with(`{"alg":"HS256"}`), ErrUnsupported},
		"RS256":             {with(`{"alg":"RS256"}`), ErrUnsupported},
		"alg no text":       {with(`{"alg":1}`), ErrMalformed},
		"kid no text":       {with(`{"alg":"ES256","kid":1}`), ErrMalformed},
		"typ no text":       {with(`{"alg":"ES256","typ":null}`), ErrMalformed},
		"crit":              {with(`{"alg":"ES256","crit":["x"],"x":1}`), ErrUnsupported},
		"an empty crit":     {with(`{"alg":"ES256","crit":[]}`), ErrUnsupported},
		"b64":               {with(`{"alg":"ES256","b64":false}`), ErrUnsupported},
		"zip":               {with(`{"alg":"ES256","zip":"DEF"}`), ErrUnsupported},
		"x5c no list":       {with(`{"alg":"ES256","x5c":"x"}`), ErrMalformed},
		"x5c empty":         {with(`{"alg":"ES256","x5c":[]}`), ErrMalformed},
		"x5c of numbers":    {with(`{"alg":"ES256","x5c":[1]}`), ErrMalformed},
		"x5c of nothing":    {with(`{"alg":"ES256","x5c":["eA=="]}`), ErrMalformed},
		"x5c without end":   {with(`{"alg":"ES256","x5c":[` + strings.Repeat(`"eA==",`, 9) + `"eA=="]}`), ErrMalformed},
	} {
		if _, err := Parse(c.token); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

func TestJSONThatTwoWouldReadDifferently(t *testing.T) {
	for _, raw := range []string{
		``, ` `, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1`, `[1,]`, `{} {}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":1}}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", `01`, `nul`,
	} {
		if v, err := Value([]byte(raw)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v (%v), want ErrMalformed", raw, v, err)
		}
	}
	for what, raw := range map[string]string{
		"deep":   strings.Repeat("[", 100) + strings.Repeat("]", 100),
		"many":   "[" + strings.Repeat("1,", maxValues) + "1]",
		"larger": `"` + strings.Repeat("a", maxToken) + `"`,
	} {
		if _, err := Value([]byte(raw)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrTooLarge", what, err)
		}
	}
	got, err := Object([]byte(`{"a":[1.50,null,true,"x"],"b":{}}`))
	want := map[string]any{"a": []any{json.Number("1.50"), nil, true, "x"}, "b": map[string]any{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	for _, raw := range []string{`[]`, `"a"`, `null`} {
		if _, err := Object([]byte(raw)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", raw, err)
		}
	}
}

func TestKeysAreWrittenAndRead(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	for _, key := range []crypto.Signer{newKey(t, elliptic.P256()), newKey(t, elliptic.P384()), newKey(t, elliptic.P521()), ed} {
		jwk, err := JWK(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseJWK(jwk)
		if err != nil || !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
			t.Errorf("got %v (%v), want %v", got, err, key.Public())
		}
	}
	good, _ := JWK(newKey(t, elliptic.P256()).Public())
	for what, change := range map[string]map[string]any{
		"private": {"d": "AAAA"}, "a secret": {"kty": "oct", "k": "AAAA"}, "off the curve": {"x": good["y"]},
		"for encryption": {"use": "enc"}, "for another algorithm": {"alg": "ES384"}, "of another curve": {"crv": "P-384"},
		"of no kind": {"kty": "XX"}, "without y": {"y": nil}, "not JSON": {"x": func() {}},
	} {
		jwk := map[string]any{}
		for _, from := range []map[string]any{good, change} {
			for name, value := range from {
				jwk[name] = value
			}
		}
		if _, err := ParseJWK(jwk); !errors.Is(err, ErrKey) {
			t.Errorf("%s: got %v, want ErrKey", what, err)
		}
	}
}

func TestTimes(t *testing.T) {
	now := time.Unix(1000, 0)
	for what, c := range map[string]struct {
		claims string
		want   error
	}{
		"none":                {`{}`, nil},
		"within":              {`{"iat":900,"nbf":900,"exp":1001}`, nil},
		"a fraction":          {`{"exp":1001.5}`, nil},
		"ended":               {`{"exp":1000}`, ErrExpired},
		"ended, in exponents": {`{"exp":1e3}`, ErrExpired},
		"a clock behind":      {`{"iat":1059,"nbf":1059}`, nil},
		"not yet":             {`{"nbf":1061}`, ErrNotYetValid},
		"signed later":        {`{"iat":1061}`, ErrNotYetValid},
		"text":                {`{"exp":"2000"}`, ErrMalformed},
		"null":                {`{"nbf":null}`, ErrMalformed},
		"past all bounds":     {`{"exp":1e300}`, ErrMalformed},
		"a date for iat":      {`{"iat":"2030-01-01"}`, nil},
	} {
		claims, err := Object([]byte(c.claims))
		if err != nil {
			t.Fatal(err)
		}
		times, err := ReadTimes(claims)
		if err == nil {
			err = times.Check(now)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

// FuzzParse looks for a token that is taken and that nobody has signed.
func FuzzParse(f *testing.F) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	f.Add(sign(f, key, map[string]any{"typ": "JWT", "kid": "1"}, `{"a":1}`))
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := Parse(raw)
		if err == nil && token.Verify(key.Public()) == nil && string(token.Payload) != `{"a":1}` {
			t.Errorf("nobody signed %q", token.Payload)
		}
		_, _ = Value([]byte(raw))
	})
}
