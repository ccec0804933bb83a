// Package rdf holds statements (RDF quads) and writes them in the one form that
// RDFC-1.0 gives them, whatever hash a suite hashes nodes with. It reads nothing:
// statements are made by those who read documents.
package rdf

import "strings"

// Names of RDF and of XML Schema that documents are turned into.
const (
	Type       = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
	First      = "http://www.w3.org/1999/02/22-rdf-syntax-ns#first"
	Rest       = "http://www.w3.org/1999/02/22-rdf-syntax-ns#rest"
	Nil        = "http://www.w3.org/1999/02/22-rdf-syntax-ns#nil"
	JSON       = "http://www.w3.org/1999/02/22-rdf-syntax-ns#JSON"
	LangString = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
	XSDString  = "http://www.w3.org/2001/XMLSchema#string"
	XSDBoolean = "http://www.w3.org/2001/XMLSchema#boolean"
	XSDInteger = "http://www.w3.org/2001/XMLSchema#integer"
	XSDDouble  = "http://www.w3.org/2001/XMLSchema#double"
)

type kind uint8

const (
	none kind = iota // the zero Term: the default graph
	iri
	blank
	literal
)

// Term is a name, a node without one, or a text. The zero value is none of them,
// and stands for the default graph.
type Term struct {
	kind     kind
	Value    string // of a node without a name: its label, without _:
	Datatype string // of a text: empty means xsd:string
	Language string
}

// IRI is a name.
func IRI(value string) Term { return Term{kind: iri, Value: value} }

// Blank is a node that has no name, by its label.
func Blank(label string) Term { return Term{kind: blank, Value: label} }

// Literal is a text of a datatype.
func Literal(value, datatype string) Term {
	if datatype == XSDString {
		datatype = ""
	}
	return Term{kind: literal, Value: value, Datatype: datatype}
}

// Text is a text in a language; its tag is written in lower case.
func Text(value, language string) Term {
	return Term{kind: literal, Value: value, Language: strings.ToLower(language)}
}

// IsBlank tells whether the term is a node without a name.
func (t Term) IsBlank() bool { return t.kind == blank }

// IsIRI tells whether the term is a name.
func (t Term) IsIRI() bool { return t.kind == iri }

// IsLiteral tells whether the term is a text.
func (t Term) IsLiteral() bool { return t.kind == literal }

// Quad is one statement; its predicate is always a name.
type Quad struct {
	Subject   Term
	Predicate string
	Object    Term
	Graph     Term
}

// Dataset is statements in any order. That one is there twice changes nothing.
type Dataset []Quad

// Relabel gives every node without a name the label that rename has for it.
func (d Dataset) Relabel(rename func(Term) Term) Dataset {
	all := make(Dataset, len(d))
	for i, q := range d {
		all[i] = Quad{rename(q.Subject), q.Predicate, rename(q.Object), rename(q.Graph)}
	}
	return all
}

// append writes a statement as canonical N-Quads has it, its nodes as name says.
func (q Quad) append(b []byte, name func([]byte, Term) []byte) []byte {
	b = q.Subject.append(b, name)
	b = append(b, " <"...)
	b = append(b, q.Predicate...)
	b = append(b, "> "...)
	b = q.Object.append(b, name)
	if q.Graph.kind != none {
		b = append(b, ' ')
		b = q.Graph.append(b, name)
	}
	return append(b, " .\n"...)
}

func (t Term) append(b []byte, name func([]byte, Term) []byte) []byte {
	switch t.kind {
	case blank:
		return name(b, t)
	case iri:
		b = append(b, '<')
		b = append(b, t.Value...)
		return append(b, '>')
	}
	b = append(b, '"')
	b = escape(b, t.Value)
	b = append(b, '"')
	switch {
	case t.Language != "":
		b = append(b, '@')
		b = append(b, t.Language...)
	case t.Datatype != "":
		b = append(b, "^^<"...)
		b = append(b, t.Datatype...)
		b = append(b, '>')
	}
	return b
}

// escape is the canonical form of a text (RDF 1.1 N-Quads, canonical form).
func escape(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(b, s[from:]...)
}
