package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
)

// ask finds the request that a visit is about, and looks again whether its client
// may still ask: it may have been disabled since.
func (p *Provider) ask(ctx context.Context, v login.Visit) (asked, client, error) {
	var a asked
	if v.Kept != nil {
		sealed, err := recall(ctx, p.Pool, v.Kept, p.Now())
		if errors.Is(err, pgx.ErrNoRows) {
			return a, client{}, errEnded
		}
		if err != nil {
			return a, client{}, fmt.Errorf("recalling a request: %w", err)
		}
		if a, err = p.unseal(sealed, v.Kept); err != nil {
			return a, client{}, err
		}
	} else if err := json.Unmarshal(v.Request, &a); err != nil {
		return a, client{}, fmt.Errorf("recalling a request: %w", err)
	}
	if a.Client == accountClient {
		return a, p.own(), nil
	}
	c, err := p.find(ctx, p.Pool, a.Client)
	if err == nil && a.Deferred == "" && !c.registered(a.Redirect) {
		err = errRedirect
	}
	return a, c, err
}

// recall tells the pages what a visit is about.
func (p *Provider) recall(ctx context.Context, v login.Visit) (login.Asked, error) {
	a, c, err := p.ask(ctx, v)
	if err != nil {
		return login.Asked{}, err
	}
	shown := login.Asked{Client: c.ID, Name: c.named, Logo: c.LogoURI, Policy: c.PolicyURI, Purpose: c.purposeIn, Redirect: a.Redirect,
		Credentials: a.Configurations, Days: int(c.consentLife() / (24 * time.Hour)), Offline: slices.Contains(a.Scopes, offline), Binding: a.Binding, ACR: a.ACR, Must: a.MustACR, Sandbox: p.Sandbox}
	shown.Powers, shown.Resources = powers(a.Details), a.Resources
	for _, name := range a.claims() {
		shown.Claims = append(shown.Claims, login.Claim{Name: name, Essential: slices.Contains(a.Essential, name), Purpose: a.Purposes[name], Verified: a.Verified.has(name)})
	}
	return shown, nil
}

// named is the client's name in a language, or the one that it has for all.
func (c client) named(lang string) string {
	if name := c.Names[lang]; name != "" {
		return name
	}
	return c.Name
}

// purposeIn is why the client asks, in a language.
func (c client) purposeIn(lang string) string {
	for _, key := range []string{lang, "@none"} {
		if title := c.Purpose.Titles[key]; title != "" {
			return title
		}
	}
	return ""
}

// answered tells the pages whether a person has answered a question before.
func (p *Provider) answered(ctx context.Context, v login.Visit, proof auth.Proof) ([]string, bool, error) {
	a, c, err := p.ask(ctx, v)
	// What happens on another device is always shown: whoever sent the code hopes that
	// it is not (RFC 8628 5.4).
	if err != nil || a.prompts("consent") || a.Deferred != "" {
		return nil, false, err
	}
	if c.ID == accountClient {
		return nil, true, nil // it is told nothing that the person does not see
	}
	return p.recollect(ctx, visitor{visit: v, asked: a, client: c, proof: proof})
}

// errUnmet is the error of OpenID Connect Core Unmet Authentication Requirements 1.0.
var errUnmet = &fosite.RFC6749Error{ErrorField: "unmet_authentication_requirements", CodeField: 400,
	DescriptionField: "The login is not as strong as the client demands."}

// ended ends a visit for the pages.
func (p *Provider) end(ctx context.Context, v login.Visit, d login.Decision) (login.Ending, error) {
	a, c, err := p.ask(ctx, v)
	if err != nil {
		return login.Ending{}, err
	}
	m := permission{visit: v, asked: a, client: c, decision: d}
	if c.ID == accountClient {
		return p.settleHome(ctx, m)
	}
	var answer url.Values
	var session ticket
	switch {
	case !d.Allowed:
		err = fosite.ErrAccessDenied.WithHint("The person did not allow it.")
	case a.MustACR && !a.strong(d.Proof.Methods()):
		err = errUnmet
	default:
		answer, session, err = p.permit(ctx, m)
	}
	if known, ok := refusal(err); ok {
		if a.Deferred != "" {
			if err := postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error { return p.settleDeferred(ctx, tx, m, false) }); err != nil {
				return login.Ending{}, err
			}
			p.wake()
		}
		if v.Kept != nil {
			if _, err := forget(ctx, p.Pool, v.Kept); err != nil {
				return login.Ending{}, err
			}
		}
		answer, err = failure(known), nil
	}
	if err != nil {
		return login.Ending{}, err
	}
	ending := login.Ending{}
	if session.id != uuid.Nil {
		ending.Session = p.write(session)
	}
	ending.To, err = p.back(ctx, c, a, answer)
	return ending, err
}

// finish ends a visit that showed no page.
func (p *Provider) finish(ctx context.Context, v login.Visit, d login.Decision) (string, error) {
	ending, err := p.end(ctx, v, d)
	return ending.To, err
}

// permission is a decision about a request.
type permission struct {
	visit    login.Visit
	asked    asked
	client   client
	decision login.Decision
}

// facts are what the token endpoint must know of the request. None is about the person.
type facts struct {
	Redirect  string           `json:"redirect,omitempty"`
	Nonce     string           `json:"nonce,omitempty"`
	Challenge string           `json:"challenge,omitempty"`
	JKT       string           `json:"jkt,omitempty"` // the code is for the holder of this key
	UserInfo  []string         `json:"userinfo,omitempty"`
	IDToken   []string         `json:"id_token,omitempty"`
	Values    map[string][]any `json:"values,omitempty"`
	Verified  *verifiedWish    `json:"verified,omitempty"`
	Locales   []string         `json:"locales,omitempty"`
	Details   []detail         `json:"details,omitempty"`
	Resources []string         `json:"resources,omitempty"`
	Offline   bool             `json:"offline,omitempty"` // there is a refresh token, and the end of the session does not end it
	Actor     string           `json:"actor,omitempty"`
	Instance  string           `json:"instance,omitempty"` // of an attested wallet, for which all that comes of it is
}

// permit writes down what was allowed, and makes the code that stands for it.
func (p *Provider) permit(ctx context.Context, m permission) (url.Values, ticket, error) {
	a := m.asked
	name := m.visit.ID
	if a.Deferred != "" {
		name = a.Deferred
	}
	id, err := uuid.Parse(name)
	if err != nil {
		return nil, ticket{}, fmt.Errorf("finishing a login: %w", err)
	}
	grant, err := p.Desk.Grant(m.decision.Proof, auth.Terms{Client: a.Client, Scopes: a.Scopes, Claims: m.decision.Claims, Configurations: a.Configurations, ACRs: a.ACR})
	if err != nil {
		return nil, ticket{}, err
	}
	r, err := p.codeRow(id, grant, m)
	if err != nil {
		return nil, ticket{}, err
	}
	var session ticket
	err = postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		if err := p.expected(ctx, tx, m, grant); err != nil {
			return err
		}
		if m.visit.Kept != nil {
			if first, err := forget(ctx, tx, m.visit.Kept); err != nil || !first {
				return orEnded(err)
			}
		}
		if err := p.accept(ctx, tx, a); err != nil {
			return err
		}
		if session, err = p.settleIn(ctx, tx, m); err != nil {
			return err
		}
		consent, err := p.consent(ctx, tx, m, grant)
		if err != nil {
			return err
		}
		r.session, r.consent = &session.id, &consent.ID
		if r.facts.Offline {
			r.expires = consent.Ends
		}
		if a.Deferred != "" {
			r.code, r.expires = nil, later(r.expires, p.Now().Add(deferredLife+tokenLife))
			if err := p.settleDeferred(ctx, tx, m, true); err != nil {
				return err
			}
		}
		if first, err := insertGrant(ctx, tx, r); err != nil || !first {
			return orEnded(err)
		}
		return nil
	})
	if a.Deferred != "" {
		p.wake()
		return url.Values{}, session, err
	}
	return url.Values{"code": {p.write(ticket{kind: codeKind, id: id})}}, session, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func orEnded(err error) error {
	if err != nil {
		return err
	}
	return errEnded
}

// expected refuses another person than the one that the client already knows.
func (p *Provider) expected(ctx context.Context, tx pgx.Tx, m permission, grant auth.Grant) error {
	if m.asked.Person != uuid.Nil && m.asked.Person != grant.Person() {
		return fosite.ErrAccessDenied.WithHint("Another person logged in.")
	}
	if m.asked.Subject == "" {
		return nil
	}
	same, err := p.isExpected(ctx, tx, m.client, m.asked, grant.Person())
	if err == nil && !same {
		err = fosite.ErrLoginRequired.WithHint("Another person logged in.")
	}
	return err
}

func (p *Provider) isExpected(ctx context.Context, db postgres.DB, c client, a asked, person uuid.UUID) (bool, error) {
	subject, err := p.Registry.Pairwise(ctx, db, c.sector(), person)
	return subject == a.Subject, err
}

var errUnproven = errors.New("no token without a proven person")

// codeRow seals a grant behind a code. Nothing is made for nobody.
func (p *Provider) codeRow(id uuid.UUID, grant auth.Grant, m permission) (row, error) {
	if grant.Zero() {
		return row{}, errUnproven
	}
	sealed, err := p.Desk.SealGrant(grant, id[:])
	if err != nil {
		return row{}, err
	}
	a, ends := m.asked, p.Now().Add(codeLife)
	return row{id: id, client: grant.Client(), sealed: sealed, code: &ends, expires: ends.Add(tokenLife),
		facts: facts{Redirect: a.Redirect, Nonce: a.Nonce, Challenge: a.Challenge, JKT: a.JKT, UserInfo: a.UserInfo, IDToken: a.IDToken, Values: a.Values,
			Verified: a.Verified, Locales: a.Locales, Details: a.Details, Resources: a.Resources, Offline: slices.Contains(a.Scopes, offline), Instance: a.Instance}}, nil
}
