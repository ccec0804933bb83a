package mdoc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

const (
	idType  = "id.plinth.nationalid.1"
	idSpace = "id.plinth.nationalid.1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func key(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// authority is an IACA that holds from a year before noon.
func authority(t testing.TB, name string, signer crypto.Signer) Authority {
	t.Helper()
	c, err := NewIACA(Root{CommonName: name, Organization: "Ministry of Tests", Country: "UT", Contact: "pki@id.example.org",
		CRL: "https://id.example.org/iaca.crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return Authority{Certificate: c, Signer: signer}
}

// issuer is a document signer under an authority, and what verifies it at noon.
func issuer(t testing.TB, signer crypto.Signer) (*Issuer, VerifyOptions) {
	t.Helper()
	a := authority(t, "Utopia IACA", key(t, elliptic.P256()))
	return issuerOf(t, a, signer), VerifyOptions{Anchors: []*x509.Certificate{a.Certificate}, Now: func() time.Time { return noon }}
}

func issuerOf(t testing.TB, a Authority, signer crypto.Signer) *Issuer {
	t.Helper()
	ds, err := a.NewDS(Leaf{CommonName: "Utopia DS", URL: "https://id.example.org", Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 11, 0)})
	if err != nil {
		t.Fatal(err)
	}
	i, err := NewIssuer(signer, []*x509.Certificate{ds})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// draft is a document with thirteen elements of all kinds.
func draft(device crypto.PublicKey) Draft {
	return Draft{
		DocType: idType, DeviceKey: device, Signed: noon.Add(-time.Hour), ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.AddDate(0, 6, 0),
		Status: &Status{Index: 412, URI: "https://id.example.org/status/7"},
		NameSpaces: map[string]map[string]any{idSpace: {
			"family_name": "Nkosi", "given_name": "Zanele", "birth_date": FullDate("1984-04-18"), "issue_date": noon.Add(-time.Hour),
			"portrait": bytes.Repeat([]byte{7}, 400), "age_over_18": true, "age_in_years": 41, "height": int64(168),
			"nationality": []any{"UT"}, "issuing_country": "UT", "document_number": "UT-4711", "resident_city": "ኣዲስ ኣበባ",
			"place_of_birth": map[string]any{"country": "UT", "locality": "Amaurot"},
		}},
	}
}

func issue(t testing.TB, i *Issuer, d Draft) []byte {
	t.Helper()
	raw, err := i.Issue(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestIssuedDocumentsVerify(t *testing.T) {
	for name, signer := range map[string]crypto.Signer{"P-256": key(t, elliptic.P256()), "P-384": key(t, elliptic.P384()), "Ed25519": edKey(t)} {
		for device, holder := range map[string]crypto.Signer{"P-256": key(t, elliptic.P256()), "P-384": key(t, elliptic.P384()), "Ed25519": edKey(t)} {
			t.Run(name+" for "+device, func(t *testing.T) {
				i, o := issuer(t, signer)
				want := draft(holder.Public())
				v, err := Verify(issue(t, i, want), o)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(v.DeviceKey, holder.Public()) {
					t.Errorf("got device key %v, want %v", v.DeviceKey, holder.Public())
				}
				if v.DocType != idType || *v.Status != *want.Status || len(v.Chain) != 2 || v.Chain[1] != o.Anchors[0] {
					t.Errorf("got %q, %v, %d certificates; want %q, %v, 2", v.DocType, v.Status, len(v.Chain), idType, want.Status)
				}
				if !v.Signed.Equal(want.Signed) || !v.ValidFrom.Equal(want.ValidFrom) || !v.ValidUntil.Equal(want.ValidUntil) || !v.Update.IsZero() {
					t.Errorf("got times %v, %v, %v, %v", v.Signed, v.ValidFrom, v.ValidUntil, v.Update)
				}
				wanted := maps.Clone(want.NameSpaces[idSpace])
				wanted["age_in_years"] = int64(41)
				if got := v.NameSpaces()[idSpace]; !reflect.DeepEqual(got, wanted) {
					t.Errorf("got %v, want %v", got, wanted)
				}
				if got := v.Paths(); len(got) != 13 || !slices.Equal(got[0], []string{idSpace, "age_in_years"}) {
					t.Errorf("got paths %v", got)
				}
			})
		}
	}
}

func TestSaltsAndNumbersDifferBetweenDocuments(t *testing.T) {
	i, _ := issuer(t, key(t, elliptic.P256()))
	d := draft(key(t, elliptic.P256()).Public())
	orders := map[string]bool{}
	for range 4 {
		doc, err := Parse(issue(t, i, d))
		if err != nil {
			t.Fatal(err)
		}
		var order []byte
		for _, item := range doc.items {
			order = append(order, byte(item.digestID))
			if orders[string(item.raw)] {
				t.Error("got the same element in the same bytes twice, want other salts")
			}
			orders[string(item.raw)] = true
		}
		sorted := slices.Sorted(slices.Values(order))
		if sorted[0] != 0 || sorted[12] != 12 || slices.Equal(order, sorted) || orders[string(order)] {
			t.Errorf("got numbers %v, want 0 to 12 in some other order", order)
		}
		orders[string(order)] = true
	}
}

func TestTimesAreToldApartFromSignatures(t *testing.T) {
	i, o := issuer(t, key(t, elliptic.P256()))
	d := draft(key(t, elliptic.P256()).Public())
	raw := issue(t, i, d)
	d.ValidUntil = noon.AddDate(2, 0, 0)
	long := issue(t, i, d)
	for name, c := range map[string]struct {
		raw  []byte
		now  time.Time
		want error
	}{
		"in time":             {raw, noon, nil},
		"before":              {raw, noon.Add(-2 * time.Hour), ErrNotYetValid},
		"after":               {raw, noon.AddDate(0, 7, 0), ErrExpired},
		"after the signer's":  {long, noon.AddDate(1, 0, 0), ErrExpired},
		"before the signer's": {raw, noon.AddDate(0, -2, 0), ErrNotYetValid},
	} {
		o.Now = func() time.Time { return c.now }
		v, err := Verify(c.raw, o)
		if !errors.Is(err, c.want) || v.Document == nil {
			t.Errorf("%s: got %v, want %v with the document", name, err, c.want)
		}
	}
}

// TestDocumentsAreInTheirDeterministicForm: what is written by hand is what the
// library would write.
func TestDocumentsAreInTheirDeterministicForm(t *testing.T) {
	i, _ := issuer(t, key(t, elliptic.P256()))
	d := draft(key(t, elliptic.P384()).Public())
	d.Update = noon.AddDate(0, 3, 0)
	d.NameSpaces["another"] = map[string]any{"long": string(bytes.Repeat([]byte("x"), 70000)), "short": ""}
	raw := issue(t, i, d)
	s := parsed(t, raw)
	var object any
	if err := encoded(s.Auth.Payload).read(&object); err != nil {
		t.Fatal(err)
	}
	again := wrap(marshal(t, object))
	for space, items := range s.NameSpaces {
		for k, item := range items {
			var content any
			if err := item.read(&content); err != nil {
				t.Fatal(err)
			}
			s.NameSpaces[space][k] = wrap(marshal(t, content))
		}
	}
	s.Auth.Payload = again
	if got := marshal(t, s); !bytes.Equal(got, raw) {
		t.Errorf("got %x, want %x", raw, got)
	}
	if _, err := i.Issue(Draft{DocType: idType, NameSpaces: map[string]map[string]any{idSpace: {"x": "\xff"}}, DeviceKey: d.DeviceKey, Signed: noon, ValidFrom: noon, ValidUntil: noon.Add(time.Hour)}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("text that is not UTF-8: got %v, want it refused", err)
	}
}
