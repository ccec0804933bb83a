package oidc

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ory/fosite"
)

// asked is an authorization request that was judged; only judge makes one. It
// travels sealed, so nobody else can.
type asked struct {
	Client         string   `json:"client"`
	Redirect       string   `json:"redirect"`
	State          string   `json:"state,omitempty"`
	Nonce          string   `json:"nonce,omitempty"`
	Challenge      string   `json:"challenge"`
	Scopes         []string `json:"scopes,omitempty"`
	UserInfo       []string `json:"userinfo,omitempty"` // names of claims
	IDToken        []string `json:"id_token,omitempty"`
	Essential      []string `json:"essential,omitempty"`
	Locales        []string `json:"locales,omitempty"` // of claims
	Configurations []string `json:"configurations,omitempty"`
	Details        []string `json:"details,omitempty"` // configurations that authorization_details named
	ACR            []string `json:"acr,omitempty"`     // one of these, or no login
	Subject        string   `json:"subject,omitempty"` // this person, or no login
	Hint           string   `json:"hint,omitempty"`
	UILocales      string   `json:"ui_locales,omitempty"`
}

const maxParameter = 2048

var (
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`) // S256 has one length
	verifierForm  = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
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
	library := fosite.NewOAuth2Provider(only{&c}, p.settings)
	parsed, err := library.NewAuthorizeRequest(ctx, &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}, Form: form})
	// The last thing the library looks at is whether state is long enough; RFC 6749
	// does not even ask for one, and PKCE does what it was for.
	if err != nil && !isState(err) {
		return asked{}, err
	}
	if err := pkce(form); err != nil {
		return asked{}, err
	}
	if err := prompt(form); err != nil {
		return asked{}, err
	}
	w, err := parseWishes(form.Get("claims"))
	if err != nil {
		return asked{}, err
	}
	a := asked{Client: c.ID, Redirect: form.Get("redirect_uri"), State: form.Get("state"), Nonce: form.Get("nonce"),
		Challenge: form.Get("code_challenge"), Locales: strings.Fields(form.Get("claims_locales")),
		Hint: form.Get("login_hint"), UILocales: form.Get("ui_locales")}
	for _, scope := range parsed.GetRequestedScopes() {
		if configuration, ok := p.CredentialScopes[scope]; ok {
			a.Configurations = with(a.Configurations, configuration)
		}
		if p.knows(scope) {
			a.Scopes = append(a.Scopes, scope)
		}
	}
	if err := p.detail(&a, c, form.Get("authorization_details")); err != nil {
		return asked{}, err
	}
	if !slices.Contains(a.Scopes, "openid") {
		// Claims about people are OpenID Connect's; a plain OAuth client gets what it named.
		a.Scopes = slices.DeleteFunc(a.Scopes, func(s string) bool { return ofScope[s] != nil })
		if len(a.Configurations) == 0 {
			return asked{}, fosite.ErrInvalidScope.WithHint("Ask for openid, or for a credential.")
		}
		return a, nil
	}
	a.ask(c, w)
	return a, p.hinted(&a, form.Get("id_token_hint"))
}

func isState(err error) bool {
	known, ok := refusal(err)
	return ok && known.ErrorField == fosite.ErrInvalidState.ErrorField
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
	case form.Get("request") != "":
		return fosite.ErrRequestNotSupported
	case form.Get("request_uri") != "":
		return fosite.ErrRequestURINotSupported
	case form.Get("registration") != "":
		return fosite.ErrRegistrationNotSupported
	}
	return nil
}

// pkce demands S256 of everybody (ASVS 10.4.6). No method means plain (RFC 7636 4.3).
func pkce(form url.Values) error {
	if form.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(form.Get("code_challenge")) {
		return fosite.ErrInvalidRequest.WithHint("Send a code_challenge, and code_challenge_method=S256.")
	}
	return nil
}

// prompt judges how the person may be asked. Everybody logs in anew every time,
// so login, select_account and any max_age are met as they are.
func prompt(form url.Values) error {
	values := strings.Fields(form.Get("prompt"))
	for _, value := range values {
		switch value {
		case "none":
			if len(values) > 1 {
				return fosite.ErrInvalidRequest.WithHint("prompt=none goes with no other value.")
			}
			return fosite.ErrLoginRequired
		case "login", "consent", "select_account":
		default:
			return fosite.ErrInvalidRequest.WithHint("This value of prompt is not supported.")
		}
	}
	if age := form.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return fosite.ErrInvalidRequest.WithHint("max_age must be a number of seconds.")
		}
	}
	return nil
}

// detail is an entry of authorization_details (RFC 9396, OpenID4VCI 1.0, 5.1.1).
type detail struct {
	Type          string   `json:"type"`
	Configuration string   `json:"credential_configuration_id"`
	Identifiers   []string `json:"credential_identifiers,omitempty"` // in token responses only
}

const credentialDetail = "openid_credential"

// details reads authorization_details and gives the configurations that it names.
func (p *Provider) details(raw string) ([]string, error) {
	if raw == "" {
		return nil, nil
	}
	var list []detail
	if len(raw) > maxWishes || json.Unmarshal([]byte(raw), &list) != nil || len(list) == 0 {
		return nil, errDetails
	}
	var named []string
	for _, d := range list {
		if d.Type != credentialDetail || d.Identifiers != nil || p.scopeOf(d.Configuration) == "" {
			return nil, errDetails
		}
		named = with(named, d.Configuration)
	}
	return named, nil
}

func (p *Provider) scopeOf(configuration string) string {
	for scope, id := range p.CredentialScopes {
		if id == configuration {
			return scope
		}
	}
	return ""
}

func (p *Provider) detail(a *asked, c client, raw string) error {
	named, err := p.details(raw)
	if err != nil {
		return err
	}
	for _, configuration := range named {
		// What a client may not ask for by scope, it may not ask for by another name.
		if !slices.Contains(c.Scopes, p.scopeOf(configuration)) {
			return errDetails
		}
		a.Configurations = with(a.Configurations, configuration)
	}
	a.Details = named
	return nil
}
