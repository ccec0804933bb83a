package verifier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/plinth-id/plinth/internal/fault"
)

// Weight is what it means that a check could not be made.
type Weight string

// The weights.
const (
	Fatal     Weight = "fatal"     // the credential is not accepted
	Doubtful  Weight = "unknown"   // the verdict is unknown
	Tolerated Weight = "tolerated" // the verdict is drawn without it
)

// Policy says which checks must be possible. The zero Policy tolerates that no
// status was looked up where the check is offline, and that nobody looked who signed
// the trust list; it doubts everything else.
type Policy struct {
	// Undetermined gives a weight to the name of a check (status) or, more
	// exactly, to the code of a reason (status_unreachable).
	Undetermined map[string]Weight `json:"undetermined,omitempty"`
}

// ErrPolicy says that a policy is not one.
var ErrPolicy = fault.New(fault.Invalid, `A policy is {"undetermined":{"status":"fatal"}}: a check or the code of a reason, and fatal, unknown or tolerated. Only a status that could not be looked up can be tolerated.`).
	Named("invalid-policy")

// maxPolicy bounds the text of a policy.
const maxPolicy = 16 << 10

// ParsePolicy reads a policy. It cannot be so mild that claims would be believed
// which nobody known has signed.
func ParsePolicy(raw []byte) (Policy, error) {
	var p Policy
	if len(raw) > maxPolicy {
		return Policy{}, ErrPolicy
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // a misspelt policy must not pass as a mild one
	if err := d.Decode(&p); err != nil {
		return Policy{}, ErrPolicy.Because(err)
	}
	return p, p.Check()
}

// tolerable are the reasons for which a status was not looked up. A list that its
// issuer has not signed was looked up, and is what somebody would put there who hides
// a revocation.
var tolerable = []string{"status", "status_unchecked", "status_unreachable"}

// Check tells whether the policy is one.
func (p Policy) Check() error {
	for name, weight := range p.Undetermined {
		_, known := sentences[name]
		switch {
		case !known && !slices.Contains([]string{"format", "issuer", "status"}, name),
			weight != Fatal && weight != Doubtful && weight != Tolerated,
			weight == Tolerated && !slices.Contains(tolerable, name):
			return ErrPolicy.Because(fmt.Errorf("%q: %q", name, weight))
		}
	}
	return nil
}

// weigh tells what an undetermined reason means.
func (p Policy) weigh(r Reason) Weight {
	for _, name := range []string{r.Code, r.Name} {
		if weight, ok := p.Undetermined[name]; ok && (weight != Tolerated || slices.Contains(tolerable, r.Code)) {
			return weight
		}
	}
	if r.Code == "status_unchecked" || r.Code == "trust_unsigned" {
		return Tolerated
	}
	return Doubtful
}
