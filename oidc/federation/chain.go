package federation

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/oidc/federation/policy"
)

// maxDepth is how many statements a chain may have, the anchor's configuration included.
const maxDepth = 8

// Chain is a chain of trust from an entity to an anchor that was checked from end to
// end, and what the entity may say of itself under it.
type Chain struct {
	Subject    string
	Anchor     string
	Superior   string                    // the one right above the subject; empty when the subject is the anchor
	Statements []string                  // as they were signed: the subject's configuration first, the anchor's last
	Metadata   map[string]map[string]any // by entity type, after all policies
	Expires    time.Time

	links []statement
}

// judge checks a chain: who says what of whom, the signatures, the constraints, and
// what the policies make of the metadata (OpenID Federation 1.0, 10.2). The anchor's
// configuration may be left out at the end; the keys are those that we know it by.
func judge(links []statement, anchor string, known jose.JSONWebKeySet) (Chain, error) {
	if len(links) == 0 || len(links) > maxDepth {
		return Chain{}, mistrust("a chain has 1 to %d statements", maxDepth)
	}
	if err := connected(links, anchor); err != nil {
		return Chain{}, err
	}
	for i, s := range links {
		above := known
		if i+1 < len(links) {
			above = links[i+1].keys
		}
		if !s.by(above) || i == 0 && !s.by(s.keys) {
			return Chain{}, mistrust("the statement of %s about %s is not signed with a key that it may sign with", s.issuer, s.subject)
		}
	}
	c := Chain{Subject: links[0].subject, Anchor: anchor, Expires: links[0].expires, links: links}
	for _, s := range links {
		c.Statements = append(c.Statements, s.raw)
		if s.expires.Before(c.Expires) {
			c.Expires = s.expires
		}
	}
	if len(links) > 1 {
		c.Superior = links[1].issuer
	}
	resolved, err := demand(links)
	c.Metadata = resolved
	return c, err
}

// connected checks who says what of whom.
func connected(links []statement, anchor string) error {
	last := len(links) - 1
	if !links[0].own() {
		return mistrust("a chain must begin with the configuration of its subject")
	}
	if links[last].issuer != anchor {
		return mistrust("the chain does not end at %s", anchor)
	}
	var seen []string
	for i, s := range links {
		if i > 0 && links[i-1].issuer != s.subject {
			return mistrust("the statement of %s does not follow on that of %s", s.issuer, links[i-1].issuer)
		}
		if s.own() && i > 0 && i < last {
			return mistrust("a chain must have configurations at its ends only")
		}
		if s.own() && i > 0 {
			continue // the anchor, who has spoken in the statement before
		}
		if slices.Contains(seen, s.issuer) {
			return mistrust("the chain comes to %s twice", s.issuer)
		}
		seen = append(seen, s.issuer)
	}
	// Otherwise anybody could put any entity under itself (3.2).
	if last > 0 && !slices.Contains(links[0].hints, links[1].issuer) {
		return mistrust("%s does not name %s among its authority_hints", links[0].subject, links[1].issuer)
	}
	return nil
}

// demand applies what the superiors say: constraints, then metadata of the one right
// above, then the policies, the anchor's first (6.1.4, 6.2).
func demand(links []statement) (policy.Metadata, error) {
	resolved := links[0].metadata.With(nil)
	var below []string
	for i, s := range links {
		if i == 0 {
			continue
		}
		if s.own() {
			break
		}
		below = append(below, s.subject)
		if err := s.constraints.hold(below); err != nil {
			return nil, mistrust("a constraint of %s does not hold: %s", s.issuer, err)
		}
		if i == 1 {
			resolved = resolved.With(s.metadata)
		}
		if s.constraints.typed {
			resolved.Only(append(slices.Clone(s.constraints.kinds), federationEntity)...)
		}
	}
	var demanded policy.Policy
	for _, s := range slices.Backward(links) {
		var err error
		if demanded, err = demanded.Merge(s.policy); err != nil {
			return nil, misfit("%s", err)
		}
	}
	resolved, err := demanded.Apply(resolved)
	if err != nil {
		return nil, misfit("%s", err)
	}
	return resolved, nil
}
