// Package holder is what a wallet holds, and how it shows it: cards with their copies,
// in every format, and what the owner's keys must sign. It has no keys and no network:
// whoever asks brings the keys of issuers, and takes away what is to be signed.
package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
)

// Label is a text in one language.
type Label struct {
	Name   string `json:"name"`
	Locale string `json:"locale,omitempty"`
}

// Display is how an issuer wants a card drawn.
type Display struct {
	Label
	Description string `json:"description,omitempty"`
	Background  string `json:"background_color,omitempty"`
	Text        string `json:"text_color,omitempty"`
	Logo        *struct {
		URI string `json:"uri,omitempty"`
		Alt string `json:"alt_text,omitempty"`
	} `json:"logo,omitempty"`
}

// Reuse says how often one copy may be shown, by the names of the European wallets.
type Reuse struct {
	ID     string `json:"id"` // once_only, limited_time, rotating_batch or per_relying_party
	Batch  int    `json:"batch_size,omitempty"`
	Unused int    `json:"reissue_trigger_unused,omitempty"`        // copies left when more are fetched
	Left   int    `json:"reissue_trigger_lifetime_left,omitempty"` // seconds
}

// ClaimLabel is what an issuer calls a claim.
type ClaimLabel struct {
	Path    []any   `json:"path"`
	Display []Label `json:"display,omitempty"`
}

// Tame leaves of a display what can be shown without asking anybody: a logo that is
// fetched would tell its host who has which card.
func Tame(all []Display) []Display {
	kept := slices.Clone(all[:min(len(all), 20)])
	for i := range kept {
		if l := kept[i].Logo; l != nil && (!strings.HasPrefix(l.URI, "data:image/") || len(l.URI) > 32<<10) {
			kept[i].Logo = nil
		}
	}
	return kept
}

// Card is a credential that the owner holds, with all its copies. It is kept by the
// owner alone: in the sealed file, or sealed in the browser.
type Card struct {
	ID            string    `json:"id"`
	Issuer        string    `json:"issuer"` // credential issuer identifier
	Issuers       []Display `json:"issuers,omitempty"`
	Configuration string    `json:"configuration"`
	Format        string    `json:"format"`
	Types         []string  `json:"types,omitempty"`
	Display       []Display `json:"display,omitempty"`
	Lines         []Line    `json:"lines"`
	Received      time.Time `json:"received"`
	From          time.Time `json:"from,omitzero"`
	Until         time.Time `json:"until,omitzero"`
	Copies        []Copy    `json:"copies"`
	Reuse         *Reuse    `json:"reuse,omitempty"`
	Refill        *Refill   `json:"refill,omitempty"`
	Notice        *Notice   `json:"notice,omitempty"`

	// Labels are what the issuer calls the claims, while the card is filled.
	Labels []ClaimLabel `json:"-"`
}

// Copy is one credential. Several of one card differ in the key alone, so that those
// who see two of them cannot tell that they are one person's.
type Copy struct {
	Document json.RawMessage `json:"document"`
	Key      string          `json:"key,omitempty"` // thumbprint of the key to which it is bound
	Used     int             `json:"used,omitempty"`
	Shown    []string        `json:"shown,omitempty"` // to whom
	Status   []Status        `json:"status,omitempty"`
}

// Status is where an issuer publishes whether a credential still holds.
type Status struct {
	Type    string   `json:"type"` // of a W3C entry; "token" for a Token Status List
	Purpose string   `json:"purpose,omitempty"`
	List    string   `json:"list"`
	Index   int      `json:"index"`
	Issuer  string   `json:"issuer,omitempty"` // who must have signed the list
	Chain   [][]byte `json:"chain,omitempty"`  // certificates by which the card was signed; its list must be tied to them
}

// Line is one thing that a card says.
type Line struct {
	Path   []any   `json:"path"`
	Labels []Label `json:"labels,omitempty"`
	Value  any     `json:"value"`
}

// Refill is what is needed to fetch more copies of a card.
type Refill struct {
	Key    string          `json:"key"`    // to which the leave to do so is bound
	Copies int             `json:"copies"` // that are fetched at a time
	Alg    string          `json:"alg"`    // by which their keys sign
	From   json.RawMessage `json:"from"`   // for the errand
}

// Notice is what is needed to tell the issuer that the owner deleted a card.
type Notice struct {
	URL   string `json:"url"`
	ID    string `json:"id"`
	Token string `json:"token"`
	Key   string `json:"key,omitempty"` // for DPoP
}

// What a wallet refuses.
var (
	ErrKind       = fault.New(fault.Invalid, "This wallet cannot hold the kind of credential that is offered.").Named("kind-unsupported")
	ErrCredential = fault.New(fault.Invalid, "The issuer sent a credential that is not in order, so it was not kept. Tell the issuer.").Named("credential-bad")
)

var errHolder = errors.New("it is bound to another key")

// Fill checks what an issuer sent, as anyone would who is shown it, and adds it to a
// card as copies: each must be bound to a key of its own among the keys.
func (c *Card) Fill(ctx context.Context, f Finder, documents []json.RawMessage, keys Keys) error {
	left := slices.Clone(keys)
	for i, document := range documents {
		as := formats[c.Format]
		if err := as.verify(ctx, f, c.Issuer, document); err != nil {
			return ErrCredential.Because(err)
		}
		said, err := as.open(document)
		if err != nil {
			return ErrCredential.Because(err)
		}
		copied := Copy{Document: document, Status: said.Status}
		if said.Holder != nil {
			at := slices.IndexFunc(left, func(k jose.JSONWebKey) bool { return same(k.Key, said.Holder) })
			if at < 0 {
				return ErrCredential.Because(errHolder)
			}
			copied.Key = Thumbprint(left[at])
			left = slices.Delete(left, at, at+1)
		}
		c.Copies = append(c.Copies, copied)
		if i == 0 {
			c.Types, c.From, c.Until = said.Types, said.From, said.Until
			c.Lines = lines(said, c.Labels)
		}
	}
	return nil
}

func same(a, b any) bool {
	return thumbprintOf(a) != "" && thumbprintOf(a) == thumbprintOf(b)
}

func thumbprintOf(key any) string {
	k := jose.JSONWebKey{Key: key}
	if !k.Valid() || !k.IsPublic() {
		return ""
	}
	return Thumbprint(k)
}

const (
	maxLines = 200
	maxHeld  = 30 // copies of one card
)

// lines is what a credential says, leaf by leaf, in the order of the issuer where it
// gives one.
func lines(said Facts, labels []ClaimLabel) []Line {
	var all []Line
	for _, name := range sorted(said.Tree) {
		if subject, ok := said.Tree[name].(map[string]any); ok && name == "credentialSubject" {
			for _, claim := range sorted(subject) {
				if claim != "id" && claim != "type" { // of the holder's key, and for machines
					all = leaves(all, []any{name, claim}, subject[claim])
				}
			}
			continue
		}
		if !slices.Contains(said.Hidden, name) {
			all = leaves(all, []any{name}, said.Tree[name])
		}
	}
	order := make(map[string]int)
	for i, l := range labels {
		order[fmt.Sprint(l.Path)] = i + 1
	}
	rank := func(l *Line) int {
		for n := len(l.Path); n > 0; n-- {
			if at := order[fmt.Sprint(l.Path[:n])]; at > 0 {
				return at
			}
		}
		return len(labels) + 1
	}
	for i := range all {
		if at := rank(&all[i]); at <= len(labels) {
			all[i].Labels = labels[at-1].Display[:min(len(labels[at-1].Display), 30)]
		}
	}
	slices.SortStableFunc(all, func(a, b Line) int { return rank(&a) - rank(&b) })
	return all
}

// leaves gathers the plain values of a tree. A text in several languages, and a list of
// plain values, are one line.
func leaves(all []Line, path []any, value any) []Line {
	if len(all) >= maxLines {
		return all
	}
	switch v := value.(type) {
	case map[string]any:
		if v["@value"] != nil {
			break
		}
		for _, name := range sorted(v) {
			all = leaves(all, append(slices.Clone(path), name), v[name])
		}
		return all
	case []any:
		if slices.ContainsFunc(v, func(item any) bool { m, ok := item.(map[string]any); return ok && m["@value"] == nil }) {
			for i, item := range v {
				all = leaves(all, append(slices.Clone(path), i), item)
			}
			return all
		}
	}
	return append(all, Line{Path: path, Value: value})
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Facts reads a card that was verified when it came.
func (c Card) Facts(now time.Time) (Facts, error) {
	f, ok := formats[c.Format]
	if !ok || len(c.Copies) == 0 {
		return Facts{}, ErrKind
	}
	said, err := f.open(c.Copies[0].Document)
	if err != nil {
		return Facts{}, ErrCredential.Because(err)
	}
	return said, said.now(now)
}

// With adds the copies of a later fetch, and takes over what is new of the card. Copies
// that were used up by the issuer's policy make room.
func (c Card) With(newer Card) Card {
	kept := slices.Clone(newer.Copies)
	for _, old := range c.Copies {
		if c.Reuse == nil || c.Reuse.ID != "once_only" && c.Reuse.ID != "limited_time" || old.Used == 0 && c.Reuse.ID == "once_only" {
			kept = append(kept, old)
		}
	}
	newer.ID, newer.Copies = c.ID, kept[:min(len(kept), maxHeld)]
	if newer.Refill == nil {
		newer.Refill = c.Refill
	}
	return newer
}

// Holder is the key to which a card is bound, as its DID; empty: none.
func (c Card) Holder() string {
	f, ok := formats[c.Format]
	if !ok || len(c.Copies) == 0 {
		return ""
	}
	said, err := f.open(c.Copies[0].Document)
	if err != nil || said.Holder == nil {
		return ""
	}
	did, _ := vc.DIDKey(said.Holder)
	return did
}
