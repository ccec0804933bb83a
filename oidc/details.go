package oidc

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/templates"
)

// detail is an entry of authorization_details (RFC 9396). Of our own type, for
// credentials, we judge the contents (OpenID4VCI 1.0, 5.1.1); those of the
// resources that a client was registered for are shown to the person and handed
// on as they are.
type detail struct {
	Type          string          `json:"type"`
	Configuration string          `json:"credential_configuration_id,omitempty"`
	Identifiers   []string        `json:"credential_identifiers,omitempty"` // in token responses only
	Raw           json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps what it does not know.
func (d *detail) UnmarshalJSON(raw []byte) error {
	type plain detail
	if err := json.Unmarshal(raw, (*plain)(d)); err != nil {
		return err
	}
	d.Raw = slices.Clone(raw)
	return nil
}

// MarshalJSON gives back what was read.
func (d detail) MarshalJSON() ([]byte, error) {
	if d.Type != credentialDetail && d.Raw != nil {
		return d.Raw, nil
	}
	type plain detail
	return json.Marshal(plain(d))
}

const (
	credentialDetail = "openid_credential"
	maxDetails       = 16
)

// details reads authorization_details.
func (p *Provider) details(raw string) ([]detail, error) {
	if raw == "" {
		return nil, nil
	}
	var list []detail
	if len(raw) > maxWishes || json.Unmarshal([]byte(raw), &list) != nil || len(list) == 0 || len(list) > maxDetails {
		return nil, errDetails
	}
	for _, d := range list {
		if _, shown := d.facts(); !shown && d.Type != credentialDetail {
			return nil, errDetails
		}
		if d.Type == "" || d.Type == credentialDetail && (d.Identifiers != nil || p.scopeOf(d.Configuration) == "") {
			return nil, errDetails
		}
	}
	return list, nil
}

// Bounds of what a person can be expected to read.
const (
	maxFacts      = 40
	maxFactName   = 120
	maxFactText   = 300
	maxFactNested = 6
)

// facts is all that an entry says, to be shown to the person; false when it is too
// much to be read, so that nobody allows what was hidden among it.
func (d detail) facts() ([]templates.Fact, bool) {
	var members map[string]any
	if json.Unmarshal(d.Raw, &members) != nil || len(d.Type) > maxFactName {
		return nil, false
	}
	delete(members, "type")
	facts, ok := flatten(nil, "", members, 0)
	return facts, ok && len(facts) <= maxFacts
}

// flatten lists what a value says, each thing under the way to it.
func flatten(facts []templates.Fact, at string, value any, depth int) ([]templates.Fact, bool) {
	ok := depth <= maxFactNested && len(facts) <= maxFacts
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !ok {
				break
			}
			facts, ok = flatten(facts, strings.TrimPrefix(at+" "+name, " "), v[name], depth+1)
		}
	case []any:
		for _, each := range v {
			if !ok {
				break
			}
			facts, ok = flatten(facts, at, each, depth+1)
		}
	default:
		raw, err := json.Marshal(v)
		text, isText := v.(string)
		if !isText {
			text = string(raw)
		}
		ok = ok && err == nil && len(at) <= maxFactName && len(text) <= maxFactText && storable(text)
		facts = append(facts, templates.Fact{Name: at, Value: text})
	}
	return facts, ok
}

// powers are the entries of other services, as they are shown.
func powers(list []detail) []templates.Power {
	var all []templates.Power
	for _, d := range list {
		if d.Type == credentialDetail {
			continue // a document, which has words of its own
		}
		facts, _ := d.facts()
		all = append(all, templates.Power{Type: d.Type, Facts: facts})
	}
	return all
}

func (p *Provider) scopeOf(configuration string) string {
	for scope, ids := range p.credentialScopes() {
		if slices.Contains(ids, configuration) {
			return scope
		}
	}
	return ""
}

// credentialScopes are those of now: kinds of credentials come and go.
func (p *Provider) credentialScopes() map[string][]string {
	if p.CredentialScopes == nil {
		return nil
	}
	return p.CredentialScopes()
}

// detail judges what a client asks for by authorization_details. What it may not
// ask for by scope, it may not ask for by another name.
func (p *Provider) detail(a *asked, c client, raw string) error {
	list, err := p.details(raw)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Type == credentialDetail && slices.Contains(c.Scopes, p.scopeOf(d.Configuration)) {
			a.Configurations = with(a.Configurations, d.Configuration)
		} else if d.Type == credentialDetail || !slices.Contains(c.DetailTypes, d.Type) {
			return errDetails
		}
	}
	a.Details = list
	return nil
}

// granted are the details as the token response tells them.
func granted(list []detail) []detail {
	var told []detail
	for _, d := range list {
		if d.Type == credentialDetail {
			d.Identifiers = []string{d.Configuration}
		}
		told = append(told, d)
	}
	return told
}
