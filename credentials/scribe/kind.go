package scribe

import (
	"strings"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/credentials/vc"
)

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
	Version    int         // of the definition; 0: built in
	Contexts   []string    // beside that of the data model
	Known      vc.Contexts // what they say
	Type       string      // vct
	shaped     *shaped     // of W3C credentials; nil: none is known
}

// Draft13 is a kind as wallets of draft 13 ask for it.
type Draft13 struct {
	Format   string
	Types    []string // of W3C formats
	Type     string   // vct or doctype of the others
	Metadata map[string]any
}

// Configure makes a configuration of a definition, for the issuer at a base URL.
func Configure(base string, d *kind.Definition, format string) (Kind, error) {
	base = strings.TrimSuffix(base, "/")
	k := Kind{ID: d.Configuration(format), Scope: d.Scope, Format: format, Bound: d.Bound() && format != kind.Code, BatchSize: d.Batch, Daily: d.Daily,
		Approved: d.Approval, HAIP: d.HAIP, Definition: d}
	if a := d.Attestation; a != nil {
		k.Levels = &proof.Levels{Storage: a.Storage, User: a.Users}
	}
	if d.Formats.SDJWT != nil {
		k.Type = TypeAddress(base, d)
	}
	if d.Formats.LDP != nil {
		identity, _ := vc.IdentityContext(base)
		k.Contexts = append([]string{identity}, d.Formats.LDP.Contexts...)
		if path := d.ContextPath(); path != "" {
			var err error
			if k.Known, err = k.Known.With(base+path, d.Context()); err != nil {
				return Kind{}, err
			}
			k.Contexts = append(k.Contexts, base+path)
		}
	}
	k.describe()
	k.learn(base)
	return k, nil
}

// TypeAddress is the type of an SD-JWT VC. Below our own address its metadata is found.
func TypeAddress(base string, d *kind.Definition) string {
	if d.Formats.SDJWT.VCT != "" {
		return d.Formats.SDJWT.VCT
	}
	return strings.TrimSuffix(base, "/") + "/vct/" + d.Name
}

// Pictured tells whether a portrait is needed: it is shown, or printed.
func (k Kind) Pictured() bool { return k.Format == kind.Code || k.Definition.Pictured(k.Format) }
