package credentials

import (
	"maps"
	"slices"

	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/vc"
)

// NationalID is the identifier of the one credential configuration so far.
const NationalID = "national_id_ldp_vc"

// Kind is a kind of credential as wallets get it: one credential configuration.
type Kind struct {
	ID        string
	Scope     string
	Format    string
	Bound     bool          // to a key of the holder
	BatchSize int           // copies that one request may ask for
	Daily     int           // copies that a person may be given in a day
	Levels    *proof.Levels // of the attestation that keys must have; nil: none is needed
	Approved  bool          // by an officer, each time
	HAIP      bool          // for wallets of that profile only
	Reuse     string        // how its copies are to be used, by the names of ETSI TS 119 472-3

	Binding  []string       // how the holder's key is named
	Metadata map[string]any // the other members of its entry in the metadata
	Draft13  Draft13
}

// Draft13 is a kind as wallets of draft 13 ask for it.
type Draft13 struct {
	Format   string
	Types    []string // of W3C formats
	Type     string   // vct or doctype of the others
	Metadata map[string]any
}

// Scopes says which scope of an authorization request asks for which
// configuration: it is the CredentialScopes of oidc.Config.
func Scopes() map[string]string { return map[string]string{"national_id": NationalID} }

// kinds are the active kinds by the configuration.
type kinds map[string]Kind

// builtin are the kinds of a deployment that has set up none of its own.
func (i *Issuer) builtin() *kinds {
	context, _ := vc.IdentityContext(i.ID())
	definition := map[string]any{"@context": []string{vc.ContextV2, context}, "type": []string{vc.TypeCredential, vc.TypeNationalID}}
	suites := []string{"eddsa-rdfc-2022"}
	names := inEveryLanguage("offer.card")
	return &kinds{NationalID: {
		ID: NationalID, Scope: "national_id", Format: "ldp_vc", Bound: true, BatchSize: 20, Daily: 100, Reuse: "once_only",
		Binding: []string{"did:key", "did:jwk", "jwk"},
		Metadata: map[string]any{"credential_signing_alg_values_supported": suites, "credential_definition": definition,
			"credential_metadata": map[string]any{"display": names,
				"claims": []claim{subjectClaim("fullName", true), subjectClaim("birthDate", true), subjectClaim("gender", false)}}},
		Draft13: Draft13{Format: "ldp_vc", Types: []string{vc.TypeCredential, vc.TypeNationalID},
			Metadata: map[string]any{"credential_signing_alg_values_supported": suites, "credential_definition": definition, "display": names}},
	}}
}

// kinds are all that wallets may ask for, in the order of their names.
func (i *Issuer) kinds() []Kind {
	var all []Kind
	for _, id := range slices.Sorted(maps.Keys(*i.active.Load())) {
		all = append(all, (*i.active.Load())[id])
	}
	return all
}

// kind finds one by its configuration id.
func (i *Issuer) kind(id string) (Kind, bool) {
	k, ok := (*i.active.Load())[id]
	return k, ok
}

// HAIP tells whether a configuration is for wallets of that profile alone.
func (i *Issuer) HAIP(id string) bool {
	kind, _ := i.kind(id)
	return kind.HAIP
}

// sign makes one document of a kind, as its format has it in a file.
func (i *Issuer) sign(_ Kind, s statement) ([]byte, error) { return i.signVC(s) }

type display struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

type claim struct {
	Path      []string  `json:"path"`
	Mandatory bool      `json:"mandatory"`
	Display   []display `json:"display"`
}

func subjectClaim(name string, mandatory bool) claim {
	return claim{Path: []string{"credentialSubject", name}, Mandatory: mandatory, Display: inEveryLanguage("verify.claim." + name)}
}
