package place

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
)

func TestDirectoryNeedsItsParts(t *testing.T) {
	w := newWorld(t)
	if _, err := New(Config{Ring: w.Ring}); err == nil {
		t.Error("no pool: got nil, want an error")
	}
	if _, err := New(Config{Pool: w.Pool}); err == nil {
		t.Error("no ring: got nil, want an error")
	}
	d, err := New(Config{Pool: w.Pool, Ring: w.Ring})
	must(t, err)
	if time.Since(d.Now()) > time.Minute {
		t.Errorf("got %v, want the time of day", d.Now())
	}
}

func TestOfficers(t *testing.T) {
	w := newWorld(t)
	bo, amina := w.officer(t, "bob", Adjudicator), w.officer(t, "amina.b@north", Operator)
	all, err := w.Officers(t.Context())
	if err != nil || len(all) != 2 || all[0] != amina || all[1] != bo {
		t.Errorf("got %v, %v; want both by name", all, err)
	}
	if o, err := w.Officer(t.Context(), "bob"); err != nil || o != bo {
		t.Errorf("got %v, %v; want %v", o, err, bo)
	}
	if _, err := w.Officer(t.Context(), "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'officer-added' AND subject = $1 AND details::jsonb ->> 'role' = 'adjudicator'", "officer:"+bo.ID.String()); n != 1 {
		t.Errorf("got %d entries, want 1", n)
	}
}

func TestOfficersThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	for what, c := range map[string]struct {
		name     string
		role     Role
		password string
		kind     fault.Kind
		field    string
	}{
		"no name": {"", Operator, password, fault.Invalid, "name"}, "a short name": {"ab", Operator, password, fault.Invalid, "name"},
		"a long name": {strings.Repeat("a", 65), Operator, password, fault.Invalid, "name"}, "capitals": {"Amina", Operator, password, fault.Invalid, "name"},
		"a blank": {"amina b", Operator, password, fault.Invalid, "name"}, "a line": {"amina\n", Operator, password, fault.Invalid, "name"},
		"a dot first": {".amina", Operator, password, fault.Invalid, "name"}, "no role": {"bea", "", password, fault.Invalid, "role"},
		"an unknown role": {"bea", "root", password, fault.Invalid, "role"}, "a short password": {"bea", Operator, "short", fault.Invalid, "password"},
		"a name that is taken": {"amina", Adjudicator, password, fault.Conflict, ""},
	} {
		_, err := w.AddOfficer(t.Context(), c.name, c.role, c.password)
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", what, err, c.kind)
			continue
		}
		if f := fault.Of(err).Fields; c.field != "" && (len(f) != 1 || f[0].Name != c.field) {
			t.Errorf("%s: got %v, want %s named", what, f, c.field)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'officer-added'"); n != 1 {
		t.Errorf("got %d entries, want only that of the one who was added", n)
	}
}

func TestOfficerSignsInAndOut(t *testing.T) {
	w := newWorld(t)
	o := w.officer(t, "amina", Operator)
	token, got, err := w.SignIn(t.Context(), "amina", password, home)
	if err != nil || got != o || len(token) != 43 { // 256 bits: ASVS 7.2.3 asks for 128
		t.Fatalf("got %v, a token of %d characters, %v; want a session", got, len(token), err)
	}
	again := w.signedIn(t, "amina")
	if again == token {
		t.Error("got the same token twice, want one for each session (ASVS 7.2.4)")
	}
	for _, s := range []string{token, again} {
		if got, err := w.Session(t.Context(), s); err != nil || got != o {
			t.Errorf("got %v, %v; want %v", got, err, o)
		}
	}
	must(t, w.SignOut(t.Context(), token, o))
	if _, err := w.Session(t.Context(), token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v, want the session ended (ASVS 7.4.1)", err)
	}
	if _, err := w.Session(t.Context(), again); err != nil {
		t.Errorf("got %v, want the other session alive", err)
	}
	for event, want := range map[string]int{"officer-signed-in": 2, "officer-signed-out": 1} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND actor = $2", event, "officer:"+o.ID.String()); n != want {
			t.Errorf("%s: got %d entries, want %d", event, n, want)
		}
	}
}

func TestTokensAreNotGuessed(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	token := w.signedIn(t, "amina")
	for _, s := range []string{"", "x", token[:42], token + "A", strings.ToUpper(token), "' OR ''='", strings.Repeat("A", 43)} {
		if o, err := w.Session(t.Context(), s); !fault.Is(err, fault.Unauthenticated) || o != (Officer{}) {
			t.Errorf("%q: got %v, %v; want nobody", s, o, err)
		}
	}
}

func TestASVS_6_3_8_WrongPasswordAndUnknownNameAreAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	w.officer(t, "gone", Operator)
	_, err := w.Pool.Exec(t.Context(), "UPDATE place_officer SET disabled = true WHERE name = 'gone'")
	must(t, err)
	for n := range patience + 2 {
		known := w.refused(t, "amina", "a wrong password", home)
		for _, name := range []string{"nobody", "gone"} {
			if got := w.refused(t, name, "a wrong password", home); !alike(got, known) {
				t.Errorf("%s, try %d: got %v, want %v", name, n, got, known)
			}
		}
		if want := fault.Unauthenticated; n < patience && known.Kind != want {
			t.Errorf("try %d: got %v, want %v", n, known, want)
		} else if n >= patience && known.Kind != fault.Busy {
			t.Errorf("try %d: got %v, want to wait", n, known)
		}
	}
	if got := w.refused(t, "gone", password, afar); got.Kind != fault.Unauthenticated {
		t.Errorf("got %v, want a disabled officer refused with the right password", got)
	}
	for _, name := range []string{"", "AMINA", "amina ", "' OR ''='", strings.Repeat("a", 4000), "ami\x00na", "\xff\xfe"} {
		if got := w.refused(t, name, password, afar); got.Kind != fault.Unauthenticated {
			t.Errorf("%.20q: got %v, want the same answer", name, got)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'officer-refused'"); n != patience {
		t.Errorf("got %d entries, want one for each wrong password of somebody", n)
	}
}

func TestASVS_6_3_1_GuessesWaitAndShutNobodyOut(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	for range patience {
		_ = w.refused(t, "amina", "a wrong password", afar)
	}
	if got := w.refused(t, "amina", password, afar); got.Kind != fault.Busy {
		t.Errorf("got %v, want the right password to wait there too", got)
	}
	// The officer is elsewhere, and works on.
	w.signedIn(t, "amina")
	w.wait(pause)
	if _, _, err := w.SignIn(t.Context(), "amina", password, afar); err != nil {
		t.Errorf("got %v, want it let in after the pause", err)
	}
}

func TestAskingWhileWaitingDoesNotProlongIt(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	for range patience {
		_ = w.refused(t, "amina", "a wrong password", home)
	}
	for range 5 {
		w.wait(pause / 6)
		if got := w.refused(t, "amina", password, home); got.Kind != fault.Busy {
			t.Errorf("got %v, want to wait", got)
		}
	}
	w.wait(pause / 6)
	w.signedIn(t, "amina")
}

func TestSigningInForgetsFailures(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	for range 3 {
		for range patience - 1 {
			_ = w.refused(t, "amina", "a wrong password", home)
		}
		w.signedIn(t, "amina")
	}
}

func TestASVS_6_3_1_GuessesSideBySideAreBounded(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, _, errs[i] = w.SignIn(t.Context(), "amina", "a wrong password", home) })
	}
	wg.Wait()
	judged := 0
	for _, err := range errs {
		if errors.Is(err, errSignIn) {
			judged++
		} else if !fault.Is(err, fault.Busy) {
			t.Errorf("got %v, want one of the two refusals", err)
		}
	}
	if judged != patience {
		t.Errorf("got %d passwords judged, want %d", judged, patience)
	}
}

func TestASVS_7_3_1_SessionEndsWhenItIsNotUsed(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	used, left := w.signedIn(t, "amina"), w.signedIn(t, "amina")
	for range 3 {
		w.wait(idle - time.Minute)
		if _, err := w.Session(t.Context(), used); err != nil {
			t.Fatalf("got %v, want a session that is used to live", err)
		}
	}
	if _, err := w.Session(t.Context(), left); !fault.Is(err, fault.Unauthenticated) || fault.Of(err).Code != "session-ended" {
		t.Errorf("got %v, want a session that was left to have ended", err)
	}
	w.wait(idle)
	if _, err := w.Session(t.Context(), used); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v, want it ended", err)
	}
}

func TestASVS_7_3_2_SessionEndsAfterTwelveHours(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	token := w.signedIn(t, "amina")
	const step = 5 * time.Minute
	for n := range int(absolute/step) - 1 {
		w.wait(step)
		if _, err := w.Session(t.Context(), token); err != nil {
			t.Fatalf("got %v after %v, want it alive", err, time.Duration(n+1)*step)
		}
	}
	w.wait(step)
	if _, err := w.Session(t.Context(), token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v, want it ended however much it was used", err)
	}
}

func TestSessionOfADisabledOfficerEnds(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	token := w.signedIn(t, "amina")
	_, err := w.Pool.Exec(t.Context(), "UPDATE place_officer SET disabled = true")
	must(t, err)
	if _, err := w.Session(t.Context(), token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v, want it ended (ASVS 7.4.2)", err)
	}
	if all, err := w.Officers(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want none listed", all, err)
	}
}

func TestSweepForgetsWhatHasExpired(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	w.signedIn(t, "amina")
	_ = w.refused(t, "nobody", "a wrong password", home)
	w.wait(pause / 2)
	must(t, w.Sweep(t.Context()))
	if s, a := w.count(t, "SELECT count(*) FROM place_session"), w.count(t, "SELECT count(*) FROM place_attempt"); s != 1 || a != 1 {
		t.Errorf("got %d sessions and %d attempts, want both kept", s, a)
	}
	w.wait(idle)
	must(t, w.Sweep(t.Context()))
	if s, a := w.count(t, "SELECT count(*) FROM place_session"), w.count(t, "SELECT count(*) FROM place_attempt"); s != 0 || a != 0 {
		t.Errorf("got %d sessions and %d attempts, want none", s, a)
	}
}

func TestASVS_14_2_NothingSecretIsKeptInTheClear(t *testing.T) {
	w := newWorld(t)
	w.officer(t, "amina", Operator)
	token := w.signedIn(t, "amina")
	_ = w.refused(t, "a name mistyped as secret", "a wrong password", home)
	seen := 0
	for _, table := range []string{"place_officer", "place_session", "place_attempt", "audit_entry"} {
		for _, text := range w.dump(t, table) {
			seen++
			for _, s := range []string{password, "a wrong password", "mistyped", token, home} {
				if strings.Contains(text, s) {
					t.Errorf("%s holds %q", table, s)
				}
			}
		}
	}
	if seen < 5 {
		t.Errorf("got %d rows, want what was done looked at", seen)
	}
}

func TestStations(t *testing.T) {
	w := newWorld(t)
	public, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	s, err := w.AddStation(t.Context(), "north one", public)
	must(t, err)
	got, err := w.Station(t.Context(), w.Pool, s.ID)
	if err != nil || got.ID != s.ID || got.Name != "north one" || !got.Public.Equal(public) || got.Disabled {
		t.Errorf("got %v, %v; want the station", got, err)
	}
	must(t, w.DisableStation(t.Context(), s.ID))
	if got, err := w.Station(t.Context(), w.Pool, s.ID); err != nil || !got.Disabled {
		t.Errorf("got %v, %v; want it disabled", got, err)
	}
	if _, err := w.Station(t.Context(), w.Pool, uuid.New()); !fault.Is(err, fault.NotFound) || fault.Of(err).Code != "station-unknown" {
		t.Errorf("got %v, want it unknown", err)
	}
	if err := w.DisableStation(t.Context(), uuid.New()); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want it unknown", err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	must(t, err)
	for what, c := range map[string]struct {
		name string
		key  ed25519.PublicKey
		kind fault.Kind
	}{
		"no name": {"", other, fault.Invalid}, "a long name": {strings.Repeat("x", 65), other, fault.Invalid}, "no key": {"north two", nil, fault.Invalid},
		"a NUL": {"north\x00", other, fault.Invalid}, "no UTF-8": {"\xff", other, fault.Invalid}, "a line": {"a\nb", other, fault.Invalid},
		"a short key": {"north two", other[:31], fault.Invalid}, "a name that is taken": {"north one", other, fault.Conflict}, "a key that is taken": {"north two", public, fault.Conflict},
	} {
		if _, err := w.AddStation(t.Context(), c.name, c.key); !fault.Is(err, c.kind) {
			t.Errorf("%s: got %v, want %v", what, err, c.kind)
		}
	}
	for event, want := range map[string]int{"station-added": 1, "station-disabled": 1} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND subject = $2", event, "station:"+s.ID.String()); n != want {
			t.Errorf("%s: got %d entries, want %d", event, n, want)
		}
	}
}
