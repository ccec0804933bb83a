package vc

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

// Shape is how the credentials of one kind become statements, worked out once from
// a specimen, so that no credential of the kind needs JSON-LD any more: that is
// nine tenths of the time of a signature. Only NewShape makes one.
type Shape struct {
	contexts []string
	types    []string
	known    Contexts
	words    map[string]bool // what a name could be abbreviated with
	root     *place
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

// NewShape works out the shape of a kind from a specimen that has all that a
// credential of the kind can have. What it has several of may come in any number;
// all of it but the contexts and the types may be missing.
func NewShape(specimen DraftInput) (Shape, error) {
	draft, err := NewDraft(specimen)
	if err != nil {
		return Shape{}, err
	}
	s := Shape{contexts: specimen.Contexts, types: specimen.Types, known: specimen.Known}
	listed := listOf(draft.doc["@context"])
	if s.words, err = s.known.Words(listed); err != nil {
		return Shape{}, err
	}
	c := compiler{}
	probe, root, err := c.object([]map[string]any{draft.doc})
	if err != nil {
		return Shape{}, err
	}
	probe["@context"] = listed
	quads, err := s.known.Statements(probe)
	if err != nil {
		return Shape{}, errUnusual
	}
	s.root = root
	if err := root.learn(quads); err != nil {
		return Shape{}, err
	}
	again, err := s.Draft(specimen)
	if err != nil {
		return Shape{}, err
	}
	return s, again.Recheck()
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
			var err error
			if kinds, err = texts(object["type"]); err != nil {
				return nil, nil, err
			}
			probe["type"] = object["type"]
		}
		if i > 0 && !slices.Equal(kinds, p.kinds) {
			return nil, nil, fmt.Errorf("%w: objects of several types in one place of a specimen", ErrUnsupported)
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

var errUnusual = fmt.Errorf("%w: no shape for lists, maps of languages and JSON", ErrUnsupported)

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

// Draft is NewDraft for a credential of the kind. ErrShape is for one that says what
// the specimen did not: NewDraft may still take it.
func (s Shape) Draft(d DraftInput) (Draft, error) {
	if s.root == nil || !slices.Equal(d.Contexts, s.contexts) || !slices.Equal(d.Types, s.types) {
		return Draft{}, ErrShape
	}
	said, err := d.document()
	if err != nil {
		return Draft{}, err
	}
	f := filler{shape: s, quads: make(rdf.Dataset, 0, 48)}
	doc, _, err := f.object(s.root, said)
	if err != nil {
		return Draft{}, err
	}
	doc["@context"] = anys(append([]string{ContextV2}, d.Contexts...))
	if _, err := read(doc); err != nil {
		return Draft{}, err
	}
	return Draft{doc: doc, party: d.Issuer, purpose: purposeAssert, known: s.known}.with(f.quads)
}

// Recheck works out the long way what a draft states, and is ErrShape when it is not
// what was worked out before. Whoever uses a shape does so now and then.
func (d Draft) Recheck() error {
	if d.doc == nil {
		return fmt.Errorf("%w: an empty draft", ErrMalformed)
	}
	documents := []string{}
	if d.purpose == purposeAuth {
		documents = []string{memberCredentials}
	}
	again, err := d.stating(documents...)
	if err != nil {
		return err
	}
	if string(again.sum) != string(d.sum) {
		return fmt.Errorf("%w: the statements differ", ErrShape)
	}
	return nil
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
			all, ok := asTexts(value)
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

func asTexts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []string:
		return v, true
	}
	all, err := texts(v)
	return all, err == nil
}

func (f *filler) subject(v map[string]any) (rdf.Term, error) {
	id, named := v["id"]
	if !named {
		f.blanks++
		return rdf.Blank("b" + strconv.Itoa(f.blanks)), nil
	}
	name, ok := id.(string)
	if !ok || !jsonld.IsIRI(name) {
		return rdf.Term{}, fmt.Errorf("%w: a name that is not an absolute IRI", ErrMalformed)
	}
	if len(v) > 1 {
		if slices.Contains(f.named, name) {
			return rdf.Term{}, fmt.Errorf("%w: a node is written in two places", ErrMalformed)
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
		return nil, fmt.Errorf("%w: an empty array, which claims nothing", ErrMalformed)
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
		if !ok && v[key] != nil {
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
		return nil, fmt.Errorf("%w: the claims are not JSON", ErrMalformed)
	}
	read, err := jsonld.Parse(raw, credentialBounds)
	if err != nil {
		return nil, err
	}
	if _, ok := read["v"].(map[string]any); ok {
		return nil, ErrShape
	}
	return read["v"], nil
}
