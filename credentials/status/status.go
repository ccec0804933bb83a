// Package status gives every credential a place in a published list, and writes
// there when it is revoked or suspended. The place tells nothing: a keyed permutation
// chose it, and a list holds the places of a hundred thousand.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Size is the number of entries of a list: the least that Bitstring Status List
// allows, so that one entry hides among many.
const Size = 131072

// TTL is how long a verifier may use a list that it fetched; a change is known
// everywhere after it.
const TTL = 5 * time.Minute

// block is how many places a process takes at once. Those that it holds when it
// ends stay unused, which harms nobody.
const block = 256

// A Value is what a list says of a credential, as Token Status List numbers them.
type Value int16

// The values.
const (
	Valid     Value = 0
	Revoked   Value = 1 // for good
	Suspended Value = 2
)

// Config is what a Publisher works with.
type Config struct {
	Pool   *pgxpool.Pool
	Ring   *keys.Ring
	Issuer *url.URL                           // public base URL; the lists are below it
	Signer func() (statuslist.Signing, error) // of token lists; nil: the key that signs W3C credentials
	Now    func() time.Time                   // nil means time.Now
}

// Publisher draws places, changes what they say and publishes the signed lists.
type Publisher struct {
	Config
	drawing sync.Mutex
	places  taken

	mu     sync.Mutex
	signed map[published]edition
}

// New makes a Publisher.
func New(c Config) (*Publisher, error) {
	if c.Pool == nil || c.Ring == nil || c.Issuer == nil {
		return nil, errors.New("status: Pool, Ring and Issuer are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Publisher{Config: c, signed: map[published]edition{}}
	if p.Signer == nil {
		p.Signer = p.defaultSigner
	}
	return p, nil
}

// Entry is the place of one credential.
type Entry struct {
	List  int64
	Index int
	URL   string // where the list is published
}

// taken is a block of places that this process may give out.
type taken struct {
	list      int64
	next, end int
	places    permutation
}

// Draw gives n places that nobody has or will have. It belongs before the
// transaction that records the intent to issue, and holds none itself: a place that
// is never used is harmless, a credential without one could not be revoked.
func (p *Publisher) Draw(ctx context.Context, n int) ([]Entry, error) {
	p.drawing.Lock()
	defer p.drawing.Unlock()
	entries := make([]Entry, 0, n)
	for len(entries) < n {
		if p.places.next == p.places.end {
			if err := p.take(ctx); err != nil {
				return nil, err
			}
		}
		entries = append(entries, p.Entry(p.places.list, p.places.places.at(p.places.next)))
		p.places.next++
	}
	return entries, nil
}

// take gets the next block of the open list, and opens a list when there is none.
func (p *Publisher) take(ctx context.Context) error {
	for range 8 {
		list, from, err := takeBlock(ctx, p.Pool, block)
		if errors.Is(err, pgx.ErrNoRows) {
			if err := open(ctx, p.Pool, p.Now()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		places, err := newPermutation(p.Ring.PRF("status list places", []byte(strconv.FormatInt(list, 10))))
		if err != nil {
			return fmt.Errorf("the places of status list %d: %w", list, err)
		}
		p.places = taken{list: list, next: from, end: from + block, places: places}
		return nil
	}
	return fault.New(fault.Busy, "No place for another credential could be found. Please try again.")
}

// Entry is a place that was drawn before.
func (p *Publisher) Entry(list int64, index int) Entry {
	return Entry{List: list, Index: index, URL: p.address(list)}
}

// Set writes what the lists say of these places, all in the caller's transaction. A
// revocation stays: nothing is written over it, and that is no error.
func (p *Publisher) Set(ctx context.Context, tx pgx.Tx, entries []Entry, v Value) error {
	// In one order everywhere, or two events of one person's documents could wait for one another.
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Index, b.Index))
	})
	return set(ctx, tx, sorted, v, p.Now())
}

// Values tells what the lists say of places, in their order.
func (p *Publisher) Values(ctx context.Context, db postgres.DB, entries []Entry) ([]Value, error) {
	return values(ctx, db, entries)
}

// Purpose is where the list of one purpose is published, for Bitstring Status List:
// suspensions below the address itself. Token lists say all of it in one place.
func (e Entry) Purpose(purpose string) string {
	if purpose == Suspensions {
		return e.URL + "/" + purpose
	}
	return e.URL
}

func (p *Publisher) addressOf(which published) string {
	return Entry{URL: p.address(which.list)}.Purpose(which.form)
}

func (p *Publisher) address(list int64) string {
	return strings.TrimSuffix(p.Issuer.String(), "/") + "/status/" + strconv.FormatInt(list, 10)
}
