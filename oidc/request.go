package oidc

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/registry/partner"
)

// asked is an authorization request that was judged; only judge makes one. It
// travels sealed, so nobody else can.
type asked struct {
	Client         string            `json:"client"`
	Redirect       string            `json:"redirect"`
	Mode           string            `json:"mode,omitempty"` // "jwt": the answer is a JWT (JARM)
	State          string            `json:"state,omitempty"`
	Nonce          string            `json:"nonce,omitempty"`
	Challenge      string            `json:"challenge,omitempty"`
	JKT            string            `json:"jkt,omitempty"` // the code is for the holder of this key
	Scopes         []string          `json:"scopes,omitempty"`
	UserInfo       []string          `json:"userinfo,omitempty"` // names of claims
	IDToken        []string          `json:"id_token,omitempty"`
	Essential      []string          `json:"essential,omitempty"`
	Purposes       map[string]string `json:"purposes,omitempty"` // of claims
	Values         map[string][]any  `json:"values,omitempty"`   // that claims are wished to have
	Verified       *verifiedWish     `json:"verified,omitempty"`
	Locales        []string          `json:"locales,omitempty"` // of claims
	Configurations []string          `json:"configurations,omitempty"`
	Details        []detail          `json:"details,omitempty"` // authorization_details
	Resources      []string          `json:"resources,omitempty"`
	ACR            []string          `json:"acr,omitempty"`      // wished for
	MustACR        bool              `json:"must_acr,omitempty"` // one of these, or no login
	Subject        string            `json:"subject,omitempty"`  // this person, or no login
	Hint           string            `json:"hint,omitempty"`
	UILocales      string            `json:"ui_locales,omitempty"`
	Prompt         []string          `json:"prompt,omitempty"`
	MaxAge         *int              `json:"max_age,omitempty"`      // seconds
	Deferred       string            `json:"deferred,omitempty"`     // id of the question that is answered here for elsewhere
	Person         uuid.UUID         `json:"person,omitzero"`        // this one, or no login
	Binding        string            `json:"binding,omitempty"`      // what the client says there
	Notification   string            `json:"notification,omitempty"` // by what the client knows that it is we who tell it
	IssuerState    string            `json:"issuer_state,omitempty"` // of the credential offer that this began with
	Instance       string            `json:"instance,omitempty"`     // of the attested wallet that pushed this
}

const maxParameter = 2048

var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // S256 has one length
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	jktForm       = challengeForm // SHA-256 too
)

// registered tells whether a redirect URI is one of the client's, character by
// character (ASVS 10.4.1). The OAuth library would let ports of loopback differ.
func (c client) registered(redirect string) bool {
	return redirect != "" && slices.Contains(c.RedirectURIs, redirect)
}

// judge decides whether a client may ask this. The redirect URI was verified
// before, so every refusal may be sent there.
func (p *Provider) judge(ctx context.Context, c client, form url.Values) (asked, error) {
	if err := unsupported(form); err != nil {
		return asked{}, err
	}
	parsed, err := p.parse(ctx, c, form)
	if err != nil {
		return asked{}, err
	}
	a := asked{Client: c.ID, Redirect: form.Get("redirect_uri"), State: form.Get("state"), Nonce: form.Get("nonce"),
		Challenge: form.Get("code_challenge"), JKT: form.Get("dpop_jkt"), Locales: strings.Fields(form.Get("claims_locales")),
		Hint: form.Get("login_hint"), UILocales: form.Get("ui_locales"), Resources: p.elsewhere(form["resource"])}
	for _, step := range []func() error{
		func() error { return p.pkce(ctx, c, form) },
		func() error { return p.mode(ctx, c, &a, form.Get("response_mode")) },
		func() error { return a.prompted(c, form) },
		func() error { return p.scoped(&a, c, parsed.GetRequestedScopes()) },
		func() error { return p.detail(&a, c, form.Get("authorization_details")) },
		func() error { return p.offered(ctx, &a, form.Get("issuer_state")) },
		func() error { return c.reach(a.Resources) },
		func() error { return p.claimed(&a, c, form) },
	} {
		if err := step(); err != nil {
			return asked{}, err
		}
	}
	if a.JKT != "" && !jktForm.MatchString(a.JKT) {
		return asked{}, fosite.ErrInvalidRequest.WithHint("dpop_jkt is no thumbprint.")
	}
	return a, nil
}

// parse has the OAuth library read the request.
func (p *Provider) parse(ctx context.Context, c client, form url.Values) (fosite.AuthorizeRequester, error) {
	library := fosite.NewOAuth2Provider(only{&c}, p.settings)
	parsed, err := library.NewAuthorizeRequest(ctx, &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, Form: withoutMode(form)})
	// The last thing the library looks at is whether state is long enough; RFC 6749
	// does not even ask for one, and PKCE does what it was for.
	if known, ok := refusal(err); err != nil && (!ok || known.ErrorField != fosite.ErrInvalidState.ErrorField) {
		return nil, err
	}
	return parsed, nil
}

// withoutMode hides from the library what it knows nothing of: JARM.
func withoutMode(form url.Values) url.Values {
	shown := make(url.Values, len(form))
	for name, values := range form {
		if name != "response_mode" {
			shown[name] = values
		}
	}
	return shown
}

// unsupported refuses what we do not do, by the names that the standards give.
func unsupported(form url.Values) error {
	if name := repeated(form); name != "" {
		return fosite.ErrInvalidRequest.WithHintf("Send %s once.", name)
	}
	for name, values := range form {
		if !storable(name) || !storable(values[0]) {
			return fosite.ErrInvalidRequest.WithHint("Send text in UTF-8, without NUL.")
		}
		if name != "claims" && name != "authorization_details" && name != "id_token_hint" && len(values[0]) > maxParameter {
			return fosite.ErrInvalidRequest.WithHintf("The parameter %s is too long.", ascii(name[:min(len(name), 40)]))
		}
	}
	switch {
	case form.Get("request_uri") != "":
		return fosite.ErrRequestURINotSupported
	case form.Get("registration") != "":
		return fosite.ErrRegistrationNotSupported
	}
	return nil
}

// pkce demands S256 (ASVS 10.4.6), save of clients that have a key or secret and
// follow OpenID Connect Core, where the nonce does its work. No method means
// plain (RFC 7636 4.3), which nobody may use.
func (p *Provider) pkce(ctx context.Context, c client, form url.Values) error {
	wrong := fosite.ErrInvalidRequest.WithHint("Send a code_challenge, and code_challenge_method=S256.")
	if form.Get("code_challenge") == "" && form.Get("code_challenge_method") == "" {
		if c.IsPublic() || c.RequirePKCE {
			return wrong
		}
		return p.demand(ctx, c, fapi, "PKCE", false, wrong)
	}
	if form.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(form.Get("code_challenge")) {
		return wrong
	}
	return nil
}

// mode judges in which form the client wants the answer.
func (p *Provider) mode(ctx context.Context, c client, a *asked, mode string) error {
	switch mode {
	case "", "query":
		if err := p.demand(ctx, c, partner.FAPI2M, "signed responses (response_mode=jwt)", false, fosite.ErrInvalidRequest.WithHint("Send response_mode=jwt: this client gets signed answers.")); err != nil {
			return err
		}
	case "jwt", "query.jwt":
		a.Mode = "jwt"
	default:
		return fosite.ErrUnsupportedResponseMode.WithHint("The response_mode must be query, jwt or query.jwt.")
	}
	return nil
}

// scoped takes the scopes that we know. Credentials have scopes of their own.
func (p *Provider) scoped(a *asked, c client, wished []string) error {
	for _, scope := range wished {
		for _, configuration := range p.credentialScopes()[scope] {
			a.Configurations = with(a.Configurations, configuration)
		}
		if scope == offline && !c.Allows("refresh_token") {
			continue // ignored, as OpenID Connect Core 11 wants it
		}
		if p.knows(scope) {
			a.Scopes = append(a.Scopes, scope)
		}
	}
	return nil
}

// claimed takes what is asked about the person. Claims about people are OpenID
// Connect's; a plain OAuth client gets what it named.
func (p *Provider) claimed(a *asked, c client, form url.Values) error {
	w, err := parseWishes(form.Get("claims"))
	if err != nil {
		return err
	}
	if !slices.Contains(a.Scopes, "openid") {
		a.Scopes = slices.DeleteFunc(a.Scopes, func(s string) bool { return ofScope[s] != nil })
		if len(a.Configurations)+len(a.Details)+len(a.Resources)+len(a.Scopes) == 0 {
			return fosite.ErrInvalidScope.WithHint("Ask for openid, for a credential, or for a resource.")
		}
		return nil
	}
	if err := a.ask(c, w); err != nil {
		return err
	}
	if !a.MustACR {
		wished := strings.Fields(form.Get("acr_values"))
		if len(wished) == 0 {
			wished = c.ACRs // what a request says goes before the default (Registration 2)
		}
		for _, acr := range wished {
			a.ACR = with(a.ACR, acr)
		}
	}
	// A class that nobody knows cannot be met; unless it is a must, it is no wish either.
	a.ACR = slices.DeleteFunc(a.ACR, func(acr string) bool { return !slices.Contains(auth.ACRs(), acr) })
	return p.hinted(a, form.Get("id_token_hint"))
}

// elsewhere leaves out ourselves: a wallet names the credential issuer (OpenID4VCI 1.0,
// 5.1.2), which we are too, and every token is for us that is for nobody else.
func (p *Provider) elsewhere(resources []string) []string {
	return slices.DeleteFunc(slices.Clone(resources), func(resource string) bool {
		return resource == p.issuer || strings.HasPrefix(resource, p.issuer+"/")
	})
}

// reach judges which resources tokens are asked for (RFC 8707).
func (c client) reach(resources []string) error {
	for _, resource := range resources {
		if !slices.Contains(c.Resources, resource) {
			return errTarget
		}
	}
	return nil
}

var errTarget = &fosite.RFC6749Error{ErrorField: "invalid_target", CodeField: http.StatusBadRequest,
	DescriptionField: "The resource is unknown, or this client may get no tokens for it."}
