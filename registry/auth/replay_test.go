package auth

import (
	"encoding/pem"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/internal/fault"
)

func TestAnImagePassesOnce(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	once := shown(a.UIN.Reveal(), print(t, "p01_rightIndex_1"), "")
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			p, err := w.Verify(t.Context(), once)
			switch {
			case err == nil && !p.Zero():
				passed.Add(1)
			case !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Busy):
				t.Errorf("got %v, want it shown before, or too many at once", err)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("got %d logins by one image, want one", n)
	}
	// Another file with the same pixels is the same image.
	dressed := once
	dressed.Finger, dressed.From, dressed.Client = append(slices.Clone(once.Finger), 0), afar, "another portal"
	w.wait(2 * 24 * time.Hour) // the budgets are whole again
	if p, err := w.Verify(t.Context(), dressed); !p.Zero() || fault.Of(err).Code != "finger-shown-before" {
		t.Errorf("got %v, want the image known again", err)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person = $1 AND details::text LIKE '%shown-before%'", a.Person); n == 0 {
		t.Error("the replay is not in the audit")
	}
	w.wait(imageLife)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_image"); n != 0 {
		t.Errorf("got %d images remembered for ever", n)
	}
}

// Who has a copy of the image that was enrolled does not have the finger.
func TestTheImageOfEnrolmentIsNoFinger(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	p, err := w.Verify(t.Context(), shown(a.UIN.Reveal(), print(t, "p01_rightIndex_0"), ""))
	answered(t, "a copy", p, err, errRefused)
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND person = $1 AND details::text LIKE '%copied%'", a.Person); n != 1 {
		t.Errorf("got %d entries of a copy, want one", n)
	}
	w.Policy = evidence.Trial()
	for range 2 {
		if p, err := w.Verify(t.Context(), shown(a.UIN.Reveal(), print(t, "p01_rightIndex_0"), "")); err != nil || p.Zero() {
			t.Errorf("got %v in a trial, want it taken", err)
		}
	}
}

func TestALoginAsksForWhatThePolicySays(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	keys, err := simulator.Own(t.TempDir(), time.Now())
	must(t, err)
	ca := func(chain int) *fstest.MapFile {
		raw := keys.Chain[len(keys.Chain)-1].Raw
		if chain > 0 {
			raw = keys.ChipChain[len(keys.ChipChain)-1].Raw
		}
		return &fstest.MapFile{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
	}
	w.Policy, err = evidence.Parse([]byte(`{"trust": {"providers": "a.pem", "trust_modules": "b.pem"}, "login": {"finger": {"device": "L1", "pad": {"score": 0.5}}}}`),
		fstest.MapFS{"a.pem": ca(0), "b.pem": ca(1)})
	must(t, err)
	good := sbi.Evidence{Level: sbi.L1, Env: sbi.Production, Device: sbi.DigitalID{DeviceProvider: "ACME"}, PAD: &biometrics.PAD{Score: .9}}
	attack := good
	attack.PAD = &biometrics.PAD{Score: .1}
	for what, c := range map[string]struct {
		captured *sbi.Evidence
		passes   bool
	}{"nothing": {nil, false}, "an attack": {&attack, false}, "good": {&good, true}} {
		x := shown(a.UIN.Reveal(), print(t, "p01_rightIndex_1"), "")
		x.Captured = c.captured
		if p, err := w.Verify(t.Context(), x); p.Zero() == c.passes || !c.passes && fault.Of(err).Code != "finger-unproven" {
			t.Errorf("%s: got %v", what, err)
		}
	}
}
