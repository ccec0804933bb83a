package envelope

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

func keysAt(at time.Time) Keys {
	return Keys{Now: func() time.Time { return at }, Secret: func(label string, parts ...[]byte) []byte {
		mac := hmac.New(sha256.New, []byte("a key for tests "+label))
		for _, part := range parts {
			mac.Write(part)
		}
		return mac.Sum(nil)
	}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// message encrypts to our key of a moment.
func message(t testing.TB, at time.Time, plain []byte, change func(*jose.Recipient, *jose.EncrypterOptions)) string {
	t.Helper()
	set, err := keysAt(at).Published()
	must(t, err)
	recipient := jose.Recipient{Algorithm: jose.ECDH_ES, Key: set.Keys[0].Key, KeyID: set.Keys[0].KeyID}
	options := &jose.EncrypterOptions{}
	if change != nil {
		change(&recipient, options)
	}
	e, err := jose.NewEncrypter(jose.A256GCM, recipient, options)
	must(t, err)
	sealed, err := e.Encrypt(plain)
	must(t, err)
	compact, err := sealed.CompactSerialize()
	must(t, err)
	return compact
}

func TestAMessageIsForTheKeyOfNowOrBefore(t *testing.T) {
	for after, good := range map[time.Duration]bool{0: true, period: true, 2 * period: false} {
		plain, err := keysAt(noon.Add(after)).Open(message(t, noon, []byte("hello"), nil))
		if good != (err == nil && string(plain) == "hello") {
			t.Errorf("%s later: got %q, %v", after, plain, err)
		}
	}
	one, err := keysAt(noon).Published()
	must(t, err)
	two, err := keysAt(noon.Add(period)).Published()
	must(t, err)
	if one.Keys[0].KeyID == two.Keys[0].KeyID || !one.Keys[0].IsPublic() || one.Keys[0].Algorithm != "ECDH-ES" {
		t.Errorf("got %v and %v, want two public keys", one, two)
	}
}

func TestAMessageIsRefused(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	good := message(t, noon, []byte("hello"), nil)
	for name, raw := range map[string]string{
		"nothing":        "",
		"plain":          `{"a":1}`,
		"a JWS":          "e30.e30.e30",
		"no kid":         message(t, noon, []byte("x"), func(r *jose.Recipient, _ *jose.EncrypterOptions) { r.KeyID = "" }),
		"another kid":    message(t, noon, []byte("x"), func(r *jose.Recipient, _ *jose.EncrypterOptions) { r.KeyID = "r1" }),
		"another key":    message(t, noon, []byte("x"), func(r *jose.Recipient, _ *jose.EncrypterOptions) { r.Key = stranger.Public() }),
		"wrapped key":    message(t, noon, []byte("x"), func(r *jose.Recipient, _ *jose.EncrypterOptions) { r.Algorithm = jose.ECDH_ES_A128KW }),
		"changed":        good[:len(good)-4] + "AAAA",
		"cut":            good[:len(good)-30],
		"inflates":       message(t, noon, make([]byte, maxPlain+1), func(_ *jose.Recipient, o *jose.EncrypterOptions) { o.Compression = jose.DEFLATE }),
		"inflates a lot": message(t, noon, make([]byte, 64<<20), func(_ *jose.Recipient, o *jose.EncrypterOptions) { o.Compression = jose.DEFLATE }),
	} {
		if plain, err := keysAt(noon).Open(raw); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: got %d bytes, %v; want ErrMessage", name, len(plain), err)
		}
	}
	small := message(t, noon, bytes.Repeat([]byte("ab"), 10_000), func(_ *jose.Recipient, o *jose.EncrypterOptions) { o.Compression = jose.DEFLATE })
	if plain, err := keysAt(noon).Open(small); err != nil || len(plain) != 20_000 || len(small) > 2_000 {
		t.Errorf("got %d bytes, %v; want what was compressed", len(plain), err)
	}
}

func TestAnAnswerIsForTheWalletsKey(t *testing.T) {
	for _, curve := range curves {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(t, err)
		for _, zip := range []string{"", "DEF"} {
			for _, enc := range Ciphers {
				raw, err := json.Marshal(map[string]any{"jwk": jose.JSONWebKey{Key: key.Public(), KeyID: "w", Algorithm: "ECDH-ES", Use: "enc"}, "enc": enc, "zip": zip})
				must(t, err)
				reply, err := ParseReply(raw)
				must(t, err)
				sealed, err := reply.Seal([]byte(strings.Repeat("an answer ", 50)))
				must(t, err)
				parsed, err := jose.ParseEncryptedCompact(sealed, Algorithms, []jose.ContentEncryption{enc})
				must(t, err)
				plain, err := parsed.Decrypt(key)
				if err != nil || !strings.HasPrefix(string(plain), "an answer") || parsed.Header.KeyID != "w" {
					t.Errorf("%s, %s, %q: got %q, %v", curve.Params().Name, enc, zip, plain, err)
				}
			}
		}
	}
}

func TestHowToEncryptAnAnswerIsRefused(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	good := func() map[string]any {
		return map[string]any{"jwk": map[string]any{}, "enc": "A128GCM"}
	}
	jwk := func(k jose.JSONWebKey, change func(map[string]any)) map[string]any {
		raw, err := json.Marshal(k)
		must(t, err)
		m, all := map[string]any{}, good()
		must(t, json.Unmarshal(raw, &m))
		if change != nil {
			change(m)
		}
		all["jwk"] = m
		return all
	}
	ours := jose.JSONWebKey{Key: key.Public(), Algorithm: "ECDH-ES"}
	with := func(name string, value any) map[string]any { m := jwk(ours, nil); m[name] = value; return m }
	for name, m := range map[string]any{
		"no object": "x", "nothing": map[string]any{}, "empty key": good(),
		"no alg":                    jwk(jose.JSONWebKey{Key: key.Public()}, nil),
		"another alg":               jwk(jose.JSONWebKey{Key: key.Public(), Algorithm: "ECDH-ES+A256KW"}, nil),
		"RSA1_5":                    jwk(jose.JSONWebKey{Key: old.Public(), Algorithm: "RSA1_5"}, nil),
		"RSA":                       jwk(jose.JSONWebKey{Key: old.Public(), Algorithm: "ECDH-ES"}, nil),
		"a private key":             jwk(jose.JSONWebKey{Key: key, Algorithm: "ECDH-ES"}, nil),
		"a signing key":             jwk(ours, func(m map[string]any) { m["use"] = "sig" }),
		"off the curve":             jwk(ours, func(m map[string]any) { m["x"] = m["y"] }),
		"a secret":                  map[string]any{"jwk": map[string]any{"kty": "oct", "k": "AAAA", "alg": "dir"}, "enc": "A128GCM"},
		"no enc":                    with("enc", ""),
		"unknown enc":               with("enc", "A128CTR"),
		"unknown zip":               with("zip", "GZIP"),
		"alg that is not the key's": with("alg", "RSA-OAEP"),
	} {
		raw, err := json.Marshal(m)
		must(t, err)
		if r, err := ParseReply(raw); err == nil {
			t.Errorf("%s: got %v, want it refused", name, r)
		}
	}
	// Draft 13 has alg beside the key.
	older := jwk(jose.JSONWebKey{Key: key.Public()}, nil)
	older["alg"] = "ECDH-ES"
	raw, err := json.Marshal(older)
	must(t, err)
	if _, err := ParseReply(raw); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("e30.e30.e30.e30.e30")
	f.Add(message(f, noon, []byte("hello"), nil))
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 9)
	_, _ = w.Write(make([]byte, 1000))
	_ = w.Close()
	f.Add(b.String())
	f.Fuzz(func(t *testing.T, raw string) { _, _ = keysAt(noon).Open(raw) })
}

func FuzzParseReply(f *testing.F) {
	f.Add(`{"jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","alg":"ECDH-ES"},"enc":"A128GCM","zip":"DEF"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		if r, err := ParseReply(json.RawMessage(raw)); err == nil {
			if _, err := r.Seal([]byte("x")); err != nil {
				t.Errorf("got %v for what was taken", err)
			}
		}
	})
}
