package oidc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

// What a bearer is refused with (RFC 6750 section 3.1); the codes are those of the standard.
var (
	errNoToken = fault.New(fault.Unauthenticated, "Send an access token in the Authorization header.").Named("missing_token")
	errToken   = fault.New(fault.Unauthenticated, "The access token is unknown, expired or revoked. Log in again.").Named("invalid_token")
	errTwice   = fault.New(fault.Invalid, "Send the access token in one way only, in the Authorization header.").Named("invalid_request")
	errScope   = fault.New(fault.Denied, "The access token is for something else. Ask for the scope openid.").Named("insufficient_scope")
)

// Grant tells what the access token of a request stands for. It is what resources
// ask that we protect; refusals are named as in RFC 6750.
func (p *Provider) Grant(ctx context.Context, r *http.Request) (auth.Grant, error) {
	raw, err := bearer(r)
	if err != nil {
		return auth.Grant{}, err
	}
	l, _, err := p.lives(ctx, raw)
	if err != nil {
		return auth.Grant{}, err
	}
	return l.grant, nil
}

// bearer reads the access token out of the header; what is in an address is in logs as well.
func bearer(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", errTwice
	}
	if len(headers) == 0 {
		return "", errNoToken
	}
	scheme, raw, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNoToken
	}
	return raw, nil
}

// lives finds the grant of an access token, and the client that holds it: none when
// a wallet that we do not know redeemed an offer.
func (p *Provider) lives(ctx context.Context, raw string) (lived, client, error) {
	if raw == "" || len(raw) > 512 {
		return lived{}, client{}, errToken
	}
	found, err := live(ctx, p.Pool, hashed(raw), p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return lived{}, client{}, errToken
	}
	if err != nil {
		return lived{}, client{}, fmt.Errorf("looking up an access token: %w", err)
	}
	var holder client
	if found.Client != "" {
		if holder, err = p.find(ctx, p.Pool, found.Client); !known(err) {
			return lived{}, client{}, errToken // disabled since: its tokens are worth nothing
		} else if err != nil {
			return lived{}, client{}, err
		}
	}
	grant, err := p.Desk.OpenGrant(found.Sealed, found.ID[:])
	if err != nil {
		return lived{}, client{}, fmt.Errorf("opening grant %s: %w", found.ID, err)
	}
	return lived{db: p.Pool, grant: grant, facts: found.Facts}, holder, nil
}

// userinfo answers with what the person allowed, read from the registry now.
func (p *Provider) userinfo(c *gin.Context) error {
	raw, err := presented(c.Request)
	if err != nil {
		return challenge(c, err)
	}
	l, holder, err := p.lives(c, raw)
	if err != nil {
		return challenge(c, err)
	}
	if !slices.Contains(l.grant.Scopes(), "openid") {
		return challenge(c, errScope)
	}
	claims, err := p.released(c, l, l.facts.UserInfo)
	if fault.Is(err, fault.NotFound) {
		return challenge(c, errToken) // the person was deactivated since
	}
	if err != nil {
		return err
	}
	if claims["sub"], err = p.subject(c, p.Pool, holder, l.grant); err != nil {
		return err
	}
	// The person can see who asked about them, and what was told.
	if err := audit.Append(c, p.Pool, audit.Entry{Event: audit.ClaimsReleased, Person: l.grant.Person(), Actor: "client:" + holder.ID,
		Details: map[string]string{"claims": strings.Join(slices.Sorted(maps.Keys(claims)), " ")}}); err != nil {
		return err
	}
	unstored(c)
	c.JSON(http.StatusOK, claims)
	return nil
}

// presented reads the access token out of the header or, of a POST, the body.
func presented(r *http.Request) (string, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var posted []string
	if r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return "", errTwice.Because(err)
		}
		posted = r.PostForm["access_token"]
	}
	switch {
	case r.URL.Query().Has("access_token"), len(posted) > 1, len(posted) == 1 && r.Header.Get("Authorization") != "":
		return "", errTwice
	case len(posted) == 1:
		return posted[0], nil
	}
	return bearer(r)
}

// challenge refuses as RFC 6750 section 3 prescribes. Whoever sent no token is
// told no error code.
func challenge(c *gin.Context, err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	status := map[fault.Kind]int{fault.Unauthenticated: http.StatusUnauthorized, fault.Denied: http.StatusForbidden, fault.Invalid: http.StatusBadRequest}[f.Kind]
	if status == 0 {
		return err
	}
	unstored(c)
	if f.Code == errNoToken.Code {
		c.Header("WWW-Authenticate", `Bearer realm="plinth"`)
		c.Status(status)
		return nil
	}
	c.Header("WWW-Authenticate", fmt.Sprintf(`Bearer realm="plinth", error=%q, error_description=%q`, f.Code, ascii(f.Sentence)))
	c.JSON(status, map[string]string{"error": f.Code, "error_description": ascii(f.Sentence)})
	return nil
}
