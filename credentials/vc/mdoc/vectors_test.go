package mdoc

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// vectors is the folder of outside test data.
func vectors(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TESTDATA_DIR"); dir != "" {
		return filepath.Join(dir, "vectors")
	}
	if os.Getenv("CI") != "" {
		t.Fatal("TESTDATA_DIR is not set")
	}
	t.Skip("TESTDATA_DIR is not set: skipped the vectors of ISO and the OpenID Foundation")
	return ""
}

func load(t *testing.T, parts ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{vectors(t)}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// annexD gives one of the examples of ISO/IEC 18013-5, annex D.
func annexD(t *testing.T) func(name string) []byte {
	t.Helper()
	var all map[string]string
	if err := json.Unmarshal(load(t, "mdoc", "iso-18013-5-annex-d.json"), &all); err != nil {
		t.Fatal(err)
	}
	return func(name string) []byte {
		raw, err := hex.DecodeString(all["ISO_18013_5_ANNEX_D_"+name])
		if err != nil || len(raw) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		return raw
	}
}

// annexDDocument is the document of annex D, and the options that believe its signer.
func annexDDocument(t *testing.T) (receivedDocument, VerifyOptions) {
	t.Helper()
	example := annexD(t)
	var r receivedResponse
	if err := unmarshal(example("DEVICE_RESPONSE"), &r); err != nil {
		t.Fatal(err)
	}
	ds, err := x509.ParseCertificate(example("DS_CERT"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 10, 2, 0, 0, 0, 0, time.UTC)
	return r.Documents[0], VerifyOptions{Anchors: []*x509.Certificate{ds}, Now: func() time.Time { return at }}
}

// TestAnnexDIssuerSigned: the annex prints no IACA, so its signer is the anchor.
func TestAnnexDIssuerSigned(t *testing.T) {
	d, o := annexDDocument(t)
	v, err := Verify(d.Issuer, o)
	if err != nil {
		t.Fatal(err)
	}
	const space = "org.iso.18013.5.1"
	got := v.NameSpaces()[space]
	privileges, _ := got["driving_privileges"].([]any)
	if got["family_name"] != "Doe" || got["document_number"] != "123456789" || got["issue_date"] != FullDate("2019-10-20") || got["expiry_date"] != FullDate("2024-10-20") || len(privileges) != 2 {
		t.Errorf("got %v", got)
	}
	if !bytes.Equal(got["portrait"].([]byte), annexD(t)("DEVICE_RESPONSE_PORTRAIT_DATA")) || len(v.Paths()) != 6 {
		t.Errorf("got %d elements, want 6 with the portrait", len(v.Paths()))
	}
	device, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, annexD(t)("STATIC_DEVICE_KEY_X"), annexD(t)("STATIC_DEVICE_KEY_Y")))
	if err != nil || !device.Equal(v.DeviceKey) {
		t.Errorf("got another device key than the published one (%v)", err)
	}
	if v.DocType != "org.iso.18013.5.1.mDL" || v.Status != nil || !v.ValidUntil.Equal(time.Date(2021, 10, 1, 13, 30, 2, 0, time.UTC)) {
		t.Errorf("got %q, %v, %v", v.DocType, v.Status, v.ValidUntil)
	}
	o.Now = func() time.Time { return v.ValidUntil.Add(time.Second) }
	if _, err := Verify(d.Issuer, o); !errors.Is(err, ErrExpired) {
		t.Errorf("a year later: got %v, want expired", err)
	}
}

// TestAnnexDDeviceAuthentication: the device of the annex made a MAC, which we refuse.
// With the reader's key, which only a test has, it shows that the bytes are the ones
// that a device authenticates.
func TestAnnexDDeviceAuthentication(t *testing.T) {
	example := annexD(t)
	d, o := annexDDocument(t)
	wrapped := encoded(example("SESSION_TRANSCRIPT_BYTES"))
	var session encoded
	if err := wrapped.read(&session); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyResponse(example("DEVICE_RESPONSE"), Transcript(session), o); !errors.Is(err, ErrDeviceMAC) {
		t.Errorf("got %v, want a MAC to be refused as one", err)
	}
	var mac sign1 // a COSE_Mac0 has the same parts
	if err := unmarshal(d.Device.Auth.MAC, &mac); err != nil {
		t.Fatal(err)
	}
	reader, err := ecdh.P256().NewPrivateKey(example("EPHEMERAL_READER_KEY_D"))
	if err != nil {
		t.Fatal(err)
	}
	device, err := ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, example("STATIC_DEVICE_KEY_X"), example("STATIC_DEVICE_KEY_Y")))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := reader.ECDH(device)
	if err != nil {
		t.Fatal(err)
	}
	salt := sha256.Sum256(wrapped)
	derived, err := hkdf.Key(sha256.New, secret, salt[:], "EMacKey", 32)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := deviceAuthentication(Transcript(session), d.DocType, d.Device.NameSpaces)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, derived)
	h.Write(marshal(t, []any{"MAC0", mac.Protected, []byte{}, []byte(payload)}))
	if got := h.Sum(nil); !hmac.Equal(got, mac.Signature) {
		t.Errorf("got %x, want %x", got, mac.Signature)
	}
}

// TestAnnexDSignerFollowsTheProfile: our checks of certificates accept the standard's own.
func TestAnnexDSignerFollowsTheProfile(t *testing.T) {
	example := annexD(t)
	ds, err := x509.ParseCertificate(example("DS_CERT"))
	if err != nil {
		t.Fatal(err)
	}
	if err := signerProfile(ds); err != nil {
		t.Errorf("got %v, want the published signer to pass", err)
	}
	id, err := keyID(ds.PublicKey)
	if err != nil || !bytes.Equal(id, ds.SubjectKeyId) {
		t.Errorf("got key id %x, %v; want the published %x", id, err, ds.SubjectKeyId)
	}
	reader, err := x509.ParseCertificate(example("READER_CERT"))
	if err != nil {
		t.Fatal(err)
	}
	if err := signerProfile(reader); !errors.Is(err, ErrProfile) {
		t.Errorf("got %v for a reader's certificate, want it refused", err)
	}
}

func TestOpenID4VPHandovers(t *testing.T) {
	var v struct {
		Thumbprint string `json:"jwk_thumbprint_sha256_hex"`
		Redirect   struct {
			ClientID    string `json:"client_id"`
			Nonce       string `json:"nonce"`
			ResponseURI string `json:"response_uri"`
			Transcript  string `json:"SessionTranscript"`
		} `json:"redirect"`
		DCAPI struct {
			Origin     string `json:"origin"`
			Nonce      string `json:"nonce"`
			Transcript string `json:"SessionTranscript"`
		} `json:"dc_api"`
	}
	if err := json.Unmarshal(load(t, "openid4vp", "mdoc-handover.json"), &v); err != nil {
		t.Fatal(err)
	}
	thumbprint, err := hex.DecodeString(v.Thumbprint)
	if err != nil {
		t.Fatal(err)
	}
	r := v.Redirect
	if got, err := RedirectTranscript(r.ClientID, r.Nonce, r.ResponseURI, thumbprint); err != nil || hex.EncodeToString(got) != r.Transcript {
		t.Errorf("redirect: got %x, %v; want %s", got, err, r.Transcript)
	}
	if got, err := DCAPITranscript(v.DCAPI.Origin, v.DCAPI.Nonce, thumbprint); err != nil || hex.EncodeToString(got) != v.DCAPI.Transcript {
		t.Errorf("DC API: got %x, %v; want %s", got, err, v.DCAPI.Transcript)
	}
}

// TestOpenID4VCIExampleIsCutShort: the specification prints the two ends of a document.
func TestOpenID4VCIExampleIsCutShort(t *testing.T) {
	_, body, _ := strings.Cut(string(load(t, "openid4vci", "examples", "credential_response_mso_mdoc.txt")), "{")
	var answer struct {
		Credentials []struct{ Credential string }
	}
	if err := json.Unmarshal([]byte("{"+body), &answer); err != nil {
		t.Fatal(err)
	}
	head, _, cut := strings.Cut(answer.Credentials[0].Credential, "...")
	raw, err := base64.RawURLEncoding.DecodeString(head[:len(head)/4*4])
	if err != nil || !cut || !bytes.HasPrefix(raw, []byte("\xa2jissuerAuth\x84C\xa1\x01")) {
		t.Fatalf("got %x, %v; want the head of an IssuerSigned", raw, err)
	}
	if _, err := Parse(raw); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v, want malformed", err)
	}
}
