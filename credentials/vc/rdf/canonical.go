package rdf

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the hash of most suites
	_ "crypto/sha512" // SHA-384, that of P-384
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ErrTangled is for statements whose nodes look so much alike that telling them
// apart would take too long.
var ErrTangled = errors.New("rdf: too many nodes without a name, or too many that look alike")

// The work grows with the factorial of the nodes that look alike from where they
// stand: ten of them would take hours.
const (
	maxBlank     = 256
	maxAmbiguous = 10
	maxWork      = 5000
)

// Canonical is statements in the form of RDFC-1.0.
type Canonical struct {
	Lines  []string          // sorted, each with its line feed
	Labels map[string]string // of each node without a name: its old label, its new one
}

// String is the canonical N-Quads document.
func (c Canonical) String() string { return strings.Join(c.Lines, "") }

// Hash is the hash of the canonical document.
func (c Canonical) Hash(with crypto.Hash) []byte {
	h := with.New()
	for _, line := range c.Lines {
		h.Write([]byte(line))
	}
	return h.Sum(nil)
}

// Canonical brings the statements into the form of RDFC-1.0, in which nodes are
// told apart by the given hash (SHA-256, and SHA-384 for P-384).
func (d Dataset) Canonical(hash crypto.Hash) (Canonical, error) {
	c := canoniser{hash: hash, about: map[string][]int{}, first: map[string]string{}, issued: newIssuer("c14n")}
	if err := c.label(d); err != nil {
		return Canonical{}, err
	}
	return Canonical{Lines: d.Lines(c.issued.given), Labels: c.issued.given}, nil
}

// Lines writes the statements sorted, with the given labels for nodes without a name.
func (d Dataset) Lines(labels map[string]string) []string {
	var b []byte
	lines := make([]string, len(d))
	for i, q := range d {
		b = q.append(b[:0], func(b []byte, t Term) []byte {
			return append(append(b, "_:"...), labels[t.Value]...)
		})
		lines[i] = string(b)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// canoniser is one run of the algorithm (RDFC-1.0, 4.4).
type canoniser struct {
	hash   crypto.Hash
	quads  Dataset
	about  map[string][]int  // of each node: the statements that name it
	first  map[string]string // of each node: its hash of the first degree
	issued *issuer
	work   int
}

func (c *canoniser) label(d Dataset) error {
	repeated, err := c.look(d)
	if err == nil && repeated {
		// Lines that are the same may be one statement said twice, or two.
		_, err = c.look(distinct(d))
	}
	if err != nil {
		return err
	}
	alike := map[string][]string{}
	for node, h := range c.first {
		alike[h] = append(alike[h], node)
	}
	hashes := slices.Sorted(maps.Keys(alike))
	ambiguous := 0
	for _, h := range hashes {
		if len(alike[h]) == 1 {
			c.issued.issue(alike[h][0])
		} else {
			ambiguous += len(alike[h])
		}
	}
	if ambiguous > maxAmbiguous {
		return ErrTangled
	}
	if ambiguous > 0 {
		return c.tellApart(hashes, alike)
	}
	return nil
}

// look finds out how every node looks from where it stands, and whether one sees
// the same line twice.
func (c *canoniser) look(d Dataset) (repeated bool, err error) {
	c.quads = d
	clear(c.about)
	for i, q := range d {
		for _, t := range [3]Term{q.Subject, q.Object, q.Graph} {
			if t.kind != blank {
				continue
			}
			if at := c.about[t.Value]; len(at) == 0 || at[len(at)-1] != i {
				c.about[t.Value] = append(at, i)
			}
		}
	}
	if len(c.about) > maxBlank {
		return false, ErrTangled
	}
	for node := range c.about {
		lines := c.firstDegree(node)
		c.first[node] = c.sum(bytes.Join(lines, nil))
		repeated = repeated || len(slices.CompactFunc(lines, bytes.Equal)) < len(c.about[node])
	}
	return repeated, nil
}

// tellApart labels the nodes that look alike, by what stands around them.
func (c *canoniser) tellApart(hashes []string, alike map[string][]string) error {
	type result struct {
		hash string
		*issuer
	}
	for _, h := range hashes {
		if len(alike[h]) == 1 {
			continue
		}
		var results []result
		for _, node := range alike[h] {
			if _, done := c.issued.given[node]; done {
				continue
			}
			temporary := newIssuer("b")
			temporary.issue(node)
			hash, temporary, err := c.furtherDegree(node, temporary)
			if err != nil {
				return err
			}
			results = append(results, result{hash, temporary})
		}
		slices.SortStableFunc(results, func(a, b result) int { return strings.Compare(a.hash, b.hash) })
		for _, r := range results {
			for _, node := range r.order {
				c.issued.issue(node)
			}
		}
	}
	return nil
}

// distinct drops statements that are there twice: around a node each counts once.
func distinct(d Dataset) Dataset {
	seen := make(map[Quad]struct{}, len(d))
	for i, q := range d {
		if _, again := seen[q]; again {
			rest := slices.Clone(d[:i])
			for _, q := range d[i:] {
				if _, again := seen[q]; !again {
					seen[q] = struct{}{}
					rest = append(rest, q)
				}
			}
			return rest
		}
		seen[q] = struct{}{}
	}
	return d
}

// firstDegree is how a node looks from where it stands: itself as a, others as z.
func (c *canoniser) firstDegree(node string) [][]byte {
	lines := make([][]byte, 0, len(c.about[node]))
	for _, i := range c.about[node] {
		lines = append(lines, c.quads[i].append(make([]byte, 0, 160), func(b []byte, t Term) []byte {
			if t.Value == node {
				return append(b, "_:a"...)
			}
			return append(b, "_:z"...)
		}))
	}
	slices.SortFunc(lines, bytes.Compare)
	return lines
}

func (c *canoniser) sum(data []byte) string {
	h := c.hash.New()
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

// furtherDegree is how a node looks with those around it (RDFC-1.0, 4.8).
func (c *canoniser) furtherDegree(node string, names *issuer) (string, *issuer, error) {
	around := map[string][]string{}
	for _, i := range c.about[node] {
		q := c.quads[i]
		for at, t := range map[string]Term{"s": q.Subject, "o": q.Object, "g": q.Graph} {
			if t.kind == blank && t.Value != node {
				h := c.related(t.Value, q, names, at)
				around[h] = append(around[h], t.Value)
			}
		}
	}
	var data strings.Builder
	for _, h := range slices.Sorted(maps.Keys(around)) {
		data.WriteString(h)
		var chosen string
		var chosenNames *issuer
		slices.Sort(around[h]) // the order must not depend on that of a map
		err := permute(around[h], func(order []string) error {
			if c.work++; c.work > maxWork {
				return ErrTangled
			}
			path, names, err := c.path(order, names.clone(), chosen)
			if err == nil && path != "" && (chosen == "" || path < chosen) {
				chosen, chosenNames = path, names
			}
			return err
		})
		if err != nil {
			return "", nil, err
		}
		data.WriteString(chosen)
		names = chosenNames
	}
	return c.sum([]byte(data.String())), names, nil
}

// path is what one order of the nodes around gives; empty when it cannot come
// before the best one so far.
func (c *canoniser) path(order []string, names *issuer, best string) (string, *issuer, error) {
	var path string
	var deeper []string
	worse := func() bool { return best != "" && len(path) >= len(best) && path > best }
	for _, node := range order {
		if label, ok := c.issued.given[node]; ok {
			path += "_:" + label
		} else {
			if _, ok := names.given[node]; !ok {
				deeper = append(deeper, node)
			}
			path += "_:" + names.issue(node)
		}
		if worse() {
			return "", nil, nil
		}
	}
	for _, node := range deeper {
		hash, further, err := c.furtherDegree(node, names)
		if err != nil {
			return "", nil, err
		}
		path += "_:" + names.issue(node) + "<" + hash + ">"
		names = further
		if worse() {
			return "", nil, nil
		}
	}
	return path, names, nil
}

// related is a node as another sees it (RDFC-1.0, 4.7).
func (c *canoniser) related(node string, q Quad, names *issuer, at string) string {
	b := []byte(at)
	if at != "g" {
		b = append(b, '<')
		b = append(b, q.Predicate...)
		b = append(b, '>')
	}
	switch {
	case c.issued.given[node] != "":
		b = append(append(b, "_:"...), c.issued.given[node]...)
	case names.given[node] != "":
		b = append(append(b, "_:"...), names.given[node]...)
	default:
		b = append(b, c.first[node]...)
	}
	return c.sum(b)
}

// issuer gives labels in the order in which they are asked for.
type issuer struct {
	prefix string
	given  map[string]string
	order  []string
}

func newIssuer(prefix string) *issuer { return &issuer{prefix: prefix, given: map[string]string{}} }

func (i *issuer) issue(node string) string {
	label, ok := i.given[node]
	if !ok {
		label = i.prefix + strconv.Itoa(len(i.order))
		i.given[node] = label
		i.order = append(i.order, node)
	}
	return label
}

func (i *issuer) clone() *issuer {
	return &issuer{i.prefix, maps.Clone(i.given), slices.Clone(i.order)}
}

// permute calls f with every order of the items.
func permute(items []string, f func([]string) error) error {
	order := slices.Clone(items)
	var from func(int) error
	from = func(at int) error {
		if at == len(order) {
			return f(order)
		}
		for i := at; i < len(order); i++ {
			order[at], order[i] = order[i], order[at]
			err := from(at + 1)
			order[at], order[i] = order[i], order[at]
			if err != nil {
				return err
			}
		}
		return nil
	}
	return from(0)
}
