package partner

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

// material are keys of every kind that a client may or may not send.
var material = sync.OnceValues(func() (map[string]any, error) {
	all := make(map[string]any)
	for name, curve := range map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		all[name] = key
	}
	for _, bits := range []int{1024, 2048, 3072} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		all[fmt.Sprint("RSA-", bits)] = key
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	all["Ed25519"] = private
	return all, err
})

// public is a key as a client publishes it.
func public(t *testing.T, name, kid string) jose.JSONWebKey {
	t.Helper()
	all, err := material()
	must(t, err)
	k := jose.JSONWebKey{Key: all[name], KeyID: kid}
	return k.Public()
}

// set is a JWKS of keys.
func set(t *testing.T, keys ...jose.JSONWebKey) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	must(t, err)
	return raw
}

// good is metadata that is taken, with what a test changes: nil takes a field out.
func good(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	all := map[string]any{"client_id": "a-portal", "client_name": "A portal", "redirect_uris": []string{"https://portal.example/back"},
		"jwks": set(t, public(t, "P-256", "one")), "scope": "openid profile"}
	for name, v := range changes {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	raw, err := json.Marshal(all)
	must(t, err)
	return raw
}

func TestMetadataIsReadWithItsDefaults(t *testing.T) {
	c, err := parse(good(t, map[string]any{"client_name#fr": "Un portail", "client_name#ar": "بوابة", "client_name#de": 3, "client_name#it": strings.Repeat("x", 257), "logo_uri": "https://portal.example/logo.png"}))
	must(t, err)
	want := Client{ID: "a-portal", Names: map[string]string{"fr": "Un portail", "ar": "بوابة"}, Scopes: []string{"openid", "profile"}, Sector: "portal.example",
		Kept: Kept{Name: "A portal", Profile: FAPI2, RedirectURIs: []string{"https://portal.example/back"}, AuthMethod: PrivateKeyJWT, Claims: ClaimsOf("profile"), JWKS: c.JWKS,
			LogoURI: "https://portal.example/logo.png", RequirePushed: true, RequirePKCE: true, DPoPBound: true}}
	if !reflect.DeepEqual(c.Client, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
	seen := make(map[string]bool)
	for range 5 {
		c, err := parse(good(t, map[string]any{"client_id": nil, "scope": nil}))
		if err != nil || !idForm.MatchString(c.ID) || len(c.ID) < 26 || !slices.Equal(c.Scopes, []string{"openid"}) || c.Claims != nil {
			t.Errorf("got %s %v %v, %v; want an id of our own, and openid", c.ID, c.Scopes, c.Claims, err)
		}
		seen[c.ID] = true
	}
	if len(seen) != 5 {
		t.Errorf("got %d different ids, want 5", len(seen))
	}
}

func TestMetadataThatIsTaken(t *testing.T) {
	one := public(t, "P-256", "one")
	sig, enc := public(t, "P-384", "two"), public(t, "P-521", "three")
	sig.Use, enc.Use = "sig", "enc"
	for what, changes := range map[string]map[string]any{
		"as it is":                  {},
		"a secret":                  {"plinth_profile": "oidc", "token_endpoint_auth_method": "client_secret_post"},
		"keys elsewhere":            {"jwks": nil, "jwks_uri": "https://portal.example/jwks"},
		"a rehearsal":               {"plinth_profile": "oidc", "plinth_shadow_profile": "fapi2"},
		"encrypted answers":         {"id_token_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_alg": "RSA-OAEP-256"},
		"every kind of key":         {"jwks": set(t, one, sig, enc, public(t, "Ed25519", "four"), public(t, "RSA-3072", "five"))},
		"a shorter RSA key in oidc": {"plinth_profile": "oidc", "jwks": set(t, public(t, "RSA-2048", "one"))},
		"a public client":           {"plinth_profile": "oidc", "token_endpoint_auth_method": "none", "jwks": nil},
		"an app":                    {"plinth_profile": "oidc", "token_endpoint_auth_method": "none", "jwks": nil, "redirect_uris": []string{"com.example.app:/back"}},
		"a developer's machine":     {"redirect_uris": []string{"http://localhost:3000/back", "http://127.0.0.1/back", "http://[::1]:3000/back"}},
		"a query":                   {"redirect_uris": []string{"https://portal.example/back?from=plinth"}},
		"16 addresses":              {"redirect_uris": slices.Repeat([]string{"https://portal.example/back"}, 16)},
		"pre-authorized codes":      {"grant_types": []string{"authorization_code", "urn:ietf:params:oauth:grant-type:pre-authorized_code"}},
		"claims":                    {"claims": []string{"name", "birthdate"}},
		"no claims":                 {"claims": []string{}},
		"a sector":                  {"sector_identifier_uri": "https://group.example/sector.json"},
		"a policy":                  {"policy_uri": "https://portal.example/privacy"},
		"the longest name":          {"client_name": strings.Repeat("x", 256)},
		"the longest id":            {"client_id": strings.Repeat("x", 128)},
	} {
		c, err := parse(good(t, changes))
		if err != nil || c.ID == "" {
			t.Errorf("%s: got %v, want it taken", what, err)
			continue
		}
		if claims, ok := changes["claims"].([]string); ok && !slices.Equal(c.Claims, claims) {
			t.Errorf("%s: got %v, want %v", what, c.Claims, claims)
		}
		if (c.JWKS == nil && c.JWKSURI == "") != (c.AuthMethod == NoAuth) {
			t.Errorf("%s: got keys %s of a client with %s", what, c.JWKS, c.AuthMethod)
		}
	}
}

func TestMetadataThatIsRefused(t *testing.T) {
	app := func(uri string) map[string]any {
		return map[string]any{"plinth_profile": "oidc", "token_endpoint_auth_method": "none", "redirect_uris": []string{uri}}
	}
	to := func(uri string) map[string]any { return map[string]any{"redirect_uris": []string{uri}} }
	for what, c := range map[string]struct {
		changes map[string]any
		field   string
	}{
		"a short id":                   {map[string]any{"client_id": "ab"}, "client_id"},
		"a long id":                    {map[string]any{"client_id": strings.Repeat("x", 129)}, "client_id"},
		"an id with a slash":           {map[string]any{"client_id": "a/portal"}, "client_id"},
		"an id with a line":            {map[string]any{"client_id": "a-portal\n"}, "client_id"},
		"no name":                      {map[string]any{"client_name": nil}, "client_name"},
		"a long name":                  {map[string]any{"client_name": strings.Repeat("x", 257)}, "client_name"},
		"an unknown profile":           {map[string]any{"plinth_profile": "saml"}, "plinth_profile"},
		"a shared secret":              {map[string]any{"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"},
		"a public client in fapi2":     {map[string]any{"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"},
		"keys in two places":           {map[string]any{"jwks_uri": "https://portal.example/jwks"}, "jwks_uri"},
		"keys over plain HTTP":         {map[string]any{"jwks": nil, "jwks_uri": "http://portal.example/jwks"}, "jwks_uri"},
		"RS256 in fapi2":               {map[string]any{"id_token_signed_response_alg": "RS256"}, "id_token_signed_response_alg"},
		"bound twice":                  {map[string]any{"dpop_bound_access_tokens": true, "tls_client_certificate_bound_access_tokens": true}, "dpop_bound_access_tokens"},
		"a rehearsal of the same":      {map[string]any{"plinth_shadow_profile": "oidc"}, "plinth_shadow_profile"},
		"a short secret":               {map[string]any{"plinth_profile": "oidc", "token_endpoint_auth_method": "client_secret_basic", "client_secret": "secret"}, "client_secret"},
		"public subjects":              {map[string]any{"subject_type": "public"}, "subject_type"},
		"tokens in the address":        {map[string]any{"response_types": []string{"token"}}, "response_types"},
		"code and token":               {map[string]any{"response_types": []string{"code", "id_token token"}}, "response_types"},
		"no response":                  {map[string]any{"response_types": []string{}}, "response_types"},
		"an implicit grant":            {map[string]any{"grant_types": []string{"authorization_code", "implicit"}}, "grant_types"},
		"passwords":                    {map[string]any{"grant_types": []string{"password"}}, "grant_types"},
		"no address":                   {map[string]any{"redirect_uris": nil}, "redirect_uris"},
		"an empty list":                {map[string]any{"redirect_uris": []string{}}, "redirect_uris"},
		"17 addresses":                 {map[string]any{"redirect_uris": slices.Repeat([]string{"https://portal.example/back"}, 17)}, "redirect_uris"},
		"one bad address of two":       {map[string]any{"redirect_uris": []string{"https://portal.example/back", "http://portal.example/back"}}, "redirect_uris"},
		"an empty address":             {to(""), "redirect_uris"},
		"no scheme":                    {to("portal.example/back"), "redirect_uris"},
		"no host":                      {to("https:///back"), "redirect_uris"},
		"a port without a host":        {to("https://:443/back"), "redirect_uris"},
		"an opaque address":            {to("https:portal.example"), "redirect_uris"},
		"http":                         {to("http://portal.example/back"), "redirect_uris"},
		"http to a name like ours":     {to("http://localhost.example/back"), "redirect_uris"},
		"http to another loopback":     {to("http://127.0.0.2/back"), "redirect_uris"},
		"a fragment":                   {to("https://portal.example/back#x"), "redirect_uris"},
		"an empty fragment":            {to("https://portal.example/back#"), "redirect_uris"},
		"a wildcard":                   {to("https://*.portal.example/back"), "redirect_uris"},
		"a name and password":          {to("https://portal.example@evil.example/back"), "redirect_uris"},
		"a blank":                      {to("https://portal.example/ba ck"), "redirect_uris"},
		"a backslash":                  {to(`https://portal.example\@evil.example/back`), "redirect_uris"},
		"a line":                       {to("https://portal.example/\nback"), "redirect_uris"},
		"too long":                     {to("https://portal.example/" + strings.Repeat("x", 1024)), "redirect_uris"},
		"a script":                     {to("javascript:alert(1)"), "redirect_uris"},
		"a script of an app":           {app("javascript:alert(1)"), "redirect_uris"},
		"data of an app":               {app("data:text/html,x"), "redirect_uris"},
		"an app's scheme without dot":  {app("myapp:/back"), "redirect_uris"},
		"an app's scheme with keys":    {to("com.example.app:/back"), "redirect_uris"},
		"a sector without https":       {map[string]any{"sector_identifier_uri": "http://group.example/sector.json"}, "sector_identifier_uri"},
		"a sector that is no address":  {map[string]any{"sector_identifier_uri": "group.example"}, "sector_identifier_uri"},
		"a policy that is a script":    {map[string]any{"policy_uri": "javascript:alert(1)"}, "policy_uri"},
		"a policy without https":       {map[string]any{"policy_uri": "http://portal.example/privacy"}, "policy_uri"},
		"no keys":                      {map[string]any{"jwks": nil}, "jwks"},
		"keys that are none":           {map[string]any{"jwks": "keys"}, "jwks"},
		"a redirect that is no list":   {map[string]any{"redirect_uris": "https://portal.example/back"}, "metadata"},
		"a name that is no text":       {map[string]any{"client_name": 3}, "metadata"},
		"a NUL, which no database has": {map[string]any{"client_name": "A \x00 portal"}, "metadata"},
		"too much":                     {map[string]any{"logo_uri": strings.Repeat("x", maxMetadata)}, "metadata"},
	} {
		refused(t, what, good(t, c.changes), c.field)
	}
	for what, raw := range map[string]string{"nothing": "", "no JSON": "client_name=A portal", "a list": "[]", "two objects": "{}{}", "no UTF-8": "{\"client_name\":\"\xff\"}"} {
		refused(t, what, []byte(raw), "metadata")
	}
}

func refused(t *testing.T, what string, raw []byte, field string) {
	t.Helper()
	c, err := parse(raw)
	if !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "client-invalid" || c.ID != "" {
		t.Errorf("%s: got %v, want it refused", what, err)
		return
	}
	fields := make(map[string]bool)
	for _, f := range fault.Of(err).Fields {
		fields[f.Name] = true
	}
	if !fields[field] || len(fields) != 1 {
		t.Errorf("%s: got %v named, want %s alone", what, slices.Sorted(maps.Keys(fields)), field)
	}
}

func TestEverythingThatIsWrongIsNamedAtOnce(t *testing.T) {
	_, err := parse([]byte(`{"client_id":"x","plinth_profile":"saml","jwks_uri":"ftp://portal.example/jwks"}`))
	fields := make(map[string]bool)
	for _, f := range fault.Of(err).Fields {
		fields[f.Name] = true
	}
	if got, want := slices.Sorted(maps.Keys(fields)), []string{"client_id", "client_name", "jwks_uri", "plinth_profile", "redirect_uris"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	all, err := material()
	must(t, err)
	one := public(t, "P-256", "one")
	private := func(name string) jose.JSONWebKey { return jose.JSONWebKey{Key: all[name], KeyID: "one"} }
	unknown := one
	unknown.Use = "wrap"
	anonymous := one
	anonymous.KeyID = ""
	many := make([]jose.JSONWebKey, 17)
	for i := range many {
		many[i] = public(t, "P-256", fmt.Sprint(i))
	}
	for what, c := range map[string]struct {
		keys json.RawMessage
		rule string
	}{
		"none": {set(t), "1 to 16"}, "17": {set(t, many...), "1 to 16"}, "a private EC key": {set(t, private("P-256")), "public keys only"},
		"a private RSA key": {set(t, private("RSA-3072")), "public keys only"}, "a private Ed25519 key": {set(t, private("Ed25519")), "public keys only"},
		"a shared secret":   {set(t, jose.JSONWebKey{Key: []byte("a shared secret of a client"), KeyID: "one"}), "public keys only"},
		"one private key":   {set(t, public(t, "P-384", "two"), private("P-256")), "public keys only"},
		"a key without kid": {set(t, anonymous), "kid"}, "two of one kid": {set(t, one, public(t, "P-384", "one")), "kid"}, "an unknown use": {set(t, unknown), "use"},
		"an unknown curve":       {json.RawMessage(`{"keys":[{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"one"}]}`), "1 to 16"},
		"a point off the curve":  {json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"one"}]}`), "1 to 16"},
		"a key for agreement":    {json.RawMessage(`{"keys":[{"kty":"OKP","crv":"X25519","x":"AA","d":"AA","kid":"one"}]}`), "1 to 16"},
		"null":                   {json.RawMessage(`{"keys":[null]}`), "1 to 16"},
		"no set":                 {json.RawMessage(`[]`), "1 to 16"},
		"a NUL":                  {json.RawMessage(strings.Replace(string(set(t, one)), `"one"`, `"one\u0000"`, 1)), "1 to 16"},
		"too much":               {json.RawMessage(strings.Replace(string(set(t, one)), `{"keys"`, `{"x":"`+strings.Repeat("x", 64<<10)+`","keys"`, 1)), "1 to 16"},
		"an RSA key of 1024 bit": {set(t, public(t, "RSA-1024", "one")), "2048"},
	} {
		_, err := publicKeys(c.keys)
		if !fault.Is(err, fault.Invalid) || fault.Of(err).Fields[0].Name != "jwks" || !strings.Contains(err.Error(), c.rule) {
			t.Errorf("%s: got %v, want %q", what, err, c.rule)
		}
		if strings.Contains(fmt.Sprint(err), "AA") {
			t.Errorf("%s: got a part of the key in %v", what, err)
		}
	}
}

// A client that knows the private parts under other names must not leave them here.
func TestKeysAreKeptWithoutWhatStandsBesideThem(t *testing.T) {
	spoiled := strings.Replace(string(set(t, public(t, "RSA-3072", "one"))), `"kid"`, `"p":"c2VjcmV0","q":"c2VjcmV0","seed":"c2VjcmV0","kid"`, 1)
	spoiled = strings.Replace(spoiled, `{"keys"`, `{"pem":"c2VjcmV0","keys"`, 1)
	kept, err := publicKeys(json.RawMessage(spoiled))
	must(t, err)
	if strings.Contains(string(kept), "c2VjcmV0") || !json.Valid(kept) {
		t.Errorf("got %s, want the public parts only", kept)
	}
	if again, err := publicKeys(kept); err != nil || string(again) != string(kept) {
		t.Errorf("got %s, %v; want them as they were kept", again, err)
	}
}

// Whose names for people may be compared, decides the sector alone.
func TestPartnersShareASectorOnlyIfTheyShareAHost(t *testing.T) {
	sector := func(id string, changes map[string]any) string {
		t.Helper()
		changes["client_id"] = id
		c, err := parse(good(t, changes))
		must(t, err)
		return c.Sector
	}
	public := func(uris ...string) map[string]any {
		return map[string]any{"plinth_profile": "oidc", "token_endpoint_auth_method": "none", "redirect_uris": uris}
	}
	for what, c := range map[string]struct {
		a, b  string
		alike bool
	}{
		"one host":               {sector("one", map[string]any{}), sector("two", map[string]any{"redirect_uris": []string{"https://PORTAL.example/two"}}), true},
		"a host and its sector":  {sector("one", map[string]any{}), sector("two", map[string]any{"redirect_uris": []string{"https://two.example/"}, "sector_identifier_uri": "https://portal.example/s.json"}), true},
		"two hosts":              {sector("one", map[string]any{}), sector("two", map[string]any{"redirect_uris": []string{"https://two.example/"}}), false},
		"a host among others":    {sector("one", map[string]any{}), sector("two", map[string]any{"redirect_uris": []string{"https://portal.example/", "https://two.example/"}}), false},
		"developers":             {sector("one", public("http://localhost:3000/back")), sector("two", public("http://localhost:3000/back")), false},
		"apps":                   {sector("one", public("com.example.one:/back")), sector("two", public("com.example.two:/back")), false},
		"apps with one callback": {sector("one", public("com.example.one://callback")), sector("two", public("com.example.two://callback")), false},
		"an id like a host":      {sector("portal.example", public("com.example.one:/back")), sector("two", map[string]any{}), false},
	} {
		if c.a == "" || c.b == "" || (c.a == c.b) != c.alike {
			t.Errorf("%s: got %q and %q, want them alike: %v", what, c.a, c.b, c.alike)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"client_name":"A portal","redirect_uris":["https://portal.example/back"],"plinth_profile":"oidc","token_endpoint_auth_method":"none"}`))
	f.Add([]byte(`{"client_name":"A portal","redirect_uris":["https://portal.example/back"],"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"one"}]}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parse(raw)
		if err == nil && (c.ID == "" || c.Name == "" || c.Sector == "" || len(c.RedirectURIs) == 0) {
			t.Errorf("got %+v, want every part of a client that is taken", c)
		}
	})
}
