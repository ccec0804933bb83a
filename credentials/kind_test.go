package credentials

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// fetched is a credential of a configuration as a wallet gets it over HTTP, and the
// key that it is bound to.
func (h *house) fetched(t *testing.T, configuration string) (credential json.RawMessage, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	nonce, err := h.Nonce()
	must(t, err)
	f := forged{key: key, alg: jose.ES256, typ: "openid4vci-proof+jwt", header: map[string]any{"jwk": jose.JSONWebKey{Key: key.Public()}},
		claims: map[string]any{"aud": h.ID(), "iat": h.now().Unix(), "nonce": nonce}}
	got, body := ask(t, "POST", h.url+"/vci/credential", h.token(t, configuration), `{"credential_configuration_id":"`+configuration+`","proofs":{"jwt":["`+f.jwt(t)+`"]}}`)
	if got.StatusCode != 200 {
		t.Fatalf("%s: got %d %v, want the credential", configuration, got.StatusCode, body)
	}
	raw, err := json.Marshal(body["credentials"].([]any)[0].(map[string]any)["credential"])
	must(t, err)
	return raw, key
}

func (h *house) anchors(t *testing.T) (all []*x509.Certificate) {
	t.Helper()
	raw, err := h.SignedTrustList()
	must(t, err)
	key, err := h.Ring.Signer("vc-issuing")
	must(t, err)
	list, err := vc.ParseSignedTrustList(raw, vc.Edition{Keys: []crypto.PublicKey{key.Public}, Now: h.now()})
	must(t, err)
	for _, a := range list.Anchors() {
		all = append(all, a.Certificate)
	}
	return all
}

func (h *house) resolve(t *testing.T) func(context.Context, string) (crypto.PublicKey, error) {
	t.Helper()
	list, err := h.TrustList()
	must(t, err)
	return list.Resolve
}

func TestOneKindIsIssuedInEveryFormat(t *testing.T) {
	h := newHouse(t)
	pool := x509.NewCertPool()
	for _, a := range h.anchors(t) {
		pool.AddCert(a)
	}
	options := sdjwt.Options{Trust: jws.Trust{Anchors: pool, HAIP: true}, Now: h.now}
	text := func(raw json.RawMessage) (s string) { must(t, json.Unmarshal(raw, &s)); return s }

	raw, key := h.fetched(t, "national_id_sd_jwt")
	held, err := sdjwt.Receive(t.Context(), text(raw), options)
	must(t, err)
	if held.Type != h.ID()+"/vct/national_id" || held.Issuer != h.ID() || held.Claims["birthdate"] != "1984-04-18" || !key.PublicKey.Equal(held.Holder) || held.Status == nil {
		t.Errorf("got %+v", held.Credential)
	}
	withheld := 0
	for _, path := range held.Disclosed {
		if slices.Contains([]any{"name", "birthdate", "gender", "picture"}, path[0]) {
			withheld++
		}
	}
	if withheld < 3 {
		t.Errorf("got %v selectively disclosable", held.Disclosed)
	}

	raw, key = h.fetched(t, "national_id_mdoc")
	cbor, err := base64.RawURLEncoding.DecodeString(text(raw))
	must(t, err)
	document, err := mdoc.Verify(cbor, mdoc.VerifyOptions{Anchors: h.anchors(t), Now: h.now})
	must(t, err)
	iso := document.NameSpaces()["org.iso.23220.1"]
	if document.DocType != "org.plinth.national_id.1" || iso["birth_date"] != mdoc.FullDate("1984-04-18") || iso["age_over_18"] != true || !key.PublicKey.Equal(document.DeviceKey) || document.Status == nil {
		t.Errorf("got %s %v", document.DocType, iso)
	}

	raw, _ = h.fetched(t, "proof_of_age_ldp_vc")
	k, _ := h.kind("proof_of_age_ldp_vc")
	shown, err := vc.Disclose(raw, k.Known, "/credentialSubject/ageOver18")
	must(t, err)
	credential, err := vc.Verify(t.Context(), shown, vc.VerifyOptions{Keys: h.resolve(t), Contexts: k.Known, Now: h.now})
	must(t, err)
	if credential.Claims["ageOver18"] != true || len(credential.Claims) != 1 {
		t.Errorf("got %v, want that she is of age and nothing else", credential.Claims)
	}

	raw, _ = h.fetched(t, NationalID)
	credential, err = vc.Verify(t.Context(), raw, vc.VerifyOptions{Keys: h.resolve(t), Now: h.now})
	must(t, err)
	if len(credential.Status) != 2 || credential.Status[0].Purpose != "revocation" || credential.Status[1].Purpose != "suspension" || credential.Status[0].List == credential.Status[1].List {
		t.Errorf("got %v, want a place for revocation and one for suspension", credential.Status)
	}

	code, err := qr.Decode(string(h.assisted(t, FormatQRText)))
	must(t, err)
	if code.Identity.DateOfBirth != "19840418" || code.Claims.Status == nil {
		t.Errorf("got %+v", code.Identity)
	}
}

func TestEveryKindStandsInTheMetadata(t *testing.T) {
	h := newHouse(t)
	for _, at := range []struct{ path, name, member string }{
		{"/.well-known/openid-credential-issuer", "national_id_sd_jwt", "vct"},
		{"/.well-known/openid-credential-issuer", "national_id_mdoc", "doctype"},
		{"/.well-known/openid-credential-issuer", "national_id_ldp_vc", "credential_definition"},
		{"/.well-known/openid-credential-issuer", "proof_of_age_sd_jwt", "scope"},
		{"/.well-known/openid-credential-issuer/vci/draft13", "national_id_sd_jwt", "vct"},
	} {
		_, body := ask(t, "GET", h.url+at.path, "", "")
		all, _ := body["credential_configurations_supported"].(map[string]any)
		entry, _ := all[at.name].(map[string]any)
		if entry[at.member] == nil {
			t.Errorf("%s: got %v for %s, want %s in it", at.path, entry, at.name, at.member)
		}
		if all["national_id_claim169"] != nil {
			t.Error("a code is offered to wallets")
		}
	}
	_, vct := ask(t, "GET", h.url+"/vct/national_id", "", "")
	if vct["vct"] != h.ID()+"/vct/national_id" || len(vct["claims"].([]any)) < 10 {
		t.Errorf("got %v, want the metadata of the type", vct)
	}
	_, jwks := ask(t, "GET", h.url+"/.well-known/jwt-vc-issuer", "", "")
	if jwks["issuer"] != h.ID() || len(jwks["jwks"].(map[string]any)["keys"].([]any)) != 2 {
		t.Errorf("got %v, want both keys", jwks)
	}
	_, did := ask(t, "GET", h.url+"/.well-known/did.json", "", "")
	if len(did["assertionMethod"].([]any)) != 2 {
		t.Errorf("got %v, want both keys", did)
	}
	k, _ := h.kind("proof_of_age_ldp_vc")
	got, context := ask(t, "GET", k.Contexts[1], "", "")
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "application/ld+json") || context["@context"] == nil {
		t.Errorf("got %s %v, want the context of the kind", got.Header.Get("Content-Type"), context)
	}
}
