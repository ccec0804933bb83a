package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Signer signs with one key under one header. The header is encoded once: a
// signature must not cost more than the signing.
type Signer struct {
	key    crypto.Signer
	header string // base64url, with the dot that follows
	hash   crypto.Hash
	size   int // of one half of an ECDSA signature
}

// NewSigner takes the key and the header without its algorithm, which the key decides.
func NewSigner(key crypto.Signer, header map[string]any) (*Signer, error) {
	alg, err := Algorithm(key.Public())
	if err != nil {
		return nil, err
	}
	whole := maps.Clone(header)
	if whole == nil {
		whole = map[string]any{}
	}
	whole["alg"] = alg
	raw, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	s := &Signer{key: key, header: base64.RawURLEncoding.EncodeToString(raw) + "."}
	s.hash, s.size = measures(key.Public())
	return s, nil
}

func measures(key crypto.PublicKey) (crypto.Hash, int) {
	curve, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return 0, 0
	}
	size := (curve.Curve.Params().BitSize + 7) / 8
	return map[int]crypto.Hash{32: crypto.SHA256, 48: crypto.SHA384, 66: crypto.SHA512}[size], size
}

// Sign gives the compact form of the payload with its signature.
func (s *Signer) Sign(payload []byte) ([]byte, error) {
	token := s.input(payload)
	signature, err := s.signature(token)
	if err != nil {
		return nil, err
	}
	return Join(token, signature), nil
}

// Input is what is to be signed when the key is somewhere else.
func Input(header, claims map[string]any) ([]byte, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encoding the header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding the claims: %w", err)
	}
	s := Signer{header: base64.RawURLEncoding.EncodeToString(head) + "."}
	return s.input(payload), nil
}

// SignInput gives the signature of a key over an Input, in the form of JOSE.
func SignInput(key crypto.Signer, input []byte) ([]byte, error) {
	s := Signer{key: key}
	s.hash, s.size = measures(key.Public())
	return s.signature(input)
}

// input is what is signed: header and payload in base64url with a dot in between.
func (s *Signer) input(payload []byte) []byte {
	// Room for a signature of P-521, so that it is appended in place.
	input := make([]byte, 0, len(s.header)+base64.RawURLEncoding.EncodedLen(len(payload))+180)
	return base64.RawURLEncoding.AppendEncode(append(input, s.header...), payload)
}

// Join puts a signature after what it has signed.
func Join(input, signature []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(append(input, '.'), signature)
}

func (s *Signer) signature(input []byte) ([]byte, error) {
	message := input
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(input)
		message = h.Sum(nil)
	}
	signature, err := s.key.Sign(rand.Reader, message, s.hash)
	if err != nil {
		return nil, fmt.Errorf("signing a token: %w", err)
	}
	if s.size == 0 {
		return signature, nil
	}
	return fixed(signature, s.size)
}

// fixed writes an ASN.1 signature as the two numbers of equal length that JOSE wants.
func fixed(der []byte, size int) ([]byte, error) {
	r, t := new(big.Int), new(big.Int)
	var sequence cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !input.Empty() ||
		!sequence.ReadASN1Integer(r) || !sequence.ReadASN1Integer(t) || !sequence.Empty() ||
		r.Sign() <= 0 || t.Sign() <= 0 || r.BitLen() > size*8 || t.BitLen() > size*8 {
		return nil, fmt.Errorf("%w: the signer gave something else", ErrSignature)
	}
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	t.FillBytes(signature[size:])
	return signature, nil
}
