package qr

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // go-cose takes hashes from the registry
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/veraison/go-cose"
)

// Claims is what a code says about itself.
type Claims struct {
	Issuer    string
	Subject   string
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
	Status    *Status // nil: cannot be revoked
}

// Status is the place of a code in a Token Status List.
type Status struct {
	Index int    `cbor:"idx"`
	URI   string `cbor:"uri"`
}

// Dialect is who wrote a code.
type Dialect string

// The dialects of claim 169. Only the specified one is written. Inji's codes hold
// the CWT in hexadecimal, dates with slashes, images as data URIs; any of these
// marks a code as theirs.
const (
	Specified Dialect = "specification"
	Inji      Dialect = "inji"
)

// CBOR tags and keys: RFC 8392, RFC 9052, RFC 9360, the CWT registry.
const (
	tagCWT, tagSign1, tagEncrypt0                   = 61, 18, 16
	claimIss, claimSub, claimExp, claimNbf          = 1, 2, 4, 5
	claimIat, claimStatus, claimIdentity            = 6, 65535, 169
	headerAlg, headerCrit, headerKID, headerX5Chain = 1, 2, 4, 33
)

// Encode signs an identity and writes it as the text of a QR code: a CWT with an
// Ed25519 or P-256 signature, deflated, in base45.
func Encode(id Identity169, c Claims, signer crypto.Signer, kid []byte) (string, error) {
	identity, err := id.document()
	if err != nil {
		return "", err
	}
	payload, err := canonical.Marshal(c.document(identity))
	if err != nil {
		return "", fmt.Errorf("%w: a value that CBOR cannot hold", ErrMalformed)
	}
	alg, ok := algorithm(signer.Public())
	if !ok {
		return "", fmt.Errorf("%w: signing takes an Ed25519 or P-256 key", ErrUnsupported)
	}
	by, err := cose.NewSigner(alg, signer)
	if err != nil {
		return "", fmt.Errorf("%w: the key: %w", ErrUnsupported, err)
	}
	message := cose.Sign1Message{Payload: payload, Headers: cose.Headers{
		Protected:   cose.ProtectedHeader{cose.HeaderLabelAlgorithm: alg},
		Unprotected: cose.UnprotectedHeader{cose.HeaderLabelKeyID: kid},
	}}
	if err := message.Sign(rand.Reader, nil, by); err != nil {
		return "", fmt.Errorf("qr: signing: %w", err)
	}
	signed, err := message.MarshalCBOR()
	if err != nil {
		return "", fmt.Errorf("qr: signing: %w", err)
	}
	raw, err := canonical.Marshal(cbor.RawTag{Number: tagCWT, Content: signed})
	if err != nil {
		return "", fmt.Errorf("qr: signing: %w", err)
	}
	return pack(raw)
}

func algorithm(key crypto.PublicKey) (cose.Algorithm, bool) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return cose.AlgorithmEdDSA, len(key) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		return cose.AlgorithmES256, key.Curve == elliptic.P256()
	}
	return 0, false
}

// claimSet is what is signed.
type claimSet struct {
	Issuer    string        `cbor:"1,keyasint,omitempty"`
	Subject   string        `cbor:"2,keyasint,omitempty"`
	ExpiresAt int64         `cbor:"4,keyasint,omitempty"`
	NotBefore int64         `cbor:"5,keyasint,omitempty"`
	IssuedAt  int64         `cbor:"6,keyasint,omitempty"`
	Identity  map[int64]any `cbor:"169,keyasint"`
	Status    *struct {
		List *Status `cbor:"status_list"`
	} `cbor:"65535,keyasint,omitempty"`
}

func (c Claims) document(identity map[int64]any) claimSet {
	s := claimSet{Issuer: c.Issuer, Subject: c.Subject, Identity: identity}
	for at, date := range map[*int64]time.Time{&s.ExpiresAt: c.ExpiresAt, &s.NotBefore: c.NotBefore, &s.IssuedAt: c.IssuedAt} {
		if !date.IsZero() {
			*at = date.Unix()
		}
	}
	if c.Status != nil {
		s.Status = &struct {
			List *Status `cbor:"status_list"`
		}{c.Status}
	}
	return s
}

// Decoded is a code that has been read. Nothing in it can be believed, and nothing
// should be shown, before Verify has said nil.
type Decoded struct {
	Claims    Claims
	Identity  Identity169
	Dialect   Dialect
	KeyID     []byte
	Algorithm int64    // of COSE; 0: none is named
	Chain     [][]byte // certificates that came along; whether they are believed is another matter
	signed    sign1
}

type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[any]any
	Payload     []byte
	Signature   []byte
}

// Decode reads the text of a claim-169 QR code in either dialect.
func Decode(text string) (Decoded, error) {
	raw, err := unpack(text)
	if err != nil {
		return Decoded{}, err
	}
	d := Decoded{Dialect: Specified}
	if cwt, ok := fromHex(raw); ok {
		raw, d.Dialect = cwt, Inji
	}
	if err := d.open(raw); err != nil {
		return Decoded{}, err
	}
	if err := d.headers(); err != nil {
		return Decoded{}, err
	}
	var claims map[any]any
	if err := unmarshal(d.signed.Payload, &claims); err != nil {
		return Decoded{}, err
	}
	if err := d.Claims.read(claims); err != nil {
		return Decoded{}, err
	}
	return d, d.readIdentity(claims[int64(claimIdentity)])
}

func fromHex(raw []byte) ([]byte, bool) {
	decoded := make([]byte, hex.DecodedLen(len(raw)))
	_, err := hex.Decode(decoded, raw)
	return decoded, err == nil && len(raw) > 0
}

// open takes the signed message out of its tags.
func (d *Decoded) open(raw []byte) error {
	var tag cbor.RawTag
	if err := unmarshal(raw, &tag); err != nil {
		return err
	}
	if tag.Number == tagCWT {
		raw = tag.Content
		if err := unmarshal(raw, &tag); err != nil {
			return err
		}
	}
	switch tag.Number {
	case tagSign1:
		return unmarshal(tag.Content, &d.signed)
	case tagEncrypt0:
		return ErrEncrypted
	}
	return fmt.Errorf("%w: not a COSE_Sign1", ErrMalformed)
}

func (d *Decoded) headers() error {
	protected := map[any]any{}
	if len(d.signed.Protected) > 0 {
		if err := unmarshal(d.signed.Protected, &protected); err != nil {
			return err
		}
	}
	if protected[int64(headerCrit)] != nil || d.signed.Unprotected[int64(headerCrit)] != nil {
		return fmt.Errorf("%w: critical headers", ErrUnsupported)
	}
	// The algorithm counts only where the signature covers it.
	d.Algorithm, _ = protected[int64(headerAlg)].(int64)
	for _, headers := range []map[any]any{d.signed.Unprotected, protected} {
		if kid, ok := headers[int64(headerKID)].([]byte); ok {
			d.KeyID = kid
		}
		switch chain := headers[int64(headerX5Chain)].(type) {
		case []byte:
			d.Chain = [][]byte{chain}
		case []any:
			d.Chain = nil
			for _, item := range chain {
				certificate, _ := item.([]byte)
				d.Chain = append(d.Chain, certificate)
			}
		}
	}
	return nil
}

func (c *Claims) read(m map[any]any) error {
	ok := true
	text := func(key int64) string {
		s, isText := m[key].(string)
		ok = ok && (isText || m[key] == nil)
		return s
	}
	date := func(key int64) time.Time {
		at, isDate := numericDate(m[key])
		ok = ok && isDate
		return at
	}
	c.Issuer, c.Subject = text(claimIss), text(claimSub)
	c.ExpiresAt, c.NotBefore, c.IssuedAt = date(claimExp), date(claimNbf), date(claimIat)
	if v := m[int64(claimStatus)]; v != nil {
		// A status that is not understood must not pass for none.
		status, isMap := v.(map[any]any)
		list, hasList := status["status_list"].(map[any]any)
		index, hasIndex := list["idx"].(int64)
		uri, hasURI := list["uri"].(string)
		ok = ok && isMap && hasList && hasIndex && hasURI && index >= 0 && index <= math.MaxInt32
		c.Status = &Status{Index: int(index), URI: uri}
	}
	if !ok {
		return fmt.Errorf("%w: a claim of another type", ErrMalformed)
	}
	return nil
}

func numericDate(v any) (time.Time, bool) {
	const lastSecond = 253402300799 // of the year 9999
	switch v := v.(type) {
	case nil:
		return time.Time{}, true
	case int64:
		return time.Unix(v, 0).UTC(), v >= 0 && v <= lastSecond
	case float64:
		return time.Unix(int64(v), 0).UTC(), v >= 0 && v <= lastSecond
	}
	return time.Time{}, false
}

func (d *Decoded) readIdentity(v any) error {
	// Inji wraps the map in bytes, and so does the specification's own example.
	if wrapped, ok := v.([]byte); ok {
		v = nil
		if err := unmarshal(wrapped, &v); err != nil {
			return err
		}
	}
	m, ok := v.(map[any]any)
	if !ok {
		return fmt.Errorf("%w: there is no claim 169", ErrMalformed)
	}
	r, err := readIdentity(m)
	if err != nil {
		return err
	}
	d.Identity = r.identity
	if r.inji {
		d.Dialect = Inji
	}
	return nil
}

// Verify checks the signature by the key that keys knows under this name and for
// this issuer, then the times. ErrExpired and ErrNotYetValid mean that the
// signature is good. Whether the code was revoked is for the caller to ask.
func (d Decoded) Verify(keys func(kid []byte, issuer string) (crypto.PublicKey, error), now time.Time) error {
	if len(d.signed.Signature) == 0 {
		return ErrUnsigned
	}
	key, err := keys(d.KeyID, d.Claims.Issuer)
	if err != nil {
		return err
	}
	alg, ok := algorithm(key)
	switch {
	case key == nil:
		return ErrUnknownKey
	case !ok, int64(alg) != d.Algorithm:
		return ErrSignature
	}
	message, err := canonical.Marshal([]any{"Signature1", d.signed.Protected, []byte{}, d.signed.Payload})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	by, err := cose.NewVerifier(alg, key)
	if err != nil || by.Verify(message, d.signed.Signature) != nil {
		return ErrSignature
	}
	switch {
	case now.Before(d.Claims.NotBefore):
		return ErrNotYetValid
	case !d.Claims.ExpiresAt.IsZero() && !now.Before(d.Claims.ExpiresAt):
		return ErrExpired
	}
	return nil
}

// Trusted looks keys up in a trust list. A code names its issuer by a DID or by the
// URL of a did:web, and its key by the full name or by what follows the #.
func Trusted(list vc.TrustList) func(kid []byte, issuer string) (crypto.PublicKey, error) {
	return func(kid []byte, issuer string) (crypto.PublicKey, error) {
		did, err := vc.DIDWeb(issuer)
		if err != nil {
			did = issuer
		}
		for _, known := range list.Issuers {
			if known.ID != issuer && known.ID != did {
				continue
			}
			for _, key := range known.Keys {
				if key.ID == string(kid) || key.ID == known.ID+"#"+string(kid) {
					return vc.ParseMultikey(key.PublicKeyMultibase)
				}
			}
		}
		return nil, ErrUnknownKey
	}
}
