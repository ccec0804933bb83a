package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
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
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

const codeGrantType = "authorization_code"

// secret draws 256 random bits: a code, a token, the name of a pushed request.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: the program ends instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// session is what a token request comes to, on its way through the OAuth library.
type session struct {
	fosite.DefaultSession
	minted minted
}

// Clone gives the same session: ours is never stored.
func (s *session) Clone() fosite.Session { return s }

// minted is a token with all that its answer says.
type minted struct {
	id      uuid.UUID
	access  string
	expires time.Time
	subject string // empty: no ID token was asked for
	claims  map[string]any
	lived
	details []string
}

// lived is a grant that may be used now, and where to read what it is about.
type lived struct {
	db    postgres.DB
	grant auth.Grant
	facts facts
}

// token trades a code for tokens. The whole request is one transaction.
func (p *Provider) token(c *gin.Context) error {
	form, err := body(c)
	if err != nil {
		return refuse(c, err)
	}
	if !slices.Contains(p.grantTypes(), form.Get("grant_type")) {
		return refuse(c, unknownGrant(form))
	}
	s := &session{}
	var request fosite.AccessRequester
	var refused error
	err = postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		var err error
		refused = nil
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
	types := []string{codeGrantType}
	if p.Redeem != nil {
		types = append(types, offerGrantType)
	}
	return types
}

// codeGrant takes the slot of the library's own handler, which lets two requests
// redeem one code and needs eleven writes for it.
type codeGrant struct{ *Provider }

// CanHandleTokenEndpointRequest tells requests that bring a code.
func (codeGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(codeGrantType)
}

// CanSkipClientAuth is no (ASVS 10.4.10).
func (codeGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest spends the code. A code that is shown by its own
// client with a wrong redirect URI or verifier is spent all the same: either it was
// stolen, or it is of no use to whoever has it.
func (g codeGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	form, asking, tx, now := r.GetRequestForm(), r.GetClient().(client), txOf(ctx), g.Now()
	if form.Get("code") == "" {
		return fosite.ErrInvalidRequest.WithHint("Send the code.")
	}
	if !verifierForm.MatchString(form.Get("code_verifier")) {
		return fosite.ErrInvalidGrant.WithHint("Send the code_verifier that belongs to the code_challenge.")
	}
	access := secret()
	t := token{client: asking.ID, hash: hashed(access), now: now, expires: now.Add(tokenLife)}
	found, err := spend(ctx, tx, hashed(form.Get("code")), t)
	if errors.Is(err, pgx.ErrNoRows) {
		return g.lost(ctx, tx, hashed(form.Get("code")), asking)
	}
	if err != nil {
		return fmt.Errorf("spending a code of client %s: %w", asking.ID, err)
	}
	failpoint.Hit(spentPoint)
	if wrong := found.Facts.contradicts(form); wrong != nil {
		if err := revoke(ctx, tx, found.ID, now); err != nil {
			return err
		}
		return wrong
	}
	grant, err := g.Desk.OpenGrant(found.Sealed, found.ID[:])
	if err != nil {
		return fmt.Errorf("opening grant %s: %w", found.ID, err)
	}
	made, err := g.mint(ctx, tx, asking, minted{id: found.ID, access: access, expires: t.expires, lived: lived{db: tx, grant: grant, facts: found.Facts}, details: found.Facts.Details})
	if err != nil {
		return err
	}
	r.GetSession().(*session).minted = made
	return nil
}

var spentPoint = failpoint.Name("oidc/token/code-spent")

// contradicts compares a token request with the authorization request before it.
func (f facts) contradicts(form url.Values) error {
	if form.Get("redirect_uri") != f.Redirect {
		return fosite.ErrInvalidGrant.WithHint("The redirect_uri is not the one of the authorization request.")
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(f.Challenge)) != 1 {
		return fosite.ErrInvalidGrant.WithHint("The code_verifier does not belong to the code_challenge.")
	}
	return nil
}

// lost answers a code that nothing can be had for. When it was used before, one of
// the two who brought it is a thief, so what it was traded for ends (ASVS 10.4.2).
func (p *Provider) lost(ctx context.Context, tx pgx.Tx, code []byte, asking client) error {
	answer := fosite.ErrInvalidGrant.WithHint("The code is unknown, expired or used.")
	taken, err := revokeReused(ctx, tx, code, asking.ID, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return answer
	}
	if err != nil {
		return fmt.Errorf("revoking what a reused code gave: %w", err)
	}
	if err := p.recordRevoked(ctx, tx, audit.CodeReplayed, taken); err != nil {
		return err
	}
	return answer
}

// mint completes a token for a proven person, and for nobody else.
func (p *Provider) mint(ctx context.Context, tx pgx.Tx, asking client, m minted) (minted, error) {
	if m.grant.Zero() {
		return minted{}, errUnproven
	}
	if slices.Contains(m.grant.Scopes(), "openid") {
		var err error
		if m.subject, err = p.subject(ctx, tx, asking, m.grant); err != nil {
			return minted{}, err
		}
		m.claims, err = p.released(ctx, m.lived, m.facts.IDToken)
		if fault.Is(err, fault.NotFound) {
			return minted{}, fosite.ErrInvalidGrant.WithHint("The person was deactivated since.")
		}
		if err != nil {
			return minted{}, err
		}
	}
	return m, audit.Append(ctx, tx, audit.Entry{Event: audit.TokenIssued, Person: m.grant.Person(), Actor: actor(asking.ID), Subject: m.id.String(),
		Details: map[string]string{"scopes": strings.Join(m.grant.Scopes(), " "), "claims": strings.Join(m.grant.Claims(), " ")}})
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
	sector := asking.Sector
	if sector == "" {
		sector = asking.ID
	}
	return p.Registry.Pairwise(ctx, db, sector, grant.Person())
}

// PopulateTokenEndpointResponse says what was minted. It signs, so it runs after
// the transaction.
func (g codeGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	m := r.GetSession().(*session).minted
	g.populate(m, w)
	if m.subject == "" {
		return nil
	}
	signed, err := g.idToken(r.GetClient().GetID(), m)
	if err != nil {
		return err
	}
	w.SetExtra("id_token", signed)
	return nil
}

func (p *Provider) populate(m minted, w fosite.AccessResponder) {
	w.SetAccessToken(m.access)
	w.SetTokenType("Bearer")
	w.SetExpiresIn(m.expires.Sub(p.Now()).Round(time.Second))
	if scopes := m.grant.Scopes(); len(scopes) > 0 {
		w.SetScopes(scopes)
	}
	var list []detail
	for _, configuration := range m.details {
		list = append(list, detail{Type: credentialDetail, Configuration: configuration, Identifiers: []string{configuration}})
	}
	if list != nil {
		w.SetExtra("authorization_details", list)
	}
}
