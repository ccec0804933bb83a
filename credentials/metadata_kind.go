package credentials

import (
	"maps"
	"slices"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/vc"
)

// configuration describes a kind in one format to wallets (OpenID4VCI 1.0, 12.2.4
// and appendix A).
type configuration struct {
	Format     string               `json:"format"`
	Scope      string               `json:"scope"`
	Algorithms []any                `json:"credential_signing_alg_values_supported"` // of ldp_vc the suites, of mdoc numbers of COSE
	Binding    []string             `json:"cryptographic_binding_methods_supported,omitempty"`
	Proofs     map[string]proofKind `json:"proof_types_supported,omitempty"`
	Metadata   credentialMetadata   `json:"credential_metadata"`
	Definition *definition          `json:"credential_definition,omitempty"`
	VCT        string               `json:"vct,omitempty"`
	DocType    string               `json:"doctype,omitempty"`
}

type proofKind struct {
	Algorithms  []string          `json:"proof_signing_alg_values_supported"`
	Attestation *kind.Attestation `json:"key_attestations_required,omitempty"`
}

type credentialMetadata struct {
	Display []kind.Display `json:"display"`
	Claims  []claim        `json:"claims"`
	Reuse   *kind.Reuse    `json:"credential_reuse_policy,omitempty"`
}

type claim struct {
	Path      []string     `json:"path"`
	Mandatory bool         `json:"mandatory"`
	Display   []kind.Label `json:"display,omitempty"`
}

type definition struct {
	Context []string `json:"@context"`
	Type    []string `json:"type"`
}

// Scopes says which configurations a scope of an authorization request asks for: a
// kind in all its formats. It is the CredentialScopes of oidc.Config.
func (i *Issuer) Scopes() map[string][]string {
	scopes := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(*i.active.Load())) {
		if k, _ := i.kind(id); k.Wallet() {
			scopes[k.Scope] = append(scopes[k.Scope], id)
		}
	}
	return scopes
}

// configurations describe every active kind that wallets may ask for.
func (i *Issuer) configurations() map[string]configuration {
	all := map[string]configuration{}
	for id, k := range *i.active.Load() {
		if k.Wallet() {
			all[id] = i.describe(k)
		}
	}
	return all
}

func (i *Issuer) describe(k Kind) configuration {
	c := configuration{Format: k.Format, Scope: k.Scope, Metadata: credentialMetadata{Display: k.Display, Reuse: k.Reuse}}
	var root []string
	var binding []string
	switch k.Format {
	case kind.LDP:
		c.Algorithms, binding, root = []any{k.Formats.LDP.Suite}, []string{"did:key", "did:jwk", "jwk"}, []string{"credentialSubject"}
		c.Definition = &definition{Context: append([]string{vc.ContextV2}, i.contexts(k)...), Type: append([]string{vc.TypeCredential}, k.Formats.LDP.Types...)}
	case kind.SDJWT:
		c.Algorithms, binding, c.VCT = []any{"ES256"}, []string{"jwk"}, i.vct(k.Definition)
	case kind.MDoc:
		c.Algorithms, binding, c.DocType = []any{-7}, []string{"cose_key", "jwk"}, k.Formats.MDoc.DocType
	}
	if k.Bound() {
		c.Binding, c.Proofs = binding, i.proofs(k)
	}
	for _, of := range k.Claims {
		if path := of.At(k.Format); path != nil {
			c.Metadata.Claims = append(c.Metadata.Claims, claim{append(root[:len(root):len(root)], path...), of.Mandatory, of.Display})
		}
	}
	return c
}

// proofs are what a wallet may prove its key by.
func (i *Issuer) proofs(k Kind) map[string]proofKind {
	var algorithms []string
	for _, a := range proofAlgorithms {
		algorithms = append(algorithms, string(a))
	}
	return map[string]proofKind{"jwt": {Algorithms: algorithms, Attestation: k.Attestation}}
}

// contexts are those of a kind beside that of the data model.
func (i *Issuer) contexts(k Kind) []string {
	identity, _ := vc.IdentityContext(i.ID())
	all := append([]string{identity}, k.Formats.LDP.Contexts...)
	if path := k.ContextPath(); path != "" {
		all = append(all, i.at(path))
	}
	return all
}

// vct is the type of an SD-JWT VC. Below our own address its metadata is found.
func (i *Issuer) vct(d *kind.Definition) string {
	if d.Formats.SDJWT.VCT != "" {
		return d.Formats.SDJWT.VCT
	}
	return i.at("/vct/" + d.Name)
}

// typeMetadata describes the type of an SD-JWT VC to verifiers and wallets.
func (i *Issuer) typeMetadata(d *kind.Definition) map[string]any {
	m := d.TypeMetadata()
	maps.Copy(m, map[string]any{"vct": i.vct(d)})
	return m
}
