package present

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/keys"
)

// The prefixes of a client id: how a wallet is to find out who asks (5.9.3).
const (
	byDID        = "decentralized_identifier"
	byHash       = "x509_hash"
	bySAN        = "x509_san_dns"
	byRedirect   = "redirect_uri"
	byRegistered = "pre-registered" // our name for a client id without a prefix
)

// typeRequest is the media type of a request object (RFC 9101).
const typeRequest = "oauth-authz-req+jwt"

// signer signs request objects, in a way for each prefix.
type signer struct {
	key       crypto.Signer
	algorithm jose.SignatureAlgorithm
	kid       string   // in the DID document
	x5c       []string // the chain, in base64
}

// identify prepares the names under which we can ask, and checks that the
// certificate is of the key that signs.
func (k *Counter) identify() (err error) {
	if k.did, err = vc.DIDWeb(k.Public.JoinPath("vp").String()); err != nil {
		return fmt.Errorf("present: %w", err)
	}
	if k.Signer == nil {
		if len(k.Chain) > 0 {
			return errors.New("present: a certificate needs the key that it is of")
		}
		return nil
	}
	s := &signer{key: k.Signer, kid: k.did + "#" + keys.Thumbprint(k.Signer.Public())}
	switch public := k.Signer.Public().(type) {
	case ed25519.PublicKey:
		s.algorithm = jose.EdDSA
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return errors.New("present: requests are signed by a key on P-256, or by Ed25519")
		}
		s.algorithm = jose.ES256
	default:
		return errors.New("present: requests are signed by a key on P-256, or by Ed25519")
	}
	for _, certificate := range k.Chain {
		s.x5c = append(s.x5c, base64.StdEncoding.EncodeToString(certificate.Raw))
	}
	if len(k.Chain) > 0 {
		public, ok := k.Chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(k.Signer.Public()) {
			return errors.New("present: the first certificate is not of the key that signs requests")
		}
	}
	k.signer = s
	return nil
}

// prefixes lists the ways in which we can say who we are, the best known to wallets
// first. Without a prefix there is redirect_uri alone, which anybody can claim.
func (k *Counter) prefixes() []string {
	var all []string
	if k.signer != nil {
		if len(k.Chain) > 0 {
			all = append(all, byHash)
			if k.Chain[0].VerifyHostname(k.Public.Hostname()) == nil {
				all = append(all, bySAN)
			}
		}
		all = append(all, byDID)
		if k.KnownAs != "" {
			all = append(all, byRegistered)
		}
	}
	return append(all, byRedirect)
}

// clientID is the full client id under a prefix.
func (k *Counter) clientID(prefix, responseURI string) (string, bool) {
	if !slices.Contains(k.prefixes(), prefix) {
		return "", false
	}
	switch prefix {
	case byHash:
		sum := sha256.Sum256(k.Chain[0].Raw)
		return byHash + ":" + base64.RawURLEncoding.EncodeToString(sum[:]), true
	case bySAN:
		return bySAN + ":" + k.Public.Hostname(), true
	case byDID:
		return byDID + ":" + k.did, true
	case byRegistered:
		return k.KnownAs, true
	}
	return byRedirect + ":" + responseURI, true
}

// sign makes a request object. What cannot be signed under a prefix is a mistake of
// ours: redirect_uri gives a wallet no key to check it by.
func (k *Counter) sign(prefix string, claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType(typeRequest)
	switch {
	case k.signer == nil || prefix == byRedirect:
		return "", errors.New("a request by redirect_uri is not signed")
	case prefix == byDID:
		options = options.WithHeader("kid", k.signer.kid)
	case prefix == byRegistered:
		options = options.WithHeader("kid", keys.Thumbprint(k.Signer.Public()))
	default:
		options = options.WithHeader("x5c", k.signer.x5c)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: k.signer.algorithm, Key: cryptosigner.Opaque(k.signer.key)}, options)
	if err != nil {
		return "", fmt.Errorf("signing a request: %w", err)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("signing a request: %w", err)
	}
	signed, err := made.Sign(raw)
	if err != nil {
		return "", fmt.Errorf("signing a request: %w", err)
	}
	return signed.CompactSerialize()
}

// DIDDocument publishes the key that requests are signed by. It is no key of the
// issuer, so it may not assert anything.
func (k *Counter) DIDDocument() ([]byte, error) {
	if k.signer == nil {
		return nil, errors.New("requests are not signed here")
	}
	key := jose.JSONWebKey{Key: k.Signer.Public(), KeyID: keys.Thumbprint(k.Signer.Public()), Algorithm: string(k.signer.algorithm), Use: "sig"}
	return json.Marshal(map[string]any{
		"@context":           []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"},
		"id":                 k.did,
		"verificationMethod": []any{map[string]any{"id": k.signer.kid, "type": "JsonWebKey2020", "controller": k.did, "publicKeyJwk": key}},
		"authentication":     []string{k.signer.kid},
	})
}

// KeySet is the same key for wallets that know us beforehand.
func (k *Counter) KeySet() jose.JSONWebKeySet {
	if k.signer == nil {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Signer.Public(), KeyID: keys.Thumbprint(k.Signer.Public()), Algorithm: string(k.signer.algorithm), Use: "sig"}}}
}
