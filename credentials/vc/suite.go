package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // hashes of the suites
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
)

const (
	suiteEdDSA    = "eddsa-rdfc-2022"
	suiteECDSA    = "ecdsa-rdfc-2019"
	suiteEdDSAJCS = "eddsa-jcs-2022"
	suiteECDSAJCS = "ecdsa-jcs-2019"
	suiteDisclose = "ecdsa-sd-2023"
)

func isSuite(name string) bool {
	switch name {
	case suiteEdDSA, suiteECDSA, suiteEdDSAJCS, suiteECDSAJCS, suiteDisclose, typeEd2020:
		return true
	}
	return false
}

func isJCS(suite string) bool { return strings.Contains(suite, "-jcs-") }

// suiteOf is the suite by which a key signs, and its hash.
func suiteOf(key crypto.PublicKey) (suite string, hash crypto.Hash, err error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return suiteEdDSA, crypto.SHA256, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return suiteECDSA, crypto.SHA256, nil
		case elliptic.P384():
			return suiteECDSA, crypto.SHA384, nil
		}
	}
	return "", 0, fmt.Errorf("%w: signing takes a key of Ed25519, P-256 or P-384", ErrUnsupported)
}

// hashOf is the hash that a suite uses with a key; the key must be one of its.
func hashOf(suite string, key crypto.PublicKey) (crypto.Hash, error) {
	if key == nil {
		return 0, ErrUnknownKey
	}
	own, hash, err := suiteOf(key)
	eddsa := suite == suiteEdDSA || suite == suiteEdDSAJCS || suite == typeEd2020
	if err != nil || eddsa != (own == suiteEdDSA) || suite == suiteDisclose && hash != crypto.SHA256 {
		return 0, ErrSignature
	}
	return hash, nil
}

// checkSignature checks a signature as proofs carry it: ECDSA's two numbers have a
// fixed length and no frame.
func checkSignature(key crypto.PublicKey, message, signature []byte) error {
	fits := false
	switch key := key.(type) {
	case ed25519.PublicKey:
		fits = len(key) == ed25519.PublicKeySize && len(signature) == ed25519.SignatureSize && ed25519.Verify(key, message, signature)
	case *ecdsa.PublicKey:
		size := (key.Curve.Params().BitSize + 7) / 8
		if _, hash, err := suiteOf(key); err == nil && len(signature) == 2*size {
			r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
			fits = ecdsa.Verify(key, sum(hash, message), r, s)
		}
	}
	if !fits {
		return ErrSignature
	}
	return nil
}

// sign signs as proofs carry it.
func sign(signer crypto.Signer, message []byte) ([]byte, error) {
	suite, hash, err := suiteOf(signer.Public())
	if err != nil {
		return nil, err
	}
	if suite == suiteEdDSA {
		signature, err := signer.Sign(rand.Reader, message, crypto.Hash(0))
		if err != nil {
			return nil, fmt.Errorf("vc: signing: %w", err)
		}
		return signature, nil
	}
	framed, err := signer.Sign(rand.Reader, sum(hash, message), hash)
	if err != nil {
		return nil, fmt.Errorf("vc: signing: %w", err)
	}
	var pair struct{ R, S *big.Int }
	size := (signer.Public().(*ecdsa.PublicKey).Curve.Params().BitSize + 7) / 8
	if rest, err := asn1.Unmarshal(framed, &pair); err != nil || len(rest) > 0 || pair.R.Sign() < 0 || pair.S.Sign() < 0 ||
		pair.R.BitLen() > 8*size || pair.S.BitLen() > 8*size {
		return nil, fmt.Errorf("%w: the signer gave no ECDSA signature", ErrSignature)
	}
	return append(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size))...), nil
}
