package credentials

import (
	"maps"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/internal/fault"
)

// NationalID is the configuration that everybody is offered who is enrolled.
const NationalID = "national_id_ldp_vc"

// Kind is a kind of credential in one format: what a credential configuration of the
// metadata stands for.
type Kind = scribe.Kind

// kinds are the active kinds by the configuration, as they were last read.
type kinds map[string]Kind

// expand makes the configurations of a definition.
func (i *Issuer) expand(all kinds, d *kind.Definition, version int) error {
	for _, format := range d.In() {
		k, err := scribe.Configure(i.ID(), d, format)
		if err != nil {
			return err
		}
		k.Version = version
		all[k.ID] = k
	}
	return nil
}

// builtin are the kinds of a deployment that has set up none of its own.
func (i *Issuer) builtin() *kinds {
	all := kinds{}
	for _, d := range kind.Builtin() {
		if err := i.expand(all, d, 0); err != nil {
			panic(err) // compiled in, and tested
		}
	}
	return &all
}

// kind is the active kind of a configuration that wallets may ask for.
func (i *Issuer) kind(id string) (Kind, bool) {
	k, ok := (*i.active.Load())[id]
	return k, ok && k.Format != kind.Code
}

// HAIP tells whether a configuration is for wallets of that profile only.
func (i *Issuer) HAIP(configuration string) bool {
	k, ok := i.kind(configuration)
	return ok && k.HAIP
}

// kinds are all that wallets may ask for, in the order of their names.
func (i *Issuer) kinds() []Kind {
	var all []Kind
	for _, id := range slices.Sorted(maps.Keys(*i.active.Load())) {
		if k, ok := i.kind(id); ok {
			all = append(all, k)
		}
	}
	return all
}

// definitions are those that were ever active, the newest of each kind first.
func (i *Issuer) definitions() (all []*kind.Definition) {
	for _, v := range *i.known.Load() {
		all = append(all, v.Definition)
	}
	return all
}

// called tells whether a kind goes by a name: its own, its scope, its configuration or
// the type of its W3C credential.
func called(k Kind, name string) bool {
	d := k.Definition
	return name == d.Name || name == d.Scope || name == k.ID || d.Formats.LDP != nil && slices.Contains(d.Formats.LDP.Types, name)
}

// kindOf finds a kind by its name, by its scope or, as the metadata has it, by its
// configuration.
func (i *Issuer) kindOf(name, format string) (Kind, error) {
	var names, formats []string
	for _, k := range *i.active.Load() {
		d := k.Definition
		if called(k, name) {
			if k.Format == format {
				return k, nil
			}
			formats = append(formats, k.Format)
		}
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	slices.Sort(formats)
	if len(formats) == 0 {
		return Kind{}, fault.New(fault.Invalid, "There is no such credential. Use one of those that are active.").Named("unknown-type").
			At("type", "is one of: "+strings.Join(names, ", "))
	}
	return Kind{}, fault.New(fault.Invalid, "This credential is not issued in this format.").Named("unknown-format").
		At("format", "is one of: "+strings.Join(formats, ", "))
}

// Scopes says which configurations a scope of an authorization request asks for: a
// kind in all its formats. It is the CredentialScopes of oidc.Config.
func (i *Issuer) Scopes() map[string][]string {
	scopes := map[string][]string{}
	for _, k := range i.kinds() {
		scopes[k.Scope] = append(scopes[k.Scope], k.ID)
	}
	return scopes
}
