package scribe

import (
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/vc"
)

// The algorithms of the key of documents, as JOSE and COSE name them.
const (
	algorithmJOSE = "ES256"
	algorithmCOSE = -7
)

// describe writes what wallets must know of a kind (OpenID4VCI 1.0, 12.2.4 and
// appendix A), for those of draft 13 as well.
func (k *Kind) describe() {
	d := k.Definition
	m, older := map[string]any{}, map[string]any{"display": d.Display}
	k.Draft13 = Draft13{Format: k.Format, Metadata: older}
	both := func(name string, v any) { m[name], older[name] = v, v }
	switch k.Format {
	case kind.LDP:
		k.Binding = []string{"did:key", "did:jwk", "jwk"}
		k.Draft13.Types = append([]string{vc.TypeCredential}, d.Formats.LDP.Types...)
		both("credential_signing_alg_values_supported", []string{d.Formats.LDP.Suite})
		both("credential_definition", map[string]any{"@context": append([]string{vc.ContextV2}, k.Contexts...), "type": k.Draft13.Types})
	case kind.SDJWT:
		k.Binding, k.Draft13.Format, k.Draft13.Type = []string{"jwk"}, "vc+sd-jwt", k.Type
		both("credential_signing_alg_values_supported", []string{algorithmJOSE})
		both("vct", k.Type)
	case kind.MDoc:
		k.Binding, k.Draft13.Type = []string{"cose_key", "jwk"}, d.Formats.MDoc.DocType
		m["credential_signing_alg_values_supported"], older["credential_signing_alg_values_supported"] = []int{algorithmCOSE}, []string{algorithmJOSE}
		both("doctype", d.Formats.MDoc.DocType)
	}
	about := map[string]any{"display": d.Display, "claims": k.claims()}
	if d.Reuse != nil {
		about["credential_reuse_policy"] = d.Reuse
	}
	m["credential_metadata"] = about
	k.Metadata = m
}

type claim struct {
	Path      []string     `json:"path"`
	Mandatory bool         `json:"mandatory"`
	Display   []kind.Label `json:"display,omitempty"`
}

// claims are what a kind says, by the paths of its format.
func (k *Kind) claims() (all []claim) {
	for _, c := range k.Definition.Claims {
		path := c.At(k.Format)
		if path == nil {
			continue
		}
		if k.Format == kind.LDP {
			path = append([]string{"credentialSubject"}, path...)
		}
		all = append(all, claim{path, c.Mandatory, c.Display})
	}
	return all
}
