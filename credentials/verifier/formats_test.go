package verifier

import (
	"bytes"
	"compress/zlib"
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
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/jose"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
)

func p256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// issuers are ours in every format, and a verifier who believes them.
type issuers struct {
	*Verifier
	holder *ecdsa.PrivateKey
	sdjwt  *sdjwt.Issuer
	mdoc   *mdoc.Issuer
	jose   *jose.Signer
}

func newIssuers(status func(context.Context, string) ([]byte, error)) issuers {
	i := issuers{Verifier: trusting(status), holder: p256()}
	ca := mdoc.Authority{Signer: p256()}
	ca.Certificate = must(mdoc.NewIACA(mdoc.Root{CommonName: "Utopia IACA", Organization: "Tests", Country: "UT", Contact: "pki@id.example.org",
		CRL: "https://id.example.org/iaca.crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, ca.Signer))
	signer := p256()
	ds := must(ca.NewDS(mdoc.Leaf{CommonName: "Utopia DS", URL: base, Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 11, 0)}))
	i.mdoc = must(mdoc.NewIssuer(signer, []*x509.Certificate{ds}))
	i.sdjwt = must(sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: key, ID: base, KeyID: "k"}))
	i.jose = must(jose.NewSigner(jose.Config{Key: key, KeyID: did + "#k"}))
	list := i.Trust()
	list.Issuers[0].X509 = [][]byte{ca.Certificate.Raw}
	i.Trust = func() vc.TrustList { return list }
	return i
}

const token = base + "/status/t/1"

func (i issuers) sd(status bool) string {
	d := sdjwt.Draft{Type: "urn:x", Holder: i.holder.Public(), IssuedAt: noon, Expires: noon.Add(time.Hour), Claims: map[string]any{"birthDate": "1984-04-18"}, Selective: [][]any{{"birthDate"}}}
	if status {
		d.Status = &sdjwt.Status{URI: token, Index: 5}
	}
	return must(i.sdjwt.Issue(d))
}

func (i issuers) doc(status bool) []byte {
	d := mdoc.Draft{DocType: "x.1", DeviceKey: i.holder.Public(), Signed: noon.Add(-time.Hour), ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.AddDate(0, 6, 0),
		NameSpaces: map[string]map[string]any{"x.1": {"birthDate": mdoc.FullDate("1984-04-18"), "portrait": []byte{1, 2}}}}
	if status {
		d.Status = &mdoc.Status{URI: token, Index: 5}
	}
	return must(i.mdoc.Issue(d))
}

// w3c is a credential of the holder, for envelopes.
func (i issuers) w3c() map[string]any {
	return map[string]any{"@context": []any{vc.ContextV2}, "type": []any{"VerifiableCredential"}, "id": "urn:uuid:1", "issuer": did,
		"credentialSubject": map[string]any{"id": must(vc.DIDKey(i.holder.Public())), "birthDate": "1984-04-18"}}
}

// packed is the text of a code that carries bytes as they are: deflated, in base45.
func packed(raw []byte) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	must(w.Write(raw))
	if err := w.Close(); err != nil {
		panic(err)
	}
	var text strings.Builder
	for pair := range slices.Chunk(b.Bytes(), 2) {
		n, size := int(pair[0]), 2
		if len(pair) == 2 {
			n, size = n<<8+int(pair[1]), 3
		}
		for range size {
			text.WriteByte(base45[n%45])
			n /= 45
		}
	}
	return text.String()
}

func TestCredentialsOfEveryFormatAreRead(t *testing.T) {
	i := newIssuers(nil)
	jwt := must(i.jose.Sign(jose.SignInput{MediaType: jose.CredentialJWT, Document: i.w3c()}))
	for name, sent := range map[string][]byte{
		"SD-JWT VC": []byte(i.sd(false)), "with a newline": []byte(i.sd(false) + "\n"), "mdoc": i.doc(false), "mdoc as text": []byte(base64.RawURLEncoding.EncodeToString(i.doc(false))),
		"JWT": []byte(jwt.Content), "envelope": must(json.Marshal(jwt.Object())), "document": document(nil), "code": []byte(code(qr.Claims{})),
	} {
		got, err := i.Check(t.Context(), sent)
		if err != nil || got.Verdict != Valid || got.Claims["birthDate"] != "1984-04-18" || !sameIssuer(did, got.Issuer) {
			t.Errorf("%s: got %s, %+v, %v; want valid", name, says(got), got, err)
		}
	}
	for name, text := range map[string]string{"SD-JWT VC": i.sd(false), "JWT": jwt.Content, "mdoc": base64.RawURLEncoding.EncodeToString(i.doc(false))} {
		whole := must(qr.EncodeJSON(must(json.Marshal(text))))
		for input, sent := range map[string][]byte{"text": []byte(whole), "picture": must(qr.PNG(whole, qr.Low))} {
			if got, err := i.Check(t.Context(), sent); err != nil || got.Verdict != Valid || got.Claims["birthDate"] != "1984-04-18" {
				t.Errorf("%s as the %s of a code: got %s, %+v, %v; want valid", name, input, says(got), got, err)
			}
		}
		if got, err := i.Check(t.Context(), []byte(must(qr.EncodeJSON(must(json.Marshal(text[:len(text)/2])))))); err == nil && (got.Verdict == Valid || got.Claims != nil) {
			t.Errorf("half of %s in a code: got %s, %+v", name, says(got), got)
		}
	}
	if got, err := i.Check(t.Context(), []byte(packed(i.doc(false)))); err != nil || got.Verdict != Valid || got.Format != dcql.FormatMdoc {
		t.Errorf("an mdoc in a code as it is: got %s, %+v, %v; want valid", says(got), got, err)
	}
	for name, sent := range map[string]string{
		"SD-JWT VC": strings.Replace(i.sd(false), ".", ".e", 1), "cut": i.sd(false)[:80] + "~", "JWT": strings.Replace(jwt.Content, ".", ".e", 1),
		"mdoc": string(append([]byte{}, append(i.doc(false)[:200], make([]byte, 300)...)...)),
	} {
		got, err := i.Check(t.Context(), []byte(sent))
		if err != nil || got.Verdict != Invalid || got.Claims != nil || got.Issuer != "" {
			t.Errorf("%s spoilt: got %s %v, %v; want invalid and nothing shown", name, says(got), got.Claims, err)
		}
	}
	other := newIssuers(nil)
	for name, sent := range map[string][]byte{"mdoc": other.doc(false)} {
		if got := must(i.Check(t.Context(), sent)); got.Verdict != Unknown || got.Claims != nil {
			t.Errorf("%s of a stranger: got %s %v", name, says(got), got.Claims)
		}
	}
}

func TestTokenStatusListsAreJudged(t *testing.T) {
	sign := func(value statuslist.Value, by crypto.Signer, address string) func(cwt bool) []byte {
		l := must(statuslist.NewList(2, 64))
		if err := l.Set(5, value); err != nil {
			panic(err)
		}
		token := statuslist.Token{Issuer: base, Address: address, IssuedAt: noon, Expires: noon.Add(time.Hour), List: l}
		return func(cwt bool) []byte {
			if cwt {
				return must(token.SignCWT(statuslist.Signing{Key: by, KeyID: "k"}))
			}
			return must(token.SignJWT(statuslist.Signing{Key: by, KeyID: "k"}))
		}
	}
	for name, c := range map[string]struct {
		list func(bool) []byte
		want string
	}{
		"valid":           {sign(statuslist.Valid, key, token), "valid not_revoked"},
		"revoked":         {sign(statuslist.Invalid, key, token), "invalid revoked"},
		"suspended":       {sign(statuslist.Suspended, key, token), "invalid suspended"},
		"another value":   {sign(3, key, token), "invalid revoked"},
		"another key":     {sign(statuslist.Valid, p256(), token), "unknown status_refused"},
		"another address": {sign(statuslist.Valid, key, token+"2"), "unknown status_refused"},
		"no list":         {func(bool) []byte { return []byte("eyJ") }, "unknown status_refused"},
	} {
		for _, cwt := range []bool{false, true} {
			i := newIssuers(func(context.Context, string) ([]byte, error) { return c.list(cwt), nil })
			for format, sent := range map[string][]byte{"SD-JWT VC": []byte(i.sd(true)), "mdoc": i.doc(true), "code": []byte(code(qr.Claims{Status: &qr.Status{Index: 5, URI: token}}))} {
				got := must(i.Check(t.Context(), sent))
				last := got.Reasons[len(got.Reasons)-1].Code
				if got.Verdict+" "+last != c.want {
					t.Errorf("%s, %s, CWT %v: got %s, want %s", name, format, cwt, says(got), c.want)
				}
				if strings.HasSuffix(c.want, "refused") != (got.StatusAt == nil) {
					t.Errorf("%s, %s: got status as of %v", name, format, got.StatusAt)
				}
			}
		}
	}
}

// A list that its issuer has not signed is never as good as none.
func TestPolicyToleratesNoRefusedStatus(t *testing.T) {
	mild := must(ParsePolicy([]byte(`{"undetermined":{"status":"tolerated"}}`)))
	for code, want := range map[string]string{"status_refused": Unknown, "status_unreachable": Valid} {
		var v Verdict
		v.add("status", Undetermined, code)
		if got := v.conclude(mild); got.Verdict != want {
			t.Errorf("%s: got %s, want %s", code, got.Verdict, want)
		}
	}
}

func TestPolicySaysWhatAnUnknownStatusMeans(t *testing.T) {
	sent := []byte(code(qr.Claims{Status: &qr.Status{Index: 1, URI: address}}))
	for policy, want := range map[string]string{
		`{}`: Valid, `{"undetermined":{"status":"fatal"}}`: Invalid, `{"undetermined":{"status":"unknown"}}`: Unknown,
		`{"undetermined":{"status":"fatal","status_unchecked":"tolerated"}}`: Valid,
	} {
		if got := must(trusting(nil).CheckBy(t.Context(), sent, must(ParsePolicy([]byte(policy))))); got.Verdict != want {
			t.Errorf("%s: got %s, want %s", policy, got.Verdict, want)
		}
	}
	unknown := strings.Replace(string(document(nil)), did, "did:web:other.example.org", -1)
	strict := must(ParsePolicy([]byte(`{"undetermined":{"issuer":"fatal"}}`)))
	if got := must(trusting(nil).CheckBy(t.Context(), []byte(unknown), strict)); got.Verdict != Invalid {
		t.Errorf("got %s for an unknown issuer, want invalid", says(got))
	}
	for _, policy := range []string{``, `[]`, `{"undetermined":{"signature":"tolerated"}}`, `{"undetermined":{"issuer":"tolerated"}}`, `{"undetermined":{"status_refused":"tolerated"}}`, `{"undetermined":{"status":"maybe"}}`, `{"undetermined":{"nothing":"fatal"}}`} {
		if _, err := ParsePolicy([]byte(policy)); err == nil {
			t.Errorf("%s: got nil, want it refused", policy)
		}
	}
}

// A W3C presentation proves that whom the credential is about presents it.
func TestPresentationsOfTheW3CAreBoundToTheirHolder(t *testing.T) {
	i := newIssuers(nil)
	jwt := must(i.jose.Sign(jose.SignInput{MediaType: jose.CredentialJWT, Document: i.w3c()}))
	address, _ := vc.IdentityContext(base)
	ldp := func(holder crypto.Signer) []byte {
		return sign(vc.DraftInput{ID: "urn:uuid:2", Issuer: did, ValidFrom: noon.Add(-time.Hour), ValidUntil: noon.Add(time.Hour), Subject: must(vc.DIDKey(holder.Public())),
			Types: []string{vc.TypeNationalID}, Contexts: []string{address}, Claims: map[string]any{"birthDate": "1984-04-18"}})
	}
	vp := func(key crypto.Signer, challenge, domain string, credentials ...[]byte) json.RawMessage {
		me := must(vc.DIDKey(key.Public()))
		draft := must(vc.NewPresentation(vc.PresentationInput{Holder: me, Credentials: credentials}))
		return must(draft.SignFor(key, vc.ProofInput{Key: key.Public(), Method: must(vc.KeyName(me)), Created: noon, Challenge: challenge, Domain: domain})).JSON()
	}
	jwtVP := func(key crypto.Signer, nonce, audience string) json.RawMessage {
		me := must(vc.DIDKey(key.Public()))
		signer := must(jose.NewSigner(jose.Config{Key: key, KeyID: must(vc.KeyName(me))}))
		signed := must(signer.Sign(jose.SignInput{MediaType: jose.PresentationJWT, Document: map[string]any{"@context": []any{vc.ContextV2}, "type": []any{"VerifiablePresentation"},
			"holder": me, "verifiableCredential": []any{jwt.Object()}, "nonce": nonce, "aud": audience, "iat": noon.Unix()}}))
		return must(json.Marshal(signed.Content))
	}
	thief := p256()
	const nonce, audience = "n-0S6_WzA2Mj", "x509_hash:abc"
	for name, c := range map[string]struct {
		format string
		raw    json.RawMessage
		want   string
	}{
		"good":                 {dcql.FormatLDP, vp(i.holder, nonce, audience, ldp(i.holder)), holderProved},
		"another challenge":    {dcql.FormatLDP, vp(i.holder, "other", audience, ldp(i.holder)), requestMismatch},
		"another domain":       {dcql.FormatLDP, vp(i.holder, nonce, "other", ldp(i.holder)), requestMismatch},
		"of another's card":    {dcql.FormatLDP, vp(thief, nonce, audience, ldp(i.holder)), holderMismatch},
		"of nobody's card":     {dcql.FormatLDP, vp(thief, nonce, audience, document(nil)), holderMismatch},
		"two cards":            {dcql.FormatLDP, vp(i.holder, nonce, audience, ldp(i.holder), document(nil)), "malformed"},
		"the card alone":       {dcql.FormatLDP, ldp(i.holder), "malformed"},
		"JWT":                  {dcql.FormatJWT, jwtVP(i.holder, nonce, audience), holderProved},
		"JWT, another nonce":   {dcql.FormatJWT, jwtVP(i.holder, "other", audience), requestMismatch},
		"JWT, another's":       {dcql.FormatJWT, jwtVP(thief, nonce, audience), holderMismatch},
		"JWT, the card alone":  {dcql.FormatJWT, must(json.Marshal(jwt.Content)), "malformed"},
		"a format we know not": {"zip", json.RawMessage(`"x"`), "unsupported"},
	} {
		got := i.Present(t.Context(), Presentation{Format: c.format, Raw: c.raw, Binding: Binding{Nonce: nonce, Audience: audience}})
		if got.Good != (c.want == holderProved) || !strings.Contains(says(got.Verdict), c.want) || !got.Good && got.Verdict.Claims != nil {
			t.Errorf("%s: got %s, want %s", name, says(got.Verdict), c.want)
		}
		if got.Good && c.format == dcql.FormatLDP && (got.ID != "urn:uuid:2" || strings.Join(got.Candidate.Types, " ") != "https://www.w3.org/2018/credentials#VerifiableCredential "+vc.TypeNationalIDIRI) {
			t.Errorf("%s: got %q of %v", name, got.ID, got.Candidate.Types)
		}
	}
	unbound := i.Present(t.Context(), Presentation{Format: dcql.FormatLDP, Raw: document(nil), Binding: Binding{Unbound: true}})
	if !unbound.Good || unbound.Candidate.Bound {
		t.Errorf("got %s, want a credential without a holder taken where none is asked for", says(unbound.Verdict))
	}
}

// A certificate speaks for the issuer on the list, whatever name the token gives.
func TestCertificateSpeaksForItsIssuerInATokenToo(t *testing.T) {
	i := newIssuers(nil)
	list := i.Trust()
	authority := mdoc.Authority{Signer: p256()}
	authority.Certificate = must(mdoc.NewIACA(mdoc.Root{CommonName: "Neighbour", Organization: "Tests", Country: "NE", Contact: "pki@neighbour.example",
		CRL: "https://neighbour.example/iaca.crl", From: noon.AddDate(-1, 0, 0), Until: noon.AddDate(9, 0, 0)}, authority.Signer))
	list.Issuers = append(list.Issuers, vc.TrustedIssuer{ID: "https://neighbour.example", X509: [][]byte{authority.Certificate.Raw}})
	i.Trust = func() vc.TrustList { return list }
	signer := p256()
	leaf := must(authority.NewDS(mdoc.Leaf{CommonName: "DS", URL: base, Key: signer.Public(), From: noon.AddDate(0, -1, 0), Until: noon.AddDate(0, 11, 0)}))
	by := must(jose.NewSigner(jose.Config{Key: signer, Chain: []*x509.Certificate{leaf}}))
	jwt := must(by.Sign(jose.SignInput{MediaType: jose.CredentialJWT, Document: i.w3c()}))
	if got, err := i.Check(t.Context(), []byte(jwt.Content)); err != nil || got.Issuer != "https://neighbour.example" {
		t.Errorf("got %s by %s, %v; want it not ours", says(got), got.Issuer, err)
	}
}
