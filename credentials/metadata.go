package credentials

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/plinth-id/plinth/credentials/envelope"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/templates"
)

// Metadata is what wallets must know of the issuer (OpenID4VCI 1.0, 12.2.4).
func (i *Issuer) Metadata() (map[string]any, error) {
	published, err := i.messages().Published()
	if err != nil {
		return nil, err
	}
	m := map[string]any{
		"credential_issuer":            i.ID(),
		"credential_endpoint":          i.at("/vci/credential"),
		"nonce_endpoint":               i.at("/vci/nonce"),
		"deferred_credential_endpoint": i.at("/vci/deferred"),
		"notification_endpoint":        i.at("/vci/notification"),
		"credential_request_encryption": map[string]any{
			"jwks": published, "enc_values_supported": envelope.Ciphers, "zip_values_supported": envelope.Zips, "encryption_required": i.Encrypted},
		"credential_response_encryption": map[string]any{
			"alg_values_supported": envelope.Algorithms, "enc_values_supported": envelope.Ciphers, "zip_values_supported": envelope.Zips, "encryption_required": i.Encrypted},
		"display": inEveryLanguage("layout.name"),
	}
	configurations, batch := map[string]any{}, 0
	for _, kind := range i.kinds() {
		configurations[kind.ID] = i.entry(kind)
		batch = max(batch, kind.BatchSize)
	}
	m["credential_configurations_supported"] = configurations
	if batch > 1 {
		m["batch_credential_issuance"] = map[string]any{"batch_size": batch}
	}
	return m, nil
}

// entry describes a kind.
func (i *Issuer) entry(kind Kind) map[string]any {
	entry := maps.Clone(kind.Metadata)
	entry["format"], entry["scope"] = kind.Format, kind.Scope
	if kind.Bound {
		entry["cryptographic_binding_methods_supported"] = kind.Binding
		entry["proof_types_supported"] = i.proofTypes(kind)
	}
	return entry
}

func (i *Issuer) proofTypes(kind Kind) map[string]any {
	of := func(extra map[string]any) map[string]any {
		extra["proof_signing_alg_values_supported"] = proof.Algorithms
		if kind.Levels != nil {
			extra["key_attestations_required"] = kind.Levels
		}
		return extra
	}
	types := map[string]any{proof.JWT: of(map[string]any{})}
	if kind.Levels == nil {
		types[proof.Presentation] = map[string]any{"proof_signing_alg_values_supported": proof.Suites}
	}
	if i.Attesters != nil {
		types[proof.Attestation] = of(map[string]any{})
	}
	return types
}

// signedMetadata is the same as a JWT (12.2.3).
func (i *Issuer) signedMetadata() ([]byte, error) {
	m, err := i.Metadata()
	if err != nil {
		return nil, err
	}
	m["iss"], m["sub"], m["iat"] = i.ID(), i.ID(), i.Now().Unix()
	signer, err := i.metadataSigner()
	if err != nil {
		return nil, fmt.Errorf("signing the issuer metadata: %w", err)
	}
	payload, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("signing the issuer metadata: %w", err)
	}
	compact, err := signed.CompactSerialize()
	return []byte(compact), err
}

// metadataSigner signs under the certificate of documents, as HAIP wants it: its chain
// goes along without the anchor. While that is out of order, the key of our DID signs.
func (i *Issuer) metadataSigner() (jose.Signer, error) {
	options := (&jose.SignerOptions{}).WithType("openidvci-issuer-metadata+jwt")
	if certified, err := i.Chain.Signer(); err == nil {
		var chain []string
		for _, c := range certified.Chain {
			chain = append(chain, base64.StdEncoding.EncodeToString(c.Raw))
		}
		return jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(certified.Signer)}, options.WithHeader("x5c", chain))
	}
	did, err := i.DID()
	if err != nil {
		return nil, err
	}
	key, err := i.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: cryptosigner.Opaque(key.Signer)}, options.WithHeader("kid", did+"#"+key.ID))
}

type display struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

func inEveryLanguage(key string) []display {
	var all []display
	for _, l := range templates.Languages() {
		all = append(all, display{Name: l.Must(key), Locale: l.BCP47})
	}
	return all
}
