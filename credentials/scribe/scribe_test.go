package scribe

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
)

const base = "https://id.example.org"

func rehearse(t *testing.T, d *kind.Definition) Report {
	t.Helper()
	r, err := Rehearse(t.Context(), base, d, Samples(d))
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

// TestEveryKindHasAShape by which its W3C credentials are made, for every sample, and
// what they state is what the long way finds.
func TestEveryKindHasAShape(t *testing.T) {
	h := Hand{Signer: Signer{Base: base, DID: "did:web:id.example.org"}}
	for _, d := range kind.Builtin() {
		if d.Formats.LDP == nil {
			continue
		}
		k, err := Configure(base, d, kind.LDP)
		if err != nil || k.shape() == nil {
			t.Fatalf("%s: got no shape (%v)", d.Name, err)
		}
		for _, sample := range Samples(d) {
			s := Statement{ID: uuid.New(), Who: sample.Who, Entry: status.Entry{List: 7, Index: 9, URL: base + "/status/7"}, From: time.Unix(1, 0), Until: time.Unix(2, 0)}
			facts := h.facts(s)
			facts.Who.Portrait = fitting(facts.Who.Portrait)
			input, err := h.inLDP(k, s, facts)
			if err != nil {
				t.Fatal(err)
			}
			draft, err := k.shape().Draft(input)
			if err == nil {
				err = draft.Recheck()
			}
			if err != nil {
				t.Errorf("%s, %s: got %v, want a draft", d.Name, sample.Name, err)
			}
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
