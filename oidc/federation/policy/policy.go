// Package policy is what superiors in a federation demand of the metadata of those
// below them (OpenID Federation 1.0, 6.1): read, merged from the anchor downwards, and
// applied. It knows no statements and no network.
package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Metadata is what entities say of themselves: by entity type, then by parameter.
type Metadata map[string]map[string]any

// Policy is what superiors demand of metadata: by entity type, then by parameter.
type Policy map[string]map[string]rule

// ReadMetadata reads a metadata claim. A null is no value of a parameter.
func ReadMetadata(raw json.RawMessage) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, errors.New("metadata must be an object of objects")
	}
	for kind, parameters := range m {
		if parameters == nil {
			return nil, fmt.Errorf("metadata of %s must be an object", kind)
		}
		for name, value := range parameters {
			if value == nil {
				return nil, fmt.Errorf("metadata of %s has null as %s", kind, name)
			}
		}
	}
	return m, nil
}

// With puts the parameters that a superior states over those of the entity, for the
// entity types that it has (OpenID Federation 1.0, 3.1.1).
func (m Metadata) With(stated Metadata) Metadata {
	result := make(Metadata, len(m))
	for kind, parameters := range m {
		result[kind] = maps.Clone(parameters)
		maps.Copy(result[kind], stated[kind])
	}
	return result
}

// Only keeps some entity types.
func (m Metadata) Only(kinds ...string) {
	maps.DeleteFunc(m, func(kind string, _ map[string]any) bool { return !slices.Contains(kinds, kind) })
}

// Read reads a metadata_policy claim and checks every rule of it.
func Read(raw json.RawMessage) (Policy, error) {
	var written map[string]map[string]map[string]any
	if err := json.Unmarshal(raw, &written); err != nil || written == nil {
		return nil, errors.New("metadata_policy must be an object of three levels")
	}
	p := make(Policy, len(written))
	for kind, parameters := range written {
		if parameters == nil {
			return nil, fmt.Errorf("metadata_policy of %s must be an object", kind)
		}
		p[kind] = make(map[string]rule, len(parameters))
		for name, operators := range parameters {
			r, err := readRule(name, operators)
			if err != nil {
				return nil, fmt.Errorf("the policy of %s: %w", name, err)
			}
			p[kind][name] = r
		}
	}
	return p, nil
}

// Merge adds the policy of the next superior below. It can restrict what was
// demanded above and never loosen it (6.1.4.1).
func (p Policy) Merge(below Policy) (Policy, error) {
	result := make(Policy, len(p))
	for kind, rules := range p {
		result[kind] = maps.Clone(rules)
	}
	for kind, rules := range below {
		if result[kind] == nil {
			result[kind] = make(map[string]rule, len(rules))
		}
		for name, r := range rules {
			above, ok := result[kind][name]
			if !ok {
				result[kind][name] = r
				continue
			}
			merged, err := above.merge(r)
			if err != nil {
				return nil, fmt.Errorf("the policies of %s: %w", name, err)
			}
			result[kind][name] = merged
		}
	}
	return result, nil
}

// Apply gives metadata as the policy makes it, or says what the policy forbids.
func (p Policy) Apply(m Metadata) (Metadata, error) {
	result := make(Metadata, len(m))
	for kind, parameters := range m {
		result[kind] = maps.Clone(parameters)
		for name, r := range p[kind] {
			value, present := parameters[name]
			if present {
				value = wide(name, value)
			}
			value, present, err := r.apply(value, present)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if present {
				result[kind][name] = narrow(name, value)
			} else {
				delete(result[kind], name)
			}
		}
	}
	return result, nil
}
