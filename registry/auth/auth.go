// Package auth proves who stands before it. The Desk takes an Attempt and gives a
// Proof, which nobody else can make; what a proven person may be given is a
// Grant, and that too comes from the Desk only.
package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/unicode/norm"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/internal/altcha"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

// Config is what a Desk works with.
type Config struct {
	Pool     *pgxpool.Pool
	Ring     *keys.Ring
	Registry *registry.Registry
	Queue    func(ctx context.Context, tx pgx.Tx, m notify.Message) error // notify.Sender.Queue
	Offers   func(notify.Channel) bool                                    // notify.Sender.Offers
	Policy   evidence.Policy                                              // what is asked of samples
	Face     face.Engine                                                  // nil: no faces are judged
	Demo     bool                                                         // every code is 111111
	Now      func() time.Time                                             // nil means time.Now
	// CodesPerDay are those sent to one number for one address range before it must
	// work for more; 0: ten, and in a demo a thousand.
	CodesPerDay int
	// Knowledge names the fields of the identity that a person must know together;
	// none: the full name and the date of birth.
	Knowledge []string
	// Presented tells whose credential a wallet has shown, once; NotFound and Denied say
	// that it showed none. Nil: credentials do not log anybody in.
	Presented func(ctx context.Context, p Presentation) (person uuid.UUID, err error)
	// Methods are those by which people log in here; nil: all that can be judged.
	Methods []Method
	// Public is where people reach this service, the issuer of its tokens: passkeys and
	// the signatures of wallets are bound to it. Nil: neither is offered.
	Public *url.URL
}

// Desk proves who people are.
type Desk struct {
	Config
	images *semaphore.Weighted // which take much time and memory to read
	hashes *semaphore.Weighted // of PINs and passwords, likewise

	passkeys *webauthn.WebAuthn // nil: not offered
	toll     *altcha.Toll
}

// New makes a Desk.
func New(c Config) (*Desk, error) {
	if c.Pool == nil || c.Ring == nil || c.Registry == nil || c.Queue == nil || c.Offers == nil {
		return nil, errors.New("auth: Pool, Ring, Registry, Queue and Offers are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.CodesPerDay == 0 && c.Demo {
		c.CodesPerDay = codesDemo
	}
	if c.CodesPerDay == 0 {
		c.CodesPerDay = codesStrangers
	}
	if len(c.Knowledge) == 0 {
		c.Knowledge = []string{"fullName", "dateOfBirth"}
	}
	if len(c.Knowledge) > mostFields {
		return nil, fmt.Errorf("auth: at most %d fields can be asked, not %d", mostFields, len(c.Knowledge))
	}
	atOnce := int64(runtime.GOMAXPROCS(0))
	passkeys, err := relyingParty(c.Public)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	toll := altcha.New(func(parts ...[]byte) []byte { return c.Ring.PRF("auth work", parts...) }, c.Now)
	return &Desk{c, semaphore.NewWeighted(atOnce), semaphore.NewWeighted(atOnce), passkeys, toll}, nil
}

// Attempt is evidence that somebody is who they say: a number and one kind of
// evidence. A passkey and a wallet say themselves whose they are.
type Attempt struct {
	Identifier string // UIN or VID

	Code      string
	PIN       string
	Password  string
	Knowledge map[string]string   // fields of the identity as the person knows them
	Finger    []byte              // image
	Eye       []byte              // image
	Face      []byte              // image
	Captured  *sbi.Evidence       // what a device has signed of the image, as sbi.Trust has checked it; nil: nothing
	Position  biometrics.Position // of Finger or Eye; empty: any
	Passkey   []byte              // what navigator.credentials.get gave, as JSON (WebAuthn Level 3, 5.1.2)
	Wallet    []byte              // what the wallet signed, a JWS

	Presentation Presentation // a credential that a wallet has shown

	PasskeyState []byte // what AskPasskey gave with the question that Passkey answers
	WalletNonce  string // what the wallet was given to sign

	Transaction string // the evidence is good for this one only
	Client      string // who asks
	Device      string // token of Remember, or empty
	From        string // address range of the caller
	Work        string // names the proof of work that was spent for this try; empty: none was
}

// CodeRequest asks for a one-time code. Its fields are those of an Attempt.
type CodeRequest struct {
	Identifier, Transaction, Client, Device, From, Work string
}

// Sent tells of a code. It is the same for numbers that exist and numbers that
// do not, so it cannot say where the code went.
type Sent struct {
	Masked  []string // where it went, as far as may be told: nothing
	Expires time.Time
}

// The one answer to a failed attempt, whatever failed (ASVS 6.3.8).
var errRefused = fault.New(fault.Denied, "The number and what you gave with it do not fit together. Check both and try again.").Named("login-refused")

// errWait says that a budget is used up.
var errWait = fault.New(fault.Busy, "There were too many attempts. Wait an hour, use a device on which you have logged in before, or log in another way.").Named("rate-limited")

// WorkNeeded is the code of the fault that asks for a proof of work (AskWork).
const WorkNeeded = "work-needed"

// errWork says that there were many tries, and that a browser that works may go on.
var errWork = fault.New(fault.Busy, "There were many tries with this number. Have your browser work for the next one: load the page again.").Named(WorkNeeded)

// claimed is who somebody says they are. A number that nobody has is a person
// too, who never passes: so both take the same way through the same rows.
type claimed struct {
	person uuid.UUID
	exists bool
}

func (d *Desk) claim(ctx context.Context, db postgres.DB, identifier string) (claimed, error) {
	person, err := d.Registry.Find(ctx, db, identifier)
	if err == nil {
		return claimed{person, true}, nil
	}
	if !fault.Is(err, fault.NotFound) {
		return claimed{}, err
	}
	var nobody uuid.UUID
	copy(nobody[:], d.Ring.PRF("auth nobody", []byte(plain(identifier))))
	return claimed{nobody, false}, nil
}

// plain is a number without the blanks of writing: were each way of writing it
// somebody else, budgets that never end would tell which numbers nobody has.
func plain(identifier string) string {
	if u, err := registry.ParseUIN(identifier); err == nil {
		return u.Reveal()
	}
	if v, err := registry.ParseVID(identifier); err == nil {
		return v.Reveal()
	}
	return identifier
}

// transaction is how a transaction is kept: bound to who asked.
func transaction(client, id string) []byte {
	sum := sha256.Sum256([]byte(client + "\x00" + id))
	return sum[:]
}

// method is the one kind of evidence that an attempt brings.
func (a Attempt) method() (Method, error) {
	given := map[Method]bool{ByCode: a.Code != "", ByPIN: a.PIN != "", ByPassword: a.Password != "", ByKnowledge: len(a.Knowledge) > 0,
		ByFinger: len(a.Finger) > 0, ByIris: len(a.Eye) > 0, ByFace: len(a.Face) > 0, ByPasskey: len(a.Passkey) > 0, ByWallet: len(a.Wallet) > 0, ByCredential: a.Presentation.Request != uuid.Nil}
	maps.DeleteFunc(given, func(_ Method, is bool) bool { return !is })
	if a.Transaction == "" || len(given) != 1 {
		return "", fault.New(fault.Invalid, "Give one proof of who you are, and one only: a code, for example, or a finger.")
	}
	return slices.Collect(maps.Keys(given))[0], nil
}

// Offered lists the methods that this deployment can judge at all, the weakest first.
func (d *Desk) Offered() []Method {
	offered := []Method{ByKnowledge, ByPIN, ByPassword}
	if d.Offers(notify.SMS) || d.Offers(notify.Mail) {
		offered = append(offered, ByCode)
	}
	for _, p := range []part{aFinger, anEye, aFace} {
		if signed, plain := d.Captures(p.method); (signed || plain) && (p.method != ByFace || d.Face != nil) {
			offered = append(offered, p.method)
		}
	}
	if d.passkeys != nil {
		offered = append(offered, ByPasskey)
	}
	if d.Public != nil {
		offered = append(offered, ByWallet)
	}
	if d.Presented != nil {
		offered = append(offered, ByCredential)
	}
	return slices.DeleteFunc(offered, func(m Method) bool { return d.Methods != nil && !slices.Contains(d.Methods, m) })
}

// Verify judges an attempt. The fault is Denied with one sentence whatever was
// wrong, Busy when a budget is used up, Invalid when what was given cannot be used.
func (d *Desk) Verify(ctx context.Context, a Attempt) (Proof, error) {
	method, err := a.method()
	if err != nil {
		return Proof{}, err
	}
	f, err := d.factor(ctx, a, method)
	if err != nil {
		return Proof{}, err
	}
	f.method = method
	return d.verify(ctx, a, f)
}

func (d *Desk) factor(ctx context.Context, a Attempt, method Method) (factor, error) {
	switch method {
	case ByCode:
		return d.codeFits(a), nil
	case ByPIN:
		return d.secretFits(ctx, a, ByPIN, digits(a.PIN))
	case ByPassword:
		return d.secretFits(ctx, a, ByPassword, norm.NFKC.String(a.Password))
	case ByKnowledge:
		return d.knowledgeFits(a)
	case ByFinger:
		return d.fingerFits(ctx, a)
	case ByIris:
		return d.eyeFits(ctx, a)
	case ByFace:
		return d.faceFits(ctx, a)
	case ByPasskey:
		return d.passkeyFits(a)
	case ByWallet:
		return d.walletFits(a)
	case ByCredential:
		return d.credentialFits(ctx, a)
	}
	return factor{}, notOffered(method)
}

func notOffered(method Method) *fault.Fault {
	return fault.New(fault.Invalid, "A "+string(method)+" is not offered here. Log in another way.").Named(string(method) + "-not-offered")
}

// welcome refuses evidence that would not be judged, before it makes work: what the
// processor must do for a finger or a PIN comes before the transaction, and not at
// all where the budgets are used up.
func (d *Desk) welcome(ctx context.Context, a Attempt, method Method) (claimed, error) {
	who, err := d.claim(ctx, d.Pool, a.Identifier)
	if err != nil {
		return claimed{}, err
	}
	told, err := d.limited(ctx, d.Pool, append(d.guesses(who.person, a, string(method)), d.party(who.person, a)...))
	if err != nil {
		return claimed{}, err
	}
	if told != nil {
		return claimed{}, told
	}
	return who, nil
}

// factor judges one kind of evidence within the transaction of the attempt.
type factor struct {
	method Method
	who    func(ctx context.Context, tx pgx.Tx) (claimed, error) // nil: whose number it is
	once   []byte                                                // token of what passes only once; nil: as often as one likes
	shown  *fault.Fault                                          // says that it has passed before
	// unfit tells why the evidence does not fit, for the audit; empty: it fits.
	unfit func(ctx context.Context, tx pgx.Tx, who claimed) (string, error)
}

// verify spends the budgets, judges, and records the outcome, in one
// transaction that commits whether the attempt passes or not.
func (d *Desk) verify(ctx context.Context, a Attempt, f factor) (Proof, error) {
	if f.who == nil {
		f.who = func(ctx context.Context, tx pgx.Tx) (claimed, error) { return d.claim(ctx, tx, a.Identifier) }
	}
	var proof Proof
	var refusal error
	err := postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		proof, refusal = Proof{}, nil
		who, err := f.who(ctx, tx)
		if err != nil {
			return err
		}
		budgets, party := d.guesses(who.person, a, string(f.method)), d.party(who.person, a)
		told, err := d.limited(ctx, tx, party)
		if err != nil {
			return err
		}
		if told == nil {
			told, err = d.take(ctx, tx, budgets)
		}
		if err != nil {
			return err
		}
		if told != nil {
			refusal = told
			return d.recordRefused(ctx, tx, a, who, "limited")
		}
		ceiling := d.ceiling(who.person, a, string(f.method))
		below, err := spend(ctx, tx, ceiling, d.Now())
		if err != nil {
			return err
		}
		why, refused, err := d.judge(ctx, tx, f, who)
		if err != nil {
			return err
		}
		if !below {
			why, refused = "limited", errRefused
		}
		if refused != nil {
			refusal = refused
			if _, err := spend(ctx, tx, party, d.Now()); err != nil {
				return err
			}
			return d.recordRefused(ctx, tx, a, who, why)
		}
		if err := refund(ctx, tx, append(budgets, ceiling...)); err != nil {
			return err
		}
		proof = Proof{person: who.person, methods: []Method{f.method}, at: d.Now()}
		return d.recordPassed(ctx, tx, a, proof)
	})
	if err != nil {
		return Proof{}, err
	}
	return proof, refusal
}

// judge tells why evidence is refused, for the audit, and what is said of it.
func (d *Desk) judge(ctx context.Context, tx pgx.Tx, f factor, who claimed) (why string, refused *fault.Fault, err error) {
	why, err = f.unfit(ctx, tx, who)
	if err != nil {
		return "", nil, err
	}
	if why != "" || !who.exists {
		return cmp.Or(why, string(f.method)), errRefused, nil
	}
	if f.once == nil {
		return "", nil, nil
	}
	first, err := showOnce(ctx, tx, f.once, d.Now(), d.Now().Add(imageLife))
	if err != nil {
		return "", nil, fmt.Errorf("remembering a login's image: %w", err)
	}
	if !first {
		return "shown-before", f.shown, nil
	}
	return "", nil, nil
}
