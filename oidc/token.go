package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

// tokenSession is what a token request comes to, on its way through the OAuth library.
type tokenSession struct {
	fosite.DefaultSession
	shown   binding // with the request
	request *http.Request
	minted  minted
}

// Clone gives the same session: ours is never stored.
func (s *tokenSession) Clone() fosite.Session { return s }

func sessionOf(r fosite.AccessRequester) *tokenSession { return r.GetSession().(*tokenSession) }

// minted is a token with all that its answer says.
type minted struct {
	access  access
	token   string
	refresh string // empty: none
	subject string // empty: no ID token was asked for
	claims  map[string]any
	session *uuid.UUID
	binding binding
	issued  string // token type URN of an exchange (RFC 8693)
	lived
}

// lived is a grant that may be used now, and where to read what it is about.
type lived struct {
	db     postgres.DB
	grant  auth.Grant
	facts  facts
	scopes []string // of the token that was shown, when fewer than its grant has
}

// token trades a code, or another grant, for tokens. The whole request is one transaction.
func (p *Provider) token(c *gin.Context) error {
	form, err := p.body(c)
	if err != nil {
		return refuse(c, err)
	}
	if !slices.Contains(p.grantTypes(), form.Get("grant_type")) {
		return refuse(c, unknownGrant(form))
	}
	shown, err := p.bind(c)
	if err != nil {
		return refuse(c, err)
	}
	s := &tokenSession{shown: shown, request: c.Request}
	var request fosite.AccessRequester
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		var err error
		refused, s.minted = nil, minted{}
		if request, err = p.tokens.NewAccessRequest(withTx(c, tx), c.Request, s); err != nil {
			return settle(err, &refused)
		}
		return nil
	})
	if err != nil || refused != nil {
		return refuse(c, either(err, refused))
	}
	response, err := p.tokens.NewAccessResponse(c, request)
	if err != nil {
		return fmt.Errorf("answering a token request: %w", err)
	}
	unstored(c)
	c.JSON(http.StatusOK, response.ToMap())
	return nil
}

func unknownGrant(form url.Values) error {
	if form.Get("grant_type") == "" {
		return fosite.ErrInvalidRequest.WithHint("Send a grant_type.")
	}
	return fosite.ErrUnsupportedGrantType
}

func (p *Provider) grantTypes() []string {
	types := []string{codeGrantType, refreshGrantType, machineGrantType, exchangeGrantType}
	for _, g := range p.deferredGrants() {
		types = append(types, g.grantType)
	}
	if p.Redeem != nil {
		types = append(types, offerGrantType)
	}
	return types
}

// proveOnce uses up the DPoP proof of a request (RFC 9449 section 11.1).
func (p *Provider) proveOnce(ctx context.Context, b binding) error {
	if b.jti == "" {
		return nil
	}
	first, err := useOnce(ctx, txOf(ctx), [][]byte{p.shownOnce("dpop", b.jkt, b.jti)}, p.Now().Add(proofRemembered))
	if err == nil && !first {
		err = errProof.WithHint("It was used before; make a new one with another jti for every request.")
	}
	return err
}

// holder decides what the tokens of this request are bound to, and uses up the proof.
func (p *Provider) holder(ctx context.Context, c client, r fosite.AccessRequester) (binding, error) {
	b, err := p.bindable(c, sessionOf(r).shown)
	if err != nil {
		return b, err
	}
	if err := p.demand(ctx, c, fapi, senderRule, bound(c, b), errUnbound); err != nil {
		return b, err
	}
	return b, p.proveOnce(ctx, b)
}

// mint completes a token for a proven person, and for nobody else.
func (p *Provider) mint(ctx context.Context, tx pgx.Tx, asking client, m minted) (minted, error) {
	if m.grant.Zero() {
		return minted{}, errUnproven
	}
	if p.profiled(m.grant.Configurations(), m.binding.instance != "" && m.binding.jkt != "") != nil {
		return minted{}, fosite.ErrInvalidClient.WithHint("This credential is for wallets that a trusted maker attests, and whose tokens are bound by DPoP.")
	}
	now, life := p.Now(), tokenLife
	if len(m.grant.Configurations()) > 0 && m.binding.jkt == "" && m.binding.x5t == "" {
		life = bearerLife // OpenID4VCI 1.0, 13.9: what is bound to nothing must be short
	}
	m.access.Client, m.access.Issued, m.access.Expires = asking.ID, now.Unix(), now.Add(life).Unix()
	m.access.JKT, m.access.X5T = m.binding.jkt, m.binding.x5t
	var err error
	if m.token, err = p.writeAccess(m.access); err != nil {
		return minted{}, fmt.Errorf("making a token: %w", err)
	}
	if slices.Contains(m.scopes(), "openid") {
		if m.subject, err = p.subject(ctx, tx, asking, m.grant); err != nil {
			return minted{}, err
		}
		m.claims, err = p.released(ctx, m.lived, m.facts.IDToken, placeIDToken)
		if fault.Is(err, fault.NotFound) {
			return minted{}, fosite.ErrInvalidGrant.WithHint("The person was deactivated since.")
		}
		if err != nil {
			return minted{}, err
		}
	}
	return m, audit.Append(ctx, tx, audit.Entry{Event: audit.TokenIssued, Person: m.grant.Person(), Actor: actor(asking.ID), Subject: m.access.ID.String(),
		Details: map[string]string{"scopes": strings.Join(m.scopes(), " "), "claims": strings.Join(m.grant.Claims(), " ")}})
}

// scopes are those of the token: of its grant, or fewer.
func (m minted) scopes() []string {
	if m.access.Scopes != nil {
		return m.access.Scopes
	}
	return m.grant.Scopes()
}

// actor names a client in the log; a wallet that redeems an offer may have no name.
func actor(id string) string {
	if id == "" {
		return "wallet"
	}
	return "client:" + id
}

// subject is the person's name at this client and at no other (OpenID Connect Core 8.1).
func (p *Provider) subject(ctx context.Context, db postgres.DB, asking client, grant auth.Grant) (string, error) {
	return p.Registry.Pairwise(ctx, db, asking.sector(), grant.Person())
}

// SubjectAt is how a client knows a person: by a name that no other sector has.
func (p *Provider) SubjectAt(ctx context.Context, db postgres.DB, clientID string, person uuid.UUID) (string, error) {
	told, err := p.find(ctx, db, clientID)
	if !known(err) {
		return "", fault.New(fault.NotFound, "There is no such client any more.")
	}
	if err != nil {
		return "", err
	}
	return p.Registry.Pairwise(ctx, db, told.sector(), person)
}

func (c client) sector() string {
	if c.Sector == "" {
		return c.ID
	}
	return c.Sector
}

// populate writes the token response. It signs, so it runs after the transaction.
func (p *Provider) populate(ctx context.Context, c client, m minted, w fosite.AccessResponder) error {
	w.SetAccessToken(m.token)
	w.SetTokenType(m.binding.tokenType())
	w.SetExpiresIn(time.Unix(m.access.Expires, 0).Sub(time.Unix(m.access.Issued, 0)))
	if scopes := m.scopes(); len(scopes) > 0 {
		w.SetScopes(scopes)
	}
	if list := granted(m.facts.Details); list != nil {
		w.SetExtra("authorization_details", list)
	}
	if m.refresh != "" {
		w.SetExtra("refresh_token", m.refresh)
	}
	if p.CNonce != nil && len(m.grant.Configurations()) > 0 {
		nonce, life, err := p.CNonce()
		if err != nil {
			return err
		}
		w.SetExtra("c_nonce", nonce)
		w.SetExtra("c_nonce_expires_in", int(life/time.Second))
	}
	if m.issued != "" {
		w.SetExtra("issued_token_type", m.issued)
	}
	if m.subject == "" {
		return nil
	}
	signed, err := p.idToken(ctx, c, m)
	if err != nil {
		return err
	}
	w.SetExtra("id_token", signed)
	return nil
}
