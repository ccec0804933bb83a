package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/envelope"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

// Draft 13 of OpenID4VCI, which wallets in the field speak, beside 1.0: at the same
// endpoints, told apart by what only it has, and under an identifier of its own, since
// one metadata document cannot have both shapes.

// draft13Path is what the issuer's identifier has at its end for wallets of draft 13.
const draft13Path = "/vci/draft13"

// What draft 13 refuses with, by codes that 1.0 has no more (7.3.1.2 there).
var (
	errType   = fault.New(fault.Invalid, "There is no such credential type. The issuer metadata lists those there are.").Named("unsupported_credential_type")
	errFormat = fault.New(fault.Invalid, "There is no credential of this format. The issuer metadata lists those there are.").Named("unsupported_credential_format")
)

// older tells a request of draft 13.
func (i *Issuer) older(r CredentialRequest) bool {
	return i.Draft13 && (r.Format != nil || r.Proof != nil)
}

// issueDraft13 answers a request of draft 13: one proof, one credential.
func (i *Issuer) issueDraft13(ctx context.Context, t auth.Token, r CredentialRequest) (Answer, error) {
	i.Dialects.count(dialectDraft13)
	kind, err := i.askedDraft13(t, r)
	if err != nil {
		return Answer{}, err
	}
	var one struct {
		Type string `json:"proof_type"`
		JWT  string `json:"jwt"`
	}
	if r.Proof != nil && (json.Unmarshal(r.Proof, &one) != nil || one.Type != proof.JWT) {
		return Answer{}, errProof.Because(errors.New("proof_type must be jwt"))
	}
	token, err := json.Marshal([]string{one.JWT})
	if err != nil {
		return Answer{}, err
	}
	return i.give(ctx, t, kind, demand{proofs: map[string]json.RawMessage{proof.JWT: token}, audiences: []string{i.at(draft13Path), i.ID()}, draft13: true})
}

// askedDraft13 finds the kind by its format and type.
func (i *Issuer) askedDraft13(t auth.Token, r CredentialRequest) (Kind, error) {
	if r.Proofs != nil || r.Configuration != nil || (r.Identifier == nil) == (r.Format == nil) {
		return Kind{}, errRequest.Because(errors.New("exactly one of format and credential_identifier is needed, and nothing of 1.0"))
	}
	if r.Identifier != nil {
		return i.asked(t, r)
	}
	known := false
	for _, kind := range i.kinds() {
		if kind.Draft13.Format != *r.Format {
			continue
		}
		known = true
		if isType(kind.Draft13, r) {
			return i.granted(t, kind.ID, errType)
		}
	}
	if known {
		return Kind{}, errType
	}
	return Kind{}, errFormat
}

// isType tells whether a request names this type.
func isType(d scribe.Draft13, r CredentialRequest) bool {
	if d.Type != "" {
		return d.Type == r.VCT || d.Type == r.Doctype
	}
	for _, wanted := range r.Definition.Types {
		if !slices.Contains(d.Types, wanted) {
			return false
		}
	}
	return len(r.Definition.Types) > 0
}

// metadataDraft13 describes the issuer as draft 13 has it (11.2.3 there).
func (i *Issuer) metadataDraft13() map[string]any {
	configurations := map[string]any{}
	for _, kind := range i.kinds() {
		if kind.Draft13.Format == "" || kind.HAIP || kind.Levels != nil {
			continue // nothing that draft 13 has no words for
		}
		entry := maps.Clone(kind.Draft13.Metadata)
		entry["format"], entry["scope"] = kind.Draft13.Format, kind.Scope
		if kind.Bound {
			entry["cryptographic_binding_methods_supported"] = kind.Binding
			entry["proof_types_supported"] = map[string]any{proof.JWT: map[string]any{"proof_signing_alg_values_supported": proof.Algorithms}}
		}
		configurations[kind.ID] = entry
	}
	return map[string]any{
		"credential_issuer": i.at(draft13Path), "authorization_servers": []string{i.ID()}, "credential_endpoint": i.at("/vci/credential"),
		"deferred_credential_endpoint": i.at("/vci/deferred"), "notification_endpoint": i.at("/vci/notification"),
		"credential_identifiers_supported": true, "display": inEveryLanguage("layout.name"), "credential_configurations_supported": configurations,
		"credential_response_encryption": map[string]any{"alg_values_supported": envelope.Algorithms, "enc_values_supported": envelope.Ciphers, "encryption_required": i.Encrypted},
	}
}

// CNonce is a nonce as draft 13 hands it out with a token.
func (i *Issuer) CNonce() (string, time.Duration, error) {
	nonce, err := i.Nonce()
	return nonce, nonceLife, err
}
