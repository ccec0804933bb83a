package errand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/vc"
)

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
	Type    string `json:"type"` // of a W3C entry; "token" for a Token Status List
	Purpose string `json:"purpose,omitempty"`
	List    string `json:"list"`
	Index   int    `json:"index"`
	Issuer  string `json:"issuer,omitempty"` // who must have signed the list
}

// Line is one thing that a card says.
type Line struct {
	Path   []any   `json:"path"`
	Labels []Label `json:"labels,omitempty"`
	Value  any     `json:"value"`
}

// Notice is what is needed to tell the issuer that the owner deleted a card.
type Notice struct {
	URL   string `json:"url"`
	ID    string `json:"id"`
	Token string `json:"token"`
	Key   string `json:"key,omitempty"` // for DPoP
}

var errHolder = errors.New("it is bound to another key")

// card checks what an issuer sent, and makes a card of it.
func (r *Runner) card(ctx context.Context, f *Fetch, documents []json.RawMessage) (*Card, error) {
	c := &Card{ID: uuid.NewString(), Issuer: f.Issuer.Issuer, Issuers: f.Issuer.Display, Configuration: f.ID, Format: f.Kind.Format,
		Display: f.Kind.display(), Received: r.Now(), Reuse: f.Kind.reuse()}
	left := slices.Clone(f.holders())
	for i, document := range documents {
		as := formats[f.Kind.Format]
		if err := as.verify(ctx, r, f.Issuer.Issuer, document); err != nil {
			return nil, errCredential.Because(err)
		}
		said, err := as.open(document)
		if err != nil {
			return nil, errCredential.Because(err)
		}
		copied := Copy{Document: document, Status: said.Status}
		if said.Holder != nil {
			at := slices.IndexFunc(left, func(k jose.JSONWebKey) bool { return same(k.Key, said.Holder) })
			if at < 0 {
				return nil, errCredential.Because(errHolder)
			}
			copied.Key = Thumbprint(left[at])
			left = slices.Delete(left, at, at+1)
		}
		c.Copies = append(c.Copies, copied)
		if i == 0 {
			c.Types, c.From, c.Until = said.Types, said.From, said.Until
			c.Lines = lines(said, f.Kind.labels())
		}
	}
	bound := ""
	if f.Bound {
		bound = Thumbprint(f.Keys[0])
	}
	if f.Notify != "" && f.Issuer.Notification != "" {
		c.Notice = &Notice{URL: f.Issuer.Notification, ID: f.Notify, Token: f.Access.Token, Key: bound}
	}
	if f.Card != "" {
		c.ID = f.Card
	}
	if f.Access.Refresh != "" {
		kept := f.Issuer
		kept.Configurations = nil
		c.Refill = &Refill{Refresh: f.Access.Refresh, Issuer: kept, Server: f.Server, ID: f.ID, Kind: f.Kind, Client: f.Client, Key: Thumbprint(f.Keys[0])}
	}
	return c, nil
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
func lines(said facts, labels []ClaimLabel) []Line {
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

// facts reads a card that was verified when it came.
func (c Card) facts(now time.Time) (facts, error) {
	f, ok := formats[c.Format]
	if !ok || len(c.Copies) == 0 {
		return facts{}, errKind
	}
	said, err := f.open(c.Copies[0].Document)
	if err != nil {
		return facts{}, errCredential.Because(err)
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

// Batch is how many copies of a card are fetched at a time.
func (c Card) Batch() int {
	if c.Refill == nil {
		return 1
	}
	return c.Refill.Kind.copies(c.Refill.Issuer)
}

// Alg is what the keys of new copies sign by.
func (r Refill) Alg() string { return r.Kind.keyAlgorithm() }

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

// Forget begins to tell the issuer that the owner deleted a card.
func (r *Runner) Forget(ctx context.Context, n Notice, keys Keys) (*Fetch, Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	f := &Fetch{Begun: r.Now(), Issuer: metadata{Notification: n.URL}, Notify: n.ID, Event: "credential_deleted", Access: access{Token: n.Token}}
	if n.Key != "" {
		key, ok := keys.find(n.Key)
		if !ok {
			return nil, Turn{}, errSignature
		}
		f.Bound, f.Keys = true, Keys{key}
	}
	turn, err := r.tell(ctx, f)
	return f, turn, err
}
