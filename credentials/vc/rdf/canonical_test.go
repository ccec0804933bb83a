package rdf

import (
	"crypto"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const knows = "http://xmlns.com/foaf/0.1/knows"

// ring is n nodes of which each knows the next, in one order or another.
func ring(n int, names func(int) string) Dataset {
	var d Dataset
	for i := range n {
		d = append(d, Quad{Subject: Blank(names(i)), Predicate: knows, Object: Blank(names((i + 1) % n))})
	}
	return d
}

// clique is n nodes of which each knows all others.
func clique(n int) Dataset {
	var d Dataset
	for i := range n {
		for j := range n {
			if i != j {
				d = append(d, Quad{Subject: Blank(fmt.Sprint(i)), Predicate: knows, Object: Blank(fmt.Sprint(j))})
			}
		}
	}
	return d
}

func TestNamesOfNodesDoNotMatter(t *testing.T) {
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		want, err := ring(6, func(i int) string { return fmt.Sprintf("n%d", i) }).Canonical(hash)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(50) {
			r := rand.New(rand.NewPCG(seed, 2))
			names := r.Perm(100)
			d := ring(6, func(i int) string { return fmt.Sprintf("x%d", names[i]) })
			r.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
			d = append(d, d[r.IntN(len(d))]) // said twice
			if got, err := d.Canonical(hash); err != nil || got.String() != want.String() {
				t.Fatalf("seed %d: got %s (%v), want %s", seed, got, err, want)
			}
		}
	}
}

// A change of the hash changes the labels: that is what P-384 needs.
func TestHashDecidesTheLabels(t *testing.T) {
	differ := false
	for i := range 20 {
		var d Dataset
		for j := range 4 {
			d = append(d, Quad{Subject: Blank(fmt.Sprint(j)), Predicate: knows, Object: Literal(fmt.Sprint(i, j), "")})
		}
		a, errA := d.Canonical(crypto.SHA256)
		b, errB := d.Canonical(crypto.SHA384)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		differ = differ || a.String() != b.String()
	}
	if !differ {
		t.Error("got the same labels, want others")
	}
}

func TestTangleIsRefusedSoon(t *testing.T) {
	for name, d := range map[string]Dataset{
		"a clique of nine":    clique(9),
		"a clique of ten":     clique(10),
		"a ring of eleven":    ring(11, func(i int) string { return fmt.Sprint(i) }),
		"too many nodes":      many(maxBlank + 1),
		"many that are alike": append(clique(5), Dataset(clique(5)).Relabel(func(t Term) Term { return Blank("y" + t.Value) })...),
	} {
		if _, err := d.Canonical(crypto.SHA256); !errors.Is(err, ErrTangled) {
			t.Errorf("%s: got %v, want %v", name, err, ErrTangled)
		}
	}
	if _, err := many(maxBlank).Canonical(crypto.SHA256); err != nil {
		t.Errorf("nodes that differ: got %v, want nil", err)
	}
	if _, err := clique(5).Canonical(crypto.SHA256); err != nil {
		t.Errorf("a small clique: got %v, want nil", err)
	}
}

func many(n int) Dataset {
	var d Dataset
	for i := range n {
		d = append(d, Quad{Subject: Blank(fmt.Sprint(i)), Predicate: knows, Object: Literal(fmt.Sprint(i), XSDString)})
	}
	return d
}

func TestTextIsEscapedCanonically(t *testing.T) {
	for text, want := range map[string]string{
		"a\"b\\c":       `"a\"b\\c"`,
		"\b\t\n\f\r":    `"\b\t\n\f\r"`,
		"\x00\x1f\x7f":  `"\u0000\u001F\u007F"`,
		"é漢🙂\u0085 <>":  "\"é漢🙂\u0085 <>\"",
		"plain, ’quote": `"plain, ’quote"`,
	} {
		d := Dataset{{Subject: IRI("urn:s"), Predicate: "urn:p", Object: Text(text, "")}}
		if got := d.Lines(nil)[0]; got != "<urn:s> <urn:p> "+want+" .\n" {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestFormsOfTerms(t *testing.T) {
	d := Dataset{
		{IRI("urn:s"), "urn:p", Text("x", "EN-gb"), Blank("g")},
		{Blank("a"), "urn:p", Literal("1", XSDInteger), IRI("urn:g")},
		{Blank("a"), "urn:p", Literal("x", XSDString), Term{}},
	}
	c, err := d.Canonical(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"<urn:s> <urn:p> \"x\"@en-gb _:" + c.Labels["g"] + " .\n",
		"_:" + c.Labels["a"] + " <urn:p> \"1\"^^<" + XSDInteger + "> <urn:g> .\n",
		"_:" + c.Labels["a"] + " <urn:p> \"x\" .\n",
	}
	for _, line := range want {
		if !strings.Contains(c.String(), line) {
			t.Errorf("got %s, want %s in it", c, line)
		}
	}
}

// TestGraphsAreCanonicalised holds what rdf-canonize 5.0.0 gives for these statements,
// with which 1,500 random ones were compared by hand.
func TestGraphsAreCanonicalised(t *testing.T) {
	one := Literal("1", XSDInteger)
	d := Dataset{
		{IRI("urn:x"), "urn:p:0", Blank("1"), Term{}}, {Blank("1"), "urn:p:0", Blank("3"), Term{}}, {Blank("2"), "urn:p:0", Blank("0"), Term{}},
		{Blank("3"), "urn:p:1", one, Blank("2")}, {Blank("4"), "urn:p:0", Blank("0"), Blank("4")}, {Blank("4"), "urn:p:1", Blank("3"), Term{}},
	}
	for hash, want := range map[crypto.Hash]string{
		crypto.SHA256: goldenSHA256,
		crypto.SHA384: goldenSHA384,
	} {
		if got, err := d.Canonical(hash); err != nil || got.String() != want {
			t.Errorf("%s: got\n%s (%v), want\n%s", hash, got, err, want)
		}
	}
}

// Two statements that look alike from one node are two.
func TestStatementsThatLookAlikeCountEach(t *testing.T) {
	d := Dataset{
		{Blank("0"), "urn:p", Blank("0"), Term{}}, {Blank("1"), "urn:q", Blank("0"), Term{}}, {Blank("3"), "urn:q", Blank("0"), Term{}},
		{Blank("2"), "urn:p", Blank("1"), IRI("urn:g")},
	}
	c, err := d.Canonical(crypto.SHA256)
	if err != nil || c.String() != goldenAlike {
		t.Errorf("got\n%s (%v), want\n%s", c, err, goldenAlike)
	}
}

const goldenSHA256 = `<urn:x> <urn:p:0> _:c14n1 .
_:c14n1 <urn:p:0> _:c14n4 .
_:c14n2 <urn:p:0> _:c14n0 _:c14n2 .
_:c14n2 <urn:p:1> _:c14n4 .
_:c14n3 <urn:p:0> _:c14n0 .
_:c14n4 <urn:p:1> "1"^^<http://www.w3.org/2001/XMLSchema#integer> _:c14n3 .
`

const goldenSHA384 = `<urn:x> <urn:p:0> _:c14n0 .
_:c14n0 <urn:p:0> _:c14n2 .
_:c14n1 <urn:p:0> _:c14n3 .
_:c14n2 <urn:p:1> "1"^^<http://www.w3.org/2001/XMLSchema#integer> _:c14n1 .
_:c14n4 <urn:p:0> _:c14n3 _:c14n4 .
_:c14n4 <urn:p:1> _:c14n2 .
`

const goldenAlike = `_:c14n0 <urn:q> _:c14n2 .
_:c14n1 <urn:p> _:c14n3 <urn:g> .
_:c14n2 <urn:p> _:c14n2 .
_:c14n3 <urn:q> _:c14n2 .
`
