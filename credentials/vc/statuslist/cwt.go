package statuslist

import (
	"compress/zlib"
	"context"
	"crypto"
	"crypto/rand"
	_ "crypto/sha256" // go-cose takes hashes from the registry
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// Claims of a CWT (RFC 8392, and section 14.2 of the draft).
const (
	claimIss, claimSub, claimExp, claimNbf, claimIat = 1, 2, 4, 5, 6
	claimTTL, claimList                              = 65534, 65533
)

const maxCWT = 1 << 20

// algorithms by their names in JOSE.
var algorithms = map[string]cose.Algorithm{
	"ES256": cose.AlgorithmES256, "ES384": cose.AlgorithmES384, "ES512": cose.AlgorithmES512, "EdDSA": cose.AlgorithmEdDSA,
}

// canonical writes the same value in the same bytes; strict reads CBOR that is bounded
// and can be understood in one way only.
var canonical, strict = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden,
		MaxNestedLevels: 16, MaxArrayElements: 64, MaxMapPairs: 64,
		IntDec: cbor.IntDecConvertSignedOrFail, BignumTag: cbor.BignumTagForbidden,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// SignCWT gives the token as a CWT: a COSE_Sign1 under its tag (section 5.2).
func (t Token) SignCWT(by Signing) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	deflated, err := deflate(t.List.packed, zlib.NewWriterLevel)
	if err != nil {
		return nil, err
	}
	list := map[string]any{"bits": t.List.bits, "lst": deflated}
	if t.Aggregation != "" {
		list["aggregation_uri"] = t.Aggregation
	}
	claims := map[int]any{claimSub: t.Address, claimIat: t.IssuedAt.Unix(), claimList: list}
	if t.Issuer != "" {
		claims[claimIss] = t.Issuer
	}
	if !t.Expires.IsZero() {
		claims[claimExp] = t.Expires.Unix()
	}
	if t.TTL > 0 {
		claims[claimTTL] = int64(t.TTL / time.Second)
	}
	payload, err := canonical.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding a list: %w", err)
	}
	name, err := jws.Algorithm(by.Key.Public())
	if err != nil {
		return nil, err
	}
	signer, err := cose.NewSigner(algorithms[name], by.Key)
	if err != nil {
		return nil, fmt.Errorf("signing a list: %w", err)
	}
	m := cose.Sign1Message{Payload: payload, Headers: cose.Headers{
		Protected:   cose.ProtectedHeader{cose.HeaderLabelAlgorithm: algorithms[name], cose.HeaderLabelType: "application/" + TypeCWT},
		Unprotected: by.unprotected(),
	}}
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		return nil, fmt.Errorf("signing a list: %w", err)
	}
	return m.MarshalCBOR()
}

// unprotected is how the key is found; it proves itself.
func (s Signing) unprotected() cose.UnprotectedHeader {
	header := cose.UnprotectedHeader{}
	if s.KeyID != "" {
		header[cose.HeaderLabelKeyID] = []byte(s.KeyID)
	}
	switch len(s.Chain) {
	case 0:
	case 1:
		header[cose.HeaderLabelX5Chain] = s.Chain[0].Raw
	default:
		all := make([]any, len(s.Chain))
		for k, certificate := range s.Chain {
			all[k] = certificate.Raw
		}
		header[cose.HeaderLabelX5Chain] = all
	}
	return header
}

// VerifyCWT checks a token in the form of a CWT, as VerifyJWT does.
func VerifyCWT(ctx context.Context, raw []byte, o Options) (Verified, error) {
	if len(raw) > maxCWT {
		return Verified{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), maxCWT)
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		return Verified{}, fmt.Errorf("%w: not a signed CWT", ErrMalformed)
	}
	h, err := readHeader(m.Headers)
	if err != nil {
		return Verified{}, err
	}
	var claims map[any]any
	if err := strict.Unmarshal(m.Payload, &claims); err != nil {
		return Verified{}, fmt.Errorf("%w: the claims are not CBOR of the right form", ErrMalformed)
	}
	t, times, err := readCBOR(claims)
	if err != nil {
		return Verified{}, err
	}
	return o.verify(ctx, h, t, times, func(key crypto.PublicKey) error { return checkSign1(&m, key) })
}

func checkSign1(m *cose.Sign1Message, key crypto.PublicKey) error {
	name, err := jws.Algorithm(key)
	if err != nil {
		return err
	}
	by, err := cose.NewVerifier(algorithms[name], key)
	if err != nil || m.Verify(nil, by) != nil {
		return ErrSignature
	}
	return nil
}

// readHeader reads the type where it is signed. The key's name and the certificates
// prove themselves, wherever they stand.
func readHeader(headers cose.Headers) (jws.Header, error) {
	p := headers.Protected
	typ, _ := p[cose.HeaderLabelType].(string)
	if !strings.EqualFold(typ, "application/"+TypeCWT) {
		return jws.Header{}, ErrMediaType
	}
	if _, given := p[cose.HeaderLabelCritical]; given {
		return jws.Header{}, fmt.Errorf("%w: critical headers", ErrUnsupported)
	}
	either := func(label int64) any {
		if v, given := p[label]; given {
			return v
		}
		return headers.Unprotected[label]
	}
	h := jws.Header{Type: TypeCWT}
	if kid, ok := either(cose.HeaderLabelKeyID).([]byte); ok {
		h.KeyID = string(kid)
	}
	var err error
	h.Chain, err = readChain(either(cose.HeaderLabelX5Chain))
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
	}
	return jws.ParseChain(ders)
}

// readCBOR reads all of a CWT but the list itself, which is unfolded last.
func readCBOR(claims map[any]any) (unread, jws.Times, error) {
	bad := func(what string) (unread, jws.Times, error) {
		return unread{}, jws.Times{}, fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	list, ok := claims[int64(claimList)].(map[any]any)
	if !ok {
		return bad("a list without its list")
	}
	u := unread{}
	for label, to := range map[int64]*string{claimIss: &u.Issuer, claimSub: &u.Address} {
		if v, given := claims[label]; given {
			if *to, ok = v.(string); !ok {
				return bad("an issuer or address that is not text")
			}
		}
	}
	var wide, packed bool
	u.bits, wide = list["bits"].(int64)
	u.deflated, packed = list["lst"].([]byte)
	if !wide || !packed {
		return bad("a list without its width or its values")
	}
	u.Aggregation, _ = list["aggregation_uri"].(string)
	if v, given := claims[int64(claimTTL)]; given {
		seconds, _ := number(v)
		var err error
		if u.TTL, err = ttl(seconds); err != nil {
			return unread{}, jws.Times{}, err
		}
	}
	var times jws.Times
	for label, to := range map[int64]*time.Time{claimIat: &times.IssuedAt, claimNbf: &times.NotBefore, claimExp: &times.Expires} {
		v, given := claims[label]
		if !given {
			continue
		}
		seconds, ok := number(v)
		if !ok || math.Abs(seconds) > 1<<40 {
			return bad("a time that is none")
		}
		*to = time.Unix(int64(seconds), 0).UTC()
	}
	return u, times, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	}
	return 0, false
}
