package jose

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/veraison/go-cose"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

const maxCOSE = 1 << 20

// algorithms by their names in JOSE.
var algorithms = map[string]cose.Algorithm{
	"ES256": cose.AlgorithmES256, "ES384": cose.AlgorithmES384, "ES512": cose.AlgorithmES512, "EdDSA": cose.AlgorithmEdDSA,
}

// openCOSE follows VC-JOSE-COSE, section 3.3: the document is the payload.
func openCOSE(ctx context.Context, e Envelope, o Options, now time.Time) (Document, jws.Times, error) {
	if len(e.Content) > maxCOSE {
		return Document{}, jws.Times{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(e.Content), maxCOSE)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR([]byte(e.Content)); err != nil {
		return Document{}, jws.Times{}, fmt.Errorf("%w: not COSE_Sign1", ErrMalformed)
	}
	h, err := readHeader(m.Headers)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if h.Type != e.MediaType || !content(h.Content, e) {
		return Document{}, jws.Times{}, ErrMediaType
	}
	claims, err := jws.Object(m.Payload)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	d, err := read(claims, e.presentation())
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	by, err := o.Signatory(ctx, h, d.By, now)
	if err != nil {
		return Document{}, jws.Times{}, err
	}
	if err := checkSign1(&m, by.Key); err != nil {
		return Document{}, jws.Times{}, err
	}
	if o.Binding != nil { // COSE has no place for an occasion
		return Document{}, jws.Times{}, ErrNotBound
	}
	d.KeyID = h.KeyID
	d.By, d.Chain = by.Name, by.Path
	return d, jws.Times{}, nil
}

func checkSign1(m *cose.Sign1Message, key crypto.PublicKey) error {
	name, err := jws.Algorithm(key)
	if err != nil {
		return err
	}
	verifier, err := cose.NewVerifier(algorithms[name], key)
	if err != nil {
		return fmt.Errorf("%w: not on its curve", jws.ErrKey)
	}
	if err := m.Verify(nil, verifier); err != nil {
		return ErrSignature
	}
	return nil
}

// readHeader reads the protected header alone, but for the certificates, which prove
// themselves.
func readHeader(headers cose.Headers) (jws.Header, error) {
	p := headers.Protected
	if _, given := p[cose.HeaderLabelCritical]; given {
		return jws.Header{}, fmt.Errorf("%w: critical headers", ErrUnsupported)
	}
	typ, _ := p[cose.HeaderLabelType].(string)
	cty, given := p[cose.HeaderLabelContentType]
	h := jws.Header{Type: strings.TrimPrefix(typ, "application/")}
	if text, ok := cty.(string); ok {
		h.Content = strings.TrimPrefix(text, "application/")
	} else if given { // a number of CoAP
		return jws.Header{}, ErrMediaType
	}
	switch kid := p[cose.HeaderLabelKeyID].(type) {
	case nil:
	case []byte:
		h.KeyID = string(kid)
	default:
		return jws.Header{}, fmt.Errorf("%w: kid", ErrMalformed)
	}
	chain := p[cose.HeaderLabelX5Chain]
	if chain == nil {
		chain = headers.Unprotected[cose.HeaderLabelX5Chain]
	}
	var err error
	h.Chain, err = readChain(chain)
	return h, err
}

// readChain reads x5chain: one certificate, or a list (RFC 9360).
func readChain(v any) ([]*x509.Certificate, error) {
	var ders [][]byte
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		ders = [][]byte{v}
	case []any:
		for _, item := range v {
			der, _ := item.([]byte)
			ders = append(ders, der)
		}
	default:
		return nil, fmt.Errorf("%w: x5chain", ErrMalformed)
	}
	return jws.ParseChain(ders)
}

// chainValue writes x5chain, in which one certificate stands without a list.
func chainValue(chain []*x509.Certificate) any {
	if len(chain) == 1 {
		return chain[0].Raw
	}
	ders := make([]any, len(chain))
	for i, certificate := range chain {
		ders[i] = certificate.Raw
	}
	return ders
}

// cose signs a document as COSE_Sign1.
func (s *Signer) cose(media, inside string, payload []byte) (Envelope, error) {
	name, err := jws.Algorithm(s.config.Key.Public())
	if err != nil {
		return Envelope{}, err
	}
	signer, err := cose.NewSigner(algorithms[name], s.config.Key)
	if err != nil {
		return Envelope{}, fmt.Errorf("signing by COSE: %w", err)
	}
	m := cose.NewSign1Message()
	m.Payload = payload
	m.Headers.Protected = cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm: algorithms[name], cose.HeaderLabelType: "application/" + media,
		cose.HeaderLabelContentType: "application/" + inside,
	}
	if s.config.KeyID != "" {
		m.Headers.Protected[cose.HeaderLabelKeyID] = []byte(s.config.KeyID)
	}
	if len(s.config.Chain) > 0 {
		m.Headers.Protected[cose.HeaderLabelX5Chain] = chainValue(s.config.Chain)
	}
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		return Envelope{}, fmt.Errorf("signing by COSE: %w", err)
	}
	raw, err := m.MarshalCBOR()
	if err != nil {
		return Envelope{}, fmt.Errorf("signing by COSE: %w", err)
	}
	return Envelope{MediaType: media, Content: string(raw)}, nil
}
