package disclosure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// ErrSignature is for a statement that nobody signed.
var ErrSignature = errors.New("disclosure: a statement that was not signed")

var errProof = fmt.Errorf("%w: the proof value", jsonld.ErrMalformed)

// The bytes that proof values of ecdsa-sd-2023 begin with.
var (
	headBase    = []byte{0xd9, 0x5d, 0x00}
	headDerived = []byte{0xd9, 0x5d, 0x01}
	headP256    = []byte{0x80, 0x24}
)

// maxValue bounds a proof value: two thousand statements.
const maxValue = 256 << 10

type base struct {
	_          struct{} `cbor:",toarray"`
	Signature  []byte
	Public     []byte
	Secret     []byte
	Signatures [][]byte
	Mandatory  []string
}

type derived struct {
	_          struct{} `cbor:",toarray"`
	Signature  []byte
	Public     []byte
	Signatures [][]byte
	Labels     map[uint64][]byte // by the number of the canonical label
	Mandatory  []uint64
}

var decoder = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxArrayElements: 4096, MaxMapPairs: 512, MaxNestedLevels: 4,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

var encoder = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// Decode reads the text of a proof value, base or derived.
func Decode(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, "u")
	if !ok || len(digits) > maxValue {
		return nil, errProof
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(digits)
	if err != nil {
		return nil, errProof
	}
	return raw, nil
}

func encode(head []byte, v any) (string, error) {
	raw, err := encoder.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("disclosure: %w", err)
	}
	return "u" + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(head), raw...)), nil
}

func (b base) encode() (string, error)    { return encode(headBase, b) }
func (d derived) encode() (string, error) { return encode(headDerived, d) }

func parseBase(text string) (base, error) {
	raw, err := Decode(text)
	if err != nil {
		return base{}, err
	}
	var b base
	content, ok := bytes.CutPrefix(raw, headBase)
	if !ok || decoder.Unmarshal(content, &b) != nil || len(b.Signature) != 64 || len(b.Secret) != sha256.Size || !whole(b.Signatures) {
		return base{}, errProof
	}
	if _, err := parseKey(b.Public); err != nil {
		return base{}, err
	}
	return b, nil
}

// parseDerived refuses base proofs, too: with one a verifier would be shown all.
func parseDerived(raw []byte) (derived, error) {
	var d derived
	content, ok := bytes.CutPrefix(raw, headDerived)
	if !ok || decoder.Unmarshal(content, &d) != nil || len(d.Signature) != 64 || !whole(d.Signatures) {
		return derived{}, errProof
	}
	return d, nil
}

func whole(signatures [][]byte) bool {
	for _, s := range signatures {
		if len(s) != 64 {
			return false
		}
	}
	return true
}

// relabelled gives each node the label under which it was signed.
func (d derived) relabelled(canonical map[string]string) (map[string]string, error) {
	labels := make(map[string]string, len(canonical))
	seen := make(map[string]bool, len(canonical))
	for old, label := range canonical {
		number, err := labelNumber(label)
		if err != nil {
			return nil, err
		}
		hidden := d.Labels[number]
		if len(hidden) != sha256.Size || seen[string(hidden)] {
			return nil, errProof
		}
		seen[string(hidden)] = true
		labels[old] = "u" + base64.RawURLEncoding.EncodeToString(hidden)
	}
	if len(d.Labels) != len(canonical) {
		return nil, errProof
	}
	return labels, nil
}

func labelNumber(label string) (uint64, error) {
	number, err := strconv.ParseUint(strings.TrimPrefix(label, "c14n"), 10, 32)
	if err != nil {
		return 0, errProof
	}
	return number, nil
}

func compressed(key *ecdsa.PublicKey) []byte {
	point, err := key.Bytes()
	if err != nil {
		panic(err) // it was generated a moment ago
	}
	return append(bytes.Clone(headP256), append([]byte{2 | point[64]&1}, point[1:33]...)...)
}

func (d derived) key() (*ecdsa.PublicKey, error) { return parseKey(d.Public) }

func parseKey(raw []byte) (*ecdsa.PublicKey, error) {
	point, ok := bytes.CutPrefix(raw, headP256)
	if !ok {
		return nil, errProof
	}
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point)
	if x == nil {
		return nil, errProof
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)...))
}

func signLine(key *ecdsa.PrivateKey, line string) ([]byte, error) {
	digest := sha256.Sum256([]byte(line))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("disclosure: %w", err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
}

func fits(key *ecdsa.PublicKey, line string, signature []byte) bool {
	digest := sha256.Sum256([]byte(line))
	return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}
