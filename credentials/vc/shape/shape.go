// Package shape fills in the statements of documents of one form, worked out once from
// a specimen, so that no document of the form needs JSON-LD any more: that is nine
// tenths of the time of a signature.
package shape

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// ErrShape is for a document that says what the specimen did not.
var ErrShape = errors.New("vc: not of the shape that was made for its kind")

var errUnusual = fmt.Errorf("%w: no shape for lists, maps of languages and JSON", jsonld.ErrUnsupported)

// Shape is how documents of one form become statements. Only New makes one.
type Shape struct {
	words map[string]bool // what a name could be abbreviated with
	root  *place
}

// place is where an object stands, with what can be said there.
type place struct {
	mark    string
	kinds   []string   // its types, as written
	types   []rdf.Term // and as names
	members map[string]*member
}

// member is what becomes of the values of a key.
type member struct {
	mark      string // of texts; empty where there were none
	predicate string
	text      rdf.Term // a text as its term has it: a name, or of a datatype or language
	node      *place   // of objects; nil where there were none
}

// New works out the shape of a form from a specimen that has all that a document of
// the form can have.
func New(specimen map[string]any, known jsonld.Contexts) (Shape, error) {
	listed, ok := specimen["@context"].([]any)
	if !ok {
		listed = []any{specimen["@context"]}
	}
	words, err := known.Words(listed)
	if err != nil {
		return Shape{}, err
	}
	c := compiler{}
	probe, root, err := c.object([]map[string]any{specimen})
	if err != nil {
		return Shape{}, err
	}
	probe["@context"] = listed
	quads, err := known.Statements(probe)
	if err != nil {
		return Shape{}, errUnusual
	}
	return Shape{words: words, root: root}, root.learn(quads)
}

// compiler writes a probe: the specimen with a mark in the place of every value and
// a marked name for every object, to see what becomes of them.
type compiler struct{ marks int }

func (c *compiler) mark() string {
	c.marks++
	return "urn:plinth:shape:" + strconv.Itoa(c.marks)
}

// object takes all objects that stand in one place.
func (c *compiler) object(all []map[string]any) (map[string]any, *place, error) {
	p := &place{mark: c.mark(), members: map[string]*member{}}
	probe := map[string]any{"id": p.mark}
	values := map[string][]any{}
	for i, object := range all {
		kinds := []string{}
		if object["type"] != nil {
			var ok bool
			if kinds, ok = textsOf(object["type"]); !ok {
				return nil, nil, fmt.Errorf("%w: a type that is not text", jsonld.ErrMalformed)
			}
			probe["type"] = object["type"]
		}
		if i > 0 && !slices.Equal(kinds, p.kinds) {
			return nil, nil, fmt.Errorf("%w: objects of several types in one place of a specimen", jsonld.ErrUnsupported)
		}
		p.kinds = kinds
		for key, value := range object {
			if key != "@context" && key != "id" && key != "type" {
				values[key] = append(values[key], listOf(value)...)
			}
		}
	}
	for key, items := range values {
		m, probes, err := c.member(items)
		if err != nil {
			return nil, nil, err
		}
		p.members[key], probe[key] = m, probes
	}
	return probe, p, nil
}

func (c *compiler) member(items []any) (*member, []any, error) {
	m := &member{}
	var objects []map[string]any
	var probes []any
	for _, item := range items {
		if object, ok := item.(map[string]any); ok && object["@value"] == nil {
			objects = append(objects, object)
		} else if m.mark == "" {
			m.mark = c.mark()
			probes = append(probes, m.mark)
		}
	}
	if objects != nil {
		probe, node, err := c.object(objects)
		if err != nil {
			return nil, nil, err
		}
		m.node = node
		probes = append(probes, probe)
	}
	return m, probes, nil
}

func listOf(v any) []any {
	if items, ok := v.([]any); ok {
		return items
	}
	return []any{v}
}

func textsOf(v any) ([]string, bool) {
	if all, ok := v.([]string); ok {
		return all, true
	}
	items := listOf(v)
	all := make([]string, len(items))
	for i, item := range items {
		var ok bool
		if all[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return all, true
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}

// learn finds out from the statements of the probe what became of every mark.
// Lists, maps of languages and JSON do not keep theirs: kinds that have them are
// signed the long way.
func (p *place) learn(quads rdf.Dataset) error {
	for _, q := range quads {
		if q.Subject == rdf.IRI(p.mark) && q.Predicate == rdf.Type {
			p.types = append(p.types, q.Object)
		}
	}
	for _, m := range p.members {
		marks := []string{m.mark}
		if m.node != nil {
			marks = append(marks, m.node.mark)
		}
		for _, mark := range marks {
			if mark == "" {
				continue
			}
			at := slices.IndexFunc(quads, func(q rdf.Quad) bool { return q.Object.Value == mark })
			if at < 0 || quads[at].Subject != rdf.IRI(p.mark) {
				return errUnusual
			}
			if m.predicate = quads[at].Predicate; mark == m.mark {
				m.text = quads[at].Object
			}
			if strings.HasPrefix(m.text.Datatype, jsonld.Directed) {
				return errUnusual // texts of the term have a direction, and its numbers none
			}
		}
		if m.node != nil {
			if err := m.node.learn(quads); err != nil {
				return err
			}
		}
	}
	return nil
}
