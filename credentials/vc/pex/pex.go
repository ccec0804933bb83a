// Package pex reads Presentation Exchange 2.0 of DIF, in which wallets from before
// OpenID4VP 1.0 are asked. A definition is translated into DCQL, and what a wallet
// answers into the form of DCQL, so that there is one place where answers are judged.
// What has no translation is refused: it could not be checked.
package pex

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
)

// What a definition or a submission is refused for.
var (
	ErrMalformed   = errors.New("pex: not well formed")
	ErrUnsupported = errors.New("pex: a feature that has no translation")
)

const (
	maxBytes       = 64 << 10
	maxDescriptors = 16
	maxFields      = 32
	maxOptions     = 64
)

type definition struct {
	ID           string                     `json:"id"`
	Format       map[string]json.RawMessage `json:"format"`
	Descriptors  []descriptor               `json:"input_descriptors"`
	Requirements []requirement              `json:"submission_requirements"`
}

type descriptor struct {
	ID          string                     `json:"id"`
	Group       []string                   `json:"group"`
	Format      map[string]json.RawMessage `json:"format"`
	Constraints struct {
		Fields []field `json:"fields"`
	} `json:"constraints"`
}

type field struct {
	Path     []string        `json:"path"`
	Filter   json.RawMessage `json:"filter"`
	Optional bool            `json:"optional"`
	Retain   bool            `json:"intent_to_retain"`
}

type requirement struct {
	Rule   string          `json:"rule"`
	From   string          `json:"from"`
	Nested json.RawMessage `json:"from_nested"`
	Count  *int            `json:"count"`
	Min    *int            `json:"min"`
	Max    *int            `json:"max"`
}

// formats are the names that old requests have for the formats of DCQL.
var formats = map[string]string{
	"vc+sd-jwt": dcql.FormatSDJWT, "dc+sd-jwt": dcql.FormatSDJWT, "mso_mdoc": dcql.FormatMdoc,
	"ldp_vc": dcql.FormatLDP, "ldp_vp": dcql.FormatLDP, "di_vc": dcql.FormatLDP, "di_vp": dcql.FormatLDP,
	"jwt_vc": dcql.FormatJWT, "jwt_vp": dcql.FormatJWT, "jwt_vc_json": dcql.FormatJWT, "jwt_vp_json": dcql.FormatJWT,
}

func read(raw []byte) (definition, error) {
	var d definition
	if len(raw) > maxBytes {
		return d, fmt.Errorf("%w: at most %d bytes are taken", ErrMalformed, maxBytes)
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("%w: the definition is not JSON of the right form", ErrMalformed)
	}
	if d.ID == "" || len(d.Descriptors) == 0 || len(d.Descriptors) > maxDescriptors {
		return d, fmt.Errorf("%w: a definition needs an id and 1 to %d input descriptors", ErrMalformed, maxDescriptors)
	}
	seen := map[string]bool{}
	for _, one := range d.Descriptors {
		if one.ID == "" || seen[one.ID] || len(one.Constraints.Fields) > maxFields {
			return d, fmt.Errorf("%w: an input descriptor needs an id of its own and at most %d fields", ErrMalformed, maxFields)
		}
		seen[one.ID] = true
	}
	return d, nil
}

// accepted lists the formats in which a descriptor may be answered, in a fixed order.
func (d definition) accepted(one descriptor) []string {
	named := one.Format
	if len(named) == 0 {
		named = d.Format
	}
	var all []string
	for name := range named {
		if format, ok := formats[name]; ok && !slices.Contains(all, format) {
			all = append(all, format)
		}
	}
	slices.Sort(all)
	return all
}

// name is the id of a credential query: the position of the descriptor and the
// format, since the ids of PEX may hold any character.
func name(position int, format string) string {
	return fmt.Sprintf("d%d-%s", position, strings.NewReplacer("+", "-").Replace(format))
}

// Query is a definition in DCQL.
func Query(raw []byte) ([]byte, error) {
	d, err := read(raw)
	if err != nil {
		return nil, err
	}
	var credentials []any
	options := make([][]string, len(d.Descriptors)) // of each descriptor, a query in each format
	for i, one := range d.Descriptors {
		accepted := d.accepted(one)
		if len(accepted) == 0 {
			return nil, fmt.Errorf("%w: no format that is known is accepted", ErrUnsupported)
		}
		for _, format := range accepted {
			credential, err := one.query(i, format)
			if err != nil {
				return nil, err
			}
			credentials = append(credentials, credential)
			options[i] = append(options[i], name(i, format))
		}
	}
	sets, err := d.sets(options)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"credentials": credentials, "credential_sets": sets})
}

// sets says which descriptors must be answered.
func (d definition) sets(options [][]string) ([]any, error) {
	set := func(options [][]string) any { return map[string]any{"options": options} }
	var all []any
	if len(d.Requirements) == 0 {
		for _, formats := range options {
			all = append(all, set(singles(formats)))
		}
		return all, nil
	}
	for _, r := range d.Requirements {
		var members [][]string
		for i, one := range d.Descriptors {
			if slices.Contains(one.Group, r.From) {
				members = append(members, options[i])
			}
		}
		if len(r.Nested) > 0 || len(members) == 0 {
			return nil, fmt.Errorf("%w: a submission requirement that is nested or names no group", ErrUnsupported)
		}
		switch need := r.need(len(members)); {
		case need == 0:
		case need == len(members):
			for _, formats := range members {
				all = append(all, set(singles(formats)))
			}
		case need == 1:
			all = append(all, set(singles(slices.Concat(members...))))
		default:
			return nil, fmt.Errorf("%w: picking several, but not all, of a group", ErrUnsupported)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: nothing is required", ErrUnsupported)
	}
	return all, nil
}

// need is how many of a group must be there.
func (r requirement) need(members int) int {
	switch {
	case r.Rule == "all":
		return members
	case r.Count != nil:
		return *r.Count
	case r.Min != nil:
		return *r.Min
	}
	return 1
}

func singles(ids []string) [][]string {
	var all [][]string
	for _, id := range ids {
		all = append(all, []string{id})
	}
	return all
}
