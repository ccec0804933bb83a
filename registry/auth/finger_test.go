package auth

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

// shown is a finger that somebody shows.
func shown(identifier string, image []byte, position biometrics.Position) Attempt {
	return Attempt{Identifier: identifier, Finger: image, Position: position, Transaction: "a login", Client: portal, From: home}
}

func TestFingerProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	if score := oneScore(t, "p01_rightIndex_0", "p01_rightIndex_1"); score < finger.Threshold+1 {
		t.Fatalf("got %.1f for two prints of one finger, want prints that fit", score)
	}
	for _, position := range []biometrics.Position{"", biometrics.RightIndex} {
		p, err := w.Verify(t.Context(), shown(a.UIN.Reveal(), print(t, "p01_rightIndex_1"), position))
		if err != nil || p.Person() != a.Person || !slices.Equal(p.Methods(), []Method{ByFinger}) {
			t.Errorf("%q: got %v, %v; want the person by a finger", position, p.Methods(), err)
		}
		w.wait(imageLife + time.Minute)
	}
}

func TestAnotherFingerIsRefused(t *testing.T) {
	w := newWorld(t)
	a, other, without := w.withFingers(t), w.person(t), w.enrolled(t, registry.NewIdentity{Templates: map[biometrics.Position][]byte{biometrics.LeftEye: []byte("an iris")}})
	mine := print(t, "p01_rightIndex_1")
	for what, x := range map[string]Attempt{
		"somebody else's finger":           shown(a.UIN.Reveal(), print(t, "p02_rightIndex_0"), biometrics.RightIndex),
		"somebody else's, any":             shown(a.UIN.Reveal(), print(t, "p03_rightIndex_0"), ""),
		"a finger that is not enrolled":    shown(a.UIN.Reveal(), print(t, "p01_rightMiddle_0"), ""),
		"as another finger":                shown(a.UIN.Reveal(), mine, biometrics.LeftIndex),
		"as a finger that is not enrolled": shown(a.UIN.Reveal(), mine, biometrics.RightThumb),
		"as an eye":                        shown(without.UIN.Reveal(), mine, biometrics.LeftEye),
		"as no position":                   shown(a.UIN.Reveal(), mine, "tail"),
		"at somebody without fingers":      shown(other.UIN.Reveal(), mine, ""),
		"at nobody":                        shown("2753819640", mine, ""),
	} {
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person = $1 AND details::text LIKE '%finger%'", a.Person); n != 6 {
		t.Errorf("got %d entries, want one for each refusal", n)
	}
}

func TestFingerOfSomebodyDeactivatedIsRefused(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	w.in(t, func(tx pgx.Tx) error {
		return w.Registry.SetStatus(t.Context(), tx, a.Person, registry.Active, registry.Blocked)
	})
	p, err := w.Verify(t.Context(), shown(a.UIN.Reveal(), print(t, "p01_rightIndex_0"), ""))
	answered(t, "blocked", p, err, errRefused)
}

// What cannot be used is said before anybody is looked for: it tells nothing.
func TestImageThatCannotBeUsedIsNamed(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	whole := print(t, "p01_rightIndex_0")
	huge := append([]byte(nil), whole...)
	copy(huge[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65,536 by 65,536 by its own word
	for what, c := range map[string]struct {
		image []byte
		hint  string
	}{
		"words": {[]byte("this is no image"), "Send a PNG"}, "cut": {whole[:len(whole)/2], "Send a PNG"}, "no finger": {blank(t), "Wipe the finger"},
		"too large": {huge, ""}, "zeros": {bytes.Repeat([]byte{0}, 4096), "Send a PNG"},
	} {
		for _, identifier := range []string{a.UIN.Reveal(), "2753819640"} {
			p, err := w.Verify(t.Context(), shown(identifier, c.image, ""))
			if !p.Zero() || !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "finger-unusable" || !strings.Contains(fault.Of(err).Sentence, c.hint) {
				t.Errorf("%s: got %v, want a sentence with %q", what, err, c.hint)
			}
		}
	}
	if n := w.count(t, "SELECT count(*) FROM auth_limit"); n != 0 {
		t.Errorf("got %d budgets touched, want none", n)
	}
}

func TestAttemptHasOneKindOfEvidence(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	for what, x := range map[string]Attempt{
		"none": {Identifier: a.UIN.Reveal(), Transaction: "a login"}, "both": {Identifier: a.UIN.Reveal(), Transaction: "a login", Code: "000000", Finger: print(t, "p01_rightIndex_0")},
		"no transaction": {Identifier: a.UIN.Reveal(), Finger: print(t, "p01_rightIndex_0")}, "nothing": {},
	} {
		if p, err := w.Verify(t.Context(), x); !p.Zero() || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", what, err)
		}
	}
}

// The more fingers are tried, the more alike they must be.
func TestManyFingersCostMore(t *testing.T) {
	for n, want := range map[int]biometrics.Score{0: 0, 1: 0, 2: .5, 3: .5, 4: 1, 10: 1} {
		if got := chances(n); got != want {
			t.Errorf("%d fingers: got %v, want %v", n, got, want)
		}
	}
}
