package oidc

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
)

// anybody tells who asks where no client need be known. One that we know must prove
// itself even here; to one that we do not know, its name gives nothing, though its
// maker's word does.
func (p *Provider) anybody(ctx context.Context, r fosite.AccessRequester) (client, error) {
	if authenticated, ok := r.GetClient().(client); ok {
		return authenticated, nil
	}
	form := r.GetRequestForm()
	refused := fosite.ErrInvalidClient.WithHint("The client could not be authenticated.")
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		return client{}, refused
	}
	name, a := form.Get("client_id"), attested{}
	if request := sessionOf(r).request; p.isAttested(request) {
		var err error
		if a, err = p.attestation(request); err != nil {
			return client{}, err
		}
		if name != "" && name != a.subject {
			return client{}, refused
		}
		name = a.subject
	}
	if name == "" {
		return client{}, nil
	}
	if _, err := p.find(ctx, txOf(ctx), name); known(err) {
		return client{}, either(err, refused)
	}
	return client{instance: a.instance}, p.attestOnce(ctx, a)
}

// errOffered is the answer to an issuer_state that is of no use.
var errOffered = fosite.ErrInvalidRequest.WithHint("The issuer_state is of no credential offer that can still be taken up.")

// offered reads the issuer_state of a credential offer. The offer is for one person, so
// nobody else may log in; it gives nothing else, for it may come from anywhere.
func (p *Provider) offered(ctx context.Context, a *asked, state string) error {
	if state == "" || p.Offered == nil {
		return nil
	}
	person, err := p.Offered(ctx, p.Pool, state)
	if fault.Is(err, fault.Denied) {
		return errOffered
	}
	a.IssuerState, a.Person = state, person
	return err
}

// accept uses up the offer that a login began with.
func (p *Provider) accept(ctx context.Context, tx pgx.Tx, a asked) error {
	if a.IssuerState == "" {
		return nil
	}
	err := p.Accepted(ctx, tx, a.IssuerState)
	if fault.Is(err, fault.Denied) {
		return errOffered
	}
	return err
}

// profiled refuses credentials of the profile HAIP to whoever does not follow it.
func (p *Provider) profiled(configurations []string, follows bool) error {
	if follows || p.HAIP == nil || !slices.ContainsFunc(configurations, p.HAIP) {
		return nil
	}
	return fosite.ErrInvalidClient.WithHint("This credential is for wallets that a trusted maker attests.")
}

// identifiers are the names under which a wallet must ask for what its token is for.
func (f facts) identifiers() []string {
	var all []string
	for _, d := range granted(f.Details) {
		if d.Type == credentialDetail {
			all = append(all, d.Identifiers...)
		}
	}
	return all
}
