package present

import (
	"encoding/json"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

// Choices are what the owner can answer.
type Choices struct {
	Queries []QueryChoice `json:"queries"`
	Sets    []SetChoice   `json:"sets,omitempty"` // empty: every query is to be answered
}

// QueryChoice lists the cards that answer one of the queries.
type QueryChoice struct {
	ID    string       `json:"id"`
	Cards []CardChoice `json:"cards"`
}

// CardChoice is one card, and what of it would leave: in as many ways as the verifier
// would be content with, the one that it prefers first.
type CardChoice struct {
	Card string `json:"card"`
	Ways []Way  `json:"ways"`
}

// Way is one set of claims that would do.
type Way struct {
	Lines []holder.Line `json:"lines"`
}

// SetChoice is a set of queries of which one option is answered.
type SetChoice struct {
	Options  [][]string `json:"options"`
	Optional bool       `json:"optional,omitempty"`
}

// Disclosed is what was shown of a card.
type Disclosed struct {
	Card  string        `json:"card"`
	Copy  int           `json:"copy"`
	Query string        `json:"query"`
	Lines []holder.Line `json:"lines"`
}

const maxCards = 20

var errNothing = fault.New(fault.NotFound, "This wallet holds no card that answers the request. Nothing was sent.").Named("no-card")

// Match tells which cards answer the request. They stay in the errand until the owner
// has chosen.
func (d *Desk) Match(s *Show, cards []holder.Card) (Choices, error) {
	if err := s.fresh(d.Run.Now()); err != nil {
		return Choices{}, err
	}
	if len(cards) > maxCards {
		cards = cards[:maxCards]
	}
	var candidates []dcql.Candidate
	for _, c := range cards {
		said, err := c.Facts(d.Run.Now())
		if err != nil {
			continue // what is no good any more cannot be shown
		}
		candidates = append(candidates, candidate(c, said))
		c.Refill, c.Notice = nil, nil
		s.Cards = append(s.Cards, c)
	}
	answer := s.Query.Match(candidates)
	if !answer.Possible {
		return Choices{}, errNothing
	}
	var all Choices
	for i, m := range answer.Credentials {
		q := QueryChoice{ID: m.ID, Cards: []CardChoice{}}
		for _, choice := range m.Choices {
			q.Cards = append(q.Cards, CardChoice{Card: s.Cards[choice.Candidate].ID, Ways: s.ways(s.Query.Credentials[i], candidates[choice.Candidate], s.Cards[choice.Candidate])})
		}
		all.Queries = append(all.Queries, q)
	}
	for i, set := range s.Query.Sets {
		c := SetChoice{Optional: set.Optional}
		for _, option := range answer.Sets[i] {
			c.Options = append(c.Options, set.Options[option])
		}
		if len(c.Options) > 0 {
			all.Sets = append(all.Sets, c)
		}
	}
	return all, nil
}

// Usual is the answer of an owner who chooses nothing: of everything that is required
// the first card, in the first way that can be given.
func (c Choices) Usual() []Choice {
	wanted := make(map[string]bool)
	for _, set := range c.Sets {
		if !set.Optional {
			for _, id := range set.Options[0] {
				wanted[id] = true
			}
		}
	}
	var all []Choice
	for _, q := range c.Queries {
		if len(c.Sets) > 0 && !wanted[q.ID] || len(q.Cards) == 0 {
			continue
		}
		way := slices.IndexFunc(q.Cards[0].Ways, func(w Way) bool { return w.Lines != nil })
		all = append(all, Choice{Query: q.ID, Card: q.Cards[0].Card, Way: max(way, 0)})
	}
	return all
}

// candidate is a card as a query sees it.
func candidate(c holder.Card, said holder.Facts) dcql.Candidate {
	name := c.Format
	if name == holder.OldSDJWT {
		name = holder.SDJWT
	}
	return dcql.Candidate{Format: name, Types: said.Types, Claims: said.Tree, Bound: said.Holder != nil, Authorities: map[string][]string{dcql.AuthorityKey: said.Keys}}
}

// alone is a query with one set of claims only.
func alone(q dcql.Credential, way int) dcql.Credential {
	if len(q.ClaimSets) > 0 {
		q.ClaimSets = [][]string{q.ClaimSets[way]}
	}
	return q
}

// found gives the claims that one way of answering discloses.
func found(q dcql.Credential, way int, c dcql.Candidate) ([]dcql.Found, bool) {
	one := dcql.Query{Credentials: []dcql.Credential{alone(q, way)}}
	answer := one.Match([]dcql.Candidate{c})
	if !answer.Possible || len(answer.Credentials[0].Choices) == 0 {
		return nil, false
	}
	return answer.Credentials[0].Choices[0].Claims, true
}

// ways are the sets of claims that would do, with what they say.
func (s *Show) ways(q dcql.Credential, c dcql.Candidate, card holder.Card) []Way {
	ways := make([]Way, max(1, len(q.ClaimSets)))
	for i := range ways {
		claims, ok := found(q, i, c)
		if !ok {
			ways[i].Lines = nil // it cannot be given: null in JSON
			continue
		}
		ways[i].Lines = disclosed(q, claims, c, card)
	}
	return ways
}

// disclosed are the lines that leave: of a credential that cannot be taken apart, all.
func disclosed(q dcql.Credential, claims []dcql.Found, c dcql.Candidate, card holder.Card) []holder.Line {
	list := []holder.Line{}
	if c.Format == holder.LDP || c.Format == holder.JWT {
		return append(list, card.Lines...)
	}
	for _, f := range claims {
		line := holder.Line{Path: f.At, Value: f.Value}
		for _, known := range card.Lines {
			if equalPath(known.Path, f.At) {
				line.Labels = known.Labels
			}
		}
		list = append(list, line)
	}
	return list
}

func equalPath(a, b []any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && string(x) == string(y)
}

// copyFor chooses the copy to show, by the policy of the issuer.
func copyFor(c holder.Card, who string) (int, error) {
	least := 0
	for i, one := range c.Copies {
		if one.Used < c.Copies[least].Used {
			least = i
		}
	}
	if c.Reuse == nil {
		return least, nil
	}
	switch c.Reuse.ID {
	case "per_relying_party":
		for i, one := range c.Copies {
			if slices.Contains(one.Shown, who) {
				return i, nil
			}
		}
		fallthrough
	case "once_only":
		if c.Copies[least].Used > 0 {
			return 0, fault.New(fault.Denied, "All copies of this card are used up. Fetch new ones first.").Named("copies-used-up")
		}
	}
	return least, nil
}
