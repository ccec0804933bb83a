package federation

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// constraints are what a superior demands of the chains below it.
type constraints struct {
	maxPath   *int // intermediates between the superior and the subject
	permitted []string
	excluded  []string
	named     bool // permitted was given: then nothing else may be, even if it is empty
	kinds     []string
	typed     bool // kinds was given
}

// readConstraints reads a constraints claim. What is not known in it is passed over (6.2).
func readConstraints(raw json.RawMessage) (constraints, error) {
	var c constraints
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return c, errors.New("constraints must be an object")
	}
	if length, ok := members["max_path_length"]; ok {
		if err := json.Unmarshal(length, &c.maxPath); err != nil || c.maxPath == nil || *c.maxPath < 0 {
			return c, errors.New("max_path_length must be an integer from 0 on")
		}
	}
	if kinds, ok := members["allowed_entity_types"]; ok {
		c.typed = true
		if err := json.Unmarshal(kinds, &c.kinds); err != nil || c.kinds == nil || slices.Contains(c.kinds, federationEntity) {
			return c, errors.New("allowed_entity_types must be an array without federation_entity")
		}
	}
	if names, ok := members["naming_constraints"]; ok {
		return c, c.readNames(names)
	}
	return c, nil
}

func (c *constraints) readNames(raw json.RawMessage) error {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(raw, &names); err != nil || names == nil {
		return errors.New("naming_constraints must be an object")
	}
	for member, list := range map[string]*[]string{"permitted": &c.permitted, "excluded": &c.excluded} {
		if names[member] == nil {
			continue
		}
		if err := json.Unmarshal(names[member], list); err != nil || *list == nil {
			return fmt.Errorf("naming_constraints must have %s as an array of names", member)
		}
		if slices.ContainsFunc(*list, func(name string) bool { return strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/:@ ") }) {
			return fmt.Errorf("naming_constraints must have hosts and domains in %s", member)
		}
	}
	c.named = names["permitted"] != nil
	return nil
}

// hold checks the entities below the superior: the subject first, the one that the
// statement is about last.
func (c constraints) hold(below []string) error {
	if c.maxPath != nil && len(below)-1 > *c.maxPath {
		return fmt.Errorf("the chain has more intermediates than the %d that are allowed", *c.maxPath)
	}
	for _, id := range below {
		at, err := url.Parse(id)
		if err != nil {
			return fmt.Errorf("%s is no address", id)
		}
		host := strings.ToLower(strings.TrimSuffix(at.Hostname(), ".")) // a last dot leads to the same host
		inside := func(name string) bool { return covers(strings.ToLower(name), host) }
		if slices.ContainsFunc(c.excluded, inside) || c.named && !slices.ContainsFunc(c.permitted, inside) {
			return fmt.Errorf("%s lies outside of the names that are allowed", id)
		}
	}
	return nil
}

// covers tells whether a host is the one named, or one below a domain that is written
// with a dot before it (RFC 5280, 4.2.1.10).
func covers(name, host string) bool {
	if strings.HasPrefix(name, ".") {
		return strings.HasSuffix(host, name) && len(host) > len(name)
	}
	return host == name
}
