package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Budgets of failed attempts and of codes sent. Whoever comes from a device on which the
// person has logged in before spends a budget of that device alone, which nobody else can
// use up. All others share budgets of the number that they enter: once they are used up,
// nobody is refused, but the browser must work for every few tries, so a stranger who
// guesses shuts nobody out. They go by the number as it is entered, known or not: were
// they the person's, whoever uses up those of one number could see at another that both
// are one person's.
//
// Work alone stops nobody who has the processors for it. What can be guessed is bounded so:
//   - a code: five tries each, in the transaction that asked for it, so at most 1,200 a
//     day of 10^6 when 240 messages were sent to the person; a right one always passes;
//   - a PIN, password, finger and the like: 100 wrong ones a person and kind (SP 800-63B,
//     3.2.2), so 100 of 10^6 PINs a day, one chance in a hundred of a false match. What
//     comes after is answered as if it were wrong, which tells nobody anything, and the
//     person still has codes, keys and the devices that are known;
//   - a key of a passkey, a wallet or a credential is guessed by nobody.
//
// An address range has a budget over all persons, against trying one guess on each of many,
// and a relying party one against guesses that come from everywhere through it.
const (
	day               = 24 * time.Hour
	failuresKnown     = 20  // per known device, a day
	failuresStrangers = 50  // per number, all strangers together, a day; then they work
	failuresFromRange = 10  // per number and address range, an hour; then it works
	failuresWorked    = 5   // per proof of work
	failuresPerson    = 100 // per person, all strangers together, a day
	failuresRange     = 300
	failuresParty     = 20_000 // of strangers, per relying party, an hour; then they work
	partyShards       = 16
	codesKnown        = 20
	codesStrangers    = 10    // per number and address range, a day, unless the deployment says so
	codesDemo         = 1_000 // instead, where nobody pays for a message
	codesAllFold      = 4     // per number, all strangers together, times as many; then they work
	codesPersonFold   = 24    // per person
	codesWorked       = 3     // per proof of work
	codesRange        = 2000  // per address range, an hour, at least
	codesRangeFold    = 20
	triesRange        = 60 // of codes of devices, per address range, an hour
	deviceRemembered  = 180 * day
)

// budget is how often something may be done in a window.
type budget struct {
	key    []byte
	limit  int
	window time.Duration
	work   bool // whoever finds it used up may work instead
}

func (d *Desk) budget(limit int, window time.Duration, parts ...string) budget {
	raw := make([][]byte, len(parts))
	for i, p := range parts {
		raw[i] = []byte(p)
	}
	return budget{key: d.Ring.PRF("auth limit", raw...), limit: limit, window: window}
}

// orWork is a budget beyond which one may work.
func (b budget) orWork() budget { b.work = true; return b }

// unguessable are the methods whose evidence is a signature.
var unguessable = []Method{ByPasskey, ByWallet, ByCredential}

// guesses are the budgets that a failed attempt spends. Each kind of evidence has
// its own, so that wrong codes do not keep a finger from being shown.
func (d *Desk) guesses(person uuid.UUID, a Attempt, kind string) []budget {
	if id, ok := d.known(a.Device, person); ok {
		return []budget{d.budget(failuresKnown, day, "failures of device", kind, id)}
	}
	whole := d.budget(failuresRange, time.Hour, "failures of range", kind, a.From)
	number := plain(a.Identifier)
	switch {
	case slices.Contains(unguessable, Method(kind)):
		return []budget{whole}
	case a.Work != "":
		return []budget{d.budget(failuresWorked, time.Hour, "failures of work", kind, a.Work).orWork(), whole}
	}
	return []budget{
		d.budget(failuresFromRange, time.Hour, "failures from", kind, number, a.From).orWork(),
		d.budget(failuresStrangers, day, "failures", kind, number).orWork(),
		whole,
	}
}

// ceiling is the budget of a person over all numbers that they have, of evidence that is
// the same every day. Whoever goes beyond it is told nothing.
func (d *Desk) ceiling(person uuid.UUID, a Attempt, kind string) []budget {
	if _, ok := d.known(a.Device, person); ok || Method(kind) == ByCode || slices.Contains(unguessable, Method(kind)) {
		return nil
	}
	return []budget{d.budget(failuresPerson, day, "failures of person", kind, person.String())}
}

// party is the budget of the relying party, which failures of strangers spend: a
// rogue one cannot try its people's PINs for long, and still cannot keep anybody from
// a known device. It is spent after a failure only, and in shards by number: were it
// spent before, as the others are, all logins at a large party would wait in one line.
func (d *Desk) party(person uuid.UUID, a Attempt) []budget {
	if _, ok := d.known(a.Device, person); ok || a.Client == "" || a.Identifier == "" || a.Work != "" {
		return nil
	}
	shard := strconv.Itoa(int(d.Ring.PRF("auth party shard", []byte(plain(a.Identifier)))[0]) % partyShards)
	return []budget{d.budget(failuresParty/partyShards, time.Hour, "failures of party", a.Client, shard).orWork()}
}

// limited tells what somebody is told of whose budgets one is used up; nil: none is.
func (d *Desk) limited(ctx context.Context, db postgres.DB, budgets []budget) (told *fault.Fault, err error) {
	for _, b := range budgets {
		free, err := isFree(ctx, db, b, d.Now())
		switch {
		case err != nil:
			return nil, fmt.Errorf("reading a limit: %w", err)
		case !free && !b.work:
			return errWait, nil
		case !free:
			told = errWork
		}
	}
	return told, nil
}

// Pressed tells whether whoever makes an attempt by a method must work first: much was
// tried with this number, or from this address range. It is the same for every number
// that was tried so, whoever has it.
func (d *Desk) Pressed(ctx context.Context, db postgres.DB, a Attempt, by Method) (bool, error) {
	strained, err := d.Strained(ctx, db, a.From)
	if err != nil || strained || a.Identifier == "" {
		return strained, err
	}
	who, err := d.claim(ctx, db, a.Identifier)
	if err != nil {
		return false, err
	}
	budgets := append(d.guesses(who.person, a, string(by)), d.party(who.person, a)...)
	if by == ByCode {
		budgets = append(budgets, d.codes(who.person, CodeRequest{Identifier: a.Identifier, Device: a.Device, From: a.From})...)
	}
	told, err := d.limited(ctx, db, budgets)
	return told == errWork, err
}

// everyMethod has budgets of its own.
var everyMethod = []Method{ByKnowledge, ByPIN, ByPassword, ByCode, ByFinger, ByIris, ByFace, ByPasskey, ByWallet, ByCredential}

// Strained tells whether an address range has used half of what it may fail or have
// sent: whoever comes from there is then asked for a proof of work.
func (d *Desk) Strained(ctx context.Context, db postgres.DB, from string) (bool, error) {
	failures := make([][]byte, len(everyMethod))
	for n, m := range everyMethod {
		failures[n] = d.budget(failuresRange, time.Hour, "failures of range", string(m), from).key
	}
	codes := [][]byte{d.budget(d.codesRange(), time.Hour, "codes of range", from).key}
	for _, b := range []struct {
		keys [][]byte
		half int
	}{{failures, failuresRange / 2}, {codes, d.codesRange() / 2}} {
		strained, err := anyUsed(ctx, db, b.keys, b.half, d.Now())
		if err != nil || strained {
			return strained, err
		}
	}
	return false, nil
}

// codes are the budgets that a code that is sent spends.
func (d *Desk) codes(person uuid.UUID, r CodeRequest) []budget {
	if id, ok := d.known(r.Device, person); ok {
		return []budget{d.budget(codesKnown, day, "codes of device", id)}
	}
	whole := d.budget(d.codesRange(), time.Hour, "codes of range", r.From)
	if r.Work != "" {
		return []budget{d.budget(codesWorked, time.Hour, "codes of work", r.Work).orWork(), whole}
	}
	number := plain(r.Identifier)
	return []budget{
		d.budget(d.CodesPerDay, day, "codes from", number, r.From).orWork(),
		d.budget(codesAllFold*d.CodesPerDay, day, "codes", number).orWork(),
		whole,
	}
}

func (d *Desk) codesRange() int { return max(codesRange, codesRangeFold*d.CodesPerDay) }

// messages is the budget of what strangers have sent to a person, whatever they give for
// it. Beyond it nothing is sent, and the answer is as ever: so many messages would harm
// the person more than the code that does not come.
func (d *Desk) messages(person uuid.UUID, device string) []budget {
	if _, ok := d.known(device, person); ok {
		return nil
	}
	return []budget{d.budget(codesPersonFold*d.CodesPerDay, day, "codes of person", person.String())}
}

// calls are the budgets of clients that ask a person to log in. They are not those of
// codes, lest strangers use them up.
func (d *Desk) calls(c Call) []budget {
	number := plain(c.Identifier)
	return []budget{d.budget(d.CodesPerDay, day, "calls by", number, c.Client), d.budget(codesAllFold*d.CodesPerDay, day, "calls", number)}
}

func (d *Desk) tries(from string) budget { return d.budget(triesRange, time.Hour, "tries", from) }

// MayTry refuses an address range from which too many codes were entered that are
// nobody's: those by which a login on another device is found (RFC 8628, 5.1).
func (d *Desk) MayTry(ctx context.Context, db postgres.DB, from string) error {
	told, err := d.limited(ctx, db, []budget{d.tries(from)})
	if err != nil || told == nil {
		return err
	}
	return told
}

// Missed counts such a code.
func (d *Desk) Missed(ctx context.Context, from string) error {
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		_, err := spend(ctx, tx, []budget{d.tries(from)}, d.Now())
		return err
	})
}

// spend takes one from each budget; false when one is used up, and then none is
// spent: an attacker whose range is at its end must not use up what the person's
// other strangers have. The rows are locked until the transaction ends, so two
// attempts cannot share the last one.
func spend(ctx context.Context, tx pgx.Tx, budgets []budget, now time.Time) (bool, error) {
	taken, err := takeEach(ctx, tx, budgets, now)
	if err != nil || len(taken) == len(budgets) {
		return err == nil, err
	}
	return false, giveBack(ctx, tx, taken)
}

// take spends budgets, or tells what is said to whom they are used up for.
func (d *Desk) take(ctx context.Context, tx pgx.Tx, budgets []budget) (told *fault.Fault, err error) {
	free, err := spend(ctx, tx, budgets, d.Now())
	if err != nil || free {
		return nil, err
	}
	if told, err = d.limited(ctx, tx, budgets); told == nil && err == nil {
		told = errWait // a window has ended just now
	}
	return told, err
}

// refund gives back what an attempt had spent that passed or was not judged.
func refund(ctx context.Context, tx pgx.Tx, budgets []budget) error {
	keys := make([][]byte, 0, len(budgets))
	for _, b := range budgets {
		keys = append(keys, b.key)
	}
	return giveBack(ctx, tx, keys)
}

// remembered is a device on which a person has logged in.
type remembered struct {
	Person uuid.UUID `json:"p"`
	Device uuid.UUID `json:"d"`
	Until  time.Time `json:"u"`
}

var devicePlace = []byte("auth device")

// Remember makes the token by which this person's device is known again. It
// proves nothing; it only has a budget of its own.
func (d *Desk) Remember(p Proof) (device string) {
	if p.Zero() {
		return ""
	}
	plain, err := json.Marshal(remembered{p.person, uuid.New(), d.Now().Add(deviceRemembered)})
	if err != nil {
		return ""
	}
	sealed, err := d.Ring.Seal(keys.Sessions, plain, devicePlace)
	if err != nil {
		return "" // the person is a stranger next time, no worse
	}
	return base64.RawURLEncoding.EncodeToString(sealed)
}

// known opens a device's token; false unless it is this person's.
func (d *Desk) known(device string, person uuid.UUID) (id string, ok bool) {
	if device == "" || len(device) > 512 {
		return "", false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(device)
	if err != nil {
		return "", false
	}
	plain, err := d.Ring.Open(keys.Sessions, sealed, devicePlace)
	if err != nil {
		return "", false
	}
	var r remembered
	if json.Unmarshal(plain, &r) != nil || r.Person != person || d.Now().After(r.Until) {
		return "", false
	}
	return r.Device.String(), true
}
