// Package evidence says what must be known of how a sample was captured before it
// counts: which devices must have signed it, how long ago, and what they must say of
// presentation attacks. Rules differ by purpose, since a supervised enrolment and a
// login from somebody's kitchen are attacked in different ways.
package evidence

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

// Purpose is what a sample is captured for.
type Purpose string

// The purposes.
const (
	Enrolment Purpose = "enrolment"
	Login     Purpose = "login"
)

// Why a sample does not count. Each reads on after the name of the sample.
var (
	ErrTampered = errors.New("is not what its device has signed")
	ErrUnsigned = errors.New("must be signed by a capture device that is trusted here")
	ErrLevel    = errors.New("must come from a device of level L1")
	ErrProvider = errors.New("comes from a device of a provider that may not be used for this")
	ErrTrial    = errors.New("comes from a simulated device, or one that is not in production")
	ErrStale    = errors.New("was captured too long before, or in the future")
	ErrNoPAD    = errors.New("must come with the result of a presentation attack detection of the level that is asked for")
	ErrAttack   = errors.New("seems not to be of a living person")
)

// Rule is what is asked of a sample. The zero one asks for nothing, but refuses what
// was tampered with and what was shown before. Where no rule is written, enrolments
// are held to the zero one, and logins to a device of level L1: nobody watches those.
type Rule struct {
	Device    sbi.Level     // the least level of the device; empty: none need vouch
	Providers []string      // of the device, as in its digital id; none: every trusted one
	MaxAge    time.Duration // between capture and use; 0: eight hours to an enrolment, two minutes to a login
	PAD       *PAD          // nil: not asked for
	Trial     bool          // simulators, other environments than Production, and samples that were shown before are taken
}

// PAD is what is asked of a presentation attack detection.
type PAD struct {
	Score float64 // at least; 0 an attack, 1 living
	Level int     // of ISO/IEC 30107-3 that it was evaluated at, at least
}

// Policy is the rules of a deployment, and whom it trusts. The zero one asks for
// nothing.
type Policy struct {
	Rates Rates

	rules            map[Purpose]map[biometrics.Modality]Rule
	providers, chips *x509.CertPool
}

// Rates is how often the search of a newcomer may go wrong; 0 leaves it to the gallery.
type Rates struct {
	FalsePositive float64 // a newcomer is taken for somebody else
	Officer       float64 // an officer is called for nothing
}

// Trial is the policy of a demonstration: everything is taken.
func Trial() Policy {
	rule := map[biometrics.Modality]Rule{anyModality: {Trial: true}}
	return Policy{rules: map[Purpose]map[biometrics.Modality]Rule{Enrolment: rule, Login: rule}}
}

// Rule is what is asked of samples of one kind.
func (p Policy) Rule(purpose Purpose, modality biometrics.Modality) Rule {
	rules := p.rules[purpose]
	rule, ok := rules[modality]
	if !ok {
		rule, ok = rules[anyModality]
	}
	if !ok && purpose == Login {
		rule.Device = sbi.L1
	}
	if rule.MaxAge == 0 {
		rule.MaxAge = map[Purpose]time.Duration{Enrolment: 8 * time.Hour, Login: 2 * time.Minute}[purpose]
	}
	return rule
}

// Trust is whom a deployment trusts to have captured a sample of one kind.
func (p Policy) Trust(purpose Purpose, modality biometrics.Modality) sbi.Trust {
	rule := p.Rule(purpose, modality)
	return sbi.Trust{Roots: p.providers, Chips: p.chips, Anyone: rule.Trial && p.providers == nil, MaxAge: rule.MaxAge,
		Purpose: map[Purpose]string{Enrolment: sbi.Registration, Login: sbi.Authentication}[purpose]}
}

// Takes tells whether there are devices whose samples of one kind can count, and
// whether samples count that no device vouches for.
func (p Policy) Takes(purpose Purpose, modality biometrics.Modality) (signed, plain bool) {
	return p.providers != nil || p.Trust(purpose, modality).Anyone, !p.Rule(purpose, modality).asks()
}

// Enrolled judges a sample that came with an enrolment, which was closed at a moment.
// What its device has signed is given back where that can be believed, also where no
// rule asks for it.
func (p Policy) Enrolled(r cbeff.Record, closed time.Time) (*sbi.Evidence, error) {
	modality := r.Position.Modality()
	rule := p.Rule(Enrolment, modality)
	if len(r.Signature) == 0 || r.Others["PAYLOAD"] == "" {
		return nil, rule.Admit(nil)
	}
	e, err := p.Trust(Enrolment, modality).CheckRecord(r, closed)
	switch {
	case slices.ContainsFunc([]error{sbi.ErrUntrusted, sbi.ErrPurpose, sbi.ErrSimulator, sbi.ErrProtocol}, func(known error) bool { return errors.Is(err, known) }):
		return nil, rule.Admit(nil) // somebody has signed something, and it says nothing to us
	case errors.Is(err, sbi.ErrStale):
		if rule.asks() {
			return nil, ErrStale
		}
		return nil, nil
	case err != nil:
		return nil, ErrTampered
	}
	return &e, rule.Admit(&e)
}

// asks tells whether a device must vouch.
func (r Rule) asks() bool { return r.Device != "" }

// Admit judges what is known of a sample; nil: nothing. Age and signature have been
// checked by sbi.Trust.
func (r Rule) Admit(e *sbi.Evidence) error {
	if !r.asks() {
		return nil
	}
	switch {
	case e == nil:
		return ErrUnsigned
	case !r.Trial && (e.Env != sbi.Production || e.Device.DeviceProvider == sbi.Simulator):
		return ErrTrial
	case r.Device == sbi.L1 && e.Level != sbi.L1:
		return ErrLevel
	case len(r.Providers) > 0 && !slices.ContainsFunc(r.Providers, func(name string) bool { return strings.EqualFold(name, e.Device.DeviceProvider) }):
		return ErrProvider
	case r.PAD == nil:
		return nil
	case e.PAD == nil || e.PAD.Level < r.PAD.Level:
		return ErrNoPAD
	case !(e.PAD.Score >= r.PAD.Score):
		return ErrAttack
	}
	return nil
}
