package mdoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// signature signs as WebCrypto does, which knows nothing of COSE.
func signature(t testing.TB, signer crypto.Signer, message []byte) []byte {
	t.Helper()
	switch signer := signer.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(signer, message)
	case *ecdsa.PrivateKey:
		sum, size := sha256.Sum256(message), 32
		digest := sum[:]
		if signer.Curve == elliptic.P384() {
			sum := sha512.Sum384(message)
			digest, size = sum[:], 48
		}
		r, s, err := ecdsa.Sign(rand.Reader, signer, digest)
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	t.Fatalf("a key of type %T", signer)
	return nil
}

func session(t testing.TB) Transcript {
	t.Helper()
	s, err := RedirectTranscript("x509_san_dns:verifier.example", "a nonce of this request", "https://verifier.example/response", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// present shows some elements in a session.
func present(t testing.TB, raw []byte, holder crypto.Signer, s Transcript, elements ...string) []byte {
	t.Helper()
	d, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Present(map[string][]string{idSpace: elements}, s)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.Finish(signature(t, holder, p.ToSign))
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestPresentedDocumentsShowWhatWasChosen(t *testing.T) {
	i, o := issuer(t, key(t, elliptic.P256()))
	for name, holder := range map[string]crypto.Signer{"P-256": key(t, elliptic.P256()), "P-384": key(t, elliptic.P384()), "Ed25519": edKey(t)} {
		t.Run(name, func(t *testing.T) {
			raw := issue(t, i, draft(holder.Public()))
			all, err := VerifyResponse(present(t, raw, holder, session(t), "age_over_18", "family_name", "age_over_18"), session(t), o)
			if err != nil || len(all) != 1 {
				t.Fatalf("got %d documents, %v; want one", len(all), err)
			}
			if got := all[0].NameSpaces()[idSpace]; len(got) != 2 || got["age_over_18"] != true || got["family_name"] != "Nkosi" {
				t.Errorf("got %v, want two elements", got)
			}
			if len(all[0].DeviceStated) != 0 {
				t.Errorf("got %v stated by the device, want nothing", all[0].DeviceStated)
			}
			if all, err = VerifyResponse(present(t, raw, holder, session(t)), session(t), o); err != nil || len(all[0].Paths()) != 0 {
				t.Errorf("got %v for no elements, want them to be none", err)
			}
		})
	}
}

func TestOnlyWhatIsThereCanBePresented(t *testing.T) {
	i, _ := issuer(t, key(t, elliptic.P256()))
	d, err := Parse(issue(t, i, draft(key(t, elliptic.P256()).Public())))
	if err != nil {
		t.Fatal(err)
	}
	for space, element := range map[string]string{idSpace: "blood_group", "another": "family_name"} {
		if _, err := d.Present(map[string][]string{space: {element}}, session(t)); !errors.Is(err, ErrNoElement) {
			t.Errorf("%s of %s: got %v, want no such element", element, space, err)
		}
	}
	if _, err := d.Present(nil, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v without a transcript, want malformed", err)
	}
}

// TestPresentationsAreOfOneSessionAndDevice: another request, another key, no
// signature, another type or another order of things is refused.
func TestPresentationsAreOfOneSessionAndDevice(t *testing.T) {
	i, o := issuer(t, key(t, elliptic.P256()))
	holder, thief := key(t, elliptic.P256()), key(t, elliptic.P256())
	raw := issue(t, i, draft(holder.Public()))
	d, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Present(map[string][]string{idSpace: {"family_name"}}, session(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string][]byte{"of another key": signature(t, thief, p.ToSign), "of nothing": nil, "of other bytes": signature(t, holder, p.ToSign[1:])} {
		if _, err := p.Finish(s); !errors.Is(err, ErrDeviceSignature) {
			t.Errorf("a signature %s: got %v, want it refused", name, err)
		}
	}
	other, err := RedirectTranscript("x509_san_dns:verifier.example", "a nonce of another", "https://verifier.example/response", nil)
	if err != nil {
		t.Fatal(err)
	}
	good := present(t, raw, holder, session(t), "family_name")
	if _, err := VerifyResponse(good, other, o); !errors.Is(err, ErrDeviceSignature) {
		t.Errorf("another session: got %v, want it refused", err)
	}
	for name, c := range map[string]struct {
		want   error
		change func(*deviceResponse)
	}{
		"nothing changed": {nil, func(*deviceResponse) {}},
		"signed by another key": {ErrDeviceSignature, func(r *deviceResponse) {
			r.Documents[0].Device.Auth.Signature.Signature = signature(t, thief, p.ToSign)
		}},
		"an empty signature":   {ErrDeviceSignature, func(r *deviceResponse) { r.Documents[0].Device.Auth.Signature.Signature = []byte{} }},
		"another algorithm":    {ErrDeviceSignature, func(r *deviceResponse) { r.Documents[0].Device.Auth.Signature.Protected = []byte{0xa1, 1, 0x38, 0x22} }},
		"algorithm not signed": {ErrDeviceSignature, func(r *deviceResponse) { unsignedAlgorithm(r.Documents[0].Device.Auth.Signature) }},
		"critical headers": {ErrUnsupported, func(r *deviceResponse) {
			r.Documents[0].Device.Auth.Signature.Protected = []byte{0xa2, 1, 0x26, 2, 0x81, 1}
		}},
		"its own contents":       {ErrMalformed, func(r *deviceResponse) { r.Documents[0].Device.Auth.Signature.Payload = p.ToSign }},
		"no authentication":      {ErrMalformed, func(r *deviceResponse) { r.Documents[0].Device.Auth = deviceAuth{} }},
		"a MAC":                  {ErrDeviceMAC, func(r *deviceResponse) { r.Documents[0].Device.Auth = deviceAuth{MAC: cbor.RawMessage{0x80}} }},
		"a MAC and a signature":  {ErrMalformed, func(r *deviceResponse) { r.Documents[0].Device.Auth.MAC = cbor.RawMessage{0x80} }},
		"another type":           {ErrDocType, func(r *deviceResponse) { r.Documents[0].DocType = "org.iso.18013.5.1.mDL" }},
		"a device that declines": {ErrDeclined, func(r *deviceResponse) { r.Status = 10 }},
		"no documents":           {ErrMalformed, func(r *deviceResponse) { r.Documents = nil }},
		"too many documents":     {ErrTooLarge, func(r *deviceResponse) { r.Documents = slices.Repeat(r.Documents, maxDocuments+1) }},
		"another version":        {ErrUnsupported, func(r *deviceResponse) { r.Version = "2.0" }},
		"statements not allowed": {ErrUnauthorized, func(r *deviceResponse) { state(t, r, holder) }},
	} {
		var r deviceResponse
		if err := unmarshal(good, &r); err != nil {
			t.Fatal(err)
		}
		c.change(&r)
		if _, err := VerifyResponse(marshal(t, r), session(t), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func unsignedAlgorithm(s *sign1) {
	s.Protected, s.Unprotected = []byte{}, map[any]any{headerAlg: -7}
}

// state makes the device state an element, and sign it.
func state(t *testing.T, r *deviceResponse, holder crypto.Signer) {
	t.Helper()
	stated := wrap(marshal(t, map[string]any{idSpace: map[string]any{"family_name": "Another"}}))
	payload, err := deviceAuthentication(session(t), idType, stated)
	if err != nil {
		t.Fatal(err)
	}
	device := &r.Documents[0].Device
	device.NameSpaces = stated
	if device.Auth.Signature.Signature, err = sign(holder, device.Auth.Signature.Protected, payload); err != nil {
		t.Fatal(err)
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := canonical.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTheDeviceStatesWhatTheIssuerAllowed(t *testing.T) {
	signer, holder := key(t, elliptic.P256()), key(t, elliptic.P256())
	i, o := issuer(t, signer)
	raw := issue(t, i, draft(holder.Public()))
	for name, allowed := range map[string]keyAuthorizations{"the element": {Elements: map[string][]string{idSpace: {"family_name"}}}, "the namespace": {NameSpaces: []string{idSpace}}} {
		signed := resigned(t, raw, signer, func(m *securityObject) { m.DeviceKeyInfo.Authorizations = &allowed })
		var r deviceResponse
		if err := unmarshal(present(t, signed, holder, session(t), "height"), &r); err != nil {
			t.Fatal(err)
		}
		state(t, &r, holder)
		all, err := VerifyResponse(marshal(t, r), session(t), o)
		if err != nil || all[0].DeviceStated[idSpace]["family_name"] != "Another" || all[0].NameSpaces()[idSpace]["family_name"] != nil {
			t.Errorf("%s: got %v, %v; want what the device stated, apart from what the issuer did", name, all, err)
		}
	}
}

// resigned changes what an issuer signed, and signs it again.
func resigned(t testing.TB, raw []byte, signer crypto.Signer, change func(*securityObject)) []byte {
	t.Helper()
	var s issuerSigned
	if err := unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	var object securityObject
	if err := encoded(s.Auth.Payload).read(&object); err != nil {
		t.Fatal(err)
	}
	change(&object)
	s.Auth.Payload = wrap(marshal(t, object))
	var err error
	if s.Auth.Signature, err = sign(signer, s.Auth.Protected, s.Auth.Payload); err != nil {
		t.Fatal(err)
	}
	return marshal(t, s)
}

// TestPresentationsKeepWhatIsWrongWithTheDocument: a good signature of the device does
// not make a document good, and a late document comes with its contents.
func TestPresentationsKeepWhatIsWrongWithTheDocument(t *testing.T) {
	i, o := issuer(t, key(t, elliptic.P256()))
	holder := key(t, elliptic.P256())
	response := present(t, issue(t, i, draft(holder.Public())), holder, session(t), "height")
	at := o
	at.Now = func() time.Time { return noon.AddDate(1, 0, 0) }
	all, err := VerifyResponse(response, session(t), at)
	if !errors.Is(err, ErrExpired) || len(all) != 1 || all[0].NameSpaces()[idSpace]["height"] != int64(168) {
		t.Errorf("a year later: got %d documents, %v; want it expired, with its contents", len(all), err)
	}
	_, stranger := issuer(t, key(t, elliptic.P256()))
	if all, err := VerifyResponse(response, session(t), stranger); !errors.Is(err, ErrUntrusted) || all != nil {
		t.Errorf("another anchor: got %d documents, %v; want none", len(all), err)
	}
	for name, c := range map[string]struct {
		want error
		raw  []byte
	}{"too many bytes": {ErrTooLarge, make([]byte, maxBytes+1)}, "no CBOR": {ErrMalformed, []byte{0xff}}} {
		if _, err := VerifyResponse(c.raw, session(t), o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	// Two documents, one of them late.
	var r, late deviceResponse
	d := draft(holder.Public())
	d.ValidUntil = noon.Add(-time.Minute)
	for into, raw := range map[*deviceResponse][]byte{&r: response, &late: present(t, issue(t, i, d), holder, session(t))} {
		if err := unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	r.Documents = append(late.Documents, r.Documents...)
	if all, err = VerifyResponse(marshal(t, r), session(t), o); !errors.Is(err, ErrExpired) || len(all) != 2 || len(all[1].Paths()) != 1 {
		t.Errorf("one of two is late: got %d documents, %v; want both, and expired", len(all), err)
	}
	r.Documents[1].Device.Auth.Signature.Signature = make([]byte, 64)
	if all, err = VerifyResponse(marshal(t, r), session(t), o); !errors.Is(err, ErrDeviceSignature) || all != nil {
		t.Errorf("and one is not the device's: got %d documents, %v; want none", len(all), err)
	}
}

func TestTranscriptsAreOfARequest(t *testing.T) {
	for name, c := range map[string]struct {
		want error
		args [3]string
	}{
		"whole":      {nil, [3]string{"client", "nonce", "https://verifier.example"}},
		"no client":  {ErrMalformed, [3]string{"", "nonce", "https://verifier.example"}},
		"no nonce":   {ErrMalformed, [3]string{"client", "", "https://verifier.example"}},
		"no address": {ErrMalformed, [3]string{"client", "nonce", ""}},
	} {
		if _, err := RedirectTranscript(c.args[0], c.args[1], c.args[2], nil); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if _, err := DCAPITranscript(c.args[2], c.args[1], nil); name != "no client" && !errors.Is(err, c.want) {
			t.Errorf("%s, by the DC API: got %v, want %v", name, err, c.want)
		}
	}
}
