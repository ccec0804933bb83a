package credentials

import (
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/templates"
)

// Metadata is what wallets must know of the issuer (OpenID4VCI 1.0, 12.2.4).
type Metadata struct {
	Issuer         string                   `json:"credential_issuer"`
	Credential     string                   `json:"credential_endpoint"`
	Nonce          string                   `json:"nonce_endpoint"`
	Notification   string                   `json:"notification_endpoint"`
	Display        []display                `json:"display"`
	Configurations map[string]configuration `json:"credential_configurations_supported"`
}

type display struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

type configuration struct {
	Format     string               `json:"format"`
	Scope      string               `json:"scope"`
	Algorithms []string             `json:"credential_signing_alg_values_supported"`
	Binding    []string             `json:"cryptographic_binding_methods_supported"`
	Proofs     map[string]proofKind `json:"proof_types_supported"`
	Metadata   credentialMetadata   `json:"credential_metadata"`
	Definition definition           `json:"credential_definition"`
}

type proofKind struct {
	Algorithms []string `json:"proof_signing_alg_values_supported"`
}

type credentialMetadata struct {
	Display []display `json:"display"`
	Claims  []claim   `json:"claims"`
}

type claim struct {
	Path      []string  `json:"path"`
	Mandatory bool      `json:"mandatory"`
	Display   []display `json:"display"`
}

type definition struct {
	Context []string `json:"@context"`
	Type    []string `json:"type"`
}

// Scopes says which scope of an authorization request asks for which
// configuration: it is the CredentialScopes of oidc.Config.
func Scopes() map[string]string { return map[string]string{"national_id": NationalID} }

// Metadata describes the issuer.
func (i *Issuer) Metadata() Metadata {
	context, _ := vc.IdentityContext(i.ID())
	algorithms := make([]string, 0, len(proofAlgorithms))
	for _, a := range proofAlgorithms {
		algorithms = append(algorithms, string(a))
	}
	return Metadata{
		Issuer:       i.ID(),
		Credential:   i.at("/vci/credential"),
		Nonce:        i.at("/vci/nonce"),
		Notification: i.at("/vci/notification"),
		Display:      inEveryLanguage("layout.name"),
		Configurations: map[string]configuration{NationalID: {
			Format:     "ldp_vc",
			Scope:      "national_id",
			Algorithms: []string{"eddsa-rdfc-2022"},
			Binding:    []string{"did:key", "did:jwk", "jwk"},
			Proofs:     map[string]proofKind{"jwt": {Algorithms: algorithms}},
			Definition: definition{Context: []string{vc.ContextV2, context}, Type: []string{vc.TypeCredential, vc.TypeNationalID}},
			Metadata: credentialMetadata{
				Display: inEveryLanguage("offer.card"),
				Claims: []claim{
					subjectClaim("fullName", true),
					subjectClaim("birthDate", true),
					subjectClaim("gender", false),
				},
			},
		}},
	}
}

func subjectClaim(name string, mandatory bool) claim {
	return claim{Path: []string{"credentialSubject", name}, Mandatory: mandatory, Display: inEveryLanguage("verify.claim." + name)}
}

func inEveryLanguage(key string) []display {
	var all []display
	for _, l := range templates.Languages() {
		all = append(all, display{Name: l.Must(key), Locale: l.BCP47})
	}
	return all
}
