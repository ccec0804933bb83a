package sdjwt

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
)

// node is a claim where it was issued: with what is disclosed, and the places of
// what is not.
type node struct {
	value    any // what is neither an object nor an array
	object   map[string]*node
	array    []*node // as issued, those that are kept back among them
	from     *disclosure
	keptBack bool // an element of an array without its disclosure
	hidden   int  // digests of an object without their disclosures
}

// weaver puts disclosures where their digests stand (RFC 9901, section 7.1).
type weaver struct {
	found map[string]*disclosure // by digest
	seen  map[string]bool        // every digest, decoys as well
	used  int
}

// weave gives the claims with all that is disclosed of them.
func (p parts) weave() (*node, error) {
	w := weaver{found: make(map[string]*disclosure, len(p.disclosures)), seen: map[string]bool{}}
	hash := hashes[p.hash]
	for _, encoded := range p.disclosures {
		d, err := readDisclosure(encoded)
		if err != nil {
			return nil, err
		}
		h := hash.New()
		h.Write([]byte(encoded))
		digest := base64.RawURLEncoding.EncodeToString(h.Sum(nil))
		if w.found[digest] != nil {
			return nil, fmt.Errorf("%w: a disclosure", ErrDuplicate)
		}
		w.found[digest] = d
	}
	claims := maps.Clone(p.claims)
	delete(claims, "_sd_alg")
	root, err := w.node(claims, 0)
	if err != nil {
		return nil, err
	}
	if w.used != len(w.found) {
		return nil, ErrUnreferenced
	}
	return root, nil
}

func (w *weaver) node(v any, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTooLarge, maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return w.object(v, depth)
	case []any:
		return w.array(v, depth)
	}
	return &node{value: v}, nil
}

func (w *weaver) object(v map[string]any, depth int) (*node, error) {
	n := &node{object: make(map[string]*node, len(v))}
	for name, value := range v {
		switch name {
		case "_sd":
			continue
		case "...", "_sd_alg":
			return nil, fmt.Errorf("%w: in an object", ErrReserved)
		}
		inner, err := w.node(value, depth+1)
		if err != nil {
			return nil, err
		}
		n.object[name] = inner
	}
	digests, given := v["_sd"]
	if !given {
		return n, nil
	}
	list, ok := digests.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: _sd is not an array", ErrReserved)
	}
	for _, item := range list {
		if err := w.property(n, item, depth); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// property puts one disclosed claim into its object.
func (w *weaver) property(n *node, digest any, depth int) error {
	d, err := w.take(digest)
	if err != nil {
		return err
	}
	if d == nil {
		n.hidden++
		return nil
	}
	if !d.property {
		return fmt.Errorf("%w: a disclosure without a name in an object", ErrMalformed)
	}
	if n.object[d.name] != nil {
		return fmt.Errorf("%w: in the clear and disclosed, or disclosed twice", ErrClash)
	}
	inner, err := w.node(d.value, depth+1)
	if err != nil {
		return err
	}
	inner.from = d
	n.object[d.name] = inner
	return nil
}

// take finds what a digest stands for; nil when that is kept back.
func (w *weaver) take(v any) (*disclosure, error) {
	digest, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("%w: a digest is not text", ErrReserved)
	}
	if w.seen[digest] {
		return nil, fmt.Errorf("%w: a digest", ErrDuplicate)
	}
	w.seen[digest] = true
	d := w.found[digest]
	if d != nil {
		w.used++
	}
	return d, nil
}

func (w *weaver) array(v []any, depth int) (*node, error) {
	n := &node{array: make([]*node, len(v))}
	for i, item := range v {
		inner, err := w.element(item, depth)
		if err != nil {
			return nil, err
		}
		n.array[i] = inner
	}
	return n, nil
}

func (w *weaver) element(item any, depth int) (*node, error) {
	object, _ := item.(map[string]any)
	digest, given := object["..."]
	if !given {
		return w.node(item, depth+1)
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("%w: more than a digest in an element", ErrReserved)
	}
	d, err := w.take(digest)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return &node{keptBack: true}, nil
	}
	if d.property {
		return nil, fmt.Errorf("%w: a disclosure with a name in an array", ErrMalformed)
	}
	inner, err := w.node(d.value, depth+1)
	if err != nil {
		return nil, err
	}
	inner.from = d
	return inner, nil
}

// plain is what the node says, without the places of what is kept back.
func (n *node) plain() any {
	switch {
	case n.object != nil:
		object := make(map[string]any, len(n.object))
		for name, inner := range n.object {
			object[name] = inner.plain()
		}
		return object
	case n.array != nil:
		array := []any{}
		for _, inner := range n.array {
			if !inner.keptBack {
				array = append(array, inner.plain())
			}
		}
		return array
	}
	return n.value
}

// each visits a node and all that is in it, with their paths as issued.
func (n *node) each(path []any, visit func(path []any, n *node)) {
	visit(path, n)
	for _, name := range slices.Sorted(maps.Keys(n.object)) {
		n.object[name].each(append(slices.Clip(path), name), visit)
	}
	for i, inner := range n.array {
		inner.each(append(slices.Clip(path), i), visit)
	}
}

// selective says whether the node, or anything in it, could be or could have been
// kept back.
func (n *node) selective() bool {
	found := false
	n.each(nil, func(_ []any, n *node) { found = found || n.from != nil || n.keptBack || n.hidden > 0 })
	return found
}
