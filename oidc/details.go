package oidc

import (
	"encoding/json"
	"slices"
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
		if d.Type == "" || d.Type == credentialDetail && (d.Identifiers != nil || p.scopeOf(d.Configuration) == "") {
			return nil, errDetails
		}
	}
	return list, nil
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
