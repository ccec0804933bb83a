package sdjwt

import (
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

var occasion = Occasion{Audience: "x509_hash:Uvo3", Nonce: "n-0S6_WzA2Mj", At: noon.Add(time.Hour)}

// presented is a presentation of two claims, and what its verifier asks for.
func presented(t testing.TB, h house) (string, Options) {
	t.Helper()
	held, err := Open(issue(t, h, amina(h.holder.Public())))
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := held.Choose([][]any{{"given_name"}, {"nationalities", 0}})
	if err != nil {
		t.Fatal(err)
	}
	unbound, err := chosen.Bind(occasion)
	if err != nil {
		t.Fatal(err)
	}
	token, err := unbound.Sign(h.holder)
	if err != nil {
		t.Fatal(err)
	}
	o := h.options
	o.Binding = &Binding{Audience: occasion.Audience, Nonce: occasion.Nonce}
	return token, o
}

// TestHolderSignsElsewhere makes a presentation whose key only gives signatures.
func TestHolderSignsElsewhere(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	held, err := Open(issue(t, h, amina(h.holder.Public())))
	if err != nil {
		t.Fatal(err)
	}
	chosen, _ := held.Choose([][]any{{"birthdate"}})
	unbound, err := chosen.Bind(occasion)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := jws.SignInput(h.holder, unbound.Input())
	if err != nil || len(signature) != 64 {
		t.Fatalf("got %d bytes (%v), want the 64 of WebCrypto", len(signature), err)
	}
	token, err := unbound.With(signature)
	if err != nil {
		t.Fatal(err)
	}
	o := h.options
	o.Binding = &Binding{Audience: occasion.Audience, Nonce: occasion.Nonce}
	if c, err := Verify(t.Context(), token, o); err != nil || !c.Bound {
		t.Errorf("got %v, bound %v", err, c.Bound)
	}
	if again, err := Complete(unbound.Shown(), unbound.Input(), signature); err != nil || again != token {
		t.Errorf("completed later: got %s (%v), want %s", again, err, token)
	}
	more, _ := held.Choose([][]any{{"birthdate"}, {"email"}})
	if _, err := Complete(more.String(), unbound.Input(), signature); !errors.Is(err, ErrAltered) {
		t.Errorf("completed with more than was signed: got %v, want ErrAltered", err)
	}
	if _, err := Complete(issue(t, h, amina(nil)), unbound.Input(), signature); !errors.Is(err, ErrNotBound) {
		t.Errorf("completed for nobody: got %v, want ErrNotBound", err)
	}
	foreign, _ := jws.SignInput(newKey(t, elliptic.P256()), unbound.Input())
	if _, err := unbound.With(foreign); !errors.Is(err, ErrHolderKey) {
		t.Errorf("another key: got %v, want ErrHolderKey", err)
	}
}

func TestAnotherOccasionIsRefused(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	token, good := presented(t, h)
	if c, err := Verify(t.Context(), token, good); err != nil || !c.Bound {
		t.Fatalf("got %v, want nil", err)
	}
	later := func(d time.Duration) func(*Options) {
		return func(o *Options) { o.Now = func() time.Time { return occasion.At.Add(d) } }
	}
	binding := func(change func(*Binding)) func(*Options) {
		return func(o *Options) { b := *o.Binding; change(&b); o.Binding = &b }
	}
	for what, c := range map[string]struct {
		change func(*Options)
		want   error
	}{
		"another nonce":               {binding(func(b *Binding) { b.Nonce = "x" }), ErrNonce},
		"another audience":            {binding(func(b *Binding) { b.Audience = "https://other.example" }), ErrAudience},
		"audience without its prefix": {binding(func(b *Binding) { b.Audience = "Uvo3" }), ErrAudience},
		"too late":                    {later(UsualAge + time.Second), ErrStale},
		"too late for this verifier":  {func(o *Options) { later(time.Minute)(o); binding(func(b *Binding) { b.MaxAge = time.Second })(o) }, ErrStale},
		"from the future":             {later(-2 * time.Minute), ErrStale},
		"a transaction not signed":    {binding(func(b *Binding) { b.Transaction = []string{"x"} }), ErrTransaction},
	} {
		o := good
		c.change(&o)
		if _, err := Verify(t.Context(), token, o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	o := good
	later(59*time.Second - 2*time.Minute + time.Minute)(&o) // within what clocks may differ
	if _, err := Verify(t.Context(), token, o); err != nil {
		t.Errorf("a clock one second off: got %v, want nil", err)
	}
}

// TestForgedBindingIsRefused puts bindings together that no holder would sign.
func TestForgedBindingIsRefused(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	token, o := presented(t, h)
	cut := strings.LastIndex(token, "~") + 1
	shown := token[:cut]
	honest := object{"aud": occasion.Audience, "nonce": occasion.Nonce, "iat": occasion.At.Unix(), "sd_hash": digest(crypto.SHA256, shown)}
	for what, c := range map[string]struct {
		key            crypto.Signer
		header, claims object
		want           error
	}{
		"signed by another":         {newKey(t, elliptic.P256()), nil, nil, ErrHolderKey},
		"by a key of another kind":  {newKey(t, elliptic.P384()), nil, nil, ErrHolderKey},
		"with another typ":          {h.holder, object{"typ": "JWT"}, nil, ErrMediaType},
		"with crit":                 {h.holder, object{"crit": []string{"x"}}, nil, ErrUnsupported},
		"of other claims":           {h.holder, nil, object{"sd_hash": digest(crypto.SHA256, shown+"x~")}, ErrAltered},
		"of no claims":              {h.holder, nil, object{"sd_hash": nil}, ErrAltered},
		"for several":               {h.holder, nil, object{"aud": []string{occasion.Audience}}, ErrAudience},
		"without a nonce":           {h.holder, nil, object{"nonce": nil}, ErrNonce},
		"without a time":            {h.holder, nil, object{"iat": nil}, ErrStale},
		"with a time in words":      {h.holder, nil, object{"iat": "now"}, ErrStale},
		"that has ended":            {h.holder, nil, object{"exp": noon.Unix()}, ErrStale},
		"of an unasked transaction": {h.holder, nil, object{"transaction_data_hashes": []string{"x"}}, ErrTransaction},
	} {
		header, claims := object{"typ": typeBinding}, maps.Clone(honest)
		maps.Copy(header, c.header)
		maps.Copy(claims, c.claims)
		signer, err := jws.NewSigner(c.key, header)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(claims)
		binding, err := signer.Sign(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), shown+string(binding), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	if _, err := Verify(t.Context(), shown, o); !errors.Is(err, ErrNotBound) {
		t.Errorf("without a binding: got %v, want ErrNotBound", err)
	}
	nobody := issue(t, h, amina(nil))
	if _, err := Verify(t.Context(), nobody+token[cut:], o); !errors.Is(err, ErrNotBound) {
		t.Errorf("bound to nobody: got %v, want ErrNotBound", err)
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"kb+jwt"}`)) + "." + strings.Split(token[cut:], ".")[1] + "."
	if _, err := Verify(t.Context(), shown+unsigned, o); !errors.Is(err, ErrUnsupported) {
		t.Errorf("alg none: got %v, want ErrUnsupported", err)
	}
}

// TestBindingNobodyAskedFor is read, but says nothing.
func TestBindingNobodyAskedFor(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	token, _ := presented(t, h)
	if c, err := Verify(t.Context(), token, h.options); err != nil || c.Bound {
		t.Errorf("got %v, bound %v; want nil, unbound", err, c.Bound)
	}
	if _, err := Receive(t.Context(), token, h.options); !errors.Is(err, ErrMalformed) {
		t.Errorf("received from an issuer: got %v, want ErrMalformed", err)
	}
	if _, err := Open(token); !errors.Is(err, ErrMalformed) {
		t.Errorf("opened by its holder: got %v, want ErrMalformed", err)
	}
}

func TestTransactionIsSigned(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	held, err := Open(issue(t, h, amina(h.holder.Public())))
	if err != nil {
		t.Fatal(err)
	}
	chosen, _ := held.Choose(nil)
	for _, hash := range []string{"", "sha-256", "sha-384", "sha-512"} {
		at := occasion
		at.Transaction, at.TransactionHash = []string{"eyJ0eXBlIjoiYSJ9", "eyJ0eXBlIjoiYiJ9"}, hash
		unbound, err := chosen.Bind(at)
		if err != nil {
			t.Fatal(err)
		}
		token, err := unbound.Sign(h.holder)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			asked []string
			want  error
		}{{at.Transaction, nil}, {at.Transaction[:1], ErrTransaction}, {[]string{"eyJ0eXBlIjoiYSJ9", "other"}, ErrTransaction}, {nil, ErrTransaction}} {
			o := h.options
			o.Binding = &Binding{Audience: at.Audience, Nonce: at.Nonce, Transaction: c.asked}
			if _, err := Verify(t.Context(), token, o); !errors.Is(err, c.want) {
				t.Errorf("%q, %q: got %v, want %v", hash, c.asked, err, c.want)
			}
		}
	}
	at := occasion
	at.Transaction, at.TransactionHash = []string{"x"}, "md5"
	if _, err := chosen.Bind(at); !errors.Is(err, ErrUnsupported) {
		t.Errorf("md5: got %v, want ErrUnsupported", err)
	}
}

// TestJSONFormsAreRead writes a presentation in the forms of RFC 9901, section 8.
func TestJSONFormsAreRead(t *testing.T) {
	h := newHouse(t, newKey(t, elliptic.P256()))
	token, o := presented(t, h)
	pieces := strings.Split(token, "~")
	jwt := strings.Split(pieces[0], ".")
	header := object{"disclosures": pieces[1 : len(pieces)-1], "kb_jwt": pieces[len(pieces)-1]}
	first := object{"protected": jwt[0], "signature": jwt[2], "header": header}
	other := object{"protected": jwt[0], "signature": "AAAA", "header": object{"kid": "2"}}
	want, err := Verify(t.Context(), token, o)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		form object
		good bool
	}{
		"flattened":                  {object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2], "header": header}, true},
		"general":                    {object{"payload": jwt[1], "signatures": []any{first}}, true},
		"general, with another":      {object{"payload": jwt[1], "signatures": []any{first, other}}, true},
		"general, another first":     {object{"payload": jwt[1], "signatures": []any{other, first}}, false},
		"disclosures with the later": {object{"payload": jwt[1], "signatures": []any{first, first}}, false},
		"both forms":                 {object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2], "signatures": []any{first}}, false},
		"an empty kb_jwt":            {object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2], "header": object{"kb_jwt": ""}}, false},
		"a tilde in a disclosure": {object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2],
			"header": object{"disclosures": []string{strings.Join(pieces[1:len(pieces)-1], "~")}, "kb_jwt": pieces[len(pieces)-1]}}, false},
		"no header": {object{"payload": jwt[1], "protected": jwt[0], "signature": jwt[2]}, false},
	} {
		raw, _ := json.Marshal(c.form)
		got, err := Verify(t.Context(), string(raw), o)
		if (err == nil) != c.good || c.good && !reflect.DeepEqual(got.Claims, want.Claims) {
			t.Errorf("%s: got %v (%v), want %v", what, got.Claims, err, c.good)
		}
	}
}
