package kind

import "testing"

func TestBuiltinKindsAreGood(t *testing.T) {
	names := map[string]bool{}
	for _, k := range Builtin() {
		names[k.Name] = true
	}
	if !names["national_id"] || !names["proof_of_age"] {
		t.Errorf("got %v, want national_id and proof_of_age", names)
	}
}
