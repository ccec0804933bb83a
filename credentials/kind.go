package credentials

import (
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/internal/fault"
)

// NationalID is the configuration that everybody is offered who is enrolled.
const NationalID = "national_id_ldp_vc"

// Kind is a kind of credential in one format: what a credential configuration of the
// metadata stands for. Only activation makes one, so all that it names can be signed.
type Kind struct {
	*kind.Definition
	ID      string // of the configuration
	Format  string // as OpenID4VCI names it; claim169 is only printed
	Version int    // of the definition
}

// Wallet tells whether wallets may ask for it: a code is for paper.
func (k Kind) Wallet() bool { return k.Format != kind.Code }

// kinds are the active kinds by the configuration, as they were last read.
type kinds map[string]Kind

// expand makes the configurations of a definition.
func (all kinds) expand(d *kind.Definition, version int) {
	for _, format := range d.In() {
		k := Kind{Definition: d, ID: d.Configuration(format), Format: format, Version: version}
		all[k.ID] = k
	}
}

// builtin are the kinds of a deployment that has set up none of its own.
func builtin() *kinds {
	all := kinds{}
	for _, d := range kind.Builtin() {
		all.expand(d, 0)
	}
	return &all
}

// kind is the active kind of a configuration.
func (i *Issuer) kind(id string) (Kind, bool) {
	k, ok := (*i.active.Load())[id]
	return k, ok
}

// places are the addresses that documents of a kind hold.
func (i *Issuer) places(k Kind) (p places) {
	if k.Formats.SDJWT != nil {
		p.vct = i.vct(k.Definition)
	}
	if k.Formats.LDP == nil {
		return p
	}
	p.contexts = i.contexts(k)
	if path := k.ContextPath(); path != "" {
		if known, err := p.known.With(i.at(path), k.Context()); err == nil {
			p.known = known // what is not known cannot be signed, and says so
		}
	}
	return p
}

// kindOf finds a kind by its name, by its scope or, as the metadata has it, by its
// configuration.
func (i *Issuer) kindOf(name, format string) (Kind, error) {
	var names, formats []string
	for _, k := range *i.active.Load() {
		if name == k.Name || name == k.Scope || name == k.ID || k.Formats.LDP != nil && slices.Contains(k.Formats.LDP.Types, name) {
			if k.Format == format {
				return k, nil
			}
			formats = append(formats, k.Format)
		}
		if !slices.Contains(names, k.Name) {
			names = append(names, k.Name)
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
