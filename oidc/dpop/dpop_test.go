package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/oidc/dpop"
)

const address = "https://id.example/oidc/token"

var now = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

func judge() dpop.Judge {
	return dpop.Judge{Now: func() time.Time { return now }, Key: func(label string, parts ...[]byte) []byte {
		mac := hmac.New(sha256.New, []byte("a key for tests"+label))
		for _, part := range parts {
			mac.Write(part)
		}
		return mac.Sum(nil)
	}}
}

// proof makes a proof; change may spoil its claims.
func proof(t testing.TB, alg jose.SignatureAlgorithm, key any, change func(m map[string]any)) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": address, "iat": now.Unix()}
	if change != nil {
		change(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func check(sent string, access string, more ...string) (dpop.Proof, error) {
	r := httptest.NewRequest("POST", address, nil)
	for _, header := range append([]string{sent}, more...) {
		r.Header.Add("DPoP", header)
	}
	return judge().Check(r, address, access)
}

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// RFC 9449, 4.3: each check that a server must make, and what is taken.
func TestAProofIsOfItsRequestItsTokenAndItsTime(t *testing.T) {
	key := p256(t)
	sum := sha256.Sum256([]byte("a token"))
	ath := base64.RawURLEncoding.EncodeToString(sum[:])
	set := func(name string, value any) func(map[string]any) { return func(m map[string]any) { m[name] = value } }
	drop := func(name string) func(map[string]any) { return func(m map[string]any) { delete(m, name) } }
	for what, c := range map[string]struct {
		change func(map[string]any)
		access string
		good   bool
		nonce  bool // refused, but a nonce would help
	}{
		"good":                        {nil, "", true, false},
		"with a query in htu":         {set("htu", address+"?x=1#y"), "", true, false},
		"with the port of its scheme": {set("htu", "https://ID.example:443/oidc/token"), "", true, false},
		"for its token":               {set("ath", ath), "a token", true, false},
		"eight seconds early":         {set("iat", now.Add(8*time.Second).Unix()), "", true, false},
		"with our nonce, any clock":   {func(m map[string]any) { m["nonce"], m["iat"] = judge().Nonce(), now.Add(-24*time.Hour).Unix() }, "", true, false},
		"another method":              {set("htm", "GET"), "", false, false},
		"another path":                {set("htu", "https://id.example/oidc/userinfo"), "", false, false},
		"another host":                {set("htu", "https://evil.example/oidc/token"), "", false, false},
		"another scheme":              {set("htu", "http://id.example/oidc/token"), "", false, false},
		"a user in htu":               {set("htu", "https://id.example@id.example/oidc/token"), "", false, false},
		"a coded path":                {set("htu", "https://id.example/oidc%2Ftoken"), "", false, false},
		"no jti":                      {drop("jti"), "", false, false},
		"a long jti":                  {set("jti", strings.Repeat("x", 257)), "", false, false},
		"no iat":                      {drop("iat"), "", false, false},
		"late":                        {set("iat", now.Add(-2*time.Minute).Unix()), "", false, true},
		"early":                       {set("iat", now.Add(2*time.Minute).Unix()), "", false, true},
		"another's nonce":             {set("nonce", "AAAAAAAAAAAAAAAAAAAAAA"), "", false, true},
		"no token":                    {nil, "a token", false, false},
		"another token":               {set("ath", ath), "another token", false, false},
	} {
		got, err := check(proof(t, jose.ES256, key, c.change), c.access)
		if (err == nil) != c.good || errors.Is(err, dpop.ErrNonce) != c.nonce || c.good && (got.Thumbprint == "" || got.ID == "") {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
	}
}

func TestAProofIsMadeByAKeyThatIsStrongPublicAndItsOwn(t *testing.T) {
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(proof(t, jose.PS256, strong, nil), ""); err != nil {
		t.Errorf("got %v for PS256", err)
	}
	good := proof(t, jose.ES256, p256(t), nil)
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	segment := base64.RawURLEncoding.EncodeToString
	for what, sent := range map[string]string{
		"RS256":                 proof(t, jose.RS256, strong, nil),
		"by HMAC":               proof(t, jose.HS256, make([]byte, 32), nil),
		"unsigned":              segment([]byte(`{"alg":"none","typ":"dpop+jwt"}`)) + "." + body + ".",
		"another body":          head + "." + segment([]byte(`{"jti":"x"}`)) + "." + signature,
		"no key":                segment([]byte(`{"alg":"ES256","typ":"dpop+jwt"}`)) + "." + body + "." + signature,
		"a private key":         segment([]byte(`{"alg":"ES256","typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}`)) + "." + body + "." + signature,
		"another type":          segment([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + body + "." + signature,
		"too long":              good + strings.Repeat("A", 9<<10),
		"nothing":               "",
		"an unprotected header": `{"payload":"` + body + `","signatures":[]}`,
	} {
		if _, err := check(sent, ""); err == nil {
			t.Errorf("%s: was taken", what)
		}
	}
	if _, err := check(good, "", good); err == nil {
		t.Error("two proofs were taken")
	}
}

func TestANonceIsGoodForAMinuteAtMost(t *testing.T) {
	then := judge()
	nonce := then.Nonce()
	for after, good := range map[time.Duration]bool{0: true, 29 * time.Second: true, 61 * time.Second: false} {
		later := judge()
		later.Now = func() time.Time { return now.Add(after) }
		r := httptest.NewRequest("POST", address, nil)
		r.Header.Set("DPoP", proof(t, jose.ES256, p256(t), func(m map[string]any) { m["nonce"] = nonce }))
		if _, err := later.Check(r, address, ""); (err == nil) != good {
			t.Errorf("after %v: got %v", after, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(proof(f, jose.ES256, p256(f), nil))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, sent string) {
		if p, err := check(sent, "a token"); err == nil && (p.Thumbprint == "" || p.ID == "") {
			t.Errorf("%q was taken without a key", sent)
		}
	})
}
