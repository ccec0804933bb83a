package vc

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/piprate/json-gold/ld"
)

var absoluteIRI = regexp.MustCompile("^[A-Za-z][A-Za-z0-9+.-]*:[^\\x00-\\x20<>\"{}|\\\\^`]+$")

// canonical writes the statements of a document in the one form that RDFC-1.0
// gives them. It does what json-gold's Normalize does, in two steps, because
// Normalize forgets SafeMode: a claim without a term would leave the signature
// without a word.
func canonical(doc map[string]any, known Contexts) (quads string, err error) {
	// json-gold has panicked on shapes that its authors did not foresee.
	defer func() {
		if recover() != nil {
			quads, err = "", fmt.Errorf("%w: not JSON-LD", ErrMalformed)
		}
	}()
	options := ld.NewJsonLdOptions("")
	options.DocumentLoader = known
	options.SafeMode = true
	options.Algorithm = ld.AlgorithmURDNA2015
	expanded, err := ld.NewJsonLdProcessor().Expand(doc, options)
	if err != nil {
		return "", named(err)
	}
	for _, node := range expanded {
		if err := checkExpanded(node); err != nil {
			return "", err
		}
	}
	dataset, err := ld.NewJsonLdApi().ToRDF(expanded, options)
	if err != nil {
		return "", named(err)
	}
	if err := checkTangle(dataset); err != nil {
		return "", err
	}
	options.Format = "application/n-quads"
	normal, err := ld.NewJsonLdApi().Normalize(dataset, options)
	if err != nil {
		return "", named(err)
	}
	text, ok := normal.(string)
	if !ok || text == "" {
		return "", fmt.Errorf("%w: it states nothing", ErrMalformed)
	}
	return text, nil
}

// named gives an error of json-gold the name that ours have for it. Its text is
// dropped, for it can quote the document.
func named(err error) error {
	var cause *ld.JsonLdError
	if !errors.As(err, &cause) {
		return fmt.Errorf("%w: not JSON-LD", ErrMalformed)
	}
	switch cause.Code {
	case ld.InvalidProperty:
		return ErrUndefinedTerm
	case ld.ProtectedTermRedefinition, ld.LoadingRemoteContextFailed, ld.LoadingDocumentFailed, ld.InvalidRemoteContext:
		return fmt.Errorf("%w: %s", ErrContext, cause.Code)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, cause.Code)
}

// checkExpanded refuses what ToRDF would leave out silently.
func checkExpanded(v any) error {
	node, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%w: a value that belongs to nothing", ErrMalformed)
	}
	_, literal := node["@value"]
	for key, value := range node {
		var err error
		switch key {
		case "@value", "@language":
		case "@id":
			err = checkIRI(value, ErrMalformed)
		case "@type":
			err = checkTypes(value, literal)
		case "@list":
			err = checkValues(value)
		default:
			if strings.HasPrefix(key, "@") {
				return fmt.Errorf("%w: %s", ErrUnsupported, key)
			}
			if absoluteIRI.MatchString(key) {
				err = checkValues(value)
			} else {
				err = ErrUndefinedTerm
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkValues(v any) error {
	values, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%w: not JSON-LD", ErrMalformed)
	}
	for _, value := range values {
		if err := checkExpanded(value); err != nil {
			return err
		}
	}
	return nil
}

func checkTypes(v any, literal bool) error {
	if literal {
		if v == "@json" {
			return fmt.Errorf("%w: JSON literals", ErrUnsupported)
		}
		return checkIRI(v, ErrUndefinedTerm)
	}
	types, ok := v.([]any)
	if !ok {
		return fmt.Errorf("%w: not JSON-LD", ErrMalformed)
	}
	for _, t := range types {
		if err := checkIRI(t, ErrUndefinedTerm); err != nil {
			return err
		}
	}
	return nil
}

func checkIRI(v any, otherwise error) error {
	if s, ok := v.(string); !ok || !absoluteIRI.MatchString(s) {
		return fmt.Errorf("%w: a name that is not an absolute IRI", otherwise)
	}
	return nil
}

// checkTangle bounds the work of canonicalisation, which grows with the factorial
// of the blank nodes that look alike from where they stand: seven of them take
// half a second, twelve would take days.
func checkTangle(dataset *ld.RDFDataset) error {
	seen := map[string][]string{}
	for graph, quads := range dataset.Graphs {
		for _, q := range quads {
			for _, node := range []ld.Node{q.Subject, q.Object, ld.NewBlankNode(graph)} {
				if id := node.GetValue(); ld.IsBlankNode(node) && strings.HasPrefix(id, "_:") {
					seen[id] = append(seen[id], view(q, graph, id))
				}
			}
		}
	}
	if len(seen) > maxBlank {
		return fmt.Errorf("%w: %d nodes without a name, at most %d", ErrTooLarge, len(seen), maxBlank)
	}
	alike := map[string]int{}
	for _, views := range seen {
		slices.Sort(views)
		alike[strings.Join(views, "\n")]++
	}
	ambiguous := 0
	for _, n := range alike {
		if n > 1 {
			ambiguous += n
		}
	}
	if ambiguous > maxAmbiguous {
		return fmt.Errorf("%w: %d nodes that look alike, at most %d", ErrTooLarge, ambiguous, maxAmbiguous)
	}
	return nil
}

// view is a statement as one of its blank nodes sees it: itself, and others.
func view(q *ld.Quad, graph, self string) string {
	name := func(id string) string {
		switch {
		case id == self:
			return "_:a"
		case strings.HasPrefix(id, "_:"):
			return "_:z"
		}
		return id
	}
	object := name(q.Object.GetValue())
	if l, ok := q.Object.(ld.Literal); ok {
		object = fmt.Sprintf("%q^^%s@%s", l.Value, l.Datatype, l.Language)
	}
	return strings.Join([]string{name(q.Subject.GetValue()), q.Predicate.GetValue(), object, name(graph)}, " ")
}
