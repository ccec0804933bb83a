package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/templates"
)

var (
	errLogoutHint = fault.New(fault.Invalid, "The website that sent you here did not say whom to log out in a way that we can check, so you are still logged in. You can log out on our own page.").Named("invalid_id_token_hint")
	errLogoutURI  = fault.New(fault.Invalid, "The website that sent you here wants you back at an address that is not registered, so you are still logged in. You can log out on our own page.").Named("invalid_post_logout_redirect_uri")
)

// leaving is a wish to log out that was judged (OpenID Connect RP-Initiated Logout 1.0).
type leaving struct {
	session uuid.UUID // nil: nobody is logged in
	proven  bool      // the client has shown an ID token of this session
	client  client    // who is asking; empty: unknown
	to      string    // where to lead the person in the end; empty: nowhere
	state   string
}

// logout ends the person's login here. A client that shows the person's ID token
// may end it at once; otherwise the person is asked, since any page can lead here.
func (p *Provider) logout(c *gin.Context) error {
	form, err := question(c.Request)
	if err != nil {
		return err
	}
	l, err := p.leaves(c, form)
	if err != nil {
		return err
	}
	if l.session != uuid.Nil && !l.proven {
		web := templates.Logout{Client: l.client.named(templates.For(c.Request).BCP47), ClientID: l.client.ID, To: l.to, State: l.state}
		return templates.Render(c.Writer, c.Request, http.StatusOK, web)
	}
	return p.leave(c, l)
}

// logoutConfirmed takes the person's own yes.
func (p *Provider) logoutConfirmed(c *gin.Context) error {
	form, err := question(c.Request)
	if err != nil {
		return err
	}
	form.Del("id_token_hint")
	l, err := p.leaves(c, form)
	if err != nil {
		return err
	}
	return p.leave(c, l)
}

func (p *Provider) leaves(c *gin.Context, form url.Values) (leaving, error) {
	if name := repeated(form); name != "" || !storable(form.Get("state")) || len(form.Get("state")) > maxParameter {
		return leaving{}, errForm
	}
	l := leaving{state: form.Get("state")}
	asking := form.Get("client_id")
	hint := pastToken{}
	if shown := form.Get("id_token_hint"); shown != "" {
		var ok bool
		if hint, ok = p.past(shown); !ok || asking != "" && asking != hint.Audience[0] {
			return l, errLogoutHint
		}
		asking = hint.Audience[0]
	}
	if asking != "" {
		found, err := p.find(c, p.Pool, asking)
		if err != nil {
			return l, err
		}
		l.client = found
	}
	if l.to = form.Get("post_logout_redirect_uri"); l.to != "" && !slices.Contains(l.client.PostLogoutURIs, l.to) {
		return l, errLogoutURI
	}
	return l, p.whose(c, &l, hint)
}

// whose finds the session that is to end: that of this browser.
func (p *Provider) whose(c *gin.Context, l *leaving, hint pastToken) error {
	here, err := p.stay(c)
	if err != nil {
		return err
	}
	if here.id == "" {
		return nil
	}
	// A token of another session proves nothing about who sits here: any page could
	// send its own, and log people out unasked.
	l.proven = hint.Session == here.id
	l.session, err = uuid.Parse(here.id)
	return err
}

// leave ends the session and leads the person on.
func (p *Provider) leave(c *gin.Context, l leaving) error {
	if l.session != uuid.Nil {
		err := postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
			_, err := p.endSession(c, tx, l.session, "logout")
			return err
		})
		if err != nil {
			return err
		}
		p.wake()
	}
	p.flow.Leave(c)
	unstored(c)
	if l.to == "" {
		return templates.Render(c.Writer, c.Request, http.StatusOK, templates.LoggedOut{Client: l.client.named(templates.For(c.Request).BCP47), Link: l.client.ClientURI})
	}
	if l.state != "" {
		joint := "?"
		if strings.Contains(l.to, "?") {
			joint = "&"
		}
		l.to += joint + url.Values{"state": {l.state}}.Encode()
	}
	c.Redirect(http.StatusSeeOther, l.to)
	return nil
}

// endSession ends a session once, and puts everybody in line who must know.
func (p *Provider) endSession(ctx context.Context, tx pgx.Tx, id uuid.UUID, reason string) (session, error) {
	s, err := endSession(ctx, tx, id, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("ending a session: %w", err)
	}
	for _, name := range s.Clients {
		if name == accountClient {
			continue
		}
		told, err := p.find(ctx, tx, name)
		if !known(err) {
			continue
		}
		if err != nil {
			return s, err
		}
		if err := p.tellEnd(ctx, tx, told, s.Person, &id); err != nil {
			return s, err
		}
	}
	if p.Emit != nil {
		if err := p.Emit(ctx, tx, Signal{Kind: SessionRevoked, Person: s.Person, Clients: s.Clients, Session: id.String(), Reason: reason}); err != nil {
			return s, err
		}
	}
	return s, audit.Append(ctx, tx, audit.Entry{Event: audit.SessionEnded, Person: s.Person, Actor: "person", Subject: id.String(), Details: map[string]string{"reason": reason}})
}

// Signal is news for relying parties about a person that they know (Shared Signals).
type Signal struct {
	Kind    string // SessionRevoked or CredentialChange
	Person  uuid.UUID
	Clients []string
	Session string
	Reason  string // of the end of a session; of a credential its method
	Change  string // of a credential: "create", "update" or "delete"
}

// The kinds of signals (CAEP 1.0).
const (
	SessionRevoked   = "session-revoked"
	CredentialChange = "credential-change"
)
