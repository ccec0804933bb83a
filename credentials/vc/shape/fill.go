package shape

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// valueBounds are those of a value of a type that is not one of JSON's own.
var valueBounds = jsonld.Bounds{Bytes: 256 << 10, Depth: 8, Objects: 64, Values: 1024}

// Fill gives what a document states, and the document as a parser would have read
// it. Its contexts must be those of the specimen, and are left out.
func (s Shape) Fill(said map[string]any) (map[string]any, rdf.Dataset, error) {
	if s.root == nil {
		return nil, nil, ErrShape
	}
	f := filler{shape: s, quads: make(rdf.Dataset, 0, 48)}
	document, _, err := f.object(s.root, said)
	return document, f.quads, err
}

// filler writes the statements of one credential.
type filler struct {
	shape  Shape
	quads  rdf.Dataset
	blanks int
	named  []string // the nodes with a name of which something is said
}

// object writes an object, and gives it as Parse would have read it.
func (f *filler) object(p *place, v map[string]any) (map[string]any, rdf.Term, error) {
	subject, err := f.subject(v)
	if err != nil {
		return nil, subject, err
	}
	object := make(map[string]any, len(v))
	kinds := 0
	for key, value := range v {
		switch key {
		case "@context":
		case "id":
			object[key] = value
		case "type":
			all, ok := textsOf(value)
			if !ok || !slices.Equal(all, p.kinds) {
				return nil, subject, ErrShape
			}
			kinds, object[key] = len(all), value
			if _, single := value.(string); !single {
				object[key] = anys(all)
			}
		default:
			m := p.members[key]
			if m == nil {
				return nil, subject, ErrShape
			}
			if object[key], err = f.values(m, subject, value); err != nil {
				return nil, subject, err
			}
		}
	}
	if kinds != len(p.kinds) {
		return nil, subject, ErrShape
	}
	for _, t := range p.types {
		f.quads = append(f.quads, rdf.Quad{Subject: subject, Predicate: rdf.Type, Object: t})
	}
	return object, subject, nil
}

func (f *filler) subject(v map[string]any) (rdf.Term, error) {
	id, named := v["id"]
	if !named {
		f.blanks++
		return rdf.Blank("b" + strconv.Itoa(f.blanks)), nil
	}
	name, ok := id.(string)
	if !ok || !jsonld.IsIRI(name) {
		return rdf.Term{}, fmt.Errorf("%w: a name that is not an absolute IRI", jsonld.ErrMalformed)
	}
	if len(v) > 1 {
		if slices.Contains(f.named, name) {
			return rdf.Term{}, fmt.Errorf("%w: a node is written in two places", jsonld.ErrMalformed)
		}
		f.named = append(f.named, name)
	}
	return f.name(name)
}

// name is a name that surely is not an abbreviation of another.
func (f *filler) name(s string) (rdf.Term, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	if !jsonld.IsIRI(s) || f.shape.words[scheme] && !strings.HasPrefix(rest, "//") {
		return rdf.Term{}, ErrShape
	}
	return rdf.IRI(s), jsonld.CheckText(s)
}

func (f *filler) values(m *member, subject rdf.Term, v any) (any, error) {
	var items []any
	switch v := v.(type) {
	case []any:
		items = v
	case []string:
		items = anys(v)
	case []map[string]any:
		for _, item := range v {
			items = append(items, item)
		}
	default:
		return f.value(m, subject, v)
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: an empty array, which claims nothing", jsonld.ErrMalformed)
	}
	all := make([]any, len(items))
	for i, item := range items {
		var err error
		if all[i], err = f.value(m, subject, item); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (f *filler) value(m *member, subject rdf.Term, v any) (any, error) {
	var object rdf.Term
	var err error
	switch typed := v.(type) {
	case map[string]any:
		switch {
		case typed["@value"] != nil:
			v, object, err = tagged(typed)
		case m.node == nil:
			return nil, ErrShape
		default:
			v, object, err = f.object(m.node, typed)
		}
	default:
		if m.mark == "" {
			return nil, ErrShape
		}
		if v, err = plain(v); err == nil {
			object, err = f.scalar(m, v)
		}
	}
	if err != nil {
		return nil, err
	}
	f.quads = append(f.quads, rdf.Quad{Subject: subject, Predicate: m.predicate, Object: object})
	return v, nil
}

// scalar is a text, number or truth value as the term of its key has it.
func (f *filler) scalar(m *member, v any) (rdf.Term, error) {
	text, ok := v.(string)
	switch {
	case m.text.IsIRI() && ok:
		return f.name(text)
	case m.text.IsIRI():
		return rdf.Term{}, ErrShape
	case ok:
		like := m.text
		like.Value = text
		return like, jsonld.CheckText(text)
	}
	return jsonld.Scalar(v, m.text.Datatype)
}

// tagged is a text with its language or direction.
func tagged(v map[string]any) (any, rdf.Term, error) {
	var parts [3]string
	for i, key := range [3]string{"@value", "@language", "@direction"} {
		text, ok := v[key].(string)
		if !ok && v[key] != nil || ok && text == "" && key != "@value" {
			return nil, rdf.Term{}, ErrShape
		}
		parts[i] = text
	}
	for key := range v {
		if key != "@value" && key != "@language" && key != "@direction" {
			return nil, rdf.Term{}, ErrShape
		}
	}
	if err := jsonld.CheckText(parts[0]); err != nil {
		return nil, rdf.Term{}, err
	}
	object, err := jsonld.Tagged(parts[0], parts[1], parts[2])
	return maps.Clone(v), object, err
}

// plain gives a value as Parse would have read it.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case string, bool:
		return v, nil
	case int:
		return float64(v), jsonld.CheckNumber(float64(v))
	case float64:
		return v, jsonld.CheckNumber(v)
	}
	raw, err := json.Marshal(map[string]any{"v": v})
	if err != nil {
		return nil, fmt.Errorf("%w: the claims are not JSON", jsonld.ErrMalformed)
	}
	read, err := jsonld.Parse(raw, valueBounds)
	if err != nil {
		return nil, err
	}
	if _, ok := read["v"].(map[string]any); ok {
		return nil, ErrShape
	}
	return read["v"], nil
}
