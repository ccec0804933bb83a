package mdoc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/sha256" // go-cose takes hashes from the registry
	_ "crypto/sha512"
	"fmt"
	"slices"

	"github.com/veraison/go-cose"
)

// Labels and values of a COSE_Key (RFC 9053, 7).
const (
	keyType, keyCurve, keyX, keyY, keyD = 1, -1, -2, -3, -4
	typeOKP, typeEC2                    = 1, 2
	curveEd25519                        = 6
)

// curves are the ones that the standard allows and that Go has, by their number in COSE.
var curves = []struct {
	number int64
	curve  elliptic.Curve
	alg    cose.Algorithm
	exact  int64 // the same, fully specified (RFC 9864)
}{
	{1, elliptic.P256(), cose.AlgorithmES256, -9},
	{2, elliptic.P384(), cose.AlgorithmES384, -51},
	{3, elliptic.P521(), cose.AlgorithmES512, -52},
}

const exactEd25519 = -19

// algorithm is the one way in which a key signs here: a curve and a hash belong together.
func algorithm(key crypto.PublicKey) (alg cose.Algorithm, exact int64, err error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return cose.AlgorithmEdDSA, exactEd25519, nil
		}
	case *ecdsa.PublicKey:
		for _, c := range curves {
			if key.Curve == c.curve {
				return c.alg, c.exact, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("%w: a key that is neither P-256, P-384, P-521 nor Ed25519", ErrUnsupported)
}

// coseKey writes a public key as a COSE_Key.
func coseKey(key crypto.PublicKey) (map[int]any, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return map[int]any{keyType: typeOKP, keyCurve: curveEd25519, keyX: []byte(key)}, nil
		}
	case *ecdsa.PublicKey:
		for _, c := range curves {
			if key.Curve != c.curve {
				continue
			}
			point, err := key.Bytes()
			if err != nil {
				return nil, fmt.Errorf("%w: a key that is not on its curve", ErrUnsupported)
			}
			half := len(point) / 2
			return map[int]any{keyType: typeEC2, keyCurve: c.number, keyX: point[1 : 1+half], keyY: point[1+half:]}, nil
		}
	}
	return nil, fmt.Errorf("%w: a key that is neither P-256, P-384, P-521 nor Ed25519", ErrUnsupported)
}

// parseKey reads a COSE_Key.
func parseKey(m map[any]any) (crypto.PublicKey, error) {
	if _, private := m[int64(keyD)]; private {
		return nil, fmt.Errorf("%w: the device's key is a private key", ErrMalformed)
	}
	kind, _ := m[int64(keyType)].(int64)
	number, _ := m[int64(keyCurve)].(int64)
	x, _ := m[int64(keyX)].([]byte)
	switch {
	case kind == typeOKP && number == curveEd25519 && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	case kind == typeEC2:
		for _, c := range curves {
			if c.number == number {
				return parsePoint(c.curve, x, m[int64(keyY)])
			}
		}
	}
	return nil, fmt.Errorf("%w: a device key of a kind that is not known", ErrUnsupported)
}

// parsePoint reads a point; y is its second coordinate or the sign of it.
func parsePoint(curve elliptic.Curve, x []byte, y any) (*ecdsa.PublicKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	if len(x) == size {
		switch y := y.(type) {
		case []byte:
			if key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)); err == nil {
				return key, nil
			}
		case bool:
			sign := byte(2)
			if y {
				sign = 3
			}
			if px, py := elliptic.UnmarshalCompressed(curve, append([]byte{sign}, x...)); px != nil {
				return parsePoint(curve, x, py.FillBytes(make([]byte, size)))
			}
		}
	}
	return nil, fmt.Errorf("%w: the device's key is not on its curve", ErrMalformed)
}
