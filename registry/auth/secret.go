package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

// The cost of a guess at a PIN or password (OWASP's second choice for Argon2id, RFC
// 9106): 19 MiB and two passes, one hash a processor at a time.
const (
	hashMemory = 19 * 1024
	hashPasses = 2
	hashLanes  = 1
	hashBytes  = 32
	saltBytes  = 16

	longestSecret = 1024 // bytes; what is longer fits nobody
)

// hashed is a PIN or password at rest, before it is sealed.
type hashed struct {
	Salt   []byte `json:"salt"`
	Hash   []byte `json:"hash"`
	Memory uint32 `json:"memory"`
	Passes uint32 `json:"passes"`
	Lanes  uint8  `json:"lanes"`
	ByCode bool   `json:"by_code,omitempty"` // it was set on the strength of a code, and proves no more than that
}

// errWeakProof says that a proof is good for a login, and not for this.
var errWeakProof = fault.New(fault.Denied, "This asks for a stronger login. Log in by a code or a finger, or in two ways, and try again.").Named("proof-too-weak")

// errGone says that the person may not be served any more.
var errGone = fault.New(fault.Denied, "This identity is not active. Ask at an enrolment centre.").Named("identity-inactive")

// fresh refuses a proof of some time ago, also that of a visit or a session.
func (d *Desk) fresh(p Proof) error {
	if p.Zero() || d.Now().Sub(p.at) > proofLife {
		return errNoProof
	}
	return nil
}

// byBody are the methods that rest on the body.
var byBody = []Method{ByFinger, ByIris, ByFace}

// mayChange judges whether a proof suffices to set or drop a way of logging in: two
// kinds of evidence, or one that cannot be overheard. A PIN does not change itself.
func (d *Desk) mayChange(p Proof) error {
	if err := d.fresh(p); err != nil {
		return err
	}
	if LevelOf(p.methods) >= Substantial || slices.ContainsFunc(p.methods, func(m Method) bool { return m == ByCode || slices.Contains(byBody, m) }) {
		return nil
	}
	return errWeakProof
}

// SetPIN gives a person a PIN in place of any before.
func (d *Desk) SetPIN(ctx context.Context, proof Proof, pin string) error {
	pin = digits(pin)
	return d.setSecret(ctx, proof, ByPIN, pin, func(i registry.Identity) string { return weakPIN(pin, i) })
}

// SetPassword gives a person a password in place of any before.
func (d *Desk) SetPassword(ctx context.Context, proof Proof, password string) error {
	password = norm.NFKC.String(password)
	return d.setSecret(ctx, proof, ByPassword, password, func(i registry.Identity) string { return weakPassword(password, i) })
}

func (d *Desk) setSecret(ctx context.Context, proof Proof, kind Method, secret string, weak func(registry.Identity) string) error {
	if err := d.mayChange(proof); err != nil {
		return err
	}
	i, err := d.Registry.Read(ctx, d.Pool, proof.person)
	if err != nil {
		return err
	}
	if rule := weak(i); rule != "" {
		return fault.New(fault.Invalid, "Choose another "+string(kind)+": it "+rule+".").Named(string(kind)+"-weak").At(string(kind), rule)
	}
	kept := hashed{Salt: make([]byte, saltBytes), Memory: hashMemory, Passes: hashPasses, Lanes: hashLanes, ByCode: !binds(proof.methods)}
	_, _ = rand.Read(kept.Salt) // never fails (crypto/rand)
	if kept.Hash, err = d.hash(ctx, secret, kept); err != nil {
		return err
	}
	plain, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return d.changing(ctx, proof, audit.Entry{Event: audit.SecretSet, Details: map[string]string{"kind": string(kind)}}, func(tx pgx.Tx, key keys.PersonKey) error {
		sealed, err := key.Seal(plain, secretPlace(kind))
		if err != nil {
			return err
		}
		return putSecret(ctx, tx, secretRow{proof.person, kind, sealed}, d.Now())
	})
}

// DropSecret takes a person's PIN or password away.
func (d *Desk) DropSecret(ctx context.Context, proof Proof, kind Method) error {
	if kind != ByPIN && kind != ByPassword {
		return fault.New(fault.Invalid, "Only a PIN or a password can be dropped so.")
	}
	if err := d.mayChange(proof); err != nil {
		return err
	}
	return d.changing(ctx, proof, audit.Entry{Event: audit.SecretDropped, Details: map[string]string{"kind": string(kind)}}, func(tx pgx.Tx, _ keys.PersonKey) error {
		return found(dropSecret(ctx, tx, proof.person, kind))
	})
}

// found makes a fault of nothing that was found.
func found(some bool, err error) error {
	if err == nil && !some {
		return fault.New(fault.NotFound, "There is no such thing any more. Look at the list again.")
	}
	return err
}

// changing runs a change of somebody's ways of logging in, with its entry, while they are active.
func (d *Desk) changing(ctx context.Context, proof Proof, e audit.Entry, do func(tx pgx.Tx, key keys.PersonKey) error) error {
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		active, err := d.Registry.Active(ctx, tx, proof.person)
		if err != nil {
			return err
		}
		key, err := d.Ring.Person(ctx, tx, proof.person)
		if !active || errors.Is(err, keys.ErrErased) {
			return errGone
		}
		if err != nil {
			return err
		}
		if err := do(tx, key); err != nil {
			return err
		}
		e.Person, e.Actor = proof.person, "person"
		return audit.Append(ctx, tx, e)
	})
}

func secretPlace(kind Method) []byte { return []byte("auth_secret." + string(kind)) }

// hash does the slow work when its turn comes.
func (d *Desk) hash(ctx context.Context, secret string, as hashed) ([]byte, error) {
	turn, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if d.hashes.Acquire(turn, 1) != nil {
		return nil, errCrowd
	}
	defer d.hashes.Release(1)
	return argon2.IDKey([]byte(secret), as.Salt, as.Passes, as.Memory, as.Lanes, hashBytes), nil
}

// secretFits judges a PIN or password. For nobody, and for who has none, the same
// hash is made, of a salt that stays the same, and fits nothing.
func (d *Desk) secretFits(ctx context.Context, a Attempt, kind Method, secret string) (factor, error) {
	who, err := d.welcome(ctx, a, kind)
	if err != nil {
		return factor{}, err
	}
	before, err := d.secretOf(ctx, d.Pool, who, kind)
	if err != nil {
		return factor{}, err
	}
	if len(secret) > longestSecret {
		secret = ""
	}
	given, err := d.hash(ctx, secret, before)
	if err != nil {
		return factor{}, err
	}
	return factor{unfit: func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
		// It is read again: it may have been changed while the hash was made.
		kept, err := d.secretOf(ctx, tx, who, kind)
		if err != nil {
			return "", err
		}
		same := subtle.ConstantTimeCompare(kept.Salt, before.Salt) & subtle.ConstantTimeCompare(kept.Hash, given)
		if same != 1 {
			return string(kind), nil
		}
		return "", nil
	}}, nil
}

// secretOf opens what is kept of a PIN or password; without a hash where there is none.
func (d *Desk) secretOf(ctx context.Context, db postgres.DB, who claimed, kind Method) (hashed, error) {
	none := hashed{Salt: d.Ring.PRF("auth no secret", who.person[:], []byte(kind))[:saltBytes], Memory: hashMemory, Passes: hashPasses, Lanes: hashLanes}
	sealed, err := readSecret(ctx, db, who.person, kind)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return none, fmt.Errorf("reading a secret: %w", err)
	}
	key, erased := d.Ring.Person(ctx, db, who.person)
	if errors.Is(erased, keys.ErrErased) || err != nil {
		return none, nil
	}
	if erased != nil {
		return none, erased
	}
	plain, err := key.Open(sealed, secretPlace(kind))
	if err != nil {
		return none, fmt.Errorf("reading a secret: %w", err)
	}
	var kept hashed
	if err := json.Unmarshal(plain, &kept); err != nil {
		return none, fmt.Errorf("reading a secret: %w", err)
	}
	return kept, nil
}
