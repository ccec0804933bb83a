// Package keyset reads the public keys of clients: those that were registered, and
// those that a client publishes at its jwks_uri, where it lets one key follow
// another without asking us.
package keyset

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"golang.org/x/sync/singleflight"

	"github.com/plinth-id/plinth/registry/partner"
)

const (
	fresh    = 10 * time.Minute // a set is fetched again after this
	pause    = 20 * time.Second // between fetches for a key that is not in the set
	stale    = 24 * time.Hour   // a set serves so long while its address does not answer
	maxKeys  = 32
	maxKept  = 4096      // sets in memory
	atOnce   = 16        // fetches
	MaxBytes = 128 << 10 // of a set that is fetched; the http.Client must keep to it
)

// Key is a public key of a client.
type Key struct {
	ID, Use, Algorithm string
	Public             any               // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey
	Certificate        *x509.Certificate // of x5c; nil: none
}

// Sets reads and remembers the key sets of clients.
type Sets struct {
	http *http.Client // to addresses that clients have chosen
	now  func() time.Time
	one  singleflight.Group

	fetching chan struct{} // so many at once

	mu   sync.Mutex
	kept map[string]set
}

type set struct {
	keys          []Key
	fetched, used time.Time
	tried         time.Time // last fetch, whatever came of it
}

// New makes Sets.
func New(client *http.Client, now func() time.Time) *Sets {
	return &Sets{http: client, now: now, kept: make(map[string]set), fetching: make(chan struct{}, atOnce)}
}

var errNoKeys = errors.New("the client has no keys")

// Of gives the keys of a client. A set that was fetched and does not hold the key
// that is asked for is fetched again, but not for everybody who asks. It may wait for
// an address that does not answer: whoever holds a connection of the database takes
// what is Kept.
func (s *Sets) Of(ctx context.Context, c partner.Client, kid string) ([]Key, error) {
	if c.JWKSURI != "" {
		return s.at(ctx, c.JWKSURI, kid)
	}
	return s.Kept(c)
}

// Kept gives the keys of a client as they are known, and fetches nothing.
func (s *Sets) Kept(c partner.Client) ([]Key, error) {
	if c.JWKSURI == "" && len(c.JWKS) > 0 {
		return s.inline(c.JWKS)
	}
	if kept, ok := s.get(c.JWKSURI); ok && len(kept.keys) > 0 {
		return kept.keys, nil
	}
	return nil, errNoKeys
}

func (s *Sets) inline(raw []byte) ([]Key, error) {
	sum := sha256.Sum256(raw)
	name := string(sum[:])
	if kept, ok := s.get(name); ok {
		return kept.keys, nil
	}
	keys, err := parse(raw)
	if err != nil {
		return nil, err
	}
	s.put(name, set{keys: keys, fetched: s.now()})
	return keys, nil
}

func (s *Sets) at(ctx context.Context, address, kid string) ([]Key, error) {
	kept, ok := s.get(address)
	now := s.now()
	due := !ok || now.Sub(kept.fetched) > fresh || kid != "" && !holds(kept.keys, kid)
	if !due || ok && now.Sub(kept.tried) < pause {
		return kept.known()
	}
	// A client that gives up must not stop the others that wait for the same set.
	fetched, err, _ := s.one.Do(address, func() (any, error) { return s.fetch(context.WithoutCancel(ctx), address) })
	if err == nil {
		s.put(address, set{keys: fetched.([]Key), fetched: now, tried: s.now()})
		return fetched.([]Key), nil
	}
	// A failure is remembered too, or everybody who names the client would wait for it.
	kept.tried = s.now()
	if now.Sub(kept.fetched) >= stale {
		kept.keys = nil
	}
	s.put(address, kept)
	if len(kept.keys) > 0 {
		return kept.keys, nil
	}
	return nil, fmt.Errorf("fetching the keys of a client: %w", err)
}

// known are the keys of a set, when it has any.
func (s set) known() ([]Key, error) {
	if len(s.keys) == 0 {
		return nil, errNoKeys
	}
	return s.keys, nil
}

func holds(keys []Key, kid string) bool {
	for _, k := range keys {
		if k.ID == kid {
			return true
		}
	}
	return false
}

func (s *Sets) fetch(ctx context.Context, address string) ([]Key, error) {
	select {
	case s.fetching <- struct{}{}:
		defer func() { <-s.fetching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found, err := jwk.Fetch(ctx, address, jwk.WithHTTPClient(s.http))
	if err != nil {
		return nil, err
	}
	return usable(found)
}

func parse(raw []byte) ([]Key, error) {
	found, err := jwk.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of a client: %w", err)
	}
	return usable(found)
}

// usable keeps the public keys that are strong enough; private ones are worth nothing.
func usable(found jwk.Set) ([]Key, error) {
	if found.Len() > maxKeys {
		return nil, fmt.Errorf("the set has %d keys; %d are the most", found.Len(), maxKeys)
	}
	var keys []Key
	for i := range found.Len() {
		k, _ := found.Key(i)
		if private, err := jwk.IsPrivateKey(k); err != nil || private {
			continue
		}
		var public any
		if err := k.Raw(&public); err != nil || partner.Strong(public) != "" {
			continue
		}
		key := Key{ID: k.KeyID(), Use: k.KeyUsage(), Public: public}
		if alg := k.Algorithm(); alg != nil {
			key.Algorithm = alg.String()
		}
		if chain := k.X509CertChain(); chain != nil && chain.Len() > 0 {
			if first, ok := chain.Get(0); ok {
				key.Certificate = certificate(first)
			}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

func (s *Sets) get(name string) (set, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.kept[name]
	if ok {
		kept.used = s.now()
		s.kept[name] = kept
	}
	return kept, ok
}

// put remembers a set, in the place of one that nobody has used for long.
func (s *Sets) put(name string, fetched set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fetched.used = s.now()
	if _, ok := s.kept[name]; !ok && len(s.kept) >= maxKept {
		oldest, at := "", fetched.used
		for other, kept := range s.kept {
			if kept.used.Before(at) || oldest == "" {
				oldest, at = other, kept.used
			}
		}
		delete(s.kept, oldest)
	}
	s.kept[name] = fetched
}

// certificate reads one of x5c (RFC 7517, 4.7): DER in base64; nil: it is none.
func certificate(encoded []byte) *x509.Certificate {
	der, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return nil
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	return c
}
