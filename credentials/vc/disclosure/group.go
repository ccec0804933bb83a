package disclosure

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// grouped is a whole document as its statements, in the order in which they are
// signed.
type grouped struct {
	lines  []string
	labels map[string]string // of the nodes without a name, as marked: those they are signed under
	marked map[string]any
	known  jsonld.Contexts
}

// selection is some of the statements.
type selection struct {
	at    map[int]bool // their places in the whole
	quads rdf.Dataset
}

// marker begins the names that nodes without one get for a while, so that a node
// of the whole is found again in a part.
const marker = "urn:bnid:"

func (d Document) group(secret []byte) (grouped, error) {
	marked, quads, err := mark(d.Members, d.Known)
	if err != nil {
		return grouped{}, err
	}
	c, err := quads.Canonical(crypto.SHA256)
	if err != nil {
		return grouped{}, fmt.Errorf("%w: %w", jsonld.ErrTooLarge, err)
	}
	labels := make(map[string]string, len(c.Labels))
	for old, canonical := range c.Labels {
		labels[old] = hidden(secret, canonical)
	}
	return grouped{lines: quads.Lines(labels), labels: labels, marked: marked, known: d.Known}, nil
}

// choose finds the statements that JSON pointers name.
func (g grouped) choose(pointers []string) (selection, error) {
	s := selection{at: map[int]bool{}}
	if len(pointers) == 0 {
		return s, nil
	}
	part, err := pick(g.marked, pointers)
	if err != nil {
		return s, err
	}
	named, err := g.known.Statements(part)
	if err != nil {
		return s, err
	}
	s.quads = unmark(named)
	for _, line := range s.quads.Lines(g.labels) {
		i, found := slices.BinarySearch(g.lines, line)
		if !found {
			return s, fmt.Errorf("%w: a pointer into the middle of a value", jsonld.ErrUnsupported)
		}
		s.at[i] = true
	}
	return s, nil
}

// hash is the hash of the selected lines.
func (s selection) hash(lines []string) []byte {
	h := sha256.New()
	for _, i := range slices.Sorted(maps.Keys(s.at)) {
		h.Write([]byte(lines[i]))
	}
	return h.Sum(nil)
}

// mark names every node that has no name. What is an object and no node (a text in
// several languages, a JSON value) shows by its mark not becoming a name; it is
// then left as it is.
func mark(doc map[string]any, known jsonld.Contexts) (map[string]any, rdf.Dataset, error) {
	skip := map[string]bool{}
	for range 2 {
		m := marking{skip: skip, marks: map[string]bool{}}
		marked, _ := m.value(doc).(map[string]any)
		if m.taken {
			return nil, nil, fmt.Errorf("%w: a name that begins with %s", jsonld.ErrUnsupported, marker)
		}
		named, err := known.Statements(marked)
		if err != nil {
			return nil, nil, err
		}
		found := namesIn(named)
		again := false
		for id, set := range m.marks {
			if set && !found[id] {
				skip[id], again = true, true
			}
		}
		if again {
			continue
		}
		if found[""] {
			return nil, nil, fmt.Errorf("%w: a list in what is disclosed in parts", jsonld.ErrUnsupported)
		}
		return marked, unmark(named), nil
	}
	return nil, nil, fmt.Errorf("%w: objects that are not nodes", jsonld.ErrUnsupported)
}

type marking struct {
	skip  map[string]bool
	marks map[string]bool // whether the object was given its mark
	taken bool
}

func (m *marking) value(v any) any {
	switch v := v.(type) {
	case string:
		m.taken = m.taken || strings.HasPrefix(v, marker)
	case []any:
		all := make([]any, len(v))
		for i, item := range v {
			all[i] = m.value(item)
		}
		return all
	case map[string]any:
		if v["@value"] != nil {
			return v
		}
		object := make(map[string]any, len(v)+1)
		id := m.next()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if object[key] = v[key]; key != "@context" {
				object[key] = m.value(v[key])
			}
		}
		if v["id"] == nil && !m.skip[id] {
			object["id"] = id
			m.marks[id] = true
		}
		return object
	}
	return v
}

func (m *marking) next() string {
	id := marker + strconv.Itoa(len(m.marks))
	m.marks[id] = false
	return id
}

// namesIn are the marks that became names; an empty one stands for the cells of
// lists, which nobody can mark.
func namesIn(quads rdf.Dataset) map[string]bool {
	found := map[string]bool{}
	for _, q := range quads {
		for _, t := range [2]rdf.Term{q.Subject, q.Object} {
			if t.IsBlank() {
				found[""] = true
			} else if t.IsIRI() && strings.HasPrefix(t.Value, marker) {
				found[t.Value] = true
			}
		}
	}
	return found
}

func unmark(named rdf.Dataset) rdf.Dataset {
	return named.Relabel(func(t rdf.Term) rdf.Term {
		if label, ok := strings.CutPrefix(t.Value, marker); ok && t.IsIRI() {
			return rdf.Blank("m" + label)
		}
		return t
	})
}

// choice is JSON pointers as a tree.
type choice struct {
	all   bool
	parts map[string]*choice
}

// pick takes the part of a document that JSON pointers name; on the way to it every
// object keeps its id and its type (Data Integrity ECDSA 1.0, 3.4.13).
func pick(doc map[string]any, pointers []string) (map[string]any, error) {
	root := &choice{}
	for _, pointer := range pointers {
		if err := root.add(pointer); err != nil {
			return nil, err
		}
	}
	if root.all {
		return doc, nil
	}
	part, err := root.take(doc)
	if err != nil {
		return nil, err
	}
	object := part.(map[string]any)
	object["@context"] = doc["@context"]
	return object, nil
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func (c *choice) add(pointer string) error {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok && pointer != "" {
		return fmt.Errorf("%w: a JSON pointer begins with a slash", jsonld.ErrMalformed)
	}
	for ok && !c.all {
		var part string
		part, rest, ok = strings.Cut(rest, "/")
		part = unescape.Replace(part)
		if c.parts == nil {
			c.parts = map[string]*choice{}
		}
		if c.parts[part] == nil {
			c.parts[part] = &choice{}
		}
		c = c.parts[part]
	}
	c.all = true
	return nil
}

func (c *choice) take(v any) (any, error) {
	missing := fmt.Errorf("%w: a JSON pointer to nothing", jsonld.ErrMalformed)
	if c.all {
		return v, nil
	}
	switch v := v.(type) {
	case map[string]any:
		part := map[string]any{}
		for _, key := range []string{"id", "type"} {
			if v[key] != nil {
				part[key] = v[key]
			}
		}
		for key, further := range c.parts {
			value, ok := v[key]
			if !ok {
				return nil, missing
			}
			var err error
			if part[key], err = further.take(value); err != nil {
				return nil, err
			}
		}
		return part, nil
	case []any:
		taken := map[int]any{}
		for key, further := range c.parts {
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, missing
			}
			if taken[i], err = further.take(v[i]); err != nil {
				return nil, err
			}
		}
		part := make([]any, 0, len(taken))
		for _, i := range slices.Sorted(maps.Keys(taken)) {
			part = append(part, taken[i])
		}
		return part, nil
	}
	return nil, missing
}
