package vc

import (
	"crypto"
	"encoding/json"
	"fmt"
	"strings"
)

// maxController bounds a DID document.
const maxController = 64 << 10

// Controller is who a DID document speaks for, with the keys that it lists. Only
// ParseController makes one.
type Controller struct {
	ID   string
	keys map[string]crypto.PublicKey
	may  map[string]bool // a purpose and a key's name
}

// method is a verification method: Multikey, Ed25519VerificationKey2020, JsonWebKey
// and JsonWebKey2020 are understood, by what they hold.
type method struct {
	ID        string `json:"id"`
	Multibase string `json:"publicKeyMultibase"`
	JWK       *jwk   `json:"publicKeyJwk"`
}

// ParseController reads a DID document that the caller has fetched from where the
// DID says. Keys of kinds that we do not know are left out.
func ParseController(document []byte, did string) (Controller, error) {
	if len(document) > maxController {
		return Controller{}, fmt.Errorf("%w: a DID document of %d bytes, at most %d", ErrTooLarge, len(document), maxController)
	}
	var doc struct {
		ID             string            `json:"id"`
		Methods        []json.RawMessage `json:"verificationMethod"`
		Assertion      []json.RawMessage `json:"assertionMethod"`
		Authentication []json.RawMessage `json:"authentication"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return Controller{}, fmt.Errorf("%w: not a DID document", ErrMalformed)
	}
	if doc.ID != did {
		return Controller{}, fmt.Errorf("%w: the DID document is another's", ErrUnknownKey)
	}
	c := Controller{ID: did, keys: map[string]crypto.PublicKey{}, may: map[string]bool{}}
	for _, raw := range doc.Methods {
		c.add(raw)
	}
	for purpose, allowed := range map[string][]json.RawMessage{purposeAssert: doc.Assertion, purposeAuth: doc.Authentication} {
		for _, raw := range allowed {
			var name string
			if json.Unmarshal(raw, &name) != nil {
				name = c.add(raw) // a key that is written where it is allowed
			}
			c.may[purpose+" "+c.full(name)] = true
		}
	}
	return c, nil
}

func (c Controller) full(name string) string {
	if strings.HasPrefix(name, "#") {
		return c.ID + name
	}
	return name
}

// add keeps a key, and gives its name.
func (c Controller) add(raw json.RawMessage) string {
	var m method
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	name := c.full(m.ID)
	var key crypto.PublicKey
	var err error
	switch {
	case !strings.HasPrefix(name, c.ID+"#"):
		return ""
	case m.JWK != nil && m.Multibase == "":
		key, err = m.JWK.public()
	default:
		key, err = ParseMultikey(m.Multibase)
	}
	if err != nil {
		return ""
	}
	if _, twice := c.keys[name]; twice {
		key = nil // two keys of one name are none
	}
	c.keys[name] = key
	return name
}

// AssertionKey gives the key of this name if it may sign credentials.
func (c Controller) AssertionKey(name string) (crypto.PublicKey, error) {
	return c.key(purposeAssert, name)
}

// AuthenticationKey gives the key of this name if it may sign presentations.
func (c Controller) AuthenticationKey(name string) (crypto.PublicKey, error) {
	return c.key(purposeAuth, name)
}

func (c Controller) key(purpose, name string) (crypto.PublicKey, error) {
	if key := c.keys[name]; key != nil && c.may[purpose+" "+name] {
		return key, nil
	}
	return nil, ErrUnknownKey
}
