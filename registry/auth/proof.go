package auth

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

const (
	proofLife = 10 * time.Minute // from the proof to what is asked with it
	// VisitLife is how long the pages of one login may take, from the first to the last;
	// what was proven on one of them holds until then.
	VisitLife = time.Hour
	// SessionLife is how long somebody stays logged in to the provider in one browser.
	SessionLife = time.Hour
)

// Proof says that a person stood before the Desk. The zero one proves nothing.
type Proof struct {
	person  uuid.UUID
	methods []Method
	at      time.Time
	visit   bool // it waited for the other pages of its login
	session bool // it is kept for later logins in the same browser
}

// life is how long a proof may wait for what is asked with it.
func (p Proof) life() time.Duration {
	switch {
	case p.session:
		return SessionLife
	case p.visit:
		return VisitLife
	}
	return proofLife
}

// Person is who was proven.
func (p Proof) Person() uuid.UUID { return p.person }

// Methods are by what.
func (p Proof) Methods() []Method { return slices.Clone(p.methods) }

// At is when.
func (p Proof) At() time.Time { return p.at }

// Zero tells a proof that proves nothing.
func (p Proof) Zero() bool { return p.person == uuid.Nil || p.at.IsZero() }

// Terms are what is asked for.
type Terms struct {
	Client         string
	Scopes         []string
	Claims         []string
	Configurations []string // credential configurations
	ACRs           []string // classes that the client wishes for, the best first
}

// clone keeps a grant as it was made, whatever becomes of what it was made from.
func (t Terms) clone() Terms {
	t.Scopes, t.Claims, t.Configurations, t.ACRs = slices.Clone(t.Scopes), slices.Clone(t.Claims), slices.Clone(t.Configurations), slices.Clone(t.ACRs)
	return t
}

// Grant is what a proven person, or somebody whom an officer vouches for, may be
// given. The zero one gives nothing.
type Grant struct {
	person  uuid.UUID
	terms   Terms
	methods []Method
	at      time.Time
	voucher Voucher
}

// Voucher is an officer who answers for a person, and why. Without an officer
// it is the registry itself, after an enrolment.
type Voucher struct {
	Officer uuid.UUID
	Reason  string
}

// Person is who may be given something.
func (g Grant) Person() uuid.UUID { return g.person }

// Client is to whom it may be given.
func (g Grant) Client() string { return g.terms.Client }

// Scopes are the scopes granted.
func (g Grant) Scopes() []string { return slices.Clone(g.terms.Scopes) }

// Claims are the claims that the person agreed to.
func (g Grant) Claims() []string { return slices.Clone(g.terms.Claims) }

// Configurations are the credential configurations granted.
func (g Grant) Configurations() []string { return slices.Clone(g.terms.Configurations) }

// ACR is how strongly the person was proven; empty for one who was vouched for.
func (g Grant) ACR() string { return Reached(g.terms.ACRs, g.methods) }

// AMR is by what the person was proven (RFC 8176).
func (g Grant) AMR() []string { return amr(g.methods) }

// Methods are by what the person was proven.
func (g Grant) Methods() []Method { return slices.Clone(g.methods) }

// At is when the person was proven or vouched for.
func (g Grant) At() time.Time { return g.at }

// Voucher is who vouched; zero when the person was proven.
func (g Grant) Voucher() Voucher { return g.voucher }

// Zero tells a grant that gives nothing.
func (g Grant) Zero() bool { return g.person == uuid.Nil || g.at.IsZero() }

// String shows ids only.
func (g Grant) String() string { return "grant to " + g.terms.Client }

// LogValue is String.
func (g Grant) LogValue() slog.Value { return slog.StringValue(g.String()) }

var errNoProof = fault.New(fault.Denied, "Nobody was proven here, or too long ago. Log in again.").Named("no-proof")

// Grant gives a proven person what was asked for.
func (d *Desk) Grant(p Proof, t Terms) (Grant, error) {
	if p.Zero() || d.Now().Sub(p.at) > p.life() {
		return Grant{}, errNoProof
	}
	return Grant{person: p.person, terms: t.clone(), methods: p.methods, at: p.at}, nil
}

// leastReason keeps a reason from being a dot.
const leastReason = 10

// Vouch grants on an officer's word, with a reason that is kept.
func (d *Desk) Vouch(ctx context.Context, tx pgx.Tx, v Voucher, person uuid.UUID, t Terms) (Grant, error) {
	if len(v.Reason) < leastReason || len(v.Reason) > 500 {
		return Grant{}, fault.New(fault.Invalid, "Say why, in 10 to 500 characters: it is kept.").At("reason", "must have 10 to 500 characters")
	}
	i, err := d.Registry.Read(ctx, tx, person)
	if err != nil {
		return Grant{}, err
	}
	by := "system"
	if v.Officer != uuid.Nil {
		by = "officer:" + v.Officer.String()
	}
	err = audit.Append(ctx, tx, audit.Entry{Event: audit.Vouched, Person: i.Person, Actor: by, Details: map[string]string{"reason": v.Reason}})
	if err != nil {
		return Grant{}, err
	}
	return Grant{person: i.Person, terms: t.clone(), at: d.Now(), voucher: v}, nil
}

// sealed is the form of proofs and grants at rest.
type sealed struct {
	Person  uuid.UUID `json:"person"`
	Terms   *Terms    `json:"terms,omitempty"`
	Methods []Method  `json:"methods,omitempty"`
	At      time.Time `json:"at"`
	Voucher *Voucher  `json:"voucher,omitempty"`
}

var (
	proofPlace = []byte("auth proof\x00")
	stayPlace  = []byte("auth session\x00")
	grantPlace = []byte("auth grant\x00")
)

// SealProof makes a proof portable, for the place that ad names: a cookie, a row. Within
// VisitLife that place decides how long it is good: the page tells the person.
func (d *Desk) SealProof(p Proof, ad []byte) ([]byte, error) {
	if p.Zero() {
		return nil, errNoProof
	}
	return d.seal(sealed{Person: p.person, Methods: p.methods, At: p.at}, proofPlace, ad)
}

// OpenProof opens what SealProof sealed, while a visit may last.
func (d *Desk) OpenProof(blob, ad []byte) (Proof, error) {
	s, err := d.open(blob, proofPlace, ad)
	if err != nil || d.Now().Sub(s.At) > VisitLife {
		return Proof{}, errNoProof.Because(err)
	}
	return Proof{person: s.Person, methods: s.Methods, at: s.At, visit: true}, nil
}

// Stay makes a proof portable for the later logins of one browser.
func (d *Desk) Stay(p Proof, ad []byte) ([]byte, error) {
	if p.Zero() {
		return nil, errNoProof
	}
	return d.seal(sealed{Person: p.person, Methods: p.methods, At: p.at}, stayPlace, ad)
}

// Stayed opens what Stay sealed, while the session lasts. The proof is as old as
// it is: whoever needs a fresher one must ask the person again.
func (d *Desk) Stayed(blob, ad []byte) (Proof, error) {
	s, err := d.open(blob, stayPlace, ad)
	if err != nil || d.Now().Sub(s.At) > SessionLife {
		return Proof{}, errNoProof.Because(err)
	}
	return Proof{person: s.Person, methods: s.Methods, at: s.At, session: true}, nil
}

// Combine makes one proof of two of the same person; it is as old as the older.
func (d *Desk) Combine(first, second Proof) (Proof, error) {
	if first.Zero() || second.Zero() || first.person != second.person {
		return Proof{}, errNoProof
	}
	both := Proof{person: first.person, methods: first.Methods(), at: first.at, visit: first.visit || second.visit, session: first.session || second.session}
	for _, m := range second.methods {
		if !slices.Contains(both.methods, m) {
			both.methods = append(both.methods, m)
		}
	}
	if second.at.Before(both.at) {
		both.at = second.at
	}
	return both, nil
}

// SealGrant makes a grant portable, for the place that ad names.
func (d *Desk) SealGrant(g Grant, ad []byte) ([]byte, error) {
	if g.Zero() {
		return nil, errNoProof
	}
	return d.seal(sealed{Person: g.person, Terms: &g.terms, Methods: g.methods, At: g.at, Voucher: &g.voucher}, grantPlace, ad)
}

// OpenGrant opens what SealGrant sealed. How long it is good, its place decides.
func (d *Desk) OpenGrant(blob, ad []byte) (Grant, error) {
	s, err := d.open(blob, grantPlace, ad)
	if err != nil {
		return Grant{}, errNoProof.Because(err)
	}
	if s.Terms == nil || s.Voucher == nil {
		return Grant{}, errNoProof.Because(errors.New("auth: this is no grant"))
	}
	return Grant{person: s.Person, terms: *s.Terms, methods: s.Methods, at: s.At, voucher: *s.Voucher}, nil
}

func (d *Desk) seal(s sealed, place, ad []byte) ([]byte, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return d.Ring.Seal(keys.Sessions, plain, append(place[:len(place):len(place)], ad...))
}

func (d *Desk) open(blob, place, ad []byte) (s sealed, err error) {
	plain, err := d.Ring.Open(keys.Sessions, blob, append(place[:len(place):len(place)], ad...))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(plain, &s)
}
