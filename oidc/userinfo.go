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
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/oidc/dpop"
	"github.com/plinth-id/plinth/registry/auth"
)

// What a bearer is refused with (RFC 6750 section 3.1, RFC 9449 section 7.1); the codes are those of the standards.
var (
	errNoToken   = fault.New(fault.Unauthenticated, "Send an access token in the Authorization header.").Named("missing_token")
	errToken     = fault.New(fault.Unauthenticated, "The access token is unknown, expired or revoked. Log in again.").Named("invalid_token")
	errTwice     = fault.New(fault.Invalid, "Send the access token in one way only, in the Authorization header.").Named("invalid_request")
	errScope     = fault.New(fault.Denied, "The access token is for something else. Ask for the scope openid.").Named("insufficient_scope")
	errPossessed = fault.New(fault.Unauthenticated, "The access token is bound to a key: send it as DPoP, with a proof by that key.").Named("invalid_token")
	errBadProof  = fault.New(fault.Unauthenticated, "The DPoP proof was refused. Make a new one for this request and this token.").Named("invalid_dpop_proof")
	errNeedNonce = fault.New(fault.Unauthenticated, "Make the DPoP proof again, with the nonce of the DPoP-Nonce header.").Named("use_dpop_nonce")
)

// Token tells what the access token of a request stands for, and what was shown with
// it. It is what resources ask that we protect; refusals are named as in RFC 6750.
func (p *Provider) Token(ctx context.Context, r *http.Request) (auth.Token, error) {
	scheme, raw, err := bearer(r)
	if err != nil {
		return auth.Token{}, err
	}
	l, _, err := p.holding(ctx, r, shownToken{scheme, raw})
	if err != nil {
		return auth.Token{}, err
	}
	return auth.Token{Grant: l.grant, Named: l.facts.identifiers(), Bound: scheme == "dpop", Genuine: l.facts.Instance != ""}, nil
}

// Challenge refuses for such a resource.
func (p *Provider) Challenge(c *gin.Context, err error) error { return p.challenge(c, err) }

// Nonce is for the next proof of DPoP at such a resource.
func (p *Provider) Nonce() string { return p.proofs.Nonce() }

// Machine tells which client an access token stands for that is for the client's
// own affairs, and has a scope.
func (p *Provider) Machine(ctx context.Context, r *http.Request, scope string) (string, error) {
	scheme, raw, err := bearer(r)
	if err != nil {
		return "", err
	}
	a, err := p.opened(ctx, r, shownToken{scheme, raw})
	if err != nil {
		return "", err
	}
	if !a.Machine || !slices.Contains(a.Scopes, scope) {
		return "", errScope
	}
	if _, err := p.find(ctx, p.Pool, a.Client); !known(err) {
		return "", errToken // disabled since: its tokens are worth nothing
	} else if err != nil {
		return "", err
	}
	return a.Client, nil
}

// shownToken is an access token as it came.
type shownToken struct{ scheme, raw string }

// bearer reads the access token out of the header; what is in an address is in logs as well.
func bearer(r *http.Request) (scheme, raw string, err error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", "", errTwice
	}
	if len(headers) == 0 {
		return "", "", errNoToken
	}
	scheme, raw, _ = strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return "", "", errNoToken
	}
	return strings.ToLower(scheme), strings.TrimSpace(raw), nil
}

// opened judges an access token that comes with a request: that it is ours, still
// good, for us, and shown by whoever it is bound to.
func (p *Provider) opened(ctx context.Context, r *http.Request, shown shownToken) (access, error) {
	a, ok := p.readAccess(shown.raw)
	if !ok || a.expired(p.Now()) || len(a.Audience) > 0 && !slices.Contains(a.Audience, p.issuer) {
		return a, errToken
	}
	if err := p.possessed(ctx, r, a, shown); err != nil {
		return a, err
	}
	if by := a.single(); by != uuid.Nil {
		gone, err := isRevoked(ctx, p.Pool, by)
		if err != nil || gone {
			return a, either(err, errToken)
		}
	}
	return a, nil
}

// possessed checks that a bound token is shown with its key or certificate.
func (p *Provider) possessed(ctx context.Context, r *http.Request, a access, shown shownToken) error {
	if a.X5T != "" {
		if c := p.certificate(r); c == nil || thumbprint(c.Leaf.Raw) != a.X5T {
			return errToken
		}
	}
	switch {
	case a.JKT == "" && shown.scheme == "dpop":
		return errToken // RFC 9449 section 7.2: a token that is bound to nothing is no DPoP token
	case a.JKT == "":
		return nil
	case shown.scheme != "dpop":
		return errPossessed
	}
	proof, err := p.proofs.Check(r, p.here(r), shown.raw)
	if errors.Is(err, dpop.ErrNonce) {
		return errNeedNonce
	}
	if err != nil || proof.Thumbprint != a.JKT {
		return errBadProof.Because(err)
	}
	first, err := useOnce(ctx, p.Pool, [][]byte{p.shownOnce("dpop", proof.Thumbprint, proof.ID)}, p.Now().Add(proofRemembered))
	if err == nil && !first {
		return errBadProof
	}
	return err
}

// holding finds the grant of an access token, and the client that holds it: none when
// a wallet that we do not know redeemed an offer.
func (p *Provider) holding(ctx context.Context, r *http.Request, shown shownToken) (lived, client, error) {
	a, err := p.opened(ctx, r, shown)
	if err != nil {
		return lived{}, client{}, err
	}
	if a.Machine {
		return lived{}, client{}, errScope
	}
	found, err := live(ctx, p.Pool, a.ID, p.Now())
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
	return lived{db: p.Pool, grant: grant, facts: found.Facts, scopes: a.Scopes}, holder, nil
}

// may tells whether the token of a grant has a scope: it may have fewer than its grant.
func (l lived) may(scope string) bool {
	return slices.Contains(l.grant.Scopes(), scope) && (l.scopes == nil || slices.Contains(l.scopes, scope))
}

// userinfo answers with what the person allowed, read from the registry now.
func (p *Provider) userinfo(c *gin.Context) error {
	shown, err := presented(c.Request)
	if err != nil {
		return p.challenge(c, err)
	}
	l, holder, err := p.holding(c, c.Request, shown)
	if err != nil {
		return p.challenge(c, err)
	}
	if !l.may("openid") {
		return p.challenge(c, errScope)
	}
	claims, err := p.released(c, l, l.facts.UserInfo, placeUserInfo)
	if fault.Is(err, fault.NotFound) {
		return p.challenge(c, errToken) // the person was deactivated since
	}
	if err != nil {
		return err
	}
	if claims["sub"], err = p.subject(c, p.Pool, holder, l.grant); err != nil {
		return err
	}
	// The person can see who asked about them, and what was told.
	if err := p.recordReleased(c, l.grant.Person(), holder.ID, claims); err != nil {
		return err
	}
	return p.tell(c, holder, claims)
}

func (p *Provider) recordReleased(ctx context.Context, person uuid.UUID, client string, claims map[string]any) error {
	return p.readings.Append(ctx, audit.Entry{Event: audit.ClaimsReleased, Person: person, Actor: "client:" + client,
		Details: map[string]string{"claims": strings.Join(slices.Sorted(maps.Keys(claims)), " ")}})
}

// tell writes userinfo in the form that the client was registered for: JSON, a
// JWS, or that in a JWE (OpenID Connect Core 5.3.2).
func (p *Provider) tell(c *gin.Context, holder client, claims map[string]any) error {
	unstored(c)
	if id := c.GetHeader("x-fapi-interaction-id"); id != "" && uuid.Validate(id) == nil {
		c.Header("x-fapi-interaction-id", id)
	}
	if holder.UserInfoAlg == "" && holder.UserInfoKeyAlg == "" {
		c.JSON(http.StatusOK, claims)
		return nil
	}
	claims["iss"], claims["aud"], claims["iat"] = p.issuer, holder.ID, p.Now().Unix()
	signed, err := p.sign(holder.UserInfoAlg, "JWT", claims)
	if err == nil && holder.UserInfoKeyAlg != "" {
		signed, err = p.encrypt(c, holder, holder.UserInfoKeyAlg, holder.UserInfoContentAlg, signed)
	}
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, "application/jwt", []byte(signed))
	return nil
}

// presented reads the access token out of the header or, of a POST, the body.
func presented(r *http.Request) (shownToken, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var posted []string
	if r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		if err := r.ParseForm(); err != nil {
			return shownToken{}, errTwice.Because(err)
		}
		posted = r.PostForm["access_token"]
	}
	switch {
	case r.URL.Query().Has("access_token"), len(posted) > 1, len(posted) == 1 && r.Header.Get("Authorization") != "":
		return shownToken{}, errTwice
	case len(posted) == 1:
		return shownToken{"bearer", posted[0]}, nil
	}
	scheme, raw, err := bearer(r)
	return shownToken{scheme, raw}, err
}

// challenge refuses as RFC 6750 section 3 and RFC 9449 section 7.1 prescribe.
// Whoever sent no token is told no error code.
func (p *Provider) challenge(c *gin.Context, err error) error {
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	status := map[fault.Kind]int{fault.Unauthenticated: http.StatusUnauthorized, fault.Denied: http.StatusForbidden, fault.Invalid: http.StatusBadRequest}[f.Kind]
	if status == 0 {
		return err
	}
	unstored(c)
	scheme := "Bearer"
	if authorization := c.GetHeader("Authorization"); len(authorization) > 5 && strings.EqualFold(authorization[:5], "DPoP ") || f == errPossessed {
		scheme = "DPoP"
		c.Header("DPoP-Nonce", p.proofs.Nonce())
	}
	extra := ""
	if scheme == "DPoP" {
		extra = `, algs="ES256 EdDSA PS256"`
	}
	if f.Code == errNoToken.Code {
		c.Header("WWW-Authenticate", `Bearer realm="plinth"`)
		c.Status(status)
		return nil
	}
	c.Header("WWW-Authenticate", fmt.Sprintf(`%s realm="plinth", error=%q, error_description=%q%s`, scheme, f.Code, ascii(f.Sentence), extra))
	c.JSON(status, map[string]string{"error": f.Code, "error_description": ascii(f.Sentence)})
	return nil
}
