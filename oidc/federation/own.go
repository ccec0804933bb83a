package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// configuration is what we say of ourselves.
func (f *Federation) configuration(ctx context.Context) (string, error) {
	now := f.Now()
	s, err := stands(ctx, f.Pool, now)
	if err != nil {
		return "", err
	}
	claims := map[string]any{"iss": f.issuer, "sub": f.issuer, "iat": now.Unix(), "exp": now.Add(statementLife).Unix(), "jwks": f.Keys(),
		"metadata": map[string]any{openidProvider: f.provider(), federationEntity: f.endpoints(s)}}
	if len(f.Authorities) > 0 {
		claims["authority_hints"] = f.Authorities
		// An anchor with nobody above it must not name others (3.1.2).
		if others := slices.DeleteFunc(slices.Sorted(maps.Keys(f.Anchors)), func(id string) bool { return id == f.issuer }); len(others) > 0 {
			claims["trust_anchor_hints"] = others
		}
	}
	if len(s.Marks) > 0 {
		issuers := make(map[string][]string, len(s.Marks))
		for _, kind := range s.Marks {
			issuers[kind] = []string{f.issuer}
		}
		claims["trust_mark_issuers"] = issuers // those below us believe it when we are their anchor
	}
	return f.sign(typeStatement, claims)
}

// provider is the metadata of the OpenID provider with what federations add to it.
func (f *Federation) provider() map[string]any {
	m := maps.Clone(f.Metadata())
	if len(f.Anchors) > 0 {
		m["client_registration_types_supported"] = []string{automatic, explicit}
		m["federation_registration_endpoint"] = f.at(pathRegister)
	}
	return m
}

// endpoints are those that serve a purpose: a leaf must have neither fetch nor list (5.1.1).
func (f *Federation) endpoints(s standing) map[string]any {
	m := map[string]any{}
	if len(f.Anchors) > 0 {
		m["federation_resolve_endpoint"] = f.at(pathResolve)
	}
	if s.Superior {
		m["federation_fetch_endpoint"] = f.at(pathFetch)
		m["federation_list_endpoint"] = f.at(pathList)
	}
	if len(s.Marks) > 0 {
		m["federation_trust_mark_endpoint"] = f.at(pathMark)
		m["federation_trust_mark_status_endpoint"] = f.at(pathStatus)
	}
	return m
}

// statementAbout is what we say of an entity right below us.
func (f *Federation) statementAbout(ctx context.Context, entity string) (string, error) {
	s, ok, err := subordinate(ctx, f.Pool, entity)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errNoEntity
	}
	now := f.Now()
	claims := map[string]any{"iss": f.issuer, "sub": s.Entity, "iat": now.Unix(), "exp": now.Add(statementLife).Unix(), "jwks": s.Keys,
		"source_endpoint": f.at(pathFetch)}
	for name, raw := range map[string]json.RawMessage{"metadata": s.Metadata, "metadata_policy": s.Policy, "constraints": s.Constraints} {
		if raw != nil {
			claims[name] = raw
		}
	}
	return f.sign(typeStatement, claims)
}

func (f *Federation) sign(kind string, claims map[string]any) (string, error) {
	raw, err := f.Sign(kind, claims)
	if err != nil {
		return "", fmt.Errorf("signing a %s: %w", kind, err)
	}
	return raw, nil
}
