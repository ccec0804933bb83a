package oidc

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/ory/fosite"
)

// ofScope are the claims that a scope stands for (OpenID Connect Core 5.4), as far
// as the registry knows them.
var ofScope = map[string][]string{
	"profile": {"name", "given_name", "family_name", "gender", "birthdate", "picture", "locale", "updated_at"},
	"email":   {"email"},
	"phone":   {"phone_number"},
	"address": {"address"},
}

// companion is given with a claim and means nothing without it.
var companion = map[string]string{"email": "email_verified", "phone_number": "phone_number_verified"}

// derived are claims that are worked out of others, so that a client need not be
// told more than it must know. No scope stands for them: they are asked for by name.
var derived = []string{"age_over_16", "age_over_18", "age_over_21", "age_over_65", "birth_year", "region"}

// about are claims of the ID token that say something of the login, not of the person.
var about = []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash"}

// claimNames lists every claim about people that can be asked for, in the order
// of the pages.
func claimNames() []string {
	var names []string
	for _, scope := range []string{"profile", "email", "phone", "address"} {
		names = append(names, ofScope[scope]...)
	}
	return append(names, derived...)
}

// mayAsk tells whether a client may ask for a scope. Scopes that nobody knows are
// left out later (OpenID Connect Core 3.1.2.1), so they are no offence.
func (p *Provider) mayAsk(registered []string, scope string) bool {
	return !p.knows(scope) || scope == offline || slices.Contains(registered, scope)
}

func (p *Provider) knows(scope string) bool {
	_, credential := p.credentialScopes()[scope]
	return scope == "openid" || scope == offline || ofScope[scope] != nil || credential || slices.Contains(p.Scopes, scope)
}

// wish is one entry of the claims parameter (OpenID Connect Core 5.5.1; purpose
// is of OpenID Connect for Identity Assurance).
type wish struct {
	Essential bool   `json:"essential,omitempty"`
	Value     any    `json:"value,omitempty"`
	Values    []any  `json:"values,omitempty"`
	Purpose   string `json:"purpose,omitempty"`
}

// values are those that a claim is wished to have; none: any.
func (w *wish) values() []any {
	if w == nil {
		return nil
	}
	if w.Value != nil {
		return append([]any{w.Value}, w.Values...)
	}
	return w.Values
}

// wishes is the claims parameter.
type wishes struct {
	UserInfo place `json:"userinfo"`
	IDToken  place `json:"id_token"`
}

// place is where claims are wished for.
type place struct {
	Claims   map[string]*wish
	Verified []verifiedRequest
}

// UnmarshalJSON tells claims from verified claims.
func (p *place) UnmarshalJSON(raw []byte) error {
	var every map[string]json.RawMessage
	if err := json.Unmarshal(raw, &every); err != nil {
		return err
	}
	p.Claims = make(map[string]*wish)
	for name, value := range every {
		if name == "verified_claims" {
			verified, err := parseVerified(value)
			if err != nil {
				return err
			}
			p.Verified = verified
			continue
		}
		var w *wish
		if err := json.Unmarshal(value, &w); err != nil {
			return err
		}
		p.Claims[name] = w
	}
	return nil
}

const (
	maxWishes                   = 16 << 10
	minPurpose                  = 3 // characters, as eSignet has it
	maxPurpose                  = 300
	maxWished                   = 100
	placeIDToken, placeUserInfo = "id_token", "userinfo"
)

func parseWishes(raw string) (wishes, error) {
	var w wishes
	if raw == "" {
		return w, nil
	}
	if len(raw) > maxWishes || !shallow(raw) || json.Unmarshal([]byte(raw), &w) != nil || len(w.UserInfo.Claims)+len(w.IDToken.Claims) > maxWished {
		return w, fosite.ErrInvalidRequest.WithHint("The claims parameter is no JSON object as in OpenID Connect Core 5.5.")
	}
	return w, nil
}

// shallow tells JSON that nests no deeper than a request has a use for.
func shallow(raw string) bool {
	depth, text, escaped := 0, false, false
	for _, b := range []byte(raw) {
		switch {
		case escaped:
			escaped = false
		case text && b == '\\':
			escaped = true
		case b == '"':
			text = !text
		case !text && (b == '{' || b == '['):
			if depth++; depth > 16 {
				return false
			}
		case !text && (b == '}' || b == ']'):
			depth--
		}
	}
	return true
}

// ask adds what scopes and claims parameter ask for, below the client's ceiling.
func (a *asked) ask(c client, w wishes) error {
	ceiling := func(name string) bool { return slices.Contains(c.Claims, name) }
	for _, scope := range a.Scopes {
		for _, name := range ofScope[scope] {
			if ceiling(name) {
				a.UserInfo = with(a.UserInfo, name)
			}
		}
	}
	for _, p := range []struct {
		from place
		into *[]string
	}{{w.UserInfo, &a.UserInfo}, {w.IDToken, &a.IDToken}} {
		if err := a.wish(p.from.Claims, p.into, ceiling); err != nil {
			return err
		}
	}
	a.Verified = wishVerified(w, ceiling)
	// What is essential, and why it is asked for, the page shows for these as for others.
	for _, r := range slices.Concat(a.Verified.at(placeUserInfo), a.Verified.at(placeIDToken)) {
		for name, w := range r.Claims {
			if err := a.explain(name, w); err != nil {
				return err
			}
		}
	}
	slices.Sort(a.Essential)
	if acr := w.IDToken.Claims["acr"]; acr != nil {
		for _, value := range acr.values() {
			if name, ok := value.(string); ok {
				a.ACR = with(a.ACR, name)
			}
		}
		a.MustACR = acr.Essential && len(a.ACR) > 0
	}
	if sub := w.IDToken.Claims["sub"]; sub != nil {
		a.Subject, _ = sub.Value.(string)
	}
	return nil
}

// explain takes what the page says of a claim: that it is essential, and what for.
func (a *asked) explain(name string, w *wish) error {
	if w == nil {
		return nil
	}
	if w.Essential {
		a.Essential = with(a.Essential, name)
	}
	n := len(w.Purpose)
	if n == 0 {
		return nil
	}
	if n < minPurpose || n > maxPurpose {
		return fosite.ErrInvalidRequest.WithHint("The purpose of a claim has 3 to 300 characters.")
	}
	if a.Purposes == nil {
		a.Purposes = make(map[string]string)
	}
	a.Purposes[name] = w.Purpose
	return nil
}

func (a *asked) wish(from map[string]*wish, into *[]string, ceiling func(string) bool) error {
	for asked, w := range from {
		name, language, _ := strings.Cut(asked, "#")
		if !slices.Contains(claimNames(), name) || !ceiling(name) {
			continue // what cannot or may not be given is left out (Core 5.5)
		}
		*into = with(*into, name)
		if language != "" {
			a.Locales = with(a.Locales, language)
		}
		if w == nil {
			continue
		}
		if err := a.explain(name, w); err != nil {
			return err
		}
		if values := w.values(); values != nil {
			if a.Values == nil {
				a.Values = make(map[string][]any)
			}
			a.Values[name] = values
		}
	}
	slices.Sort(*into)
	slices.Sort(a.Essential)
	return nil
}

// claims are the names that are asked for, each once and in the order of the pages.
func (a asked) claims() []string {
	var names []string
	for _, name := range claimNames() {
		if slices.Contains(a.UserInfo, name) || slices.Contains(a.IDToken, name) || a.Verified.has(name) {
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
		case bool:
			words[name] = strconv.FormatBool(v)
		case int:
			words[name] = strconv.Itoa(v)
		case int64:
			words[name] = time.Unix(v, 0).UTC().Format(time.DateOnly)
		}
	}
	return words, nil
}

// released reads what was both asked for at this place and allowed, as it is now.
func (p *Provider) released(ctx context.Context, l lived, names []string, at string) (map[string]any, error) {
	var allowed []string
	for _, name := range names {
		if slices.Contains(l.grant.Claims(), name) {
			allowed = append(allowed, name)
			if also := companion[name]; also != "" {
				allowed = append(allowed, also)
			}
		}
	}
	verified := l.facts.Verified.at(at)
	if len(allowed) == 0 && len(verified) == 0 {
		return map[string]any{}, nil
	}
	claims, err := p.Registry.Claims(ctx, l.db, l.grant.Person(), allowed, l.facts.Locales)
	if err != nil {
		return nil, err
	}
	for name := range claims {
		base, _, _ := strings.Cut(name, "#")
		// Whatever the registry may add, nothing leaves that was not allowed; and what
		// is not as the client wished, it is not told (Core 5.5.1).
		if !slices.Contains(allowed, base) || !fitting(claims[name], l.facts.Values[base]) {
			delete(claims, name)
		}
	}
	return claims, p.addVerified(ctx, l, verified, claims)
}

// fitting tells whether a value is one of those that were wished for; none: any is.
func fitting(value any, wished []any) bool {
	return len(wished) == 0 || slices.ContainsFunc(wished, func(w any) bool { return reflect.DeepEqual(w, value) })
}
