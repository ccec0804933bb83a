package jsonld

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"github.com/piprate/json-gold/ld"

	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// Statements writes a document as the statements it makes. It refuses what makes
// none: a claim without a term would leave the signature without a word.
func (c Contexts) Statements(doc map[string]any) (quads rdf.Dataset, err error) {
	// json-gold has panicked on shapes that its authors did not foresee.
	defer func() {
		if recover() != nil {
			quads, err = nil, fmt.Errorf("%w: not JSON-LD", ErrMalformed)
		}
	}()
	listed, ok := doc["@context"].([]any)
	if !ok {
		listed = []any{doc["@context"]}
	}
	options := ld.NewJsonLdOptions("")
	options.DocumentLoader = c
	options.SafeMode = true
	active, err := c.active(listed, options)
	if err != nil {
		return nil, named(err)
	}
	plain := maps.Clone(doc)
	delete(plain, "@context")
	expanded, err := ld.NewJsonLdApi().Expand(active, "", plain, options, false, nil)
	if err != nil {
		return nil, named(err)
	}
	root, ok := expanded.(map[string]any)
	if !ok || len(root) == 0 {
		return nil, fmt.Errorf("%w: it states nothing", ErrMalformed)
	}
	if err := checkNames(doc, root); err != nil {
		return nil, err
	}
	wrapPresented(root)
	w := writer{written: map[[2]string]bool{}}
	if _, err := w.node(root, rdf.Term{}); err != nil {
		return nil, err
	}
	if len(w.quads) == 0 {
		return nil, fmt.Errorf("%w: it states nothing", ErrMalformed)
	}
	return w.quads, nil
}

// vocabulary is the namespace of the data model, whose terms readers go by.
const vocabulary = "https://www.w3.org/2018/credentials#"

// decisive are the members of a credential or presentation that a reader must not
// miss: under another name they would be signed and not seen.
var decisive = []string{
	"issuer", "holder", "validFrom", "validUntil", "issuanceDate", "expirationDate", "credentialSubject",
	"credentialStatus", "credentialSchema", "termsOfUse", "evidence", "refreshService", "verifiableCredential",
}

// wrapPresented gives each presented credential a graph of its own, as its term has
// it: json-gold v0.9.1 forgets the container of a term that has a context as well.
func wrapPresented(root map[string]any) {
	presented, _ := root[vocabulary+"verifiableCredential"].([]any)
	for i, v := range presented {
		if node, ok := v.(map[string]any); ok && node["@graph"] == nil {
			presented[i] = map[string]any{"@graph": []any{node}}
		}
	}
}

func checkNames(doc, expanded map[string]any) error {
	for _, name := range decisive {
		if (doc[name] != nil) != (expanded[vocabulary+name] != nil) {
			return fmt.Errorf("%w: %s goes by another name", ErrContext, name)
		}
	}
	return nil
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
	case ld.ProtectedTermRedefinition, ld.LoadingRemoteContextFailed, ld.LoadingDocumentFailed, ld.InvalidRemoteContext,
		ld.InvalidIRIMapping, ld.InvalidTermDefinition, ld.InvalidContextNullification, ld.CyclicIRIMapping:
		return fmt.Errorf("%w: %s", ErrContext, cause.Code)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, cause.Code)
}

// writer turns expanded JSON-LD into statements (JSON-LD 1.1 API, 8.1), and refuses
// what that algorithm would leave out silently.
type writer struct {
	quads   rdf.Dataset
	blanks  int
	written map[[2]string]bool // by graph and name: the nodes that have claims
}

func (w *writer) blank() rdf.Term {
	w.blanks++
	return rdf.Blank("b" + strconv.Itoa(w.blanks))
}

func (w *writer) state(subject rdf.Term, predicate string, object, graph rdf.Term) {
	w.quads = append(w.quads, rdf.Quad{Subject: subject, Predicate: predicate, Object: object, Graph: graph})
}

// node writes what is said of a node, and gives its term.
func (w *writer) node(node map[string]any, graph rdf.Term) (rdf.Term, error) {
	subject, err := w.name(node)
	if err != nil {
		return rdf.Term{}, err
	}
	// Whoever reads one of two places would miss what is written in the other.
	if place := [2]string{graph.Value, subject.Value}; len(node) > 1 && subject.IsIRI() {
		if w.written[place] {
			return rdf.Term{}, fmt.Errorf("%w: a node is written in two places", ErrMalformed)
		}
		w.written[place] = true
	}
	for key, value := range node {
		values, ok := value.([]any)
		switch {
		case key == "@id":
			continue
		case !ok:
			return rdf.Term{}, fmt.Errorf("%w: not JSON-LD", ErrMalformed)
		case key == "@type":
			err = w.types(subject, values, graph)
		case strings.HasPrefix(key, "@"):
			err = fmt.Errorf("%w: %s", ErrUnsupported, key)
		case !IsIRI(key):
			err = ErrUndefinedTerm
		default:
			err = w.values(subject, key, values, graph)
		}
		if err != nil {
			return rdf.Term{}, err
		}
	}
	return subject, nil
}

func (w *writer) name(node map[string]any) (rdf.Term, error) {
	id, named := node["@id"]
	if !named {
		return w.blank(), nil
	}
	name, ok := id.(string)
	if !ok || !IsIRI(name) {
		return rdf.Term{}, fmt.Errorf("%w: a name that is not an absolute IRI", ErrMalformed)
	}
	return rdf.IRI(name), nil
}

func (w *writer) types(subject rdf.Term, types []any, graph rdf.Term) error {
	for _, t := range types {
		name, ok := t.(string)
		if !ok || !IsIRI(name) {
			return fmt.Errorf("%w: a type that is not an absolute IRI", ErrUndefinedTerm)
		}
		w.state(subject, rdf.Type, rdf.IRI(name), graph)
	}
	return nil
}

func (w *writer) values(subject rdf.Term, predicate string, values []any, graph rdf.Term) error {
	for _, v := range values {
		object, err := w.object(v, graph)
		if err != nil {
			return err
		}
		w.state(subject, predicate, object, graph)
	}
	return nil
}

func (w *writer) object(v any, graph rdf.Term) (rdf.Term, error) {
	value, ok := v.(map[string]any)
	if !ok {
		return rdf.Term{}, fmt.Errorf("%w: a value that belongs to nothing", ErrMalformed)
	}
	if content, ok := value["@value"]; ok {
		return literal(content, value)
	}
	if list, ok := value["@list"].([]any); ok {
		return w.list(list, graph)
	}
	if inner, ok := value["@graph"].([]any); ok {
		return w.graph(value, inner)
	}
	return w.node(value, graph)
}

func (w *writer) list(items []any, graph rdf.Term) (rdf.Term, error) {
	rest := rdf.IRI(rdf.Nil)
	for i := len(items) - 1; i >= 0; i-- {
		object, err := w.object(items[i], graph)
		if err != nil {
			return rdf.Term{}, err
		}
		cell := w.blank()
		w.state(cell, rdf.First, object, graph)
		w.state(cell, rdf.Rest, rest, graph)
		rest = cell
	}
	return rest, nil
}

// graph writes a document within the document: a credential in a presentation, a
// proof.
func (w *writer) graph(value map[string]any, nodes []any) (rdf.Term, error) {
	graph, err := w.name(value)
	if err != nil {
		return rdf.Term{}, err
	}
	for key := range value {
		if key != "@graph" && key != "@id" {
			return rdf.Term{}, fmt.Errorf("%w: %s of a graph", ErrUnsupported, key)
		}
	}
	for _, n := range nodes {
		node, ok := n.(map[string]any)
		if !ok || node["@value"] != nil {
			return rdf.Term{}, fmt.Errorf("%w: a value that belongs to nothing", ErrMalformed)
		}
		if _, err := w.node(node, graph); err != nil {
			return rdf.Term{}, err
		}
	}
	return graph, nil
}

func literal(content any, value map[string]any) (rdf.Term, error) {
	datatype, _ := value["@type"].(string)
	tag, _ := value["@language"].(string)
	direction, _ := value["@direction"].(string)
	for key := range value {
		if key != "@value" && key != "@type" && key != "@language" && key != "@direction" {
			return rdf.Term{}, fmt.Errorf("%w: %s of a value", ErrUnsupported, key)
		}
	}
	if datatype == "@json" {
		text, err := Canonical(content)
		return rdf.Literal(string(text), rdf.JSON), err
	}
	if datatype != "" && !IsIRI(datatype) {
		return rdf.Term{}, fmt.Errorf("%w: a type that is not an absolute IRI", ErrUndefinedTerm)
	}
	if text, ok := content.(string); ok && (tag != "" || direction != "") {
		return Tagged(text, tag, direction)
	}
	return Scalar(content, datatype)
}

// Directed begins the datatypes of texts with a direction.
const Directed = "https://www.w3.org/ns/i18n#"

// Tagged is a text with its language or its direction. The direction goes into the
// datatype (JSON-LD 1.1, i18n-datatype), as the suites of others do it.
func Tagged(text, tag, direction string) (rdf.Term, error) {
	if tag != "" && !isLanguage(tag) || direction != "" && direction != "ltr" && direction != "rtl" {
		return rdf.Term{}, fmt.Errorf("%w: not a language or a direction", ErrMalformed)
	}
	if direction != "" {
		return rdf.Literal(text, Directed+strings.ToLower(tag)+"_"+direction), nil
	}
	return rdf.Text(text, tag), nil
}

// Scalar is a text, number or truth value of a datatype, or of its own where that
// is empty.
func Scalar(content any, datatype string) (rdf.Term, error) {
	natural := func(own string) string {
		if datatype != "" {
			return datatype
		}
		return own
	}
	switch v := content.(type) {
	case string:
		return rdf.Literal(v, natural(rdf.XSDString)), nil
	case bool:
		return rdf.Literal(strconv.FormatBool(v), natural(rdf.XSDBoolean)), nil
	case float64:
		if v == math.Trunc(v) && datatype != rdf.XSDDouble {
			return rdf.Literal(strconv.FormatInt(int64(v), 10), natural(rdf.XSDInteger)), nil
		}
		return rdf.Literal(double(v), natural(rdf.XSDDouble)), nil
	}
	return rdf.Term{}, fmt.Errorf("%w: not JSON-LD", ErrMalformed)
}

// double is the canonical form of xsd:double: one digit, a fraction without
// trailing zeros, and an exponent without leading ones.
func double(v float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'E', 15, 64), "E")
	mantissa = strings.TrimRight(mantissa, "0")
	if strings.HasSuffix(mantissa, ".") {
		mantissa += "0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	exponent = strings.TrimLeft(exponent[1:], "0")
	if exponent == "" {
		exponent = "0"
	}
	return mantissa + "E" + sign + exponent
}

// IsIRI tells whether a name is an absolute IRI that N-Quads can hold.
func IsIRI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" || !isLetter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !isLetter(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	for i := range len(rest) {
		if notInIRI[rest[i]] {
			return false
		}
	}
	return true
}

// notInIRI are the bytes that no IRI in N-Quads has.
var notInIRI = func() (not [256]bool) {
	for c := range ' ' + 1 {
		not[c] = true
	}
	for _, c := range []byte("<>\"{}|\\^`") {
		not[c] = true
	}
	return not
}()

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isLanguage tells whether a tag looks like one of BCP 47.
func isLanguage(tag string) bool {
	for i, part := range strings.Split(tag, "-") {
		if len(part) == 0 || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for j := range len(part) {
			if c := part[j]; !isLetter(c) && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
