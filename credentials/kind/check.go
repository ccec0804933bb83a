package kind

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{1,47}$`)
	colourForm  = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	segmentForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	dotted      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9_-]+)+$`)
	suites      = []string{SuiteEdDSA, SuiteECDSA, SuiteDisclosable}
	// levels are the attack potentials of ISO/IEC 18045 as OpenID4VCI names them.
	levels = []string{"iso_18045_high", "iso_18045_moderate", "iso_18045_enhanced-basic", "iso_18045_basic"}
	// reserved are the claims of an SD-JWT VC that are the issuer's to set, and what
	// its disclosures are made with.
	reserved = []string{"iss", "nbf", "exp", "iat", "cnf", "vct", "vct#integrity", "status", "sub", "_sd", "_sd_alg", "..."}
)

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDefinition, fmt.Errorf(format, args...))
}

// check refuses what can be seen to be wrong without signing anything.
func (k *Definition) check() error {
	switch {
	case !nameForm.MatchString(k.Name):
		return wrong("id is two to 48 small letters, digits and underscores")
	case !nameForm.MatchString(k.Scope):
		return wrong("scope is two to 48 small letters, digits and underscores")
	case k.Days < 1 || k.Days > maxDays:
		return wrong("days is 1 to %d", maxDays)
	case k.Binding != "key" && k.Binding != "none":
		return wrong("binding is key or none")
	case k.Batch < 0 || k.Batch > maxBatch:
		return wrong("batch_size is 1 to %d", maxBatch)
	case k.Daily < 0:
		return wrong("daily is a number of copies, or 0 for any number")
	case len(k.In()) == 0:
		return wrong("formats names no format")
	case len(k.Claims) == 0 || len(k.Claims) > maxClaims:
		return wrong("claims has 1 to %d claims", maxClaims)
	}
	for _, step := range []func() error{k.checkRules, k.checkDisplay, k.checkPlaces, k.checkClaims} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (k *Definition) checkRules() error {
	seen := map[string]bool{}
	for _, p := range k.Status {
		if p != Revocation && p != Suspension || seen[p] {
			return wrong("status lists revocation and suspension, each once at most")
		}
		seen[p] = true
	}
	if seen[Suspension] && !seen[Revocation] {
		return wrong("status: what can be suspended can be revoked too")
	}
	if err := k.Reuse.check(); err != nil {
		return wrong("credential_reuse_policy: %w", err)
	}
	if a := k.Attestation; a != nil {
		for _, level := range slices.Concat(a.Storage, a.Users) {
			if !slices.Contains(levels, level) {
				return wrong("key_attestation: %q is no level; use %s", level, strings.Join(levels, ", "))
			}
		}
		if !k.Bound() {
			return wrong("key_attestation needs binding: key")
		}
	}
	return nil
}

// check holds a policy to the rules of ARF, annex II.
func (r *Reuse) check() error {
	if r == nil {
		return nil
	}
	if r.ID != "arf_annex_ii" || len(r.Options) == 0 {
		return fmt.Errorf("id is arf_annex_ii, with one option at least")
	}
	for _, o := range r.Options {
		once, limited := slices.Contains(o.Details, "once_only"), slices.Contains(o.Details, "limited_time")
		spread := false
		for _, d := range o.Details {
			if !slices.Contains([]string{"once_only", "limited_time", "rotating-batch", "per-relying-party"}, d) {
				return fmt.Errorf("%q is none of once_only, limited_time, rotating-batch, per-relying-party", d)
			}
			spread = spread || d == "rotating-batch" || d == "per-relying-party"
		}
		switch {
		case once == limited:
			return fmt.Errorf("details has exactly one of once_only and limited_time")
		case (once || spread) && (o.Batch < 2 || o.Batch > maxBatch):
			return fmt.Errorf("batch_size is 2 to %d where copies are used up or spread", maxBatch)
		case once && (o.Unused == nil || *o.Unused < 0 || *o.Unused >= o.Batch):
			return fmt.Errorf("once_only needs reissue_trigger_unused, less than batch_size")
		case (limited || spread) && o.Left < 1:
			return fmt.Errorf("limited_time and what is spread need reissue_trigger_lifetime_left")
		}
	}
	return nil
}

func (k *Definition) checkDisplay() error {
	if len(k.Display) == 0 {
		return wrong("display names the kind in one language at least")
	}
	seen := map[string]bool{}
	for _, d := range k.Display {
		if _, err := language.Parse(d.Locale); err != nil || seen[d.Locale] || d.Name == "" {
			return wrong("display: each entry has a name and a locale of its own")
		}
		seen[d.Locale] = true
		if d.Background != "" && !colourForm.MatchString(d.Background) || d.Text != "" && !colourForm.MatchString(d.Text) {
			return wrong("display: colours are written #rrggbb")
		}
		if d.Logo != nil && !strings.HasPrefix(d.Logo.URI, "data:image/") {
			return wrong("display: the logo is a data: URI of an image")
		}
	}
	return nil
}

func (k *Definition) checkPlaces() error {
	if l := k.Formats.LDP; l != nil {
		if !slices.Contains(suites, l.Suite) {
			return wrong("ldp_vc: suite is one of %s", strings.Join(suites, ", "))
		}
		if len(l.Types) == 0 {
			return wrong("ldp_vc: types names one type at least")
		}
		if (len(l.Shown) > 0) != (l.Suite == SuiteDisclosable) {
			return wrong("ldp_vc: mandatory_pointers belong to ecdsa-sd-2023, which needs them")
		}
		for _, c := range l.Contexts {
			if u, err := url.Parse(c); err != nil || !u.IsAbs() {
				return wrong("ldp_vc: a context is an absolute address")
			}
		}
		for term, means := range l.Terms {
			if !segmentForm.MatchString(term) || !json.Valid(means) {
				return wrong("ldp_vc: %q cannot be a term", term)
			}
		}
	}
	if s := k.Formats.SDJWT; s != nil && s.VCT != "" {
		if u, err := url.Parse(s.VCT); err != nil || !u.IsAbs() {
			return wrong("dc+sd-jwt: vct is an absolute URI, or left out")
		}
	}
	if m := k.Formats.MDoc; m != nil && !dotted.MatchString(m.DocType) {
		return wrong("mso_mdoc: doctype is a dotted name")
	}
	if c := k.Formats.Code; c != nil && (c.Version < 1 || c.Version > 40 || !slices.Contains([]string{"", "L", "M"}, c.Level) || c.Millimetres < 0) {
		return wrong("claim169: largest_version is 1 to 40, level is L or M, millimetres is not negative")
	}
	return nil
}

func (k *Definition) checkClaims() error {
	names, places := map[string]bool{}, map[string]string{}
	for _, c := range k.Claims {
		if !segmentForm.MatchString(c.Name) || names[c.Name] {
			return wrong("claims: %q is no name, or there twice", c.Name)
		}
		names[c.Name] = true
		if err := c.From.check(); err != nil {
			return wrong("claim %s: %w", c.Name, err)
		}
		put, err := k.placesOf(c)
		if err != nil {
			return wrong("claim %s: %w", c.Name, err)
		}
		for _, p := range put {
			if other, taken := places[p]; taken {
				return wrong("claim %s: its place is that of %s", c.Name, other)
			}
			// What stands inside of another claim's value would change it.
			for q, other := range places {
				if strings.HasPrefix(p, q+"\x00") || strings.HasPrefix(q, p+"\x00") {
					return wrong("claim %s: its place lies within that of %s, or the other way round", c.Name, other)
				}
			}
			places[p] = c.Name
		}
		for _, l := range c.Display {
			if _, err := language.Parse(l.Locale); err != nil || l.Name == "" {
				return wrong("claim %s: display has a locale and a name", c.Name)
			}
		}
	}
	for _, f := range k.In() {
		if !slices.ContainsFunc(k.Claims, func(c Claim) bool { return c.in(f) }) {
			return wrong("formats: no claim has a place in %s", f)
		}
	}
	return nil
}

func (s Source) check() error {
	set := 0
	for _, is := range []bool{s.Field != "", s.Claim != "", s.Value != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return fmt.Errorf("from has exactly one of field, claim and value")
	case s.Claim != "" && !Derived(s.Claim):
		return fmt.Errorf("from: %q cannot be worked out", s.Claim)
	case slices.Contains([]string{"", languageAll, languageFirst, languageSecond}, s.Language):
		return nil
	}
	if _, err := language.Parse(s.Language); err != nil {
		return fmt.Errorf("from: language is all, first, second or a tag such as fra")
	}
	return nil
}

// in tells whether a claim has a place in a format.
func (c Claim) in(format string) bool {
	switch format {
	case LDP:
		return len(c.LDP) > 0
	case SDJWT:
		return len(c.SDJWT) > 0
	case MDoc:
		return len(c.MDoc) > 0
	case printed:
		return c.Card != ""
	}
	return c.Code != 0
}

// printed is the format of what stands on a card beside the code.
const printed = "card"

// placesOf checks where a claim is put, and names each place.
func (k *Definition) placesOf(c Claim) ([]string, error) {
	var all []string
	for format, path := range map[string][]string{LDP: c.LDP, SDJWT: c.SDJWT, MDoc: c.MDoc} {
		if path == nil {
			continue
		}
		if !slices.Contains(k.In(), format) {
			return nil, fmt.Errorf("it has a place in %s, which is not among the formats", format)
		}
		if len(path) == 0 || len(path) > 4 || slices.ContainsFunc(path, func(s string) bool { return !segmentForm.MatchString(s) }) {
			return nil, fmt.Errorf("its place in %s is a list of one to four names", format)
		}
		all = append(all, strings.Join(append([]string{format}, path...), "\x00"))
	}
	switch {
	case len(c.LDP) > 0 && (c.LDP[0] == "id" || c.LDP[0] == "type"):
		return nil, fmt.Errorf("%s of credentialSubject is not a claim", c.LDP[0])
	case len(c.SDJWT) > 0 && slices.ContainsFunc(c.SDJWT, func(s string) bool { return slices.Contains(reserved[9:], s) }), len(c.SDJWT) > 0 && slices.Contains(reserved, c.SDJWT[0]):
		return nil, fmt.Errorf("%s is the issuer's to set", c.SDJWT[0])
	case c.MDoc != nil && (len(c.MDoc) != 2 || !dotted.MatchString(c.MDoc[0])):
		return nil, fmt.Errorf("its place in mso_mdoc is a namespace and an element")
	case c.Card != "" && k.Formats.Code == nil:
		return nil, fmt.Errorf("it has a place on the card, and only what has a code is printed")
	case c.Code == 0:
		return all, nil
	case k.Formats.Code == nil:
		return nil, fmt.Errorf("it has a place in claim169, which is not among the formats")
	case !knownKey(c.Code):
		return nil, fmt.Errorf("claim169 has no key %d that can be filled", c.Code)
	}
	return append(all, fmt.Sprintf("%s\x00%d", Code, c.Code)), nil
}
