package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/partner"
	"github.com/plinth-id/plinth/templates"
)

// accountClient is the name under which the provider asks for its own page. No
// relying party can have it.
const accountClient = "plinth:account"

const accountPath = "/oidc/account"

// accountRoutes opens the doors of the page where a person sees what they allowed.
func (p *Provider) accountRoutes(r *web.Router) {
	r.Handle(http.MethodGet, accountPath, web.Anyone, p.atHome(p.account))
	r.Handle(http.MethodGet, accountPath+"/receipts/:id", web.Anyone, p.atHome(p.receipt))
	r.Handle(http.MethodPost, accountPath+"/withdraw", web.Anyone, p.atHome(p.withdrawn))
	p.factorRoutes(r)
	r.Handle(http.MethodPost, accountPath+"/logout", web.Anyone, p.atHome(p.everywhere))
}

// own is the provider as a client of itself.
func (p *Provider) own() client {
	names := make(map[string]string)
	for _, l := range templates.Languages() {
		names[l.BCP47] = l.Service()
	}
	return client{Client: partner.Client{ID: accountClient, Names: names, Kept: partner.Kept{Name: templates.Languages()[0].Service(), Profile: partner.OIDC, RedirectURIs: []string{p.at(accountPath)}}}}
}

// atHome lets in who is logged in, and asks everybody else to.
func (p *Provider) atHome(show func(*gin.Context, stay) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		here, err := p.stay(c)
		if err != nil {
			return err
		}
		if here.id != "" {
			return show(c, here)
		}
		if c.Request.Method != http.MethodGet {
			c.Redirect(http.StatusSeeOther, accountPath)
			return nil
		}
		return p.homeAgain(c, stay{}, nil)
	}
}

// settleHome ends a visit that was about our own page.
func (p *Provider) settleHome(ctx context.Context, m permission) (login.Ending, error) {
	ending := login.Ending{To: p.at(accountPath)}
	if !m.decision.Allowed {
		ending.To = p.at("/")
		return ending, nil
	}
	err := postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		session, err := p.settleIn(ctx, tx, m)
		ending.Session = p.write(session)
		return err
	})
	return ending, err
}

// account shows a person what they allowed whom.
func (p *Provider) account(c *gin.Context, here stay) error {
	l := templates.For(c.Request)
	all, err := consents(c, p.Pool, here.proof.Person())
	if err != nil {
		return fmt.Errorf("listing consents: %w", err)
	}
	page := templates.Account{Changed: c.Query("changed")}
	if page.Keys, err = p.keysOf(c, here.proof.Person()); err != nil {
		return err
	}
	for _, g := range all {
		var told consentTold
		if err := json.Unmarshal(g.Details, &told); err != nil {
			return fmt.Errorf("reading consent %s: %w", g.ID, err)
		}
		shown := templates.AccountConsent{ID: g.ID.String(), Client: told.Client, Claims: g.Claims, Given: g.At.UTC().Format(time.DateOnly), Ends: g.Ends.UTC().Format(time.DateOnly),
			Active: g.Withdrawn == nil && p.Now().Before(g.Ends), Powers: powers(told.Details), Resources: told.Resources, Offline: told.Offline}
		if party, err := p.find(c, p.Pool, g.Client); err == nil {
			shown.Client = party.named(l.BCP47)
		}
		page.Consents = append(page.Consents, shown)
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

var errNoConsent = fault.New(fault.NotFound, "There is no such answer of yours, or you have taken it back. Your page shows all of them.").Named("consent-unknown")

// withdrawn takes an answer back: what was given for it ends now, and the party is told.
func (p *Provider) withdrawn(c *gin.Context, here stay) error {
	if err := c.Request.ParseForm(); err != nil {
		return errForm.Because(err)
	}
	id, err := uuid.Parse(c.Request.PostForm.Get("id"))
	if err != nil {
		return errNoConsent
	}
	if err := p.Withdraw(c, here.proof.Person(), id); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, accountPath+"?changed=withdrawn")
	return nil
}

// Withdraw ends a consent of a person.
func (p *Provider) Withdraw(ctx context.Context, person, id uuid.UUID) error {
	err := postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		g, err := withdraw(ctx, tx, id, person, p.Now())
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoConsent
		}
		if err != nil {
			return fmt.Errorf("withdrawing consent %s: %w", id, err)
		}
		party, err := p.find(ctx, tx, g.Client)
		if err == nil {
			err = p.tellWithdrawn(ctx, tx, party, person)
		}
		if known(err) && err != nil {
			return err
		}
		if p.Emit != nil {
			if err := p.Emit(ctx, tx, Signal{Kind: SessionRevoked, Person: person, Clients: []string{g.Client}, Reason: "consent-withdrawn"}); err != nil {
				return err
			}
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.ConsentWithdrawn, Person: person, Actor: "person", Subject: id.String(), Details: map[string]string{"client": g.Client}})
	})
	if err == nil {
		p.wake()
	}
	return err
}

// everywhere ends all sessions of a person, in every browser.
func (p *Provider) everywhere(c *gin.Context, here stay) error {
	err := postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		all, err := sessionsOf(c, tx, here.proof.Person(), p.Now())
		if err != nil {
			return fmt.Errorf("listing sessions: %w", err)
		}
		for _, id := range all {
			if _, err := p.endSession(c, tx, id, "everywhere"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.wake()
	p.flow.Leave(c)
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.LoggedOut{})
}

// receipt signs what the person has allowed, as it was recorded then.
func (p *Provider) receipt(c *gin.Context, here stay) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errNoConsent
	}
	signed, err := p.Receipt(c, here.proof.Person(), id)
	if err != nil {
		return err
	}
	unstored(c)
	c.Header("Content-Disposition", `attachment; filename="consent-`+id.String()+`.jwt"`)
	c.Data(http.StatusOK, "application/jwt", []byte(signed))
	return nil
}

// Receipt is a signed record of a consent (after ISO/IEC TS 27560): who may know
// what of whom, why, from when until when, and under which policy. The subject is
// the one that the party knows the person by, so that the party can check it.
func (p *Provider) Receipt(ctx context.Context, person, id uuid.UUID) (string, error) {
	g, err := oneConsent(ctx, p.Pool, id, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", errNoConsent
	}
	if err != nil {
		return "", fmt.Errorf("reading consent %s: %w", id, err)
	}
	var told consentTold
	if err := json.Unmarshal(g.Details, &told); err != nil {
		return "", fmt.Errorf("reading consent %s: %w", id, err)
	}
	record := map[string]any{"client_id": g.Client, "client_name": told.Client, "claims": g.Claims, "scopes": g.Scopes, "credentials": g.Configurations,
		"given_at": g.At.Unix(), "ends_at": g.Ends.Unix(), "question": g.Hash}
	for name, value := range map[string]any{"purpose": told.Purpose, "claim_purposes": told.Purposes} {
		if m := value.(map[string]string); len(m) > 0 {
			record[name] = m
		}
	}
	for name, value := range map[string]string{"policy_uri": told.Policy, "tos_uri": told.Terms, "acr": told.ACR} {
		if value != "" {
			record[name] = value
		}
	}
	if len(told.Details) > 0 {
		record["authorization_details"] = told.Details
	}
	if len(told.Resources) > 0 {
		record["resources"] = told.Resources
	}
	if told.Offline {
		record["offline"] = true
	}
	if g.Withdrawn != nil {
		record["withdrawn_at"] = g.Withdrawn.Unix()
	}
	return p.Sign("consent-receipt+jwt", map[string]any{"iss": p.issuer, "sub": told.Subject, "aud": g.Client, "jti": g.ID.String(), "iat": p.Now().Unix(), "consent": record})

}
