package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

// ErrPolicy says that a policy cannot be used.
var ErrPolicy = errors.New("this biometric policy cannot be used")

const (
	anyModality   biometrics.Modality = "any" // those that are not named
	mostPolicy                        = 1 << 20
	mostProviders                     = 100
	longestAge                        = 30 * 24 * time.Hour
)

// written is a policy as it stands in its file.
type written struct {
	Trust struct {
		Providers    string `json:"providers"`
		TrustModules string `json:"trust_modules"`
	} `json:"trust"`
	Enrolment     map[biometrics.Modality]writtenRule `json:"enrolment"`
	Login         map[biometrics.Modality]writtenRule `json:"login"`
	Deduplication struct {
		FalsePositive float64 `json:"false_positive_rate"`
		Officer       float64 `json:"officer_rate"`
	} `json:"deduplication"`
}

type writtenRule struct {
	Device    sbi.Level `json:"device"`
	Providers []string  `json:"providers"`
	MaxAge    string    `json:"max_age"`
	PAD       *struct {
		Score float64 `json:"score"`
		Level int     `json:"level"`
	} `json:"pad"`
	Trial bool `json:"trial"`
}

// Parse reads a policy; the certificates that it names are files beside it. A word
// that is not known is an error, since a rule that is misspelt would ask for nothing.
func Parse(raw []byte, beside fs.FS) (Policy, error) {
	var w written
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || len(raw) > mostPolicy {
		return Policy{}, fmt.Errorf("%w: it must be one JSON object", ErrPolicy)
	}
	p := Policy{Rates: Rates(w.Deduplication), rules: make(map[Purpose]map[biometrics.Modality]Rule)}
	for name, rate := range map[string]float64{"false_positive_rate": p.Rates.FalsePositive, "officer_rate": p.Rates.Officer} {
		if !(rate >= 0 && rate < 1) {
			return Policy{}, fmt.Errorf("%w: deduplication.%s must be from 0 to 1", ErrPolicy, name)
		}
	}
	var err error
	if p.providers, err = pool(beside, w.Trust.Providers); err != nil {
		return Policy{}, err
	}
	if p.chips, err = pool(beside, w.Trust.TrustModules); err != nil {
		return Policy{}, err
	}
	for purpose, rules := range map[Purpose]map[biometrics.Modality]writtenRule{Enrolment: w.Enrolment, Login: w.Login} {
		p.rules[purpose] = make(map[biometrics.Modality]Rule)
		for _, modality := range slices.Sorted(maps.Keys(rules)) {
			rule, err := p.rule(modality, rules[modality])
			if err != nil {
				return Policy{}, fmt.Errorf("%w: %s.%s: %w", ErrPolicy, purpose, modality, err)
			}
			p.rules[purpose][modality] = rule
		}
	}
	return p, nil
}

// rule reads one rule, and holds it to whom is trusted.
func (p Policy) rule(modality biometrics.Modality, w writtenRule) (Rule, error) {
	r := Rule{Device: w.Device, Providers: w.Providers, Trial: w.Trial}
	if !slices.Contains([]biometrics.Modality{biometrics.Finger, biometrics.Iris, biometrics.Face, anyModality}, modality) {
		return r, errors.New("use finger, iris, face or any")
	}
	if w.PAD != nil {
		r.PAD = &PAD{Score: w.PAD.Score, Level: w.PAD.Level}
	}
	if w.MaxAge != "" {
		var err error
		if r.MaxAge, err = time.ParseDuration(w.MaxAge); err != nil || r.MaxAge <= 0 || r.MaxAge > longestAge {
			return r, errors.New(`max_age must be a time like "90s" or "8h", at most 720h`)
		}
	}
	switch {
	case r.Device != "" && r.Device != sbi.L0 && r.Device != sbi.L1:
		return r, errors.New("device must be L0 or L1")
	case r.Device == "" && (r.PAD != nil || len(r.Providers) > 0 || r.MaxAge != 0):
		return r, errors.New("providers, max_age and pad ask for a device that vouches: set device to L0 or L1")
	case len(r.Providers) > mostProviders:
		return r, fmt.Errorf("at most %d providers", mostProviders)
	case r.PAD != nil && !(r.PAD.Score >= 0 && r.PAD.Score <= 1 && r.PAD.Level >= 0 && r.PAD.Level <= 3):
		return r, errors.New("pad has a score from 0 to 1 and a level from 0 to 3")
	case r.Device != "" && p.providers == nil:
		return r, errors.New("no device can be believed: name the certificates of their providers in trust.providers")
	case r.Device == sbi.L1 && p.chips == nil:
		return r, errors.New("no device can reach L1: name the certificates of their trust modules in trust.trust_modules")
	}
	return r, nil
}

// pool reads certificates; an empty name gives none.
func pool(beside fs.FS, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := fs.ReadFile(beside, file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	certificates, err := sbi.ParseCertificates(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPolicy, file, err)
	}
	all := x509.NewCertPool()
	for _, c := range certificates {
		all.AddCert(c)
	}
	return all, nil
}
