package present

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/internal/keys"
)

// Names of the protocol.
const (
	selfIssued       = "https://self-issued.me/v2" // the audience where the wallet is not known (5.8)
	protocolUnsigned = "openid4vp-v1-unsigned"
	protocolSigned   = "openid4vp-v1-signed"
	walletScheme     = "openid4vp://"
)

// sealings are how answers may be encrypted; HAIP 1.0 demands both.
var sealings = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM}

// newKey makes the key of one request, to which its answer is sealed.
func newKey() ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of a request: %w", err)
	}
	return x509.MarshalECPrivateKey(private)
}

// key is the request's own key as a JWK, with its private half.
func (a asked) key() (jose.JSONWebKey, error) {
	private, err := x509.ParseECPrivateKey(a.Key)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("reading the key of a request: %w", err)
	}
	return jose.JSONWebKey{Key: private, KeyID: keys.Thumbprint(private.Public())[:16], Algorithm: string(jose.ECDH_ES), Use: "enc"}, nil
}

// thumbprint is what binds an mdoc to the key; nil when answers are not sealed.
func (a asked) thumbprint() ([]byte, error) {
	if len(a.Key) == 0 {
		return nil, nil
	}
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(keys.Thumbprint(key.Public().Key))
}

// supported are the formats and algorithms that are checked here.
var supported = map[string]any{
	dcql.FormatSDJWT: map[string]any{"sd-jwt_alg_values": []string{"ES256", "ES384", "EdDSA"}, "kb-jwt_alg_values": []string{"ES256", "ES384", "EdDSA"}},
	dcql.FormatMdoc:  map[string]any{"issuerauth_alg_values": []int{-7, -9, -8}, "deviceauth_alg_values": []int{-7, -9, -8}},
	dcql.FormatLDP:   map[string]any{"proof_type_values": []string{"DataIntegrityProof"}, "cryptosuite_values": []string{"ecdsa-rdfc-2019", "eddsa-rdfc-2022", "ecdsa-sd-2023"}},
	dcql.FormatJWT:   map[string]any{"alg_values": []string{"ES256", "ES384", "EdDSA"}},
}

// metadata is what a wallet must know of us (client_metadata).
func (k *Counter) metadata(a asked) (map[string]any, error) {
	formats := map[string]any{}
	for _, c := range a.Query.Credentials {
		formats[c.Format] = supported[c.Format]
	}
	m := map[string]any{"vp_formats_supported": formats}
	if k.Name != "" {
		m["client_name"] = k.Name
	}
	if len(a.Key) > 0 {
		key, err := a.key()
		if err != nil {
			return nil, err
		}
		m["jwks"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}
		m["encrypted_response_enc_values_supported"] = sealings
	}
	return m, nil
}

// parameters are the request as OpenID4VP has it, without what signing adds.
func (k *Counter) parameters(a asked) (map[string]any, error) {
	metadata, err := k.metadata(a)
	if err != nil {
		return nil, err
	}
	p := map[string]any{"response_type": "vp_token", "response_mode": a.Mode, "nonce": a.Nonce}
	// Wallets that know us beforehand refuse metadata that could differ (8.5); the
	// key of this very request they cannot know.
	p["client_metadata"] = metadata
	if len(a.Definition) > 0 {
		p["presentation_definition"] = a.Definition
	} else {
		p["dcql_query"] = a.Query
	}
	if len(a.Transaction) > 0 {
		p["transaction_data"] = a.Transaction
	}
	if len(a.Info) > 0 {
		p["verifier_info"] = a.Info
	}
	if a.Purpose != "" {
		p["purpose"] = a.Purpose // wallets overlook what they do not know
	}
	if a.overAPI() {
		return p, nil
	}
	p["client_id"], p["response_uri"], p["state"] = a.ClientID, a.ResponseURI, a.State
	return p, nil
}

// overAPI tells whether a browser carries the request.
func (a asked) overAPI() bool { return a.Mode == modeAPI || a.Mode == modeAPISealed }

// object is the signed request. walletNonce is what the wallet wants to see again.
func (k *Counter) object(a asked, walletNonce string) (string, error) {
	claims, err := k.parameters(a)
	if err != nil {
		return "", err
	}
	now := k.Now()
	// No iss, which would say nothing (section 5): wallets that look at it want the DID
	// there that the key is of, without the prefix.
	claims["client_id"], claims["aud"] = a.ClientID, selfIssued
	claims["iat"], claims["exp"] = now.Unix(), a.Expires.Unix()
	if walletNonce != "" {
		claims["wallet_nonce"] = walletNonce
	}
	if a.overAPI() {
		claims["expected_origins"] = a.Origins
	}
	return k.sign(a.Prefix, claims)
}

// link opens a wallet: by reference where the request is signed, and otherwise with
// all of it, since an unsigned request has no form in which it could be fetched.
func (k *Counter) link(a asked, requestURI, method string) (string, error) {
	query := url.Values{"client_id": {a.ClientID}}
	if a.Prefix != byRedirect {
		query.Set("request_uri", requestURI)
		if method == methodPost {
			query.Set("request_uri_method", methodPost)
		}
		return walletScheme + "?" + query.Encode(), nil
	}
	parameters, err := k.parameters(a)
	if err != nil {
		return "", err
	}
	for name, value := range parameters {
		if text, ok := value.(string); ok {
			query.Set(name, text)
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return "", fmt.Errorf("writing a request: %w", err)
		}
		query.Set(name, string(raw))
	}
	return walletScheme + "?" + strings.ReplaceAll(query.Encode(), "+", "%20"), nil
}

// forBrowser is the argument of navigator.credentials.get.
func (k *Counter) forBrowser(a asked) (map[string]any, error) {
	if a.Prefix == byRedirect {
		parameters, err := k.parameters(a)
		return map[string]any{"protocol": protocolUnsigned, "data": parameters}, err
	}
	signed, err := k.object(a, "")
	return map[string]any{"protocol": protocolSigned, "data": map[string]any{"request": signed}}, err
}
