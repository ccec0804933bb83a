package keys

import (
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Ring holds the domain keys, unwrapped, in memory.
type Ring struct {
	pool *pgxpool.Pool
	root Root

	keys   atomic.Pointer[ring]
	people people
	mu     sync.Mutex // one reading of the table at a time
	read   time.Time  // when the last one ended
}

// ring is one reading of the table: per domain the current key first, then the
// retired ones, newest first.
type ring map[Domain][]*domainKey

// Open loads the domain keys and makes those that are missing. Any number of
// processes may do so at once on an empty database.
func Open(ctx context.Context, pool *pgxpool.Pool, root Root) (*Ring, error) {
	r := &Ring{pool: pool, root: root, people: people{kept: make(map[uuid.UUID]*list.Element)}}
	if err := r.Refresh(ctx); err != nil {
		return nil, err
	}
	var missing []Domain
	for _, d := range order {
		if len((*r.keys.Load())[d]) == 0 {
			missing = append(missing, d)
		}
	}
	if len(missing) == 0 {
		return r, nil
	}
	return r, r.begin(ctx, missing)
}

// Ensure makes the first key of a domain that is made only when asked for.
func (r *Ring) Ensure(ctx context.Context, d Domain) error {
	if len((*r.keys.Load())[d]) > 0 {
		return nil
	}
	return r.begin(ctx, []Domain{d})
}

// begin makes the first keys of domains, of which another process may make them too.
func (r *Ring) begin(ctx context.Context, missing []Domain) error {
	err := postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		for _, d := range missing {
			if exists, err := hasCurrent(ctx, tx, d); err != nil || exists {
				if err != nil {
					return err
				}
				continue
			}
			if err := r.add(ctx, tx, d, current); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Refresh(ctx)
}

// add makes, wraps and stores a new key.
func (r *Ring) add(ctx context.Context, tx pgx.Tx, d Domain, state string) error {
	k, err := generate(d, time.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	k.State = state
	if k.Wrapped, err = r.root.Wrap(k.secret(), k.ad()); err != nil {
		return fmt.Errorf("wrapping %s: %w", k, err)
	}
	return insertKey(ctx, tx, k)
}

// Run reads the table again every few seconds until ctx ends, so that this
// process signs and looks up with what another one rotated.
func (r *Ring) Run(ctx context.Context) error {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "reading the keys failed", "error", err)
		}
	}
}

const (
	refreshEvery = 5 * time.Second
	refreshPause = 100 * time.Millisecond // between readings for keys that are not known
)

// Refresh reads the table again, to see what another process rotated.
func (r *Ring) Refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refresh(ctx)
}

// refresh keeps the keys it had when the table is not as it should be.
func (r *Ring) refresh(ctx context.Context) error {
	defer func() { r.read = time.Now() }()
	rows, err := allKeys(ctx, r.pool)
	if err != nil {
		return err
	}
	known := make(map[string]*domainKey)
	if old := r.keys.Load(); old != nil {
		for _, list := range *old {
			for _, k := range list {
				known[k.ID] = k
			}
		}
	}
	fresh := make(ring)
	for _, k := range rows {
		have, ok := known[k.ID]
		if ok && have.same(k) {
			k.secret, k.signer, k.recipient = have.secret, have.signer, have.recipient
		} else if err := r.unwrap(k); err != nil {
			return err
		}
		delete(known, k.ID)
		fresh[k.Domain] = append(fresh[k.Domain], k)
	}
	for _, gone := range known {
		return fmt.Errorf("%s is gone from the database; restore it from the backup", gone)
	}
	r.keys.Store(&fresh)
	return nil
}

func (r *Ring) unwrap(k *domainKey) error {
	raw, err := r.root.Unwrap(k.Wrapped, k.ad())
	if err != nil {
		return fault.New(fault.Denied, "The keys in the database were not sealed by this root key, or somebody changed them. Use the root key of this deployment, or restore the keys from the backup.").
			Named("keys-foreign").Because(fmt.Errorf("%s: %w", k, err))
	}
	k.secret = keep(raw)
	return k.ready()
}

func (r *Ring) current(d Domain) (*domainKey, error) {
	list := (*r.keys.Load())[d]
	if len(list) == 0 || list[0].State != current {
		return nil, fmt.Errorf("there is no current %s key", d)
	}
	return list[0], nil
}

// Seal seals plain under the current key of a domain, for the place that ad names.
func (r *Ring) Seal(d Domain, plain, ad []byte) ([]byte, error) {
	if algorithms[d] != aes256 {
		return nil, fmt.Errorf("the %s key does not seal", d)
	}
	k, err := r.current(d)
	if err != nil {
		return nil, err
	}
	return sealAs(k.blobID(), k.secret(), plain, ad)
}

// Open opens what Seal sealed, under the current key or a retired one.
func (r *Ring) Open(d Domain, sealed, ad []byte) ([]byte, error) {
	id, err := headOf(sealed)
	if err != nil {
		return nil, err
	}
	k := r.find(d, func(k *domainKey) bool { return k.blobID() == id })
	if k == nil || k.Algorithm != aes256 {
		return nil, ErrSealed
	}
	return openAs(sealed, k.secret(), ad)
}

// find looks for a key, and reads the table again when it is not known: another
// process may have rotated. It does so a few times a second at most, since blobs
// that nobody sealed could be sent to make us read.
func (r *Ring) find(d Domain, is func(*domainKey) bool) *domainKey {
	look := func() *domainKey {
		list := (*r.keys.Load())[d]
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i]
		}
		return nil
	}
	if k := look(); k != nil {
		return k
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := look(); k != nil || time.Since(r.read) < refreshPause {
		return k
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.refresh(ctx); err != nil {
		slog.ErrorContext(ctx, "reading the keys failed", "error", err)
	}
	return look()
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		// Lengths keep ("ab","c") and ("a","bc") apart.
		fmt.Fprintf(h, "%d\x00", len(part))
		h.Write(part)
	}
	return h.Sum(nil)
}

// Lookup is the keyed hash (HMAC-SHA-256, 32 bytes) by which a row is found.
// The kind keeps a phone number from being found as a UIN.
func (r *Ring) Lookup(kind, value string) []byte { return r.LookupAll(kind, value)[0] }

// LookupAll is Lookup under the current key and every retired one, for rows
// that were stored before a rotation.
func (r *Ring) LookupAll(kind, value string) [][]byte {
	list := (*r.keys.Load())[Lookup]
	all := make([][]byte, 0, len(list))
	for _, k := range list {
		all = append(all, mac(k.secret(), []byte(kind), []byte(value)))
	}
	return all
}

// PRF is a keyed pseudo-random function of 32 bytes whose key never changes.
func (r *Ring) PRF(label string, parts ...[]byte) []byte {
	list := (*r.keys.Load())[Pseudonym]
	return mac(list[len(list)-1].secret(), append([][]byte{[]byte(label)}, parts...)...)
}

// List describes every key.
func (r *Ring) List() []Info {
	var all []Info
	for _, d := range slices.Concat(order, lazy) {
		for _, k := range (*r.keys.Load())[d] {
			all = append(all, Info{ID: k.ID, Domain: d, Algorithm: k.Algorithm, State: k.State, Created: k.Created})
		}
	}
	return all
}
