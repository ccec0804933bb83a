package credentials

import (
	"maps"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
)

// NationalID is the configuration that everybody is offered who is enrolled.
const NationalID = "national_id_ldp_vc"

// Kind is a kind of credential in one format: what a credential configuration of the
// metadata stands for.
type Kind struct {
	ID        string // of the configuration
	Scope     string
	Format    string        // as OpenID4VCI names it; claim169 is only printed
	Bound     bool          // to a key of the holder
	BatchSize int           // copies that one request may ask for
	Daily     int           // copies that a person may be given in a day; 0: any number
	Levels    *proof.Levels // of the attestation that keys must have; nil: none is needed
	Approved  bool          // by an officer, each time
	HAIP      bool          // for wallets of that profile only

	Binding  []string       // how the holder's key is named
	Metadata map[string]any // the other members of its entry in the metadata
	Draft13  Draft13

	Definition *kind.Definition
	Version    int // of the definition; 0: built in
	contexts   []string
	known      vc.Contexts
	vct        string
}

// Draft13 is a kind as wallets of draft 13 ask for it.
type Draft13 struct {
	Format   string
	Types    []string // of W3C formats
	Type     string   // vct or doctype of the others
	Metadata map[string]any
}

// kinds are the active kinds by the configuration, as they were last read.
type kinds map[string]Kind

// expand makes the configurations of a definition.
func (i *Issuer) expand(all kinds, d *kind.Definition, version int) error {
	for _, format := range d.In() {
		k, err := i.configure(d, format)
		if err != nil {
			return err
		}
		k.Version = version
		all[k.ID] = k
	}
	return nil
}

// configure makes one configuration of a definition.
func (i *Issuer) configure(d *kind.Definition, format string) (Kind, error) {
	k := Kind{ID: d.Configuration(format), Scope: d.Scope, Format: format, Bound: d.Bound() && format != kind.Code, BatchSize: d.Batch, Daily: d.Daily,
		Approved: d.Approval, HAIP: d.HAIP, Definition: d}
	if a := d.Attestation; a != nil {
		k.Levels = &proof.Levels{Storage: a.Storage, User: a.Users}
	}
	if d.Formats.SDJWT != nil {
		k.vct = i.vct(d)
	}
	if d.Formats.LDP != nil {
		identity, _ := vc.IdentityContext(i.ID())
		k.contexts = append([]string{identity}, d.Formats.LDP.Contexts...)
		if path := d.ContextPath(); path != "" {
			var err error
			if k.known, err = k.known.With(i.at(path), d.Context()); err != nil {
				return Kind{}, err
			}
			k.contexts = append(k.contexts, i.at(path))
		}
	}
	k.describe()
	return k, nil
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

// definitions are those that were ever active, the active ones first.
func (i *Issuer) definitions() []*kind.Definition {
	return nil
}

// kindOf finds a kind by its name, by its scope or, as the metadata has it, by its
// configuration.
func (i *Issuer) kindOf(name, format string) (Kind, error) {
	var names, formats []string
	for _, k := range *i.active.Load() {
		d := k.Definition
		if name == d.Name || name == d.Scope || name == k.ID || d.Formats.LDP != nil && slices.Contains(d.Formats.LDP.Types, name) {
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

// vct is the type of an SD-JWT VC. Below our own address its metadata is found.
func (i *Issuer) vct(d *kind.Definition) string {
	if d.Formats.SDJWT.VCT != "" {
		return d.Formats.SDJWT.VCT
	}
	return i.at("/vct/" + d.Name)
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
