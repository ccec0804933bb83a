package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/card"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/internal/keys"
)

// workshop is an issuer whose keys are thrown away, with one person to write about.
type workshop struct {
	hand       *scribe.Hand
	anchor     *x509.Certificate
	holder     *ecdsa.PrivateKey
	definition *kind.Definition
	statement  scribe.Statement
	credential []byte // the W3C credential of the statement
	known      vc.Contexts
}

const benchIssuer = "https://id.example.org"

func newWorkshop() (*workshop, error) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var p [3]*ecdsa.PrivateKey // of documents, of the authority, of the holder
	for n := range p {
		if p[n], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	w := &workshop{holder: p[2]}
	now := time.Now().UTC().Truncate(time.Second)
	from := now.Add(-time.Hour)
	if w.anchor, err = mdoc.NewIACA(mdoc.Root{CommonName: "Benchmark", Country: "XX", Contact: "nobody@example.org", CRL: benchIssuer + "/crl", From: from, Until: from.AddDate(3, 0, 0)}, p[1]); err != nil {
		return nil, err
	}
	leaf, err := mdoc.Authority{Certificate: w.anchor, Signer: p[1]}.NewDS(mdoc.Leaf{CommonName: "Benchmark signer", URL: benchIssuer, Key: p[0].Public(), From: from, Until: from.AddDate(1, 0, 0)})
	if err != nil {
		return nil, err
	}
	named := func(signer crypto.Signer) keys.SigningKey {
		return keys.SigningKey{ID: keys.Thumbprint(signer.Public()), Signer: signer, Public: signer.Public()}
	}
	signer := scribe.Signer{Base: benchIssuer, DID: "did:web:id.example.org", Authority: "Benchmark", Country: "XX", Ed25519: named(ed), P256: named(p[0])}
	signer.Document = chain.Signer{SigningKey: signer.P256, Chain: []*x509.Certificate{leaf}, Until: leaf.NotAfter}
	if w.hand, err = scribe.New(signer); err != nil {
		return nil, err
	}
	w.definition = kind.Builtin()[0]
	who := scribe.Samples(w.definition)[0].Who
	w.statement = scribe.Statement{ID: uuid.New(), Who: who, Entry: status.Entry{List: 7, Index: 41293, URL: benchIssuer + "/status/7"}, From: now, Until: now.AddDate(0, 6, 0)}
	k, err := scribe.Configure(benchIssuer, w.definition, kind.LDP)
	if err != nil {
		return nil, err
	}
	w.known = k.Known
	w.credential, err = w.hand.Sign(k, w.faceless())
	return w, err
}

// faceless is the statement without a portrait, which would be most of it.
func (w *workshop) faceless() scribe.Statement {
	s := w.statement
	s.Who.Portrait = nil
	return s
}

// sample is what peers are measured with.
func (w *workshop) sample() any {
	url, context := vc.IdentityContext(benchIssuer)
	return map[string]any{"credential": json.RawMessage(w.credential), "contexts": map[string]json.RawMessage{url: context}, "claims": thirteen()}
}

// thirteen claims, as the peers have them too.
func thirteen() map[string]any {
	return map[string]any{"given_name": "Amina Halima", "family_name": "Okonkwo-Fernández", "birthdate": "1984-02-29", "sex": 2, "email": "amina@example.org",
		"phone_number": "+23052501234", "nationality": "KE", "street_address": "24 Harbour Street", "locality": "Port Louis", "region": "Northern Plains",
		"postal_code": "11328", "country": "MU", "document_number": "KE-4711-0815"}
}

// crafts are what is measured; the first is the reference.
func (w *workshop) crafts(ctx context.Context) ([]craft, error) {
	digest := sha256.Sum256(w.credential)
	signature, err := ecdsa.SignASN1(rand.Reader, w.holder, digest[:])
	if err != nil {
		return nil, err
	}
	all := []craft{{"P-256 signature verified (reference)", func() error {
		if !ecdsa.VerifyASN1(&w.holder.PublicKey, digest[:], signature) {
			return errors.New("the signature does not hold")
		}
		return nil
	}}}
	for _, more := range []func(context.Context) ([]craft, error){w.linked, w.tokens, w.documents, w.codes, w.printed} {
		some, err := more(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// linked are W3C credentials.
func (w *workshop) linked(ctx context.Context) ([]craft, error) {
	k, err := scribe.Configure(benchIssuer, w.definition, kind.LDP)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(w.credential, &members); err != nil {
		return nil, err
	}
	delete(members, "proof")
	bare, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	key := w.hand.Ed25519
	o := vc.VerifyOptions{Contexts: w.known, Keys: func(context.Context, string) (crypto.PublicKey, error) { return key.Public, nil }}
	return []craft{
		{"ldp_vc signed, a configured kind", func() error { _, err := w.hand.Sign(k, w.faceless()); return err }},
		{"ldp_vc signed, any JSON-LD", func() error {
			draft, err := vc.ParseDraft(bare, w.known)
			if err == nil {
				_, err = draft.Sign(key.Signer, w.hand.DID+"#"+key.ID, w.statement.From)
			}
			return err
		}},
		{"ldp_vc verified", func() error { _, err := vc.Verify(ctx, w.credential, o); return err }},
	}, nil
}

// tokens are SD-JWT VCs.
func (w *workshop) tokens(ctx context.Context) ([]craft, error) {
	issuer, err := sdjwt.NewIssuer(sdjwt.IssuerConfig{Key: w.hand.Document.Signer, ID: benchIssuer, Chain: w.hand.Document.Chain})
	if err != nil {
		return nil, err
	}
	draft := sdjwt.Draft{Type: benchIssuer + "/vct/1", Claims: thirteen(), Holder: w.holder.Public(), Status: &sdjwt.Status{URI: benchIssuer + "/status/7", Index: 41293},
		IssuedAt: w.statement.From, Expires: w.statement.Until}
	for name := range draft.Claims {
		draft.Selective = append(draft.Selective, []any{name})
	}
	token, err := issuer.Issue(draft)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(w.anchor)
	return []craft{
		{"dc+sd-jwt issued, 13 disclosures", func() error { _, err := issuer.Issue(draft); return err }},
		{"dc+sd-jwt verified, 13 disclosures", func() error {
			_, err := sdjwt.Verify(ctx, token, sdjwt.Options{Trust: jws.Trust{Anchors: pool}})
			return err
		}},
	}, nil
}

// documents are mdocs.
func (w *workshop) documents(context.Context) ([]craft, error) {
	issuer, err := mdoc.NewIssuer(w.hand.Document.Signer, w.hand.Document.Chain)
	if err != nil {
		return nil, err
	}
	draft := mdoc.Draft{DocType: "org.example.identity.1", NameSpaces: map[string]map[string]any{"org.example.1": thirteen()}, DeviceKey: w.holder.Public(),
		Signed: w.statement.From, ValidFrom: w.statement.From, ValidUntil: w.statement.Until, Status: &mdoc.Status{Index: 41293, URI: benchIssuer + "/status/7"}}
	draft.NameSpaces["org.example.1"]["sex"] = int64(2)
	document, err := issuer.Issue(draft)
	if err != nil {
		return nil, err
	}
	return []craft{
		{"mso_mdoc issued, 13 items", func() error { _, err := issuer.Issue(draft); return err }},
		{"mso_mdoc verified, 13 items", func() error {
			_, err := mdoc.Verify(document, mdoc.VerifyOptions{Anchors: []*x509.Certificate{w.anchor}})
			return err
		}},
	}, nil
}

// codes are claims 169, and their pictures.
func (w *workshop) codes(context.Context) ([]craft, error) {
	face := make([]byte, 450) // a picture cannot be compressed any more
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range face {
		face[i] = byte(random.Uint32())
	}
	identity := qr.Identity169{Version: "1.2", Language: "eng", FullName: "Amina Halima Okonkwo-Fernández", DateOfBirth: "19840229", Gender: 2,
		SecondFullName: "أمينة حليمة أوكونكو فرنانديز", SecondLanguage: "ara", Biometrics: map[int64][]qr.Biometric{qr.KeyFace: {{Data: face, SubFormat: 4}}}}
	claims := qr.Claims{Issuer: benchIssuer, IssuedAt: w.statement.From, NotBefore: w.statement.From, ExpiresAt: w.statement.Until,
		Status: &qr.Status{Index: 41293, URI: benchIssuer + "/status/7"}}
	key := w.hand.Ed25519
	encode := func() (string, error) { return qr.Encode(identity, claims, key.Signer, []byte("1")) }
	text, err := encode()
	if err != nil {
		return nil, err
	}
	found := func([]byte, string) (crypto.PublicKey, error) { return key.Public, nil }
	return []craft{
		{"claim 169 signed, to text", func() error { _, err := encode(); return err }},
		{"claim 169 verified, from text", func() error {
			d, err := qr.Decode(text)
			if err == nil {
				err = d.Verify(found, w.statement.From)
			}
			return err
		}},
		{"QR code drawn, PNG of 512 pixels", func() error {
			s, err := qr.NewSymbol(text, qr.Low)
			if err == nil {
				_, err = s.PNG(512)
			}
			return err
		}},
		{"QR code drawn, SVG", func() error { _, err := qr.SVG(text, qr.Low); return err }},
	}, nil
}

// printed are cards in bulk: the code signed with a face, the portrait, all in one PDF.
func (w *workshop) printed(context.Context) ([]craft, error) {
	k, err := scribe.Configure(benchIssuer, w.definition, kind.Code)
	if err != nil {
		return nil, err
	}
	printer, err := scribe.Printer(w.definition, card.ID1)
	if err != nil {
		return nil, err
	}
	code, err := w.hand.Sign(k, w.statement)
	if err != nil {
		return nil, err
	}
	batch, err := printer.Batch(io.Discard, w.hand.Content(k, w.statement, string(code)))
	if err != nil {
		return nil, err
	}
	content := w.hand.Content(k, w.statement, string(code))
	return []craft{
		{"claim 169 with a face fitted, to text", func() error { _, err := w.hand.Sign(k, w.statement); return err }},
		{"card in a batch, its code and face given", func() error { return batch.Add(content) }},
		{"card in a batch, with all that it takes", func() error {
			again, err := w.hand.Sign(k, w.statement)
			if err != nil {
				return err
			}
			return batch.Add(w.hand.Content(k, w.statement, string(again)))
		}},
	}, nil
}
