package mdoc

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// TestForgedDocumentsAreRefused changes one thing of a good document at a time.
func TestForgedDocumentsAreRefused(t *testing.T) {
	signer, foreign := key(t, elliptic.P256()), key(t, elliptic.P256())
	i, o := issuer(t, signer)
	good := issue(t, i, draft(key(t, elliptic.P256()).Public()))
	stranger, _ := issuer(t, foreign)
	strangers := issue(t, stranger, draft(key(t, elliptic.P256()).Public()))
	for name, c := range map[string]struct {
		want   error
		change func(*issuerSigned)
	}{
		"nothing changed":          {nil, func(*issuerSigned) {}},
		"an item re-encoded":       {ErrDigest, func(s *issuerSigned) { s.NameSpaces[idSpace][0] = reencoded(t, s.NameSpaces[idSpace][0]) }},
		"another value":            {ErrDigest, func(s *issuerSigned) { s.NameSpaces[idSpace][0][len(s.NameSpaces[idSpace][0])-1] ^= 1 }},
		"an item in another space": {ErrDigest, func(s *issuerSigned) { s.NameSpaces["another"] = s.NameSpaces[idSpace][:1] }},
		"an item of another":       {ErrDigest, func(s *issuerSigned) { s.NameSpaces[idSpace] = items(t, strangers)[3:4] }},
		"an item twice":            {ErrMalformed, func(s *issuerSigned) { s.NameSpaces[idSpace][1] = s.NameSpaces[idSpace][0] }},
		"an empty signature":       {ErrSignature, func(s *issuerSigned) { s.Auth.Signature = []byte{} }},
		"a signature of zeros":     {ErrSignature, func(s *issuerSigned) { s.Auth.Signature = make([]byte, 64) }},
		"no algorithm":             {ErrSignature, func(s *issuerSigned) { s.Auth.Protected = []byte{} }},
		"the algorithm not signed": {ErrSignature, func(s *issuerSigned) { s.Auth.Protected, s.Auth.Unprotected[headerAlg] = []byte{}, -7 }},
		"another algorithm":        {ErrSignature, func(s *issuerSigned) { s.Auth.Protected = []byte{0xa1, 1, 0x38, 0x22} }},
		"critical headers":         {ErrUnsupported, func(s *issuerSigned) { s.Auth.Unprotected[headerCrit] = []any{headerX5Chain} }},
		"no certificate":           {ErrMalformed, func(s *issuerSigned) { delete(s.Auth.Unprotected, int64(headerX5Chain)) }},
		"a certificate of noise":   {ErrMalformed, func(s *issuerSigned) { s.Auth.Unprotected[int64(headerX5Chain)] = []byte{1, 2, 3} }},
		"too many certificates":    {ErrMalformed, func(s *issuerSigned) { s.Auth.Unprotected[int64(headerX5Chain)] = slices.Repeat([]any{i.leaf.Raw}, 9) }},
		"a list of certificates":   {nil, func(s *issuerSigned) { s.Auth.Unprotected[int64(headerX5Chain)] = []any{i.leaf.Raw} }},
		"another's certificate":    {ErrSignature, func(s *issuerSigned) { s.Auth.Unprotected[int64(headerX5Chain)] = stranger.leaf.Raw }},
		"signed by a stranger":     {ErrUntrusted, func(s *issuerSigned) { *s = parsed(t, strangers) }},
		"contents not signed": {ErrSignature, func(s *issuerSigned) {
			s.Auth.Payload = bytes.ReplaceAll(s.Auth.Payload, []byte("id.plinth"), []byte("id.blinth"))
		}},
		"no contents": {ErrMalformed, func(s *issuerSigned) { s.Auth.Payload = nil }},
	} {
		s := parsed(t, good)
		c.change(&s)
		v, err := Verify(marshal(t, s), o)
		if !errors.Is(err, c.want) || (err != nil) != (v.Document == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func parsed(t testing.TB, raw []byte) (s issuerSigned) {
	t.Helper()
	if err := unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func items(t *testing.T, raw []byte) []encoded { return parsed(t, raw).NameSpaces[idSpace] }

type issuerItem struct {
	DigestID uint64          `cbor:"digestID"`
	Random   []byte          `cbor:"random"`
	Element  string          `cbor:"elementIdentifier"`
	Value    cbor.RawMessage `cbor:"elementValue"`
}

// reencoded is the same item with its keys in another order.
func reencoded(t *testing.T, raw encoded) encoded {
	t.Helper()
	var i issuerItem
	if err := raw.read(&i); err != nil {
		t.Fatal(err)
	}
	out := []byte{0xa4}
	for _, part := range []any{"elementIdentifier", i.Element, "elementValue", i.Value, "digestID", i.DigestID, "random", i.Random} {
		out = append(out, marshal(t, part)...)
	}
	return wrap(out)
}

// TestWhatTheIssuerSignedIsChecked: a good signature does not make bad contents good.
func TestWhatTheIssuerSignedIsChecked(t *testing.T) {
	signer := key(t, elliptic.P256())
	i, o := issuer(t, signer)
	good := issue(t, i, draft(key(t, elliptic.P256()).Public()))
	for name, c := range map[string]struct {
		want   error
		change func(*securityObject)
	}{
		"nothing changed":  {nil, func(*securityObject) {}},
		"another version":  {ErrUnsupported, func(m *securityObject) { m.Version = "2.0" }},
		"another digest":   {ErrUnsupported, func(m *securityObject) { m.DigestAlgorithm = "SHA-1" }},
		"no type":          {ErrMalformed, func(m *securityObject) { m.DocType = "" }},
		"no digests":       {ErrMalformed, func(m *securityObject) { m.ValueDigests = nil }},
		"a digest missing": {ErrDigest, func(m *securityObject) { delete(m.ValueDigests[idSpace], 0) }},
		"an empty digest":  {ErrDigest, func(m *securityObject) { m.ValueDigests[idSpace][0] = []byte{} }},
		"a private key": {ErrMalformed, func(m *securityObject) {
			m.DeviceKeyInfo.DeviceKey = marshal(t, map[int]any{1: 2, -1: 1, -4: []byte{1}})
		}},
		"a key of noise": {ErrMalformed, func(m *securityObject) {
			m.DeviceKeyInfo.DeviceKey = marshal(t, map[int]any{1: 2, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)})
		}},
		"an unknown curve": {ErrUnsupported, func(m *securityObject) { m.DeviceKeyInfo.DeviceKey = marshal(t, map[int]any{1: 2, -1: 8}) }},
		"a negative place": {ErrMalformed, func(m *securityObject) {
			m.Status = marshal(t, map[string]any{"status_list": map[string]any{"idx": -1, "uri": "https://a.example"}})
		}},
		"a status of no kind": {ErrMalformed, func(m *securityObject) { m.Status = marshal(t, 7) }},
		"a place nowhere": {ErrMalformed, func(m *securityObject) {
			m.Status = marshal(t, map[string]any{"status_list": map[string]any{"idx": 1}})
		}},
		"signed too early": {ErrUntrusted, func(m *securityObject) { m.Validity.Signed = noon.AddDate(0, -2, 0) }},
		"signed too late":  {ErrUntrusted, func(m *securityObject) { m.Validity.Signed = noon.AddDate(2, 0, 0) }},
		"not valid yet":    {ErrNotYetValid, func(m *securityObject) { m.Validity.ValidFrom = noon.AddDate(0, 1, 0) }},
		"expired":          {ErrExpired, func(m *securityObject) { m.Validity.ValidUntil = noon.Add(-1e9) }},
	} {
		if _, err := Verify(resigned(t, good, signer, c.change), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	identifier := resigned(t, good, signer, func(m *securityObject) { m.Status = marshal(t, map[string]any{"identifier_list": map[string]any{}}) })
	if v, err := Verify(identifier, o); err != nil || v.Status == nil || v.Status.URI != "" {
		t.Errorf("a status of another kind: got %v, want it open and not absent", err)
	}
}

func TestLongerDigestsAreRead(t *testing.T) {
	signer := key(t, elliptic.P256())
	i, o := issuer(t, signer)
	good := issue(t, i, draft(key(t, elliptic.P256()).Public()))
	for name, digest := range map[string]func(b []byte) []byte{
		"SHA-384": func(b []byte) []byte { d := sha512.Sum384(b); return d[:] },
		"SHA-512": func(b []byte) []byte { d := sha512.Sum512(b); return d[:] },
	} {
		signed := resigned(t, good, signer, func(m *securityObject) {
			m.DigestAlgorithm = name
			for _, raw := range items(t, good) {
				var i issuerItem
				if err := raw.read(&i); err != nil {
					t.Fatal(err)
				}
				m.ValueDigests[idSpace][i.DigestID] = digest(raw)
			}
		})
		if _, err := Verify(signed, o); err != nil {
			t.Errorf("%s: got %v, want nil", name, err)
		}
	}
}

// TestItemsAreReadStrictly: items that an issuer may have signed, and should not have.
func TestItemsAreReadStrictly(t *testing.T) {
	signer := key(t, elliptic.P256())
	i, o := issuer(t, signer)
	good := issue(t, i, draft(key(t, elliptic.P256()).Public()))
	salt := marshal(t, bytes.Repeat([]byte{5}, 16))
	item := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	head := item([]byte{0xa4}, marshal(t, "digestID"), []byte{0}, marshal(t, "random"), salt, marshal(t, "elementIdentifier"), marshal(t, "x"), marshal(t, "elementValue"))
	for name, c := range map[string]struct {
		want error
		raw  []byte
	}{
		"good":                {nil, item(head, []byte{1})},
		"a key twice":         {ErrMalformed, item([]byte{0xa5}, head[1:], []byte{1}, marshal(t, "digestID"), []byte{1})},
		"a nested key twice":  {ErrMalformed, item(head, []byte{0xa2, 0x61, 'a', 1, 0x61, 'a', 2})},
		"a key in two forms":  {ErrMalformed, item(head, []byte{0xa2, 0x61, '1', 1, 1, 2})},
		"an indefinite map":   {ErrMalformed, item([]byte{0xbf}, head[1:], []byte{1, 0xff})},
		"an indefinite list":  {ErrMalformed, item(head, []byte{0x9f, 1, 0xff})},
		"indefinite text":     {ErrMalformed, item(head, []byte{0x7f, 0x61, 'a', 0xff})},
		"nested too deeply":   {ErrMalformed, item(head, bytes.Repeat([]byte{0x81}, 40), []byte{1})},
		"a list without end":  {ErrMalformed, item(head, []byte{0x9a, 0xff, 0xff, 0xff, 0xff})},
		"text without end":    {ErrMalformed, item(head, []byte{0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})},
		"too long a list":     {ErrMalformed, item(head, []byte{0x99, 0x04, 0x01}, make([]byte, 1025))},
		"a date of no form":   {ErrMalformed, item(head, []byte{0xc0, 0x61, 'x'})},
		"bad UTF-8":           {ErrMalformed, item(head, []byte{0x61, 0xff})},
		"a list as a key":     {ErrMalformed, item(head, []byte{0xa1, 0x81, 1, 1})},
		"an unknown value":    {ErrUnsupported, item(head, []byte{0xf0})},
		"bytes behind":        {ErrMalformed, item(head, []byte{1, 1})},
		"too little salt":     {ErrMalformed, bytes.Replace(item(head, []byte{1}), salt, marshal(t, make([]byte, 15)), 1)},
		"another case":        {ErrMalformed, bytes.Replace(item(head, []byte{1}), []byte("digestID"), []byte("DigestID"), 1)},
		"a digest of no kind": {ErrMalformed, bytes.Replace(item(head, []byte{1}), []byte("digestID\x00"), []byte("digestID\x20"), 1)},
	} {
		raw := wrap(c.raw)
		s := parsed(t, resigned(t, good, signer, func(m *securityObject) {
			sum := sha256.Sum256(raw)
			m.ValueDigests[idSpace] = map[uint64][]byte{0: sum[:]}
		}))
		s.NameSpaces = map[string][]encoded{idSpace: {raw}}
		if _, err := Verify(marshal(t, s), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := Parse(make([]byte, maxBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v for too many bytes, want too large", err)
	}
	for name, raw := range map[string][]byte{"nothing": nil, "an array": {0x80}, "an empty map": {0xa0}, "spaces twice": append([]byte{0xa2}, slices.Repeat(append(marshal(t, "nameSpaces"), 0xa0), 2)...)} {
		if _, err := Parse(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
	}
}

func TestValuesOfOtherKindsAreRead(t *testing.T) {
	v, err := readable(map[any]any{int64(1): cbor.Tag{Number: 37, Content: []byte{1}}, "n": nil, "f": 1.5})
	got, _ := v.(map[string]any)
	if tagged, ok := got["1"].(Tagged); err != nil || !ok || tagged.Number != 37 || got["f"] != 1.5 || len(got) != 3 {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestCompressedDeviceKeysAreRead(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for range 8 { // both signs
			k := key(t, curve)
			m, err := coseKey(k.Public())
			if err != nil {
				t.Fatal(err)
			}
			y := m[keyY].([]byte)
			got, err := parseKey(map[any]any{int64(keyType): int64(typeEC2), int64(keyCurve): m[keyCurve], int64(keyX): m[keyX], int64(keyY): y[len(y)-1]&1 == 1})
			if err != nil || !k.PublicKey.Equal(got) {
				t.Fatalf("%s: got %v, %v", curve.Params().Name, got, err)
			}
		}
	}
}

// TestDraftsThatNobodyCouldUseAreRefused before they are signed.
func TestDraftsThatNobodyCouldUseAreRefused(t *testing.T) {
	i, _ := issuer(t, key(t, elliptic.P256()))
	good := draft(key(t, elliptic.P256()).Public())
	deep := any("bottom")
	for range maxDepth {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		want   error
		change func(*Draft)
	}{
		"nothing changed":     {nil, func(*Draft) {}},
		"no type":             {ErrMalformed, func(d *Draft) { d.DocType = "" }},
		"no elements":         {ErrMalformed, func(d *Draft) { d.NameSpaces = nil }},
		"an empty namespace":  {ErrMalformed, func(d *Draft) { d.NameSpaces["another"] = nil }},
		"no device":           {ErrUnsupported, func(d *Draft) { d.DeviceKey = nil }},
		"a P-224 device":      {ErrUnsupported, func(d *Draft) { d.DeviceKey = key(t, elliptic.P224()).Public() }},
		"never signed":        {ErrMalformed, func(d *Draft) { d.Signed = time.Time{} }},
		"valid before signed": {ErrMalformed, func(d *Draft) { d.ValidFrom = d.Signed.Add(-1e9) }},
		"never valid":         {ErrMalformed, func(d *Draft) { d.ValidUntil = d.ValidFrom }},
		"signed by an old key": {ErrProfile, func(d *Draft) {
			d.Signed = noon.AddDate(2, 0, 0)
			d.ValidFrom, d.ValidUntil = d.Signed, d.Signed.AddDate(1, 0, 0)
		}},
		"a status nowhere":        {ErrUnsupported, func(d *Draft) { d.Status = &Status{Index: 3} }},
		"a negative place":        {ErrUnsupported, func(d *Draft) { d.Status = &Status{Index: -1, URI: "https://a.example"} }},
		"a date that is none":     {ErrUnsupported, func(d *Draft) { d.NameSpaces[idSpace]["x"] = FullDate("1984/04/18") }},
		"a value of another type": {ErrUnsupported, func(d *Draft) { d.NameSpaces[idSpace]["x"] = math.Pi + 1i }},
		"a nested one":            {ErrUnsupported, func(d *Draft) { d.NameSpaces[idSpace]["x"] = map[string]any{"y": []any{struct{}{}}} }},
		"a portrait of a million": {ErrTooLarge, func(d *Draft) { d.NameSpaces[idSpace]["portrait"] = make([]byte, maxBytes) }},
		"nested too deeply":       {ErrUnsupported, func(d *Draft) { d.NameSpaces[idSpace]["x"] = deep }},
	} {
		d := good
		d.NameSpaces = map[string]map[string]any{idSpace: maps.Clone(good.NameSpaces[idSpace])}
		c.change(&d)
		if _, err := i.Issue(d); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestIssuersHaveTheirOwnCertificate(t *testing.T) {
	signer := key(t, elliptic.P256())
	a := authority(t, "Utopia IACA", key(t, elliptic.P256()))
	leaf := issuerOf(t, a, signer).leaf
	for name, chain := range map[string][]*x509.Certificate{"none": nil, "another's": {a.Certificate}, "the anchor": {leaf, a.Certificate}} {
		if _, err := NewIssuer(signer, chain); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}
