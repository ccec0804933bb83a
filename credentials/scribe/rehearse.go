package scribe

import (
	"bytes"
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
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/card"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

// Report is what a rehearsal found: every artefact as it would be, and what stands
// against it.
type Report struct {
	Kind      string     `json:"kind"`
	Artefacts []Artefact `json:"artefacts"`
	Problems  []string   `json:"problems"`
}

// Artefact is one document of a rehearsal, signed with a key of nobody.
type Artefact struct {
	Configuration string         `json:"configuration"`
	Format        string         `json:"format"`
	Sample        string         `json:"sample"` // whose data it shows
	Bytes         int            `json:"bytes"`
	Claims        map[string]any `json:"claims,omitempty"` // as our verifier read them
	Document      string         `json:"document,omitempty"`
	Code          *qr.Plan       `json:"code,omitempty"`       // what it becomes on paper
	Card          int            `json:"card_bytes,omitempty"` // of the printed card, as PDF
}

// Stand is where and when a rehearsal plays.
type Stand struct {
	Base string // address of the issuer
	Now  time.Time
}

// Rehearse makes every artefact of a definition for each sample, with keys that are
// thrown away, and reads it again with our own verifiers. What they do not read as it
// was meant is a problem.
func Rehearse(ctx context.Context, stand Stand, d *kind.Definition, samples []Sample) (Report, error) {
	r := Report{Kind: d.Name, Artefacts: []Artefact{}, Problems: []string{}}
	stage, err := newStage(stand.Base, stand.Now)
	if err != nil {
		return r, err
	}
	for _, format := range d.In() {
		k, err := Configure(stand.Base, d, format)
		if err != nil {
			r.problem(d.Configuration(format), "", err)
			continue
		}
		for _, sample := range samples {
			a, err := stage.play(ctx, k, sample)
			if err != nil && !(sample.Scant && errors.Is(err, kind.ErrMissing)) {
				r.problem(k.ID, sample.Name, err)
				continue
			}
			if err == nil {
				r.Artefacts = append(r.Artefacts, a)
			}
		}
	}
	return r, nil
}

func (r *Report) problem(configuration, sample string, err error) {
	if sample != "" {
		configuration += " (" + sample + ")"
	}
	r.Problems = append(r.Problems, configuration+": "+err.Error())
}

// stage is where a rehearsal is: an issuer whose keys nobody will ever know.
type stage struct {
	hand    *Hand
	anchor  *x509.Certificate
	holder  *ecdsa.PrivateKey
	now     time.Time
	resolve func(context.Context, string) (crypto.PublicKey, error)
}

func newStage(base string, now time.Time) (*stage, error) {
	did, err := vc.DIDWeb(base)
	if err != nil {
		return nil, err
	}
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
	s := &stage{holder: p[2], now: now.UTC().Truncate(time.Second)}
	from := s.now.Add(-time.Hour)
	if s.anchor, err = mdoc.NewIACA(mdoc.Root{CommonName: "Rehearsal authority", Country: "XX", Contact: "nobody@example.org", CRL: "https://example.org/crl",
		From: from, Until: from.AddDate(1, 0, 0)}, p[1]); err != nil {
		return nil, err
	}
	leaf, err := mdoc.Authority{Certificate: s.anchor, Signer: p[1]}.NewDS(mdoc.Leaf{CommonName: "Rehearsal", URL: base, Key: p[0].Public(), From: from, Until: from.AddDate(0, 6, 0)})
	if err != nil {
		return nil, err
	}
	named := func(signer crypto.Signer) keys.SigningKey {
		return keys.SigningKey{ID: keys.Thumbprint(signer.Public()), Signer: signer, Public: signer.Public()}
	}
	signer := Signer{Base: base, DID: did, Authority: "Rehearsal", Country: "XX", Ed25519: named(ed), P256: named(p[0])}
	signer.Document = chain.Signer{SigningKey: signer.P256, Chain: []*x509.Certificate{leaf}, Until: leaf.NotAfter}
	s.resolve = func(_ context.Context, method string) (crypto.PublicKey, error) {
		for _, k := range []keys.SigningKey{signer.Ed25519, signer.P256} {
			if method == did+"#"+k.ID {
				return k.Public, nil
			}
		}
		return nil, vc.ErrUnknownKey
	}
	s.hand, err = New(signer)
	return s, err
}

// play makes one artefact and reads it again.
func (s *stage) play(ctx context.Context, k Kind, sample Sample) (Artefact, error) {
	a := Artefact{Configuration: k.ID, Format: k.Format, Sample: sample.Name}
	// The longest place that a list may have: what fits now must fit then.
	entry := status.Entry{List: 99999, Index: status.Size - 1, URL: s.hand.Base + "/status/99999"}
	st := Statement{ID: uuid.New(), Who: sample.Who, Entry: entry, From: s.now, Until: s.now.Add(k.Definition.Life())}
	if k.Format == kind.SDJWT && s.hand.Document.Until.Before(st.Until) {
		st.Until = s.hand.Document.Until
	}
	document, err := s.hand.Sign(k, st)
	if err != nil {
		return a, err
	}
	a.Bytes = len(document)
	switch k.Format {
	case kind.LDP:
		a.Document = string(document)
		return a, s.readLDP(ctx, k, st, document, &a)
	case kind.SDJWT:
		a.Document = string(document)
		return a, s.readSDJWT(ctx, k, st, document, &a)
	case kind.MDoc:
		a.Document = base64.RawURLEncoding.EncodeToString(document)
		return a, s.readMDoc(k, st, document, &a)
	}
	a.Document = string(document)
	return a, s.readCode(k, st, document, &a)
}

var errOther = errors.New("our verifier reads something else than what was to be said")

// same compares what was to be said with what was read, as JSON has it.
func same(meant, read any) error {
	var got, want any
	for from, into := range map[*any]*any{&meant: &want, &read: &got} {
		raw, err := json.Marshal(*from)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return err
		}
	}
	if !reflect.DeepEqual(got, want) {
		return errOther
	}
	return nil
}

func (s *stage) facts(st Statement) kind.Facts {
	who := st.Who
	who.Portrait = fitting(who.Portrait)
	return kind.Facts{Who: who, From: st.From, Until: st.Until, Authority: s.hand.Authority, Country: s.hand.Country}
}

func (s *stage) readLDP(ctx context.Context, k Kind, st Statement, document []byte, a *Artefact) (err error) {
	if k.Definition.Formats.LDP.Suite == kind.SuiteDisclosable {
		if document, err = vc.Disclose(document, k.Known, ""); err != nil {
			return err
		}
	}
	c, err := vc.Verify(ctx, document, vc.VerifyOptions{Keys: s.resolve, Contexts: k.Known, Now: func() time.Time { return s.now }})
	if err != nil {
		return err
	}
	a.Claims = c.Claims
	meant, err := k.Definition.Subject(s.facts(st))
	if err != nil {
		return err
	}
	if len(c.Status) != len(k.Definition.Status) {
		return fmt.Errorf("%w: the places in status lists", errOther)
	}
	return same(meant, c.Claims)
}

func (s *stage) readSDJWT(ctx context.Context, k Kind, st Statement, document []byte, a *Artefact) error {
	pool := x509.NewCertPool()
	pool.AddCert(s.anchor)
	c, err := sdjwt.Receive(ctx, string(document), sdjwt.Options{Trust: jws.Trust{Anchors: pool}, Now: func() time.Time { return s.now }})
	if err != nil {
		return err
	}
	meant, _, err := k.Definition.Disclosures(s.facts(st))
	if err != nil {
		return err
	}
	a.Claims = map[string]any{}
	for name := range meant {
		a.Claims[name] = c.Claims[name]
	}
	if (c.Status != nil) != (len(k.Definition.Status) > 0) || c.Type != k.Type {
		return fmt.Errorf("%w: the type, or the place in a status list", errOther)
	}
	return same(meant, a.Claims)
}

func (s *stage) readMDoc(k Kind, st Statement, document []byte, a *Artefact) error {
	d, err := mdoc.Verify(document, mdoc.VerifyOptions{Anchors: []*x509.Certificate{s.anchor}, Now: func() time.Time { return s.now }})
	if err != nil {
		return err
	}
	elements, err := k.Definition.Elements(s.facts(st))
	if err != nil {
		return err
	}
	a.Claims = map[string]any{}
	read := d.NameSpaces()
	meant := map[string]map[string]any{}
	for _, e := range elements {
		if meant[e.Namespace] == nil {
			meant[e.Namespace] = map[string]any{}
		}
		meant[e.Namespace][e.Name] = elementValue(e.Value)
		a.Claims[e.Namespace+"/"+e.Name] = read[e.Namespace][e.Name]
	}
	return same(meant, read)
}

// readCode draws the code, and reads the picture as a phone would.
func (s *stage) readCode(k Kind, st Statement, text []byte, a *Artefact) error {
	plan, err := k.Target().Plan(string(text))
	if err != nil {
		return err
	}
	a.Code = &plan
	picture, err := qr.PNG(string(text), k.Target().Level)
	if err != nil {
		return err
	}
	scanned, err := qr.Read(picture)
	if err != nil {
		return err
	}
	if !bytes.Equal([]byte(scanned), text) {
		return fmt.Errorf("%w: the picture of the code", errOther)
	}
	d, err := qr.Decode(scanned)
	if err != nil {
		return err
	}
	key := func([]byte, string) (crypto.PublicKey, error) { return s.hand.Ed25519.Public, nil }
	if err := d.Verify(key, s.now); err != nil {
		return err
	}
	meant, _, err := k.Definition.Printed(s.facts(st))
	if err != nil {
		return err
	}
	if a.Sample != "hostile" { // nobody's name has such letters, and there is no font for them
		if a.Card, err = s.print(k, st, scanned); err != nil {
			return fmt.Errorf("the card: %w", err)
		}
	}
	a.Claims = map[string]any{"fullName": d.Identity.FullName, "dateOfBirth": d.Identity.DateOfBirth, "face": len(d.Identity.Biometrics[qr.KeyFace]) > 0}
	d.Identity.Biometrics = nil
	return same(meant, d.Identity)
}

// print prints the card, and gives its length.
func (s *stage) print(k Kind, st Statement, code string) (int, error) {
	printer, err := Printer(k.Definition, card.ID1)
	if err != nil {
		return 0, err
	}
	document, err := printer.PDF(s.hand.Content(k, st, code), s.hand.Seal(s.now, "rehearsal"))
	return len(document), err
}

// Sample is a person who does not exist.
type Sample struct {
	Name  string
	Who   registry.Identity
	Scant bool // lacks what some kinds cannot do without, which is no problem of theirs
}
