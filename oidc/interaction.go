package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
)

// ask finds the request that a visit is about, and looks again whether its client
// may still ask: it may have been disabled since.
func (p *Provider) ask(ctx context.Context, v login.Visit) (asked, client, error) {
	var a asked
	if v.Kept != nil {
		sealed, err := recall(ctx, p.Pool, v.Kept, v.ID, p.Now())
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
	c, err := p.find(ctx, p.Pool, a.Client)
	if err == nil && !c.registered(a.Redirect) {
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
	shown := login.Asked{Client: c.ID, Name: c.named, Redirect: a.Redirect, Credentials: a.Configurations, Minutes: int(tokenLife / time.Minute)}
	for _, name := range a.claims() {
		shown.Claims = append(shown.Claims, login.Claim{Name: name, Essential: slices.Contains(a.Essential, name)})
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

// errUnmet is the error of OpenID Connect Core Unmet Authentication Requirements 1.0.
var errUnmet = &fosite.RFC6749Error{ErrorField: "unmet_authentication_requirements", CodeField: 400,
	DescriptionField: "The login is not as strong as the client demands."}

// finish ends a visit and gives the address to lead the person back to.
func (p *Provider) finish(ctx context.Context, v login.Visit, d login.Decision) (string, error) {
	a, c, err := p.ask(ctx, v)
	if err != nil {
		return "", err
	}
	var answer url.Values
	switch {
	case !d.Allowed:
		err = fosite.ErrAccessDenied.WithHint("The person did not allow it.")
	case len(a.ACR) > 0 && !slices.Contains(a.ACR, d.Proof.ACR()):
		err = errUnmet
	default:
		answer, err = p.permit(ctx, permission{visit: v, asked: a, client: c, decision: d})
	}
	if known, ok := refusal(err); ok {
		if v.Kept != nil {
			if _, err := forget(ctx, p.Pool, v.Kept, v.ID); err != nil {
				return "", err
			}
		}
		return p.back(a, failure(known)), nil
	}
	if err != nil {
		return "", err
	}
	return p.back(a, answer), nil
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
	Redirect  string   `json:"redirect,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	Challenge string   `json:"challenge,omitempty"`
	UserInfo  []string `json:"userinfo,omitempty"`
	IDToken   []string `json:"id_token,omitempty"`
	Locales   []string `json:"locales,omitempty"`
	Details   []string `json:"details,omitempty"`
}

// permit writes down what was allowed, and makes the code that stands for it.
func (p *Provider) permit(ctx context.Context, m permission) (url.Values, error) {
	a := m.asked
	id, err := uuid.Parse(m.visit.ID)
	if err != nil {
		return nil, fmt.Errorf("finishing a login: %w", err)
	}
	grant, err := p.Desk.Grant(m.decision.Proof, auth.Terms{Client: a.Client, Scopes: a.Scopes, Claims: m.decision.Claims, Configurations: a.Configurations})
	if err != nil {
		return nil, err
	}
	code := secret()
	r, err := p.codeRow(id, grant, code)
	if err != nil {
		return nil, err
	}
	r.facts = facts{Redirect: a.Redirect, Nonce: a.Nonce, Challenge: a.Challenge, UserInfo: a.UserInfo, IDToken: a.IDToken, Locales: a.Locales, Details: a.Details}
	err = postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		if err := p.expected(ctx, tx, m, grant); err != nil {
			return err
		}
		if m.visit.Kept != nil {
			if first, err := forget(ctx, tx, m.visit.Kept, m.visit.ID); err != nil || !first {
				return orEnded(err)
			}
		}
		if first, err := insertGrant(ctx, tx, r); err != nil || !first {
			return orEnded(err)
		}
		return p.consent(ctx, tx, id, grant)
	})
	return url.Values{"code": {code}}, err
}

func orEnded(err error) error {
	if err != nil {
		return err
	}
	return errEnded
}

// expected refuses another person than the one that the client already knows.
func (p *Provider) expected(ctx context.Context, tx pgx.Tx, m permission, grant auth.Grant) error {
	if m.asked.Subject == "" {
		return nil
	}
	subject, err := p.subject(ctx, tx, m.client, grant)
	if err == nil && subject != m.asked.Subject {
		err = fosite.ErrLoginRequired.WithHint("Another person logged in.")
	}
	return err
}

var errUnproven = errors.New("no token without a proven person")

// codeRow seals a grant behind a code. Nothing is made for nobody.
func (p *Provider) codeRow(id uuid.UUID, grant auth.Grant, code string) (row, error) {
	if grant.Zero() {
		return row{}, errUnproven
	}
	sealed, err := p.Desk.SealGrant(grant, id[:])
	if err != nil {
		return row{}, err
	}
	ends := p.Now().Add(codeLife)
	return row{id: id, client: grant.Client(), sealed: sealed, code: hashed(code), codeExpires: &ends, expires: ends}, nil
}

// consent records what the person allowed: for the person, and for whoever asks later.
func (p *Provider) consent(ctx context.Context, tx pgx.Tx, id uuid.UUID, grant auth.Grant) error {
	now := p.Now()
	err := insertConsent(ctx, tx, given{id: id, person: grant.Person(), client: grant.Client(), scopes: grant.Scopes(),
		claims: grant.Claims(), configurations: grant.Configurations(), at: now, ends: now.Add(codeLife + tokenLife)})
	if err != nil {
		return err
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.ConsentGiven, Person: grant.Person(), Actor: "person", Subject: id.String(),
		Details: map[string]string{"client": grant.Client(), "claims": strings.Join(grant.Claims(), " "), "scopes": strings.Join(grant.Scopes(), " "), "configurations": strings.Join(grant.Configurations(), " ")}})
}
