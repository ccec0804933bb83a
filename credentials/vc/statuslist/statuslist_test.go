package statuslist

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/veraison/go-cose"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
)

const (
	address = "https://id.example.org/status/7"
	house   = "https://id.example.org"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func key(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// token is a list of four values at noon.
func token(t testing.TB) Token {
	t.Helper()
	l, err := NewList(2, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for index, v := range map[int64]Value{0: Invalid, 5: Suspended, 6: 3, 999: Invalid} {
		if err := l.Set(index, v); err != nil {
			t.Fatal(err)
		}
	}
	return Token{Issuer: house, Address: address, IssuedAt: noon, Expires: noon.Add(24 * time.Hour), TTL: 5 * time.Minute, Aggregation: house + "/status", List: l}
}

// by believes one key of the house.
func by(k crypto.PublicKey) Options {
	return Options{Address: address, Issuer: house, Now: func() time.Time { return noon }, Trust: jws.Trust{Keys: func(_ context.Context, issuer, kid string) (crypto.PublicKey, error) {
		if issuer != house || kid != "one" {
			return nil, ErrUnknownKey
		}
		return k, nil
	}}}
}

// forms are the two signed forms: how each is made and read.
var forms = map[string]struct {
	sign   func(Token, Signing) ([]byte, error)
	verify func(context.Context, []byte, Options) (Verified, error)
}{
	"JWT": {Token.SignJWT, func(ctx context.Context, raw []byte, o Options) (Verified, error) {
		return VerifyJWT(ctx, string(raw), o)
	}},
	"CWT": {Token.SignCWT, VerifyCWT},
}

func TestSignedListsAreRead(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range forms {
		for _, signer := range []crypto.Signer{key(t), ed} {
			want := token(t)
			raw, err := form.sign(want, Signing{Key: signer, KeyID: "one"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := form.verify(t.Context(), raw, by(signer.Public()))
			if err != nil || !reflect.DeepEqual(got.Token, want) || got.By != house || got.KeyID != "one" {
				t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
			}
			bare := Token{Address: address, IssuedAt: noon, List: want.List}
			if raw, err = form.sign(bare, Signing{Key: signer, KeyID: "one"}); err != nil {
				t.Fatal(err)
			}
			if got, err = form.verify(t.Context(), raw, by(signer.Public())); err != nil || !reflect.DeepEqual(got.Token, bare) || got.By != house {
				t.Errorf("%s, the least: got %+v, %v; want %+v", name, got, err, bare)
			}
		}
	}
}

// TestListsOfOthersAreRefused: a list is one issuer's, at one address, and in time.
func TestListsOfOthersAreRefused(t *testing.T) {
	signer, stranger := key(t), key(t)
	for name, form := range forms {
		for what, c := range map[string]struct {
			want   error
			change func(*Token, *Signing, *Options)
		}{
			"nothing changed":     {nil, func(*Token, *Signing, *Options) {}},
			"a stranger's key":    {ErrSignature, func(_ *Token, s *Signing, _ *Options) { s.Key = stranger }},
			"an unknown key":      {ErrUnknownKey, func(_ *Token, s *Signing, _ *Options) { s.KeyID = "two" }},
			"another address":     {ErrAddress, func(k *Token, _ *Signing, _ *Options) { k.Address += "1" }},
			"an unknown issuer":   {ErrUnknownKey, func(k *Token, _ *Signing, _ *Options) { k.Issuer = "https://other.example" }},
			"another's list":      {ErrForeign, func(_ *Token, _ *Signing, o *Options) { o.Issuer = "https://other.example" }},
			"by the issuer's DID": {nil, func(_ *Token, _ *Signing, o *Options) { o.Issuer = "did:web:id.example.org" }},
			"expired":             {ErrExpired, func(_ *Token, _ *Signing, o *Options) { o.Now = func() time.Time { return noon.Add(25 * time.Hour) } }},
			"not made yet":        {ErrNotYetValid, func(_ *Token, _ *Signing, o *Options) { o.Now = func() time.Time { return noon.Add(-time.Hour) } }},
			"a chain is demanded": {ErrUntrusted, func(_ *Token, _ *Signing, o *Options) { o.HAIP = true }},
		} {
			k, s, o := token(t), Signing{Key: signer, KeyID: "one"}, by(signer.Public())
			c.change(&k, &s, &o)
			raw, err := form.sign(k, s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := form.verify(t.Context(), raw, o)
			late := errors.Is(c.want, ErrExpired) || errors.Is(c.want, ErrNotYetValid)
			if !errors.Is(err, c.want) || (got.List.Len() > 0) != (err == nil || late) {
				t.Errorf("%s, %s: got %d places, %v; want %v", name, what, got.List.Len(), err, c.want)
			}
		}
	}
}

// TestListsUnderAnAnchorAreRead: the certificates of HAIP, for both forms.
func TestListsUnderAnAnchorAreRead(t *testing.T) {
	root, signer := key(t), key(t)
	iaca, err := mdoc.NewIACA(mdoc.Root{CommonName: "IACA", Country: "UT", Contact: house, CRL: house + "/crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, root)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := mdoc.Authority{Certificate: iaca, Signer: root}.NewDS(mdoc.Leaf{CommonName: "DS", URL: house, Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	anchors := x509.NewCertPool()
	anchors.AddCert(iaca)
	for name, form := range forms {
		raw, err := form.sign(token(t), Signing{Key: signer, Chain: []*x509.Certificate{ds}})
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Trust: jws.Trust{Anchors: anchors, HAIP: true}, Address: address, Issuer: house, Now: func() time.Time { return noon }}
		if got, err := form.verify(t.Context(), raw, o); err != nil || got.By != house || len(got.Chain) != 2 || !got.Chain[1].Equal(iaca) {
			t.Errorf("%s: got %q, %d certificates, %v", name, got.By, len(got.Chain), err)
		}
		o.Issuer = "https://other.example"
		if _, err := form.verify(t.Context(), raw, o); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: got %v, want another issuer's list refused", name, err)
		}
		o.Anchors = x509.NewCertPool()
		if _, err := form.verify(t.Context(), raw, o); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: got %v, want it untrusted", name, err)
		}
	}
}

// signedJWT signs any claims, with what else stands in the header.
func signedJWT(t *testing.T, k crypto.Signer, header, claims map[string]any) []byte {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	header["kid"] = "one"
	s, err := jws.NewSigner(k, header)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func zlibbed(t *testing.T, raw []byte) []byte {
	t.Helper()
	deflated, err := deflate(raw, zlib.NewWriterLevel)
	if err != nil {
		t.Fatal(err)
	}
	return deflated
}

// TestSignedJWTsAreReadStrictly: what a good signature does not make good.
func TestSignedJWTsAreReadStrictly(t *testing.T) {
	k := key(t)
	lst := func(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
	for what, c := range map[string]struct {
		want   error
		change func(header, claims, list map[string]any)
	}{
		"nothing changed":    {nil, func(_, _, _ map[string]any) {}},
		"another type":       {ErrMediaType, func(h, _, _ map[string]any) { h["typ"] = "JWT" }},
		"its whole type":     {nil, func(h, _, _ map[string]any) { h["typ"] = "application/statuslist+jwt" }},
		"no type":            {ErrMediaType, func(h, _, _ map[string]any) { delete(h, "typ") }},
		"critical headers":   {ErrUnsupported, func(h, _, _ map[string]any) { h["crit"] = []string{"exp"} }},
		"no time":            {ErrMalformed, func(_, c, _ map[string]any) { delete(c, "iat") }},
		"no address":         {ErrMalformed, func(_, c, _ map[string]any) { delete(c, "sub") }},
		"no list":            {ErrMalformed, func(_, c, _ map[string]any) { delete(c, "status_list") }},
		"an issuer of none":  {ErrMalformed, func(_, c, _ map[string]any) { c["iss"] = 7 }},
		"a life of zero":     {ErrMalformed, func(_, c, _ map[string]any) { c["ttl"] = 0 }},
		"a life in words":    {ErrMalformed, func(_, c, _ map[string]any) { c["ttl"] = "long" }},
		"an end in words":    {ErrMalformed, func(_, c, _ map[string]any) { c["exp"] = "never" }},
		"not used before":    {ErrNotYetValid, func(_, c, _ map[string]any) { c["nbf"] = noon.Add(time.Hour).Unix() }},
		"three bits":         {ErrUnsupported, func(_, _, l map[string]any) { l["bits"] = 3 }},
		"many bits":          {ErrUnsupported, func(_, _, l map[string]any) { l["bits"] = 1 << 40 }},
		"negative bits":      {ErrUnsupported, func(_, _, l map[string]any) { l["bits"] = -1 }},
		"half a bit":         {ErrMalformed, func(_, _, l map[string]any) { l["bits"] = 0.5 }},
		"no bits":            {ErrMalformed, func(_, _, l map[string]any) { delete(l, "bits") }},
		"not base64url":      {ErrMalformed, func(_, _, l map[string]any) { l["lst"] = "+/=" }},
		"not zlib":           {ErrMalformed, func(_, _, l map[string]any) { l["lst"] = lst([]byte("plain")) }},
		"cut short":          {ErrMalformed, func(_, _, l map[string]any) { l["lst"] = lst(zlibbed(t, make([]byte, 99))[:9]) }},
		"something behind":   {ErrMalformed, func(_, _, l map[string]any) { l["lst"] = lst(append(zlibbed(t, make([]byte, 99)), 1)) }},
		"gzip":               {ErrMalformed, func(_, _, l map[string]any) { l["lst"] = lst(gzipped(t, make([]byte, 99))) }},
		"a bomb":             {ErrTooLarge, func(_, _, l map[string]any) { l["lst"] = lst(zlibbed(t, make([]byte, maxInflated+1))) }},
		"as large as can be": {nil, func(_, _, l map[string]any) { l["lst"] = lst(zlibbed(t, make([]byte, maxInflated))) }},
	} {
		list := map[string]any{"bits": 1, "lst": lst(zlibbed(t, make([]byte, 99)))}
		header, claims := map[string]any{"typ": TypeJWT}, map[string]any{"iss": house, "sub": address, "iat": noon.Unix(), "status_list": list}
		c.change(header, claims, list)
		if _, err := VerifyJWT(t.Context(), string(signedJWT(t, k, header, claims)), by(k.Public())); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"statuslist+jwt"}`)) + ".e30."
	if _, err := VerifyJWT(t.Context(), none, by(k.Public())); !errors.Is(err, ErrUnsupported) {
		t.Errorf("alg none: got %v, want it refused", err)
	}
}

func gzipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	deflated, err := deflate(raw, gzip.NewWriterLevel)
	if err != nil {
		t.Fatal(err)
	}
	return deflated
}

// TestSignedCWTsAreReadStrictly does the same for CBOR.
func TestSignedCWTsAreReadStrictly(t *testing.T) {
	k := key(t)
	by256, err := cose.NewSigner(cose.AlgorithmES256, k)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		want   error
		change func(h *cose.Headers, claims map[any]any, list map[any]any)
	}{
		"nothing changed": {nil, func(*cose.Headers, map[any]any, map[any]any) {}},
		"another type":    {ErrMediaType, func(h *cose.Headers, _, _ map[any]any) { h.Protected[cose.HeaderLabelType] = "application/cwt" }},
		"a type not signed": {ErrMediaType, func(h *cose.Headers, _, _ map[any]any) {
			delete(h.Protected, cose.HeaderLabelType)
			h.Unprotected[cose.HeaderLabelType] = "application/statuslist+cwt"
		}},
		"in capitals": {nil, func(h *cose.Headers, _, _ map[any]any) {
			h.Protected[cose.HeaderLabelType] = "application/StatusList+CWT"
		}},
		"its name signed": {nil, func(h *cose.Headers, _, _ map[any]any) {
			h.Protected[cose.HeaderLabelKeyID] = []byte("one")
			h.Unprotected = nil
		}},
		"critical headers": {ErrUnsupported, func(h *cose.Headers, _, _ map[any]any) {
			h.Protected[cose.HeaderLabelCritical] = []any{cose.HeaderLabelType}
		}},
		"a chain of noise":   {ErrMalformed, func(h *cose.Headers, _, _ map[any]any) { h.Unprotected[cose.HeaderLabelX5Chain] = []byte{1} }},
		"no time":            {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { delete(c, claimIat) }},
		"a time in words":    {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { c[claimExp] = "never" }},
		"no time at all":     {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { c[claimExp] = 1e300 }},
		"no address":         {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { delete(c, claimSub) }},
		"an address of none": {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { c[claimSub] = 7 }},
		"no list":            {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { delete(c, claimList) }},
		"a life of zero":     {ErrMalformed, func(_ *cose.Headers, c, _ map[any]any) { c[claimTTL] = 0 }},
		"a life and a half":  {nil, func(_ *cose.Headers, c, _ map[any]any) { c[claimTTL] = 1.5 }},
		"three bits":         {ErrUnsupported, func(_ *cose.Headers, _, l map[any]any) { l["bits"] = 3 }},
		"values in text":     {ErrMalformed, func(_ *cose.Headers, _, l map[any]any) { l["lst"] = "eNo" }},
		"a bomb":             {ErrTooLarge, func(_ *cose.Headers, _, l map[any]any) { l["lst"] = zlibbed(t, make([]byte, maxInflated+1)) }},
	} {
		list := map[any]any{"bits": 1, "lst": zlibbed(t, make([]byte, 99))}
		claims := map[any]any{claimIss: house, claimSub: address, claimIat: noon.Unix(), claimList: list}
		m := cose.Sign1Message{Headers: cose.Headers{
			Protected:   cose.ProtectedHeader{cose.HeaderLabelAlgorithm: cose.AlgorithmES256, cose.HeaderLabelType: "application/statuslist+cwt"},
			Unprotected: cose.UnprotectedHeader{cose.HeaderLabelKeyID: []byte("one")}}}
		c.change(&m.Headers, claims, list)
		if m.Payload, err = canonical.Marshal(claims); err != nil {
			t.Fatal(err)
		}
		if err := m.Sign(rand.Reader, nil, by256); err != nil {
			t.Fatal(err)
		}
		raw, err := m.MarshalCBOR()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyCWT(t.Context(), raw, by(k.Public())); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
		if _, err := VerifyCWT(t.Context(), raw[1:], by(k.Public())); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s, without its tag: got %v, want it refused", what, err)
		}
	}
	if _, err := VerifyCWT(t.Context(), make([]byte, maxCWT+1), by(k.Public())); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many bytes: got %v, want it refused", err)
	}
}

func TestPlacesBeyondTheEndAreRefused(t *testing.T) {
	b, err := NewBitstring(MinPlaces)
	if err != nil {
		t.Fatal(err)
	}
	l := token(t).List
	for _, index := range []int64{-1, 1000, MinPlaces, 1 << 40} {
		if _, err := l.At(index); !errors.Is(err, ErrRange) || !errors.Is(l.Set(index, 1), ErrRange) {
			t.Errorf("%d of a list: got %v, want it refused", index, err)
		}
	}
	for _, index := range []int64{-1, MinPlaces, 1 << 40} {
		if _, err := b.At(index); !errors.Is(err, ErrRange) || !errors.Is(b.Set(index), ErrRange) {
			t.Errorf("%d of a bitstring: got %v, want it refused", index, err)
		}
	}
	if _, err := (List{}).At(0); !errors.Is(err, ErrRange) {
		t.Errorf("an empty list: got %v, want the place refused", err)
	}
	if err := l.Set(0, 4); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a value of three bits in two: got %v, want it refused", err)
	}
}

func TestListsOfNoFormAreNotMade(t *testing.T) {
	for _, c := range []struct {
		bits, places int
		want         error
	}{{3, 8, ErrUnsupported}, {1, 0, ErrTooLarge}, {8, maxInflated + 1, ErrTooLarge}, {1, maxInflated * 8, nil}, {8, maxInflated, nil}} {
		if _, err := NewList(c.bits, c.places); !errors.Is(err, c.want) {
			t.Errorf("%d places of %d bits: got %v, want %v", c.places, c.bits, err, c.want)
		}
	}
	for places, want := range map[int]error{MinPlaces - 1: ErrTooShort, maxInflated*8 + 1: ErrTooLarge, 10_000_000: nil} {
		if _, err := NewBitstring(places); !errors.Is(err, want) {
			t.Errorf("%d bits: got %v, want %v", places, err, want)
		}
	}
	for what, change := range map[string]func(*Token){
		"no address": func(k *Token) { k.Address = "" }, "no time": func(k *Token) { k.IssuedAt = time.Time{} }, "no list": func(k *Token) { k.List = List{} },
		"half a second": func(k *Token) { k.TTL = time.Second / 2 }, "an end before": func(k *Token) { k.Expires = k.IssuedAt },
	} {
		for name, form := range forms {
			k := token(t)
			change(&k)
			if _, err := form.sign(k, Signing{Key: key(t)}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: got %v, want it refused", name, what, err)
			}
		}
	}
}

func TestSubjectsOfBitstringLists(t *testing.T) {
	b, err := NewBitstring(MinPlaces)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Set(94567); err != nil {
		t.Fatal(err)
	}
	for _, purposes := range [][]string{{Revocation}, {Revocation, Suspension}} {
		want := Subject{Purposes: purposes, TTL: 90 * time.Second, Bits: b}
		claims, err := want.Claims()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		for _, asNumber := range []bool{false, true} {
			d := json.NewDecoder(bytes.NewReader(raw))
			if asNumber {
				d.UseNumber()
			}
			var read map[string]any
			if err := d.Decode(&read); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSubject([]string{"VerifiableCredential", TypeCredential}, read)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %v of %v, %v; want %v", got.Purposes, got.TTL, err, purposes)
			}
		}
		if set, err := want.Set(Revocation, 94567); err != nil || !set {
			t.Errorf("got %v, %v; want it set", set, err)
		}
		if _, err := want.Set("message", 94567); !errors.Is(err, ErrPurpose) {
			t.Errorf("got %v, want another purpose refused", err)
		}
	}
	if _, err := (Subject{Bits: b}).Claims(); !errors.Is(err, ErrMalformed) {
		t.Errorf("no purpose: got %v, want it refused", err)
	}
}

func TestSubjectsAreReadStrictly(t *testing.T) {
	b, err := NewBitstring(MinPlaces)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	multi := func(raw []byte) string { return "u" + base64.RawURLEncoding.EncodeToString(raw) }
	for what, c := range map[string]struct {
		want   error
		change func(claims map[string]any)
	}{
		"nothing changed":   {nil, func(map[string]any) {}},
		"another type":      {ErrMediaType, func(c map[string]any) { c["type"] = "StatusList2021" }},
		"no purpose":        {ErrMalformed, func(c map[string]any) { delete(c, "statusPurpose") }},
		"a purpose of none": {ErrMalformed, func(c map[string]any) { c["statusPurpose"] = []any{7} }},
		"a life in words":   {ErrMalformed, func(c map[string]any) { c["ttl"] = "long" }},
		"a life before":     {ErrMalformed, func(c map[string]any) { c["ttl"] = -1.0 }},
		"another base":      {ErrMalformed, func(c map[string]any) { c["encodedList"] = "z" + encoded[1:] }},
		"no list":           {ErrMalformed, func(c map[string]any) { delete(c, "encodedList") }},
		"padding":           {ErrMalformed, func(c map[string]any) { c["encodedList"] = encoded + "=" }},
		"zlib":              {ErrMalformed, func(c map[string]any) { c["encodedList"] = multi(zlibbed(t, make([]byte, MinPlaces/8))) }},
		"two streams": {ErrMalformed, func(c map[string]any) {
			c["encodedList"] = multi(slices.Repeat(gzipped(t, make([]byte, MinPlaces/8)), 2))
		}},
		"cut short":          {ErrMalformed, func(c map[string]any) { c["encodedList"] = multi(gzipped(t, make([]byte, MinPlaces/8))[:20]) }},
		"too short a list":   {ErrTooShort, func(c map[string]any) { c["encodedList"] = multi(gzipped(t, make([]byte, MinPlaces/8-1))) }},
		"a bomb":             {ErrTooLarge, func(c map[string]any) { c["encodedList"] = multi(gzipped(t, make([]byte, maxInflated+1))) }},
		"as large as can be": {nil, func(c map[string]any) { c["encodedList"] = multi(gzipped(t, make([]byte, maxInflated))) }},
	} {
		claims := map[string]any{"type": TypeList, "statusPurpose": Revocation, "encodedList": encoded}
		c.change(claims)
		if _, err := ReadSubject([]string{TypeCredential}, claims); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	if _, err := ReadSubject([]string{"VerifiableCredential"}, map[string]any{"type": TypeList}); !errors.Is(err, ErrMediaType) {
		t.Errorf("another credential: got %v, want it refused", err)
	}
}

// mustBeKnown: bad input gives one of our errors.
func mustBeKnown(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{ErrMalformed, ErrTooLarge, ErrUnsupported, ErrSignature, ErrUnknownKey, ErrUntrusted, ErrNotYetValid, ErrExpired, ErrMediaType, ErrTooShort, ErrAddress, ErrForeign, jws.ErrKey} {
		if errors.Is(err, known) {
			return
		}
	}
	if err != nil {
		t.Errorf("got %v, want one of the errors of the package", err)
	}
}

func FuzzVerify(f *testing.F) {
	k := key(f)
	for _, form := range forms {
		raw, err := form.sign(token(f), Signing{Key: k, KeyID: "one"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, form := range forms {
			_, err := form.verify(t.Context(), raw, by(k.Public()))
			mustBeKnown(t, err)
		}
	})
}

func FuzzParseBitstring(f *testing.F) {
	b, err := NewBitstring(MinPlaces)
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := b.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Add(strings.Repeat("u", 9))
	f.Fuzz(func(t *testing.T, encoded string) {
		b, err := ParseBitstring(encoded)
		mustBeKnown(t, err)
		if err == nil {
			if _, err := b.At(int64(b.Len() - 1)); err != nil {
				t.Errorf("the last place: got %v, want nil", err)
			}
		}
	})
}
