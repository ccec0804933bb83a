package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/keys"
)

func TestIdentityComesBackAsItWasAssigned(t *testing.T) {
	w := newWorld(t)
	n := applicant(t)
	a := w.assign(t, n)
	if _, err := ParseUIN(a.UIN.Reveal()); err != nil || len(a.UIN.Reveal()) != 10 {
		t.Errorf("got %d digits, %v; want a UIN of 10", len(a.UIN.Reveal()), err)
	}
	if _, err := ParseVID(a.VID.Reveal()); err != nil {
		t.Errorf("got %v, want a VID", err)
	}
	i, err := w.Read(t.Context(), w.Pool, a.Person)
	must(t, err)
	if i.Person != a.Person || i.UIN != a.UIN || i.Status != Active || !bytes.Equal(i.Portrait, n.Portrait) || i.Name("eng") != "Ada Lovelace" {
		t.Errorf("got %v %v %s, want what was assigned", i.Person, i.UIN, i.Status)
	}
	templates, err := w.Templates(t.Context(), w.Pool, a.Person)
	must(t, err)
	if !maps.EqualFunc(templates, n.Templates, bytes.Equal) {
		t.Errorf("got templates of %v, want both as they were", slices.Collect(maps.Keys(templates)))
	}
	if person, err := w.PersonOf(t.Context(), w.Pool, n.Application); err != nil || person != a.Person {
		t.Errorf("got %v, %v; want the person of the application", person, err)
	}
	_, err = w.PersonOf(t.Context(), w.Pool, uuid.New())
	isUnknown(t, "an application that was not assigned", err)
	if got := w.count(t, "SELECT count(*) FROM registry_schema WHERE version = $1 AND document <> ''", w.Schema.Version()); got != 1 {
		t.Errorf("got %d, want the schema that the identity names", got)
	}
}

func TestIdentityWithoutPortraitAndFingers(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, NewIdentity{Application: uuid.New(), Fields: applicant(t).Fields})
	i, err := w.Read(t.Context(), w.Pool, a.Person)
	must(t, err)
	templates, err := w.Templates(t.Context(), w.Pool, a.Person)
	must(t, err)
	if i.Portrait != nil || len(templates) != 0 {
		t.Errorf("got %d bytes and %d templates, want none", len(i.Portrait), len(templates))
	}
}

func TestAssignIsOnceForAnApplication(t *testing.T) {
	w := newWorld(t)
	n := applicant(t)
	first := w.assign(t, n)
	if second := w.assign(t, n); second != first {
		t.Errorf("got %v, want what was given first", second)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'uin-assigned' AND person = $1", first.Person); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

func TestAssignIsOnceWhenManyWorkersDoIt(t *testing.T) {
	w := newWorld(t)
	n := applicant(t)
	all := make([]Assigned, 20)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			err := w.in(t, func(tx pgx.Tx) (err error) {
				all[i], err = w.Assign(t.Context(), tx, n)
				return err
			})
			if err != nil {
				t.Errorf("worker %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i, a := range all {
		if a != all[0] || a.Person == uuid.Nil {
			t.Errorf("worker %d: got %v, want %v", i, a, all[0])
		}
	}
	for _, table := range []string{"registry_identity", "registry_vid", "key_person"} {
		if n := w.count(t, "SELECT count(*) FROM "+table); n != 1 {
			t.Errorf("%s: got %d rows, want 1", table, n)
		}
	}
	digits, capacity, issued, err := w.Status(t.Context(), w.Pool)
	if err != nil || digits != 10 || capacity != Capacity(10) || issued != 1 {
		t.Errorf("got %d, %d, %d, %v; want one number of 10 digits given out", digits, capacity, issued, err)
	}
}

func TestEveryApplicationGetsANumberOfItsOwn(t *testing.T) {
	w := newWorld(t)
	seen := make(map[string]bool)
	for range 20 {
		a := w.assign(t, applicant(t))
		seen[a.UIN.Reveal()], seen[a.VID.Reveal()], seen[a.Person.String()] = true, true, true
	}
	if len(seen) != 60 {
		t.Errorf("got %d different ids, want 60", len(seen))
	}
}

func TestNothingIsLeftOfAnAssignmentThatFails(t *testing.T) {
	w := newWorld(t)
	err := w.in(t, func(tx pgx.Tx) error {
		if _, err := w.Assign(t.Context(), tx, applicant(t)); err != nil {
			return err
		}
		return fmt.Errorf("what follows failed")
	})
	if err == nil {
		t.Fatal("got nil, want the failure")
	}
	for _, table := range []string{"registry_identity", "registry_template", "registry_vid", "key_person", "audit_entry"} {
		if n := w.count(t, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%s: got %d rows, want none", table, n)
		}
	}
	if _, _, issued, err := w.Status(t.Context(), w.Pool); err != nil || issued != 0 {
		t.Errorf("got %d numbers given out, %v; want none", issued, err)
	}
}

// A number stays its owner's for life, whatever became of the owner and of the
// key under which the number was stored.
func TestNumberIsTakenForLife(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	must(t, w.set(t, a.Person, Active, Deactivated))
	must(t, w.Ring.Rotate(t.Context(), keys.Lookup))
	taken, err := uinTaken(t.Context(), w.Pool, w.Ring.LookupAll("uin", a.UIN.Reveal()))
	if err != nil || !taken {
		t.Errorf("got %v, %v; want it taken", taken, err)
	}
}

func TestPeopleAreFoundAfterTheLookupKeyWasRotated(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	must(t, w.Ring.Rotate(t.Context(), keys.Lookup))
	must(t, w.Ring.Rotate(t.Context(), keys.Identity))
	for _, id := range []string{a.UIN.Reveal(), a.VID.Reveal()} {
		if person, err := w.Find(t.Context(), w.Pool, id); err != nil || person != a.Person {
			t.Errorf("got %v, %v; want the person", person, err)
		}
	}
	if _, err := w.Read(t.Context(), w.Pool, a.Person); err != nil {
		t.Errorf("got %v, want the identity", err)
	}
}

func TestEveryVIDFindsItsPerson(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	want := []VID{a.VID}
	for range 2 {
		must(t, w.in(t, func(tx pgx.Tx) error {
			v, err := w.CreateVID(t.Context(), tx, a.Person)
			want = append(want, v)
			return err
		}))
	}
	got, err := w.VIDs(t.Context(), w.Pool, a.Person)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v, the oldest first", got, err, want)
	}
	for _, v := range want {
		if person, err := w.Find(t.Context(), w.Pool, v.Reveal()); err != nil || person != a.Person {
			t.Errorf("%v: got %v, %v; want the person", v, person, err)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'vid-created' AND person = $1", a.Person); n != 3 {
		t.Errorf("got %d entries, want 3", n)
	}
}

// No door revokes a VID yet; the state that the schema has for it counts already.
func TestRevokedVIDFindsNobody(t *testing.T) {
	w := newWorld(t)
	a := w.assign(t, applicant(t))
	_, err := w.Pool.Exec(t.Context(), "UPDATE registry_vid SET state = 'revoked' WHERE person = $1", a.Person)
	must(t, err)
	_, err = w.Find(t.Context(), w.Pool, a.VID.Reveal())
	isUnknown(t, "a revoked VID", err)
	if all, err := w.VIDs(t.Context(), w.Pool, a.Person); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want none", all, err)
	}
	if _, err := w.Find(t.Context(), w.Pool, a.UIN.Reveal()); err != nil {
		t.Errorf("got %v, want the person by the UIN still", err)
	}
}

// A person is erased by the key: the rows stay, and tell nothing.
func TestNothingCanBeReadOfAnErasedPerson(t *testing.T) {
	w := newWorld(t)
	a, other := w.assign(t, applicant(t)), w.assign(t, applicant(t))
	_, err := w.Pairwise(t.Context(), w.Pool, "portal.example", a.Person)
	must(t, err)
	must(t, w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, a.Person) }))
	_, err = w.Read(t.Context(), w.Pool, a.Person)
	isUnknown(t, "Read", err)
	_, err = w.Claims(t.Context(), w.Pool, a.Person, ClaimNames(), nil)
	isUnknown(t, "Claims", err)
	_, err = w.Templates(t.Context(), w.Pool, a.Person)
	isUnknown(t, "Templates", err)
	_, err = w.VIDs(t.Context(), w.Pool, a.Person)
	isUnknown(t, "VIDs", err)
	_, err = w.Pairwise(t.Context(), w.Pool, "portal.example", a.Person)
	isUnknown(t, "Pairwise", err)
	isUnknown(t, "CreateVID", w.in(t, func(tx pgx.Tx) error {
		_, err := w.CreateVID(t.Context(), tx, a.Person)
		return err
	}))
	if _, err := w.Read(t.Context(), w.Pool, other.Person); err != nil {
		t.Errorf("got %v, want the other one untouched", err)
	}
}

func TestSealedValuesFitTheirOwnRowOnly(t *testing.T) {
	w := newWorld(t)
	a, b := w.assign(t, applicant(t)), w.assign(t, applicant(t))
	for _, swap := range []string{
		"UPDATE registry_identity SET fields = (SELECT fields FROM registry_identity WHERE person = $2) WHERE person = $1",
		"UPDATE registry_identity SET fields = uin WHERE person = $1 AND person <> $2",
		"UPDATE registry_identity SET portrait = fields WHERE person = $1 AND person <> $2",
	} {
		failed := w.in(t, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), swap, a.Person, b.Person); err != nil {
				t.Error(err)
			}
			i, err := w.Read(t.Context(), tx, a.Person)
			if err == nil || len(i.Fields) != 0 || i.Person != uuid.Nil {
				t.Errorf("%s: got %v, %v; want nothing and an error", swap, i, err)
			}
			return fmt.Errorf("rolled back")
		})
		if failed == nil {
			t.Error("the swap was committed")
		}
	}
}

// secrets are what must not be found in a dump, each as it may be written there.
func secrets(t *testing.T, n NewIdentity, a Assigned, more ...string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	add := func(what, s string) {
		all[what] = s
		all[what+" in hex"] = hex.EncodeToString([]byte(s))
		all[what+" in base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s))[:len(s)], "=")
	}
	for what, s := range map[string]string{"name": "Ada Lovelace", "family name": "Lovelace", "name in Arabic": "آدا لوفلايس", "birthdate": "1990/12/10",
		"phone": "+212600000001", "digits of the phone": "212600000001", "mail": "ada@example.org", "UIN": a.UIN.Reveal(), "VID": a.VID.Reveal(), "portrait": string(n.Portrait)} {
		add(what, s)
	}
	for position, template := range n.Templates {
		add("template of "+string(position), string(template))
	}
	for _, s := range more {
		add("pairwise name", s)
	}
	return all
}

func TestASVS_14_2_DatabaseTellsNothingOfAPerson(t *testing.T) {
	w := newWorld(t)
	n := applicant(t)
	a := w.assign(t, n)
	name, err := w.Pairwise(t.Context(), w.Pool, "portal.example", a.Person)
	must(t, err)
	must(t, w.set(t, a.Person, Active, Deactivated))
	rows, err := w.Pool.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname")
	must(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	secret := secrets(t, n, a, name)
	seen := 0
	for _, table := range tables {
		rows, err := w.Pool.Query(t.Context(), "SELECT x::text FROM "+table+" x")
		must(t, err)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		if strings.HasPrefix(table, "registry_") {
			seen += len(texts)
		}
		for _, text := range texts {
			for what, s := range secret {
				if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
					t.Errorf("%s holds the %s", table, what)
				}
			}
		}
	}
	if seen < 64+1+2+1+1+1 {
		t.Errorf("got %d rows of the registry, want those of the person to have been looked at", seen)
	}
}

func TestASVS_16_2_5_NothingOfAPersonIsPrinted(t *testing.T) {
	w := newWorld(t)
	n := applicant(t)
	a := w.assign(t, n)
	i, err := w.Read(t.Context(), w.Pool, a.Person)
	must(t, err)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("printed", "identity", i, "uin", a.UIN, "vid", a.VID, "assigned", a, "new", n)
	}
	fmt.Fprintf(&log, "%v %+v %#v %s %q\n", i, i, i, i, i)
	fmt.Fprintf(&log, "%v %+v %#v %s %q %x\n", a, a, a, a, a.UIN, a.VID)
	fmt.Fprintf(&log, "%v %+v %#v\n", n, n, n)
	raw, err := json.Marshal(a)
	must(t, err)
	log.Write(raw)
	for what, s := range secrets(t, n, a) {
		if strings.Contains(log.String(), s) {
			t.Errorf("got the %s in %s", what, log.String())
		}
	}
	if !strings.Contains(log.String(), a.Person.String()) {
		t.Error("want the person's id in what was printed")
	}
}
