package vc

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// DIDKey is the did:key of a public key.
func DIDKey(key crypto.PublicKey) (string, error) {
	multikey, err := Multikey(key)
	return "did:key:" + multikey, err
}

// DIDJWK is the did:jwk of a public key.
func DIDJWK(key crypto.PublicKey) (string, error) {
	k, err := newJWK(key)
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(k)
	return "did:jwk:" + base64.RawURLEncoding.EncodeToString(raw), err
}

// ParseDID gives the key that a did:key or did:jwk is made of, with or without the
// fragment that names the key.
func ParseDID(did string) (crypto.PublicKey, error) {
	id, fragment, named := strings.Cut(did, "#")
	if method, ok := strings.CutPrefix(id, "did:key:"); ok && (!named || fragment == method) {
		return ParseMultikey(method)
	}
	if encoded, ok := strings.CutPrefix(id, "did:jwk:"); ok && (!named || fragment == "0") && len(encoded) <= 1024 {
		return parseJWK(encoded)
	}
	return nil, fmt.Errorf("%w: not a did:key or did:jwk", ErrMalformedKey)
}

func parseJWK(encoded string) (crypto.PublicKey, error) {
	var k jwk
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || json.Unmarshal(raw, &k) != nil {
		return nil, fmt.Errorf("%w: the did:jwk holds no JWK", ErrMalformedKey)
	}
	return k.public()
}

// KeyName is the verification method of the only key of a did:key or did:jwk.
func KeyName(did string) (string, error) {
	if _, err := ParseDID(did); err != nil {
		return "", err
	}
	did, _, _ = strings.Cut(did, "#")
	if multikey, ok := strings.CutPrefix(did, "did:key:"); ok {
		return did + "#" + multikey, nil
	}
	return did + "#0", nil
}

// DIDWeb is the did:web of whoever serves baseURL.
func DIDWeb(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") || u.User != nil {
		return "", fmt.Errorf("%w: %q has no host that a did:web can name", ErrMalformedKey, baseURL)
	}
	did := "did:web:" + strings.ToLower(u.Hostname())
	if port := u.Port(); port != "" {
		did += "%3A" + port
	}
	for part := range strings.SplitSeq(strings.Trim(u.EscapedPath(), "/"), "/") {
		if part != "" {
			did += ":" + part
		}
	}
	return did, nil
}

// VerificationKey is a public key by its full name: the DID, #, and a name.
type VerificationKey struct {
	ID     string
	Public crypto.PublicKey
}

// DIDDocument lists the keys that may sign credentials in the name of a DID.
func DIDDocument(did string, keys []VerificationKey) ([]byte, error) {
	type method struct {
		ID         string `json:"id"`
		Type       string `json:"type"`
		Controller string `json:"controller"`
		Multibase  string `json:"publicKeyMultibase"`
	}
	document := struct {
		Context   []string `json:"@context"`
		ID        string   `json:"id"`
		Methods   []method `json:"verificationMethod"`
		Assertion []string `json:"assertionMethod"`
	}{Context: []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"}, ID: did}
	for _, k := range keys {
		multikey, err := Multikey(k.Public)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(k.ID, did+"#") {
			return nil, ErrForeignKey
		}
		document.Methods = append(document.Methods, method{k.ID, "Multikey", did, multikey})
		document.Assertion = append(document.Assertion, k.ID)
	}
	return json.MarshalIndent(document, "", "  ")
}
