package credentials

import (
	"context"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/credentials/shelf"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

// shelf keeps the kinds.
func (i *Issuer) shelf() *shelf.Shelf { return &shelf.Shelf{Pool: i.Pool, Now: i.Now} }

// Reload reads which kinds are active, so that this process issues what another one
// activated.
func (i *Issuer) Reload(ctx context.Context) error {
	versions, err := i.shelf().All(ctx)
	if err != nil {
		return err
	}
	all, known := kinds{}, []shelf.Version{}
	for _, v := range versions {
		if v.State == shelf.Active || v.State == shelf.Retired {
			known = append(known, v)
		}
		if v.State != shelf.Active {
			continue
		}
		if err := i.expand(all, v.Definition, v.Version); err != nil {
			return err
		}
	}
	i.known.Store(&known)
	i.active.Store(&all)
	return nil
}

// Rehearse rehearses a version of a kind, the newest for -1, and records when nothing
// stands against it. With an identity number it is rehearsed with that person, for an
// officer who has to see it.
func (i *Issuer) Rehearse(ctx context.Context, name string, version int, with Rehearsal) (scribe.Report, error) {
	v, err := i.shelf().Get(ctx, name, version)
	if err != nil {
		return scribe.Report{}, err
	}
	samples := scribe.Samples(v.Definition)
	if with.UIN != "" {
		who, err := i.looked(ctx, with)
		if err != nil {
			return scribe.Report{}, err
		}
		samples = []scribe.Sample{{Name: "person", Who: who}}
	}
	report, err := scribe.Rehearse(ctx, scribe.Stand{Base: i.ID(), Now: i.Now()}, v.Definition, samples)
	if err != nil {
		return report, err
	}
	for _, c := range v.Definition.Claims {
		if f := c.From.Field; f != "" && !i.Registry.Schema.Has(f) {
			report.Problems = append(report.Problems, "claim "+c.Name+": the identity schema has no field "+f)
		}
	}
	if len(report.Problems) == 0 && v.Version > 0 && with.UIN == "" && (v.State == shelf.Draft || v.State == shelf.DryRun) {
		return report, i.shelf().Rehearsed(ctx, name, v.Version, with.By)
	}
	return report, nil
}

// Rehearsal says who wants a rehearsal, and with whose data.
type Rehearsal struct {
	By  string // actor
	UIN string // or VID; empty: of people who do not exist
}

// looked reads a person for an officer, which is kept.
func (i *Issuer) looked(ctx context.Context, with Rehearsal) (registry.Identity, error) {
	person, err := i.Registry.Find(ctx, i.Pool, with.UIN)
	if err != nil {
		return registry.Identity{}, err
	}
	if err := audit.Append(ctx, i.Pool, audit.Entry{Event: audit.CredentialShown, Person: person, Actor: with.By, Details: map[string]string{"for": "rehearsal"}}); err != nil {
		return registry.Identity{}, err
	}
	return i.Registry.Read(ctx, i.Pool, person)
}

// Draft drafts a version of a kind.
func (i *Issuer) Draft(ctx context.Context, document []byte, by string) (shelf.Version, error) {
	return i.shelf().Add(ctx, document, by)
}

// Activate puts a version of a kind to use, the newest for -1, after it was rehearsed
// once more.
func (i *Issuer) Activate(ctx context.Context, name string, version int, by string) (scribe.Report, error) {
	v, err := i.shelf().Get(ctx, name, version)
	if err != nil {
		return scribe.Report{}, err
	}
	report, err := i.Rehearse(ctx, name, v.Version, Rehearsal{By: by})
	if err != nil {
		return report, err
	}
	if len(report.Problems) > 0 {
		f := fault.New(fault.Invalid, "This kind of credential cannot be activated.").Named("kind-refused")
		for _, p := range report.Problems {
			f = f.At("definition", p)
		}
		return report, f
	}
	if err := i.clash(ctx, v.Definition); err != nil {
		return report, err
	}
	if err := i.shelf().Activate(ctx, name, v.Version, by); err != nil {
		return report, err
	}
	return report, i.Reload(ctx)
}

// clash refuses a kind that another active one could be taken for.
func (i *Issuer) clash(ctx context.Context, d *kind.Definition) error {
	if err := i.Reload(ctx); err != nil {
		return err
	}
	for _, k := range *i.active.Load() {
		other := k.Definition
		if other.Name == d.Name {
			continue
		}
		bad := fault.New(fault.Conflict, "Another kind of credential has this already. Choose another, or retire that one.").Named("kind-clash")
		switch {
		case other.Scope == d.Scope:
			return bad.At("scope", "is that of "+other.Name)
		case other.Formats.MDoc != nil && d.Formats.MDoc != nil && other.Formats.MDoc.DocType == d.Formats.MDoc.DocType:
			return bad.At("doctype", "is that of "+other.Name)
		case other.Formats.SDJWT != nil && d.Formats.SDJWT != nil && scribe.TypeAddress(i.ID(), other) == scribe.TypeAddress(i.ID(), d):
			return bad.At("vct", "is that of "+other.Name)
		}
	}
	return nil
}

// Retire takes a kind out of use.
func (i *Issuer) Retire(ctx context.Context, name, by string) error {
	if err := i.shelf().Retire(ctx, name, by); err != nil {
		return err
	}
	return i.Reload(ctx)
}

// Kinds lists every version of every kind.
func (i *Issuer) Kinds(ctx context.Context) ([]shelf.Version, error) { return i.shelf().All(ctx) }

// KindVersion finds a version of a kind, the newest for -1.
func (i *Issuer) KindVersion(ctx context.Context, name string, version int) (shelf.Version, error) {
	return i.shelf().Get(ctx, name, version)
}
