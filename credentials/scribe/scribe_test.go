package scribe

import (
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/kind"
)

const base = "https://id.example.org"

func rehearse(t *testing.T, d *kind.Definition) Report {
	t.Helper()
	r, err := Rehearse(t.Context(), Stand{base, time.Now()}, d, Samples(d))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBuiltinKindsPassTheirRehearsal(t *testing.T) {
	for _, d := range kind.Builtin() {
		r := rehearse(t, d)
		if len(r.Problems) > 0 {
			t.Errorf("%s: got %v", d.Name, r.Problems)
		}
		formats := map[string]bool{}
		for _, a := range r.Artefacts {
			formats[a.Format] = true
			if a.Bytes == 0 || len(a.Claims) == 0 {
				t.Errorf("%s: got %+v", d.Name, a)
			}
			if a.Code != nil && a.Sample == "usual" && (a.Code.Version > 23 || a.Code.Millimetres == 0 || a.Claims["face"] != true) {
				t.Errorf("%s: got version %d of %.1f mm, face %v; want a face and at most version 23", d.Name, a.Code.Version, a.Code.Millimetres, a.Claims["face"])
			}
		}
		if len(formats) != len(d.In()) {
			t.Errorf("%s: got %v, want %v", d.Name, formats, d.In())
		}
	}
}

// changed is the national identity card with one thing changed in its document.
func changed(t *testing.T, old, now string) *kind.Definition {
	t.Helper()
	raw := kind.BuiltinDocument("national_id")
	if !strings.Contains(string(raw), old) {
		t.Fatalf("%q is not in the document", old)
	}
	d, err := kind.Parse([]byte(strings.Replace(string(raw), old, now, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Negative tests 18 and 20 of the research: what cannot be signed or cannot fit is
// found before it is activated, and a value never leaves its place.
func TestWhatCannotBeIssuedIsFound(t *testing.T) {
	for name, c := range map[string]struct{ old, now, problem string }{
		"a term that no context defines": {`"ldp_vc": ["gender"]`, `"ldp_vc": ["favouriteColour"]`, "term"},
		"a type that no context defines": {`"NationalID"`, `"Passport"`, "term"},
		"a context that nobody knows":    {`"suite": "eddsa-rdfc-2022",`, `"suite": "eddsa-rdfc-2022", "contexts": ["https://example.org/unknown"],`, "context"},
		"a code that cannot fit":         {`"largest_version": 23`, `"largest_version": 5`, "fit"},
		"a code too large for its place": {`"largest_version": 23`, `"largest_version": 23, "millimetres": 12`, "fit"},
	} {
		r := rehearse(t, changed(t, c.old, c.now))
		if len(r.Problems) == 0 || !strings.Contains(strings.Join(r.Problems, "\n"), c.problem) {
			t.Errorf("%s: got %v, want a problem about %q", name, r.Problems, c.problem)
		}
	}
}
