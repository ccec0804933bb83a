package oidc

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/ory/fosite"
)

// ofScope are the claims that a scope stands for (OpenID Connect Core 5.4), as far
// as the registry knows them.
var ofScope = map[string][]string{
	"profile": {"name", "given_name", "family_name", "gender", "birthdate", "picture", "locale"},
	"email":   {"email"},
	"phone":   {"phone_number"},
	"address": {"address"},
}

// companion is given with a claim and means nothing without it.
var companion = map[string]string{"email": "email_verified", "phone_number": "phone_number_verified"}

// about are claims of the ID token that say something of the login, not of the person.
var about = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash"}

// claimNames lists every claim about people that can be asked for, in the order
// of the pages.
func claimNames() []string {
	var names []string
	for _, scope := range []string{"profile", "email", "phone", "address"} {
		names = append(names, ofScope[scope]...)
	}
	return names
}

// mayAsk tells whether a client may ask for a scope. Scopes that nobody knows are
// left out later (OpenID Connect Core 3.1.2.1), so they are no offence.
func (p *Provider) mayAsk(registered []string, scope string) bool {
	return !p.knows(scope) || slices.Contains(registered, scope)
}

func (p *Provider) knows(scope string) bool {
	_, credential := p.CredentialScopes[scope]
	return scope == "openid" || ofScope[scope] != nil || credential
}

// wish is one entry of the claims parameter (OpenID Connect Core 5.5.1).
type wish struct {
	Essential bool     `json:"essential"`
	Value     any      `json:"value"`
	Values    []string `json:"values"`
}

// wishes is the claims parameter.
type wishes struct {
	UserInfo map[string]*wish `json:"userinfo"`
	IDToken  map[string]*wish `json:"id_token"`
}

const maxWishes = 8 << 10

func parseWishes(raw string) (wishes, error) {
	var w wishes
	if raw == "" {
		return w, nil
	}
	if len(raw) > maxWishes || json.Unmarshal([]byte(raw), &w) != nil {
		return w, fosite.ErrInvalidRequest.WithHint("The claims parameter is no JSON object as in OpenID Connect Core 5.5.")
	}
	return w, nil
}

// ask adds what scopes and claims parameter ask for, below the client's ceiling.
func (a *asked) ask(c client, w wishes) {
	ceiling := func(name string) bool { return slices.Contains(c.Claims, name) }
	for _, scope := range a.Scopes {
		for _, name := range ofScope[scope] {
			if ceiling(name) {
				a.UserInfo = with(a.UserInfo, name)
			}
		}
	}
	a.wish(w.UserInfo, &a.UserInfo, ceiling)
	a.wish(w.IDToken, &a.IDToken, ceiling)
	if acr := w.IDToken["acr"]; acr != nil && acr.Essential {
		a.ACR = acr.Values
		if one, ok := acr.Value.(string); ok {
			a.ACR = with(a.ACR, one)
		}
	}
	if sub := w.IDToken["sub"]; sub != nil {
		a.Subject, _ = sub.Value.(string)
	}
}

func (a *asked) wish(from map[string]*wish, into *[]string, ceiling func(string) bool) {
	for asked, w := range from {
		name, language, _ := strings.Cut(asked, "#")
		if !slices.Contains(claimNames(), name) || !ceiling(name) {
			continue // what cannot or may not be given is left out (Core 5.5)
		}
		*into = with(*into, name)
		if w != nil && w.Essential {
			a.Essential = with(a.Essential, name)
		}
		if language != "" {
			a.Locales = with(a.Locales, language)
		}
	}
}

// claims are the names that are asked for, each once and in the order of the pages.
func (a asked) claims() []string {
	var names []string
	for _, name := range claimNames() {
		if slices.Contains(a.UserInfo, name) || slices.Contains(a.IDToken, name) {
			names = append(names, name)
		}
	}
	return names
}

// with adds to a list what is not in it yet.
func with(list []string, more string) []string {
	if slices.Contains(list, more) {
		return list
	}
	return append(list, more)
}

// told is what claims would tell, in words for the person to see.
func (p *Provider) told(ctx context.Context, person uuid.UUID, names []string, lang string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	claims, err := p.Registry.Claims(ctx, p.Pool, person, names, []string{lang})
	if err != nil {
		return nil, err
	}
	words := make(map[string]string)
	for name, value := range claims {
		switch v := value.(type) {
		case string:
			if words[name] = v; name == "picture" {
				words[name] = "" // that it is asked for is said; it need not travel for that
			}
		case map[string]any:
			words[name], _ = v["formatted"].(string)
		}
	}
	return words, nil
}

// released reads what was both asked for at this place and allowed, as it is now.
func (p *Provider) released(ctx context.Context, l lived, names []string) (map[string]any, error) {
	var allowed []string
	for _, name := range names {
		if slices.Contains(l.grant.Claims(), name) {
			allowed = append(allowed, name)
			if also := companion[name]; also != "" {
				allowed = append(allowed, also)
			}
		}
	}
	if len(allowed) == 0 {
		return map[string]any{}, nil
	}
	claims, err := p.Registry.Claims(ctx, l.db, l.grant.Person(), allowed, l.facts.Locales)
	if err != nil {
		return nil, err
	}
	// Whatever the registry may add, nothing leaves that was not allowed.
	for name := range claims {
		base, _, _ := strings.Cut(name, "#")
		if !slices.Contains(allowed, base) {
			delete(claims, name)
		}
	}
	return claims, nil
}
