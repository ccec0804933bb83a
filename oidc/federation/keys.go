package federation

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that statements may be signed with.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

const (
	maxKeys = 16
	minRSA  = 2048
	maxRSA  = 8192 // a larger one is there to keep us busy
)

// secretParts are the members of a JWK that no public key has (RFC 7518, 6).
var secretParts = []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"}

// readKeys reads a JWK Set of public keys, each with a kid of its own. Keys of a kind
// that we do not know, or that lack something, are passed over (RFC 7517, 5).
func readKeys(raw json.RawMessage) (jose.JSONWebKeySet, error) {
	var members map[string]json.RawMessage // a struct would take "Keys" for "keys"
	var written []map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(members["keys"], &written) != nil || len(written) == 0 || len(written) > maxKeys {
		return jose.JSONWebKeySet{}, errors.New("a JWK Set must hold 1 to 16 keys")
	}
	var set jose.JSONWebKeySet
	seen := make(map[string]bool)
	for _, members := range written {
		// Before the library sees it: it would check the primes of a private key.
		if slices.ContainsFunc(secretParts, func(name string) bool { return members[name] != nil }) {
			return set, errors.New("a JWK Set must hold public keys only")
		}
		var kid string
		if json.Unmarshal(members["kid"], &kid) != nil || kid == "" || seen[kid] {
			return set, errors.New("every key of a JWK Set must have a kid of its own")
		}
		seen[kid] = true
		one, err := json.Marshal(members)
		if err != nil {
			return set, err
		}
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil {
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return set, errors.New("a JWK Set holds no key that can be used here")
	}
	return set, nil
}

// fits tells whether a key may have made a signature by this algorithm.
func fits(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	switch k := key.Key.(type) {
	case *ecdsa.PublicKey:
		return algorithm == jose.ES256 && k.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return algorithm == jose.EdDSA
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return (algorithm == jose.PS256 || algorithm == jose.RS256) && bits >= minRSA && bits <= maxRSA
	}
	return false
}
