package sdjwt

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// crafted is a token that no issuer of ours would make, with a good signature.
func crafted(t *testing.T, key crypto.Signer, header, payload map[string]any, disclosures ...string) string {
	t.Helper()
	whole := map[string]any{"typ": TypeVC, "kid": "1"}
	maps.Copy(whole, header)
	claims := map[string]any{"iss": issuerID, "vct": vct}
	maps.Copy(claims, payload)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == "delete" })
	signer, err := jws.NewSigner(key, whole)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(append([]string{string(token)}, append(disclosures, "")...), "~")
}

// shown is a disclosure of this JSON, and its digest.
func shown(json string) (string, string) {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(json))
	return encoded, digest(crypto.SHA256, encoded)
}

type object = map[string]any

// faulty is a token with a good signature, and what it is refused for.
type faulty struct {
	header, payload object
	shown           []string
	want            error
}

// refuse checks that each is refused, and that nothing is given of it but of one whose
// time is over or has not come.
func refuse(t *testing.T, key crypto.Signer, all map[string]faulty) {
	t.Helper()
	h := newHouse(t, key)
	for what, c := range all {
		got, err := Verify(t.Context(), crafted(t, key, c.header, c.payload, c.shown...), h.options)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if timed := got.Claims != nil; timed != (errors.Is(err, ErrExpired) || errors.Is(err, ErrNotYetValid)) {
			t.Errorf("%s: claims are given: %v, beside %v", what, timed, err)
		}
	}
}

// disclosed is a payload with one digest, and what it is of.
func disclosed(json string) (object, string) {
	encoded, digest := shown(json)
	return object{"_sd": []any{digest}}, encoded
}

func TestFaultyDigestsAreRefused(t *testing.T) {
	name, nameDigest := shown(`["salt","name","Amina"]`)
	again, againDigest := shown(`["tlas","name","Zuhura"]`)
	element, elementDigest := shown(`["salt","KE"]`)
	_, loopDigest := shown(`["salt","x",{"_sd":["` + nameDigest + `"]}]`)
	refuse(t, newKey(t, elliptic.P256()), map[string]faulty{
		"a digest twice":                  {nil, object{"_sd": []any{nameDigest, nameDigest}}, []string{name}, ErrDuplicate},
		"a digest in two places":          {nil, object{"_sd": []any{nameDigest}, "a": object{"_sd": []any{nameDigest}}}, nil, ErrDuplicate},
		"a decoy twice":                   {nil, object{"_sd": []any{"decoy", "decoy"}}, nil, ErrDuplicate},
		"a disclosure twice":              {nil, object{"_sd": []any{nameDigest}}, []string{name, name}, ErrDuplicate},
		"a claim disclosed twice":         {nil, object{"_sd": []any{nameDigest, againDigest}}, []string{name, again}, ErrClash},
		"a claim in the clear and not":    {nil, object{"_sd": []any{nameDigest}, "name": "Zuhura"}, []string{name}, ErrClash},
		"a disclosure nobody signed":      {nil, object{"_sd": []any{nameDigest}}, []string{name, again}, ErrUnreferenced},
		"a disclosure without its parent": {nil, object{"_sd": []any{loopDigest}}, []string{name}, ErrUnreferenced},
		"an element as a property":        {nil, object{"_sd": []any{elementDigest}}, []string{element}, ErrMalformed},
		"a property as an element":        {nil, object{"n": []any{object{"...": nameDigest}}}, []string{name}, ErrMalformed},
		"more in an element":              {nil, object{"n": []any{object{"...": elementDigest, "a": 1}}}, []string{element}, ErrReserved},
		"dots outside of an array":        {nil, object{"n": object{"...": elementDigest}}, []string{element}, ErrReserved},
		"dots that are no text":           {nil, object{"n": []any{object{"...": 1}}}, nil, ErrReserved},
		"_sd that is no array":            {nil, object{"_sd": "x"}, nil, ErrReserved},
		"_sd of numbers":                  {nil, object{"_sd": []any{1}}, nil, ErrReserved},
		"_sd_alg below the top":           {nil, object{"a": object{"_sd_alg": "sha-256"}}, nil, ErrReserved},
		"_sd_alg unknown":                 {nil, object{"_sd_alg": "md5"}, nil, ErrUnsupported},
		"_sd_alg no text":                 {nil, object{"_sd_alg": 256}, nil, ErrUnsupported},
		"an empty disclosure":             {nil, nil, []string{""}, ErrMalformed},
		"a disclosure with padding":       {nil, object{"_sd": []any{nameDigest}}, []string{name + "="}, ErrMalformed},
	})
}

func TestFaultyDisclosuresAreRefused(t *testing.T) {
	withSD, sdDisclosure := disclosed(`["salt","_sd","x"]`)
	withDots, dotsDisclosure := disclosed(`["salt","...","x"]`)
	withAlg, algDisclosure := disclosed(`["salt","_sd_alg","sha-512"]`)
	withVct, vctDisclosure := disclosed(`["salt","vct","urn:other"]`)
	withExp, expDisclosure := disclosed(`["salt","exp",4000000000]`)
	withStatus, statusDisclosure := disclosed(`["salt","status",{"status_list":{"idx":1,"uri":"https://x.example"}}]`)
	withTwo, twoDisclosure := disclosed(`["salt"]`)
	withNumber, numberDisclosure := disclosed(`[1,"name","x"]`)
	withNames, namesDisclosure := disclosed(`["salt",1,"x"]`)
	withKeys, keysDisclosure := disclosed(`["salt","x",{"a":1,"a":2}]`)
	refuse(t, newKey(t, elliptic.P256()), map[string]faulty{
		"_sd disclosed":               {nil, withSD, []string{sdDisclosure}, ErrReserved},
		"dots disclosed":              {nil, withDots, []string{dotsDisclosure}, ErrReserved},
		"_sd_alg disclosed":           {nil, withAlg, []string{algDisclosure}, ErrReserved},
		"vct disclosed":               {nil, object{"vct": "delete", "_sd": withVct["_sd"]}, []string{vctDisclosure}, ErrProtected},
		"exp disclosed":               {nil, withExp, []string{expDisclosure}, ErrProtected},
		"status disclosed":            {nil, withStatus, []string{statusDisclosure}, ErrProtected},
		"a disclosure of one":         {nil, withTwo, []string{twoDisclosure}, ErrMalformed},
		"a salt that is a number":     {nil, withNumber, []string{numberDisclosure}, ErrMalformed},
		"a name that is a number":     {nil, withNames, []string{namesDisclosure}, ErrMalformed},
		"a key twice in a disclosure": {nil, withKeys, []string{keysDisclosure}, ErrMalformed},
	})
}

func TestFaultyClaimsAreRefused(t *testing.T) {
	key := newKey(t, elliptic.P256())
	secret, _ := jws.JWK(key.Public())
	private := maps.Clone(secret)
	private["d"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	deep := any("x")
	for range maxDepth + 2 {
		deep = []any{deep}
	}
	refuse(t, key, map[string]faulty{
		"status with a digest in it":    {nil, object{"status": object{"status_list": object{"idx": 1, "uri": "x", "_sd": []any{"y"}}}}, nil, ErrProtected},
		"cnf with a digest in it":       {nil, object{"cnf": object{"jwk": secret, "_sd": []any{"y"}}}, nil, ErrProtected},
		"too deep":                      {nil, object{"x": deep}, nil, ErrTooLarge},
		"a private key of the holder":   {nil, object{"cnf": object{"jwk": private}}, nil, ErrKey},
		"a shared secret of the holder": {nil, object{"cnf": object{"jwk": object{"kty": "oct", "k": "c2VjcmV0"}}}, nil, ErrKey},
		"cnf that is no object":         {nil, object{"cnf": "me"}, nil, ErrMalformed},
		"no vct":                        {nil, object{"vct": "delete"}, nil, ErrMalformed},
		"vct that is no text":           {nil, object{"vct": []any{vct}}, nil, ErrMalformed},
		"aka_vcts with vct itself":      {nil, object{"aka_vcts": []any{vct}}, nil, ErrMalformed},
		"aka_vcts empty":                {nil, object{"aka_vcts": []any{}}, nil, ErrMalformed},
		"half a status":                 {nil, object{"status": object{"status_list": object{"idx": 1}}}, nil, ErrMalformed},
		"a negative status":             {nil, object{"status": object{"status_list": object{"idx": -1, "uri": "x"}}}, nil, ErrMalformed},
		"exp as text":                   {nil, object{"exp": "2030-01-01"}, nil, ErrMalformed},
		"another typ":                   {object{"typ": "JWT"}, nil, nil, ErrMediaType},
		"a KB-JWT for a credential":     {object{"typ": typeBinding}, nil, nil, ErrMediaType},
		"crit":                          {object{"crit": []any{"exp"}, "exp": 1}, nil, nil, ErrUnsupported},
		"b64":                           {object{"b64": false}, nil, nil, ErrUnsupported},
		"another kid":                   {object{"kid": "2"}, nil, nil, ErrUnknownKey},
		"another issuer":                {nil, object{"iss": "https://other.example"}, nil, ErrUnknownKey},
		"no issuer":                     {nil, object{"iss": "delete"}, nil, ErrUnknownKey},
		"an issuer that is no text":     {nil, object{"iss": 1}, nil, ErrMalformed},
		"ended":                         {nil, object{"exp": noon.Unix()}, nil, ErrExpired},
		"not begun":                     {nil, object{"nbf": noon.Add(2 * time.Hour).Unix()}, nil, ErrNotYetValid},
		"issued tomorrow":               {nil, object{"iat": noon.Add(24 * time.Hour).Unix()}, nil, ErrNotYetValid},
	})
}

// TestWhatIsUnusualIsRead are forms that the standards allow.
func TestWhatIsUnusualIsRead(t *testing.T) {
	key := newKey(t, elliptic.P256())
	h := newHouse(t, key)
	name, nameDigest := shown(`[ "salt" , "name" , null ]`)
	for what, c := range map[string]struct {
		header, payload object
		shown           []string
	}{
		"nothing selective":      {nil, nil, nil},
		"an empty _sd":           {nil, object{"_sd": []any{}}, nil},
		"only decoys":            {nil, object{"_sd": []any{"a", "b"}}, nil},
		"null disclosed":         {nil, object{"_sd": []any{nameDigest}}, []string{name}},
		"the media type of once": {object{"typ": "vc+sd-jwt"}, nil, nil},
		"application/ in typ":    {object{"typ": "application/dc+sd-jwt"}, nil, nil},
		"another status":         {nil, object{"status": object{"other": 1}}, nil},
	} {
		if _, err := Verify(t.Context(), crafted(t, key, c.header, c.payload, c.shown...), h.options); err != nil {
			t.Errorf("%s: got %v, want nil", what, err)
		}
	}
	c, err := Verify(t.Context(), crafted(t, key, nil, object{"status": object{"other": 1}}), h.options)
	if err != nil || !c.OtherStatus || c.Status != nil {
		t.Errorf("another kind of status: got %+v (%v)", c, err)
	}
}

// TestAlgorithmsThatProveNothing rewrites the header: nobody has signed, or with what
// everybody knows.
func TestAlgorithmsThatProveNothing(t *testing.T) {
	key := newKey(t, elliptic.P256())
	h := newHouse(t, key)
	_, rest, _ := strings.Cut(crafted(t, key, nil, nil), ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, alg := range []string{"none", "None", "HS256", "RS256", "ES256K", ""} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","typ":"dc+sd-jwt","kid":"1"}`))
		for _, signature := range []string{"", "AAAA"} {
			if _, err := Verify(t.Context(), header+"."+payload+"."+signature+"~", h.options); !errors.Is(err, ErrUnsupported) {
				t.Errorf("%q: got %v, want ErrUnsupported", alg, err)
			}
		}
	}
	// A key of another kind than the header says.
	other := newHouse(t, newKey(t, elliptic.P384()))
	h.options.Keys = other.options.Keys
	if _, err := Verify(t.Context(), crafted(t, key, nil, nil), h.options); !errors.Is(err, ErrSignature) {
		t.Errorf("another kind of key: got %v, want ErrSignature", err)
	}
}

// TestEveryPartIsSigned changes each part of a presentation in turn.
func TestEveryPartIsSigned(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	token, o := presented(t, h)
	for i := 0; i < len(token); i += 7 {
		for _, by := range []byte{1, 2} {
			changed := []byte(token)
			changed[i] ^= by
			if _, err := Verify(t.Context(), string(changed), o); err == nil {
				t.Errorf("byte %d of %d: got valid, want an error", i, len(token))
			}
		}
	}
	pieces := strings.Split(token, "~")
	for i := range pieces {
		without := append(append([]string{}, pieces[:i]...), pieces[i+1:]...)
		if _, err := Verify(t.Context(), strings.Join(without, "~"), o); err == nil {
			t.Errorf("without part %d: got valid, want an error", i)
		}
	}
	if _, err := Verify(t.Context(), strings.Join(append([]string{pieces[0], pieces[2], pieces[1]}, pieces[3:]...), "~"), o); !errors.Is(err, ErrAltered) {
		t.Errorf("in another order: got %v, want ErrAltered", err)
	}
}

func TestMalformedTokensAreRefused(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	good := issue(t, h, amina(nil))
	for what, token := range map[string]string{
		"empty": "", "a tilde": "~", "a JWT without a tilde": strings.Split(good, "~")[0], "dots": "..~", "words": "a.b.c~",
		"a line break":           "\n" + good,
		"too many disclosures":   strings.Split(good, "~")[0] + strings.Repeat("~x", maxDisclosures+1) + "~",
		"too large":              strings.Repeat("a", maxBytes-10) + ".a.a~",
		"larger":                 strings.Repeat("a", maxBytes) + ".a.a~",
		"JSON of something else": `{"a":1}`,
	} {
		if _, err := Verify(t.Context(), token, h.options); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v, want ErrMalformed or ErrTooLarge", what, err)
		}
	}
}

// TestIssuerIsAsked shows that a resolver's own error comes through.
func TestIssuerIsAsked(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	down := errors.New("the line is down")
	h.options.Keys = func(context.Context, string, string) (crypto.PublicKey, error) { return nil, down }
	if _, err := Verify(t.Context(), issue(t, h, amina(nil)), h.options); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
	h.options.Keys = nil
	if _, err := Verify(t.Context(), issue(t, h, amina(nil)), h.options); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
}
