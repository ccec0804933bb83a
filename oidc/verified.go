package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/plinth-id/plinth/registry"
)

// verifiedRequest is one wish for claims with the story of how they were verified
// (OpenID Identity Assurance Schema 1.0; OpenID Connect for Identity Assurance 1.0, 6).
type verifiedRequest struct {
	Verification map[string]any   `json:"verification"`
	Claims       map[string]*wish `json:"claims"`
}

// verifiedWish are those of a request, by where the answer is to stand.
type verifiedWish struct {
	UserInfo []verifiedRequest `json:"userinfo,omitempty"`
	IDToken  []verifiedRequest `json:"id_token,omitempty"`
}

const maxVerified = 8

// parseVerified reads verified_claims: one object, or a list of them.
func parseVerified(raw json.RawMessage) ([]verifiedRequest, error) {
	var list []verifiedRequest
	if err := json.Unmarshal(raw, &list); err != nil {
		var one verifiedRequest
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		list = []verifiedRequest{one}
	}
	if len(list) > maxVerified {
		return nil, errors.New("too many verified_claims")
	}
	for _, r := range list {
		// Both are a must: without them a request is void (6.1).
		if _, ok := r.Verification["trust_framework"]; !ok || len(r.Claims) == 0 {
			return nil, errors.New("verified_claims needs verification with trust_framework, and claims")
		}
	}
	return list, nil
}

// wishVerified takes the wishes for claims that the client may have.
func wishVerified(w wishes, ceiling func(string) bool) *verifiedWish {
	allowed := func(list []verifiedRequest) []verifiedRequest {
		var kept []verifiedRequest
		for _, r := range list {
			maps.DeleteFunc(r.Claims, func(name string, _ *wish) bool { return !slices.Contains(claimNames(), name) || !ceiling(name) })
			if len(r.Claims) > 0 {
				kept = append(kept, r)
			}
		}
		return kept
	}
	v := verifiedWish{UserInfo: allowed(w.UserInfo.Verified), IDToken: allowed(w.IDToken.Verified)}
	if len(v.UserInfo)+len(v.IDToken) == 0 {
		return nil
	}
	return &v
}

// has tells whether a claim is wished for with its verification.
func (v *verifiedWish) has(name string) bool {
	if v == nil {
		return false
	}
	return slices.ContainsFunc(slices.Concat(v.UserInfo, v.IDToken), func(r verifiedRequest) bool {
		_, ok := r.Claims[name]
		return ok
	})
}

// at are the wishes for one place.
func (v *verifiedWish) at(place string) []verifiedRequest {
	switch {
	case v == nil:
		return nil
	case place == placeIDToken:
		return v.IDToken
	}
	return v.UserInfo
}

// addVerified answers wishes for verified claims. One that cannot be met as it was
// made is left out, whole: the client must not take less for more (6.2).
func (p *Provider) addVerified(ctx context.Context, l lived, wished []verifiedRequest, into map[string]any) error {
	if len(wished) == 0 {
		return nil
	}
	vetting, err := p.Registry.Vetting(ctx, l.db, l.grant.Person())
	if err != nil {
		return err
	}
	now := p.Now()
	var met []any
	for _, r := range wished {
		verification, ok := match(r.Verification, vetted(vetting), now)
		if !ok {
			continue
		}
		var names []string
		for name := range r.Claims {
			if slices.Contains(l.grant.Claims(), name) {
				names = append(names, name)
			}
		}
		claims, err := p.Registry.Claims(ctx, l.db, l.grant.Person(), names, l.facts.Locales)
		if err != nil {
			return err
		}
		whole := true
		for name, w := range r.Claims {
			value, has := claims[name]
			whole = whole && (has && fitting(value, w.values()) || !has && (w == nil || !w.Essential))
		}
		if whole && len(claims) > 0 {
			met = append(met, map[string]any{"verification": verification, "claims": claims})
		}
	}
	switch len(met) {
	case 0:
	case 1:
		into["verified_claims"] = met[0]
	default:
		into["verified_claims"] = met
	}
	return nil
}

// vetted tells how a person was verified, in the words of the standard.
func vetted(v registry.Vetting) map[string]any {
	all := map[string]any{"trust_framework": v.Framework, "time": v.At.UTC().Format(time.RFC3339)}
	if v.Level != "" {
		all["assurance_level"] = v.Level
	}
	if v.Process != "" {
		all["verification_process"] = v.Process
	}
	var evidence []any
	for _, e := range v.Evidence {
		evidence = append(evidence, shownEvidence(v, e))
	}
	if evidence != nil {
		all["evidence"] = evidence
	}
	return all
}

func shownEvidence(v registry.Vetting, e registry.VettingEvidence) map[string]any {
	method := map[string]any{"type": e.Method, "policy": v.Framework}
	check := map[string]any{"check_method": e.Method, "time": v.At.UTC().Format(time.RFC3339), "organization": v.Organization}
	if v.Officer != "" {
		check["txn"] = v.Application
	}
	shown := map[string]any{"type": e.Type, "check_details": []any{check}}
	switch e.Type {
	case "document":
		document := map[string]any{"type": e.Document}
		if e.Number != "" {
			document["document_number"] = e.Number
		}
		shown["document_details"] = document
		shown["method"] = e.Method
	case "vouch":
		shown["attestation"] = map[string]any{"type": "written_attestation"}
	default:
		shown["validation_method"] = method
	}
	return shown
}

// match finds, in what there is, all that is wished for (section 6): null wishes
// for whatever there is, an object with value, values or max_age for what fits,
// another object for its members, a list for an entry that fits each of its own.
// What was not wished for is not told.
func match(wished map[string]any, there map[string]any, now time.Time) (map[string]any, bool) {
	told := make(map[string]any)
	for name, w := range wished {
		value, has := there[name]
		if !has {
			if essential(w) {
				return nil, false
			}
			continue // not known: left out, and the rest is told (6.2)
		}
		found, ok := matchOne(w, value, now)
		if !ok {
			return nil, false
		}
		told[name] = found
	}
	return told, true
}

func essential(w any) bool {
	switch w := w.(type) {
	case []any: // a list wishes for an entry that fits each of its own (6.2)
		return slices.ContainsFunc(w, essential)
	case map[string]any:
		must, _ := w["essential"].(bool)
		if must || w["value"] != nil || w["values"] != nil || w["max_age"] != nil {
			return true
		}
		for name, inner := range w {
			if name != "essential" && name != "purpose" && essential(inner) {
				return true
			}
		}
	}
	return false
}

func matchOne(w, value any, now time.Time) (any, bool) {
	switch w := w.(type) {
	case nil:
		return value, true
	case []any:
		list, ok := value.([]any)
		if !ok {
			return nil, false
		}
		return matchList(w, list, now)
	case map[string]any:
		if inner, ok := value.(map[string]any); ok {
			return matched(match(w, inner, now))
		}
		return value, fits(w, value, now)
	}
	return nil, false
}

func matched(m map[string]any, ok bool) (any, bool) { return m, ok }

// matchList gives the entries of a list that fit one of those that are wished for;
// each wish must find one.
func matchList(wished, list []any, now time.Time) (any, bool) {
	var told []any
	for _, w := range wished {
		found := false
		for _, entry := range list {
			if fit, ok := matchOne(w, entry, now); ok {
				told, found = append(told, fit), true
			}
		}
		if !found {
			return nil, false
		}
	}
	return told, true
}

func fits(w map[string]any, value any, now time.Time) bool {
	if one, ok := w["value"]; ok && !reflect.DeepEqual(one, value) {
		return false
	}
	if several, ok := w["values"].([]any); ok && !fitting(value, several) {
		return false
	}
	if age, ok := w["max_age"].(float64); ok {
		text, _ := value.(string)
		at, err := time.Parse(time.RFC3339, text)
		return err == nil && now.Sub(at) <= time.Duration(age)*time.Second
	}
	return true
}
