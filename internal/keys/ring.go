package keys

import (
	"context"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
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
	mu     sync.Mutex // one refresh at a time
	asked  time.Time  // when the last refresh for an unknown key was
}

// ring is one reading of the table: per domain the current key first, then the
// retired ones, newest first.
type ring map[Domain][]*domainKey

// Open loads the domain keys and makes those that are missing. Any number of
// processes may do so at once on an empty database.
func Open(ctx context.Context, pool *pgxpool.Pool, root Root) (*Ring, error) {
	r := &Ring{pool: pool, root: root}
	r.people.kept = make(map[uuid.UUID]keptKey)
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
	err := postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
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
			if err := r.add(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, r.Refresh(ctx)
}

// add makes, wraps and stores a new current key.
func (r *Ring) add(ctx context.Context, tx pgx.Tx, d Domain) error {
	k, err := generate(d, time.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	if k.Wrapped, err = r.root.Wrap(k.secret, k.ad()); err != nil {
		return fmt.Errorf("wrapping %s: %w", k, err)
	}
	return insertKey(ctx, tx, k)
}

// Refresh reads the table again, to see what another process rotated.
func (r *Ring) Refresh(ctx context.Context) error {
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
		if have, ok := known[k.ID]; ok {
			k.secret, k.signer = have.secret, have.signer
		} else if err := r.unwrap(k); err != nil {
			return err
		}
		fresh[k.Domain] = append(fresh[k.Domain], k)
	}
	r.keys.Store(&fresh)
	return nil
}

func (r *Ring) unwrap(k *domainKey) (err error) {
	if k.secret, err = r.root.Unwrap(k.Wrapped, k.ad()); err != nil {
		return fault.New(fault.Denied, "The keys in the database were not sealed by this root key. Use the root key of this deployment.").Because(fmt.Errorf("%s: %w", k, err))
	}
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
	return sealAs(k.blobID(), k.secret, plain, ad)
}

// Open opens what Seal sealed, under the current key or a retired one.
func (r *Ring) Open(d Domain, sealed, ad []byte) ([]byte, error) {
	id, _, err := headOf(sealed)
	if err != nil {
		return nil, err
	}
	k := r.find(d, func(k *domainKey) bool { return k.blobID() == id })
	if k == nil || k.Algorithm != aes256 {
		return nil, ErrSealed
	}
	return openAs(sealed, k.secret, ad)
}

// find looks for a key, and reads the table again when it is not known: another
// process may have rotated. It asks at most once a second, since blobs that
// nobody sealed could be sent to make us ask.
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
	if time.Since(r.asked) < time.Second {
		return look()
	}
	r.asked = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if r.Refresh(ctx) != nil {
		return nil
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
		all = append(all, mac(k.secret, []byte(kind), []byte(value)))
	}
	return all
}

// PRF is a keyed pseudo-random function of 32 bytes whose key never changes.
func (r *Ring) PRF(label string, parts ...[]byte) []byte {
	list := (*r.keys.Load())[Pseudonym]
	return mac(list[len(list)-1].secret, append([][]byte{[]byte(label)}, parts...)...)
}

// Signer is the current signing key of a domain.
func (r *Ring) Signer(d Domain) (SigningKey, error) {
	k, err := r.current(d)
	if err != nil {
		return SigningKey{}, err
	}
	if k.signer == nil {
		return SigningKey{}, fmt.Errorf("the %s key does not sign", d)
	}
	return SigningKey{ID: k.ID, Signer: k.signer, Public: k.signer.Public(), Created: k.Created}, nil
}

// Verifiers are the keys whose signatures are good: the current one first.
func (r *Ring) Verifiers(d Domain) []SigningKey {
	var all []SigningKey
	for _, k := range (*r.keys.Load())[d] {
		if public, err := x509.ParsePKIXPublicKey(k.Public); err == nil {
			all = append(all, SigningKey{ID: k.ID, Public: public, Created: k.Created})
		}
	}
	return all
}

// maxPacket bounds what OpenPacket takes; the largest packet is 20 MB.
const maxPacket = 21 << 20

// PacketKey is the public key that packets are sealed to, and its id.
func (r *Ring) PacketKey() (id string, public []byte) {
	k, err := r.current(Packets)
	if err != nil {
		return "", nil
	}
	return k.ID, k.Public
}

// SealTo seals to a public packet key (RFC 9180 base mode: X-Wing, HKDF-SHA-256,
// AES-256-GCM).
func SealTo(public, plain, info []byte) ([]byte, error) {
	key, err := hpke.MLKEM768X25519().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("reading the packet key: %w", err)
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
}

// OpenPacket opens what was sealed to the packet key with this id.
func (r *Ring) OpenPacket(keyID string, sealed, info []byte) ([]byte, error) {
	if len(sealed) > maxPacket {
		return nil, ErrSealed
	}
	k := r.find(Packets, func(k *domainKey) bool { return k.ID == keyID })
	if k == nil {
		return nil, ErrUnknownKey
	}
	private, err := hpke.MLKEM768X25519().NewPrivateKey(k.secret)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", k, err)
	}
	plain, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// ErrUnknownKey says that something was sealed to a key that is not ours.
var ErrUnknownKey = errors.New("keys: sealed to a key that is not ours")

// Rotate begins a new current key; what the old one sealed or signed stays good.
func (r *Ring) Rotate(ctx context.Context, d Domain) error {
	if d == Pseudonym {
		return fault.New(fault.Conflict, "The pseudonym key cannot be rotated: every pairwise identifier would change.")
	}
	if algorithms[d] == "" {
		return fault.New(fault.Invalid, fmt.Sprintf("There is no key domain %q. List the keys to see which there are.", d))
	}
	err := postgres.InTx(ctx, r.pool, func(tx pgx.Tx) error {
		if err := lock(ctx, tx); err != nil {
			return err
		}
		if err := retire(ctx, tx, d); err != nil {
			return err
		}
		return r.add(ctx, tx, d)
	})
	if err != nil {
		return fmt.Errorf("rotating the %s key: %w", d, err)
	}
	return r.Refresh(ctx)
}

// List describes every key.
func (r *Ring) List() []Info {
	var all []Info
	for _, d := range order {
		for _, k := range (*r.keys.Load())[d] {
			all = append(all, Info{ID: k.ID, Domain: d, Algorithm: k.Algorithm, State: k.State, Created: k.Created})
		}
	}
	return all
}
