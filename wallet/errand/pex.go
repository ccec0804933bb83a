package errand

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
)

// definition is a query of drafts of OpenID4VP (DIF Presentation Exchange 2): as much
// of it as verifiers in the field use.
type definition struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Purpose     string          `json:"purpose"`
	Format      json.RawMessage `json:"format"`
	Submissions json.RawMessage `json:"submission_requirements"`
	Descriptors []descriptor    `json:"input_descriptors"`
}

type descriptor struct {
	ID          string          `json:"id"`
	Purpose     string          `json:"purpose"`
	Format      json.RawMessage `json:"format"`
	Constraints struct {
		Fields []field `json:"fields"`
	} `json:"constraints"`
}

type field struct {
	Path     []string `json:"path"`
	Optional bool     `json:"optional"`
	Filter   *struct {
		Const    any `json:"const"`
		Enum     []any
		Pattern  string `json:"pattern"`
		Contains *struct {
			Const any `json:"const"`
		} `json:"contains"`
	} `json:"filter"`
}

var errDefinition = errors.New("the definition uses something that this wallet does not know")

// pexFormats are the names of formats in definitions.
var pexFormats = map[string]string{"vc+sd-jwt": formatSDJWT, "dc+sd-jwt": formatSDJWT, "mso_mdoc": formatMdoc, "ldp_vc": formatLDP, "ldp_vp": formatLDP,
	"jwt_vc": formatJWT, "jwt_vc_json": formatJWT, "jwt_vp": formatJWT, "jwt_vp_json": formatJWT}

// translate makes a DCQL query of a definition. What cannot be said in DCQL is refused:
// the owner would be shown another question than the one that is answered.
func (s *Show) translate(raw []byte) (dcql.Query, error) {
	var d definition
	if err := json.Unmarshal(raw, &d); err != nil || len(d.Descriptors) == 0 || len(d.Descriptors) > 10 || d.Submissions != nil {
		return dcql.Query{}, errDefinition
	}
	s.Pex = []string{d.ID}
	s.Asked.Purpose = short(d.Purpose)
	var credentials []any
	for i, one := range d.Descriptors {
		c, err := one.query(fmt.Sprintf("c%d", i), d.Format)
		if err != nil {
			return dcql.Query{}, err
		}
		s.Pex = append(s.Pex, one.ID)
		credentials = append(credentials, c)
		if s.Asked.Purpose == "" {
			s.Asked.Purpose = short(one.Purpose)
		}
	}
	query, err := json.Marshal(map[string]any{"credentials": credentials})
	if err != nil {
		return dcql.Query{}, err
	}
	return dcql.Parse(query)
}

// query is a descriptor as a credential query of DCQL.
func (d descriptor) query(id string, general json.RawMessage) (map[string]any, error) {
	format, err := d.format(general)
	if err != nil {
		return nil, err
	}
	claims, meta := []any{}, map[string]any{}
	switch format {
	case formatMdoc:
		meta["doctype_value"] = d.ID
	case formatLDP, formatJWT:
		meta["type_values"] = [][]string{{"VerifiableCredential"}}
	}
	for _, f := range d.Constraints.Fields {
		path, err := f.path(format)
		if err != nil {
			return nil, err
		}
		values, err := f.values()
		switch {
		case err != nil:
			return nil, err
		case f.Optional:
		case format == formatSDJWT && len(path) == 1 && path[0] == "vct" && len(values) > 0:
			meta["vct_values"] = values
		case (format == formatLDP || format == formatJWT) && path[0] == "type" && len(values) > 0:
			meta["type_values"] = [][]any{values}
		default:
			claim := map[string]any{"path": path}
			if len(values) > 0 {
				claim["values"] = values
			}
			claims = append(claims, claim)
		}
	}
	if format == formatSDJWT && meta["vct_values"] == nil {
		return nil, fmt.Errorf("%w: an SD-JWT without its type", errDefinition)
	}
	query := map[string]any{"id": id, "format": format, "meta": meta}
	if len(claims) > 0 {
		query["claims"] = claims
	}
	return query, nil
}

func (d descriptor) format(general json.RawMessage) (string, error) {
	for _, raw := range []json.RawMessage{d.Format, general} {
		var named map[string]json.RawMessage
		if raw == nil || json.Unmarshal(raw, &named) != nil {
			continue
		}
		for _, name := range []string{"dc+sd-jwt", "vc+sd-jwt", "mso_mdoc", "ldp_vc", "ldp_vp", "jwt_vc_json", "jwt_vc", "jwt_vp_json", "jwt_vp"} {
			if _, ok := named[name]; ok {
				return pexFormats[name], nil
			}
		}
	}
	return "", fmt.Errorf("%w: no format", errDefinition)
}

var step = regexp.MustCompile(`^(?:\.([A-Za-z_][\w-]*)|\['([^']+)'\]|\["([^"]+)"\]|\[(\*|\d+)\])`)

// path is the first JSONPath of a field that can be said as a path of DCQL.
func (f field) path(format string) ([]any, error) {
	for _, expression := range f.Path {
		rest, ok := strings.CutPrefix(expression, "$")
		var path []any
		for ok && rest != "" {
			found := step.FindStringSubmatch(rest)
			if found == nil || len(path) > 10 {
				ok = false
				break
			}
			name := found[1] + found[2] + found[3]
			switch {
			case name != "":
				path = append(path, name)
			case found[4] == "*":
				path = append(path, nil)
			default:
				path = append(path, json.Number(found[4]))
			}
			rest = rest[len(found[0]):]
		}
		if ok && len(path) > 1 && path[0] == "vc" && format == formatJWT {
			path = path[1:]
		}
		if ok && len(path) > 0 {
			return path, nil
		}
	}
	return nil, fmt.Errorf("%w: a path", errDefinition)
}

// values are those that a filter lets through; a filter for a kind of value lets all.
func (f field) values() ([]any, error) {
	switch {
	case f.Filter == nil:
		return nil, nil
	case f.Filter.Const != nil:
		return []any{f.Filter.Const}, nil
	case len(f.Filter.Enum) > 0:
		return f.Filter.Enum, nil
	case f.Filter.Contains != nil && f.Filter.Contains.Const != nil:
		return []any{f.Filter.Contains.Const}, nil
	case f.Filter.Pattern != "":
		plain := strings.TrimSuffix(strings.TrimPrefix(f.Filter.Pattern, "^"), "$")
		if plain != regexp.QuoteMeta(plain) {
			return nil, fmt.Errorf("%w: a pattern", errDefinition)
		}
		return []any{plain}, nil
	}
	return nil, nil
}

// submission is the answer in the form of Presentation Exchange: where in it each
// descriptor is answered.
func (s *Show) submission(token map[string][]json.RawMessage) (any, map[string]any) {
	var all []json.RawMessage
	var places []any
	for _, b := range s.Built {
		path := "$"
		if len(s.Built) > 1 {
			path = fmt.Sprintf("$[%d]", len(all))
		}
		at := slices.IndexFunc(s.Query.Credentials, func(c dcql.Credential) bool { return c.ID == b.Query })
		place := map[string]any{"id": s.Pex[at+1], "format": submitted[b.Format], "path": path}
		all = append(all, token[b.Query][0])
		places = append(places, place)
	}
	submission := map[string]any{"id": "submission", "definition_id": s.Pex[0], "descriptor_map": places}
	if len(all) == 1 {
		var text string
		if json.Unmarshal(all[0], &text) == nil {
			return text, submission
		}
		return all[0], submission
	}
	return all, submission
}

var submitted = map[string]string{formatSDJWT: "vc+sd-jwt", formatOldSD: "vc+sd-jwt", formatMdoc: "mso_mdoc", formatLDP: "ldp_vp", formatJWT: "jwt_vp"}
