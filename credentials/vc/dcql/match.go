package dcql

import (
	"fmt"
	"slices"
)

// Candidate is a credential as a query sees it.
type Candidate struct {
	Format string

	// Types are, of an SD-JWT VC, its vct and those that it extends; of an mdoc its
	// document type; of a W3C credential its types, fully expanded to IRIs.
	Types []string

	// Claims are what paths lead through, from the root of the credential: maps,
	// slices and plain values. Of an mdoc it is a map of namespaces to maps of
	// elements, converted to JSON.
	Claims any

	Unread      bool                // of a presentation: nobody known has signed it, so nothing of it can be compared
	Bound       bool                // of a wallet: it can prove to be the holder; of a presentation: it does
	Authorities map[string][]string // who certifies the issuer, by the kind of authority
}

// Answer is what a wallet could answer to a query.
type Answer struct {
	Credentials []Matched // one for each credential query, in their order
	Sets        [][]int   // for each set the options that can be given, as indices
	Possible    bool      // all that is required can be given
}

// Matched lists what answers one credential query.
type Matched struct {
	ID      string
	Choices []Choice
}

// Choice is one credential that answers, and the claims of it that would leave.
type Choice struct {
	Candidate int // its index
	Claims    []Found
}

// Match tells which of the candidates answer a query.
func (q Query) Match(candidates []Candidate) Answer {
	a := Answer{Possible: true}
	can := map[string]bool{}
	for _, c := range q.Credentials {
		m := Matched{ID: c.ID}
		for i, candidate := range candidates {
			if c.refuses(candidate) != nil {
				continue
			}
			if claims, ok := c.discloses(candidate.Claims); ok {
				m.Choices = append(m.Choices, Choice{Candidate: i, Claims: claims})
			}
		}
		can[c.ID] = len(m.Choices) > 0
		a.Credentials = append(a.Credentials, m)
	}
	for _, s := range q.Sets {
		var options []int
		for i, option := range s.Options {
			if all(option, can) {
				options = append(options, i)
			}
		}
		a.Sets = append(a.Sets, options)
		a.Possible = a.Possible && (s.Optional || len(options) > 0)
	}
	if len(q.Sets) == 0 {
		for _, possible := range can {
			a.Possible = a.Possible && possible
		}
	}
	return a
}

// Least is the credential queries that a wallet answers unless its holder chooses
// otherwise: of each required set the first option that can be given, and nothing
// that is optional. It is empty when the query cannot be answered.
func (q Query) Least(a Answer) []string {
	if !a.Possible {
		return nil
	}
	var ids []string
	for i, s := range q.Sets {
		if !s.Optional {
			ids = append(ids, s.Options[a.Sets[i][0]]...)
		}
	}
	if len(q.Sets) == 0 {
		for _, c := range q.Credentials {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func all(ids []string, have map[string]bool) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return !have[id] })
}

// refuses compares everything but the claims.
func (c Credential) refuses(candidate Candidate) error {
	switch {
	case candidate.Format != c.Format:
		return ErrFormat
	case !c.typed(candidate.Types):
		return ErrType
	case !c.Unbound && !candidate.Bound:
		return ErrUnbound
	case !c.certified(candidate.Authorities):
		return ErrAuthority
	}
	return nil
}

func (c Credential) typed(types []string) bool {
	return len(c.Types) == 0 || slices.ContainsFunc(c.Types, func(wanted []string) bool {
		return !slices.ContainsFunc(wanted, func(t string) bool { return !slices.Contains(types, t) })
	})
}

func (c Credential) certified(by map[string][]string) bool {
	return len(c.Authorities) == 0 || slices.ContainsFunc(c.Authorities, func(a Authority) bool {
		return slices.ContainsFunc(a.Values, func(v string) bool { return slices.Contains(by[a.Type], v) })
	})
}

// discloses gives the claims that answer the query: all that are listed, or those of
// the first set that is there as a whole.
func (c Credential) discloses(claims any) ([]Found, bool) {
	if len(c.ClaimSets) == 0 {
		return gather(c.Claims, claims)
	}
	for _, set := range c.ClaimSets {
		var wanted []Claim
		for _, claim := range c.Claims {
			if slices.Contains(set, claim.ID) {
				wanted = append(wanted, claim)
			}
		}
		if found, ok := gather(wanted, claims); ok {
			return found, true
		}
	}
	return nil, false
}

func gather(wanted []Claim, claims any) ([]Found, bool) {
	var all []Found
	seen := map[string]bool{}
	for _, claim := range wanted {
		found := claim.find(claims)
		if len(found) == 0 {
			return nil, false
		}
		for _, f := range found {
			// A verifier that points to one claim twice gets it once.
			if at := fmt.Sprintf("%#v", f.At); !seen[at] {
				seen[at] = true
				all = append(all, f)
			}
		}
	}
	return all, true
}

// Check tells whether a response is what was asked for: by the id of the query, the
// presentations whose proofs were found good. It repeats every comparison, since a
// verifier must not rely on the wallet for any. Of the authorities it repeats those
// that a certificate in the credential tells; the others are the verifier's trust. What
// is unread counts, and is not compared: nil then says that nothing speaks against it.
func (q Query) Check(response map[string][]Candidate) error {
	given := map[string]bool{}
	for id, presentations := range response {
		c, asked := q.Credential(id)
		if !asked {
			return ErrUnasked
		}
		if len(presentations) == 0 || len(presentations) > 1 && !c.Multiple {
			return fmt.Errorf("%w: %s", ErrCount, id)
		}
		for _, p := range presentations {
			if p.Unread {
				continue
			}
			if err := c.check(p); err != nil {
				return fmt.Errorf("%w: %s", err, id)
			}
		}
		given[id] = true
	}
	if len(q.Sets) == 0 {
		for _, c := range q.Credentials {
			if !given[c.ID] {
				return fmt.Errorf("%w: %s", ErrIncomplete, c.ID)
			}
		}
	}
	for _, s := range q.Sets {
		if !s.Optional && !slices.ContainsFunc(s.Options, func(option []string) bool { return all(option, given) }) {
			return ErrIncomplete
		}
	}
	return nil
}

func (c Credential) check(p Candidate) error {
	if slices.ContainsFunc(c.Authorities, func(a Authority) bool { return a.Type != AuthorityKey }) {
		c.Authorities = nil
	}
	if err := c.refuses(p); err != nil {
		return err
	}
	if _, ok := c.discloses(p.Claims); !ok {
		return ErrClaims
	}
	return nil
}
