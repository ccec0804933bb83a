package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
)

func TestOutermostFaultDecides(t *testing.T) {
	inner := fault.New(fault.NotFound, "There is no such application.")
	outer := fmt.Errorf("reading: %w", fault.New(fault.Denied, "Please sign in again.").Because(inner))
	if !fault.Is(outer, fault.Denied) || fault.Is(outer, fault.NotFound) {
		t.Fatalf("got %v, want it to be denied only", fault.Of(outer).Kind)
	}
	if !errors.Is(outer, inner) {
		t.Fatal("what lies behind a fault must stay reachable")
	}
}

func TestASVS_16_5_1_UnknownErrorShowsNothingOfItself(t *testing.T) {
	f := fault.Of(errors.New("dial tcp 10.0.0.7: refused"))
	if f.Kind != fault.Internal || f.Code != "internal" || strings.Contains(f.Sentence, "10.0.0.7") {
		t.Fatalf("got %+v, want an internal fault with a general sentence", f)
	}
	if !strings.Contains(f.Error(), "10.0.0.7") {
		t.Fatalf("got %q, want the cause kept for the log", f.Error())
	}
	if fault.Of(nil) != nil {
		t.Fatal("no error is no fault")
	}
}

func TestASharedFaultIsNeverChanged(t *testing.T) {
	shared := fault.New(fault.Invalid, "Please correct the fields named.").At("email", "must hold an @")
	a := shared.At("phone", "must start with +").Named("bad-contact").Because(errors.New("x"))
	b := shared.At("name", "is missing")
	if len(shared.Fields) != 1 || shared.Code != "invalid" || shared.Unwrap() != nil {
		t.Fatalf("got %+v, want the shared fault untouched", shared)
	}
	if len(a.Fields) != 2 || a.Fields[1].Name != "phone" || len(b.Fields) != 2 || b.Fields[1].Name != "name" {
		t.Fatalf("got %v and %v, want each its own second field", a.Fields, b.Fields)
	}
	if want := "Please correct the fields named. [email: must hold an @] [phone: must start with +] (x)"; a.Error() != want {
		t.Fatalf("got %q, want %q", a.Error(), want)
	}
}

func TestEveryKindHasASlug(t *testing.T) {
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.Busy; k++ {
		if s := k.String(); s == "" || seen[s] {
			t.Fatalf("got %q for kind %d, want a slug of its own", s, k)
		}
		seen[k.String()] = true
	}
	if got, want := fault.Kind(99).String(), "internal"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}
