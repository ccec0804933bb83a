package credentials

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
)

const (
	proofType = "openid4vci-proof+jwt"
	proofAge  = 10 * time.Minute // since it was made, by the wallet's clock
	proofSkew = 5 * time.Minute  // that the wallet's clock may be ahead
	maxProof  = 16 << 10
)

// proofAlgorithms are the algorithms of proofs; EdDSA is also named by its curve.
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA}

var errProof = fault.New(fault.Invalid, "The proof of the key is missing or not a good one. Make a new one as OpenID4VCI 1.0 describes it.").Named("invalid_proof")

// HolderKey is a key that somebody proved to hold. Only a checked proof makes one.
type HolderKey struct {
	did        string
	thumbprint []byte
	public     crypto.PublicKey
}

// DID names the key.
func (h HolderKey) DID() string { return h.did }

// Public is the key; nil: there is none.
func (h HolderKey) Public() crypto.PublicKey { return h.public }

// proof is what the JWT of a proof says.
type proof struct {
	Audience json.RawMessage `json:"aud"`
	Issuer   *string         `json:"iss"`
	Issued   *float64        `json:"iat"`
	Expires  *float64        `json:"exp"`
	Nonce    string          `json:"nonce"`
}

type proofHeader struct {
	Algorithm string          `json:"alg"`
	Type      string          `json:"typ"`
	KeyID     string          `json:"kid"`
	JWK       json.RawMessage `json:"jwk"`
	Chain     json.RawMessage `json:"x5c"`
	Critical  json.RawMessage `json:"crit"`
}

// checkProof checks all of a proof (OpenID4VCI 1.0, F.1 and F.4) but that its
// nonce is fresh, which only the transaction can tell. The client is who asks
// with the access token; empty for a wallet that redeemed an offer, whose name then
// gives it nothing.
func (i *Issuer) checkProof(token, client string) (HolderKey, string, error) {
	public, did, err := proofKey(token)
	if err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	signed, err := jose.ParseSignedCompact(token, proofAlgorithms)
	if err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	payload, err := signed.Verify(public)
	if err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	var p proof
	if err := json.Unmarshal(payload, &p); err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	if err := i.checkClaims(p, client); err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return HolderKey{}, "", errProof.Because(err)
	}
	return HolderKey{did: did, thumbprint: thumbprint, public: public}, p.Nonce, nil
}

func (i *Issuer) checkClaims(p proof, client string) error {
	var audience string
	if json.Unmarshal(p.Audience, &audience) != nil || audience != i.ID() {
		return errors.New("aud is not this issuer")
	}
	switch {
	case p.Issued == nil:
		return errors.New("iat is missing")
	case p.Nonce == "":
		return errors.New("nonce is missing")
	case p.Issuer != nil && client != "" && *p.Issuer != client:
		return errors.New("iss is not the client that got the access token")
	}
	now := i.Now()
	issued := time.Unix(int64(*p.Issued), 0)
	if issued.Before(now.Add(-proofAge)) || issued.After(now.Add(proofSkew)) {
		return errors.New("iat is not near the present")
	}
	if p.Expires != nil && !now.Before(time.Unix(int64(*p.Expires), 0)) {
		return errors.New("the proof has expired")
	}
	return nil
}

// proofKey reads the header of a proof: the public key in it, and its DID.
func proofKey(token string) (crypto.PublicKey, string, error) {
	if len(token) > maxProof {
		return nil, "", errors.New("the proof is too long")
	}
	encoded, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, "", err
	}
	var h proofHeader
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, "", err
	}
	switch {
	case h.Type != proofType:
		return nil, "", errors.New("typ is another")
	case h.Critical != nil:
		return nil, "", errors.New("crit names an extension that is unknown here")
	case h.Chain != nil:
		return nil, "", errors.New("x5c is not supported")
	case (h.KeyID != "") == (h.JWK != nil):
		return nil, "", errors.New("there must be exactly one of kid and jwk")
	}
	var public crypto.PublicKey
	var did string
	if h.JWK != nil {
		if public, err = readJWK(h.JWK); err != nil {
			return nil, "", err
		}
		did, err = vc.DIDJWK(public)
	} else {
		// Only methods that hold the key in the name are taken: nothing is
		// fetched on the word of a stranger.
		did, _, _ = strings.Cut(h.KeyID, "#")
		public, err = vc.ParseDID(h.KeyID)
	}
	if err != nil {
		return nil, "", err
	}
	return public, did, fits(h.Algorithm, public)
}

// fits refuses an algorithm that is not the one of the key.
func fits(algorithm string, public crypto.PublicKey) error {
	switch key := public.(type) {
	case ed25519.PublicKey:
		if algorithm == string(jose.EdDSA) {
			return nil
		}
	case *ecdsa.PublicKey:
		if algorithm == string(jose.ES256) && key.Curve == elliptic.P256() {
			return nil
		}
	}
	return errors.New("the algorithm does not fit the key")
}

// readJWK reads a public key, and refuses one that says more than the public may know.
func readJWK(raw []byte) (crypto.PublicKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := members[private]; ok {
			return nil, errors.New("the key holds a private part")
		}
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if !key.Valid() || !key.IsPublic() {
		return nil, errors.New("the key is no public key")
	}
	return key.Key, nil
}
