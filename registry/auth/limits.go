package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Budgets of failed attempts and of codes sent. Whoever comes from a device on
// which the person has logged in before spends a budget of that device alone,
// which nobody else can use up; all others together share a budget of the person,
// which bounds guessing (50 guesses among 10^6 codes a day), and cannot shut the
// person out of the known device. An address range has a budget over all
// persons, against trying one guess on each of many, and a relying party one
// against guesses that come from everywhere through it.
const (
	day               = 24 * time.Hour
	failuresKnown     = 20 // per known device, a day
	failuresStrangers = 50 // per person, all strangers together, a day
	failuresFromRange = 10 // per person and address range, an hour
	failuresRange     = 300
	failuresParty     = 20_000 // of strangers, per relying party, an hour
	partyShards       = 16
	codesKnown        = 20
	codesStrangers    = 10 // per person and address range, a day
	codesAllStrangers = 40 // per person, a day
	codesRange        = 2000
	deviceRemembered  = 180 * day
)

// budget is how often something may be done in a window.
type budget struct {
	key    []byte
	limit  int
	window time.Duration
}

func (d *Desk) budget(limit int, window time.Duration, parts ...string) budget {
	raw := make([][]byte, len(parts))
	for i, p := range parts {
		raw[i] = []byte(p)
	}
	return budget{d.Ring.PRF("auth limit", raw...), limit, window}
}

// guesses are the budgets that a failed attempt spends. Each kind of evidence has
// its own, so that wrong codes do not keep a finger from being shown.
func (d *Desk) guesses(person uuid.UUID, a Attempt, kind string) []budget {
	if id, ok := d.known(a.Device, person); ok {
		return []budget{d.budget(failuresKnown, day, "failures of device", kind, id)}
	}
	return []budget{
		d.budget(failuresFromRange, time.Hour, "failures from", kind, person.String(), a.From),
		d.budget(failuresStrangers, day, "failures", kind, person.String()),
		d.budget(failuresRange, time.Hour, "failures of range", kind, a.From),
	}
}

// party is the budget of the relying party, which failures of strangers spend: a
// rogue one cannot try its people's PINs for long, and still cannot keep anybody from
// a known device. It is spent after a failure only, and in shards by person: were it
// spent before, as the others are, all logins at a large party would wait in one line.
func (d *Desk) party(person uuid.UUID, a Attempt) []budget {
	if _, ok := d.known(a.Device, person); ok || a.Client == "" {
		return nil
	}
	shard := strconv.Itoa(int(person[0]) % partyShards)
	return []budget{d.budget(failuresParty/partyShards, time.Hour, "failures of party", a.Client, shard)}
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
	codes := [][]byte{d.budget(codesRange, time.Hour, "codes of range", from).key}
	for _, b := range []struct {
		keys [][]byte
		half int
	}{{failures, failuresRange / 2}, {codes, codesRange / 2}} {
		strained, err := anyUsed(ctx, db, b.keys, b.half, d.Now())
		if err != nil || strained {
			return strained, err
		}
	}
	return false, nil
}

// codes are the budgets that a code that is sent spends.
func (d *Desk) codes(person uuid.UUID, device, from string) []budget {
	if id, ok := d.known(device, person); ok {
		return []budget{d.budget(codesKnown, day, "codes of device", id)}
	}
	return []budget{
		d.budget(codesStrangers, day, "codes from", person.String(), from),
		d.budget(codesAllStrangers, day, "codes", person.String()),
		d.budget(codesRange, time.Hour, "codes of range", from),
	}
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

// allFree tells whether every budget has something left, without taking it.
func allFree(ctx context.Context, db postgres.DB, budgets []budget, now time.Time) (bool, error) {
	for _, b := range budgets {
		if free, err := isFree(ctx, db, b, now); err != nil || !free {
			return false, err
		}
	}
	return true, nil
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
