package auth

import (
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

// eye is one look at an eye of nobody.
func eye(seed int64, look int) []byte { return synth.PNG(synth.Eye(seed, look, 1)) }

// withEyes is somebody whose eyes are enrolled.
func (w *world) withEyes(t *testing.T) registry.Assigned {
	t.Helper()
	code := func(seed int64) []byte {
		seen, err := readEye(eye(seed, 0))
		must(t, err)
		return seen.found.Marshal()
	}
	return w.enrolled(t, registry.NewIdentity{Templates: map[biometrics.Position][]byte{
		biometrics.LeftEye: code(1), biometrics.RightEye: code(2), biometrics.RightIndex: template(t, "p01_rightIndex_0")}})
}

func seen(identifier string, image []byte, position biometrics.Position) Attempt {
	return Attempt{Identifier: identifier, Eye: image, Position: position, Transaction: "a login", Client: portal, From: home}
}

func TestEyeProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	a := w.withEyes(t)
	for look, position := range []biometrics.Position{"", biometrics.LeftEye} {
		p, err := w.Verify(t.Context(), seen(a.UIN.Reveal(), eye(1, look+1), position))
		if err != nil || p.Person() != a.Person || fmt.Sprint(p.Methods()) != "[iris]" {
			t.Errorf("%q: got %v, %v; want the person by an iris", position, p.Methods(), err)
		}
	}
	for what, x := range map[string]Attempt{
		"another eye": seen(a.UIN.Reveal(), eye(9, 1), ""), "as the other eye": seen(a.UIN.Reveal(), eye(1, 3), biometrics.RightEye),
		"as a finger": seen(a.UIN.Reveal(), eye(1, 3), biometrics.RightIndex), "at nobody": seen(nobodysUIN(t), eye(1, 3), ""),
		"at somebody without eyes": seen(w.person(t).UIN.Reveal(), eye(1, 3), ""), "a copy of the enrolment": seen(a.UIN.Reveal(), eye(1, 0), ""),
	} {
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	p, err := w.Verify(t.Context(), seen(a.UIN.Reveal(), blank(t), ""))
	if !p.Zero() || fault.Of(err).Code != "eye-unusable" || !strings.Contains(fault.Of(err).Sentence, "open the eye") {
		t.Errorf("no eye: got %v, want it said", err)
	}
}

func TestALookPassesOnce(t *testing.T) {
	w := newWorld(t)
	a := w.withEyes(t)
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			p, err := w.Verify(t.Context(), seen(a.UIN.Reveal(), eye(1, 1), ""))
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
		t.Errorf("got %d logins by one look, want one", n)
	}
	w.wait(day)
	if _, err := w.Verify(t.Context(), seen(a.UIN.Reveal(), eye(1, 1), "")); fault.Of(err).Code != "eye-shown-before" {
		t.Errorf("got %v, want the look known again", err)
	}
}

// What a policy asks of one kind of sample, it asks of that kind only.
func TestEveryKindOfImageIsHeldToItsRule(t *testing.T) {
	w := newWorld(t)
	w.Face = faces{}
	a := w.enrolled(t, registry.NewIdentity{Portrait: portrait(1, 0)})
	keys, err := simulator.Own(t.TempDir(), time.Now())
	must(t, err)
	ca := &fstest.MapFile{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: keys.Chain[len(keys.Chain)-1].Raw})}
	for _, c := range []struct{ rule, code string }{{"iris", "eye-unproven"}, {"face", "face-unproven"}, {"finger", "finger-unproven"}} {
		w.Policy, err = evidence.Parse([]byte(`{"trust": {"providers": "a.pem"}, "login": {"`+c.rule+`": {"device": "L0"}}}`), fstest.MapFS{"a.pem": ca})
		must(t, err)
		for _, x := range []struct {
			kind string
			Attempt
		}{{"iris", seen(a.UIN.Reveal(), eye(3, 0), "")}, {"face", facing(a.UIN.Reveal(), portrait(1, 1))}, {"finger", shown(a.UIN.Reveal(), print(t, "p01_rightIndex_1"), "")}} {
			_, err := w.Verify(t.Context(), x.Attempt)
			if unproven := err != nil && fault.Of(err).Code == c.code; unproven != (x.kind == c.rule) {
				t.Errorf("a rule of %s for %s: got %v", c.rule, x.kind, err)
			}
			x.Captured = &sbi.Evidence{Level: sbi.L0, Env: sbi.Production, Device: sbi.DigitalID{DeviceProvider: "ACME"}}
			if _, err := w.Verify(t.Context(), x.Attempt); err != nil && fault.Of(err).Code == c.code {
				t.Errorf("a rule of %s: got %v for a device that vouches", c.rule, err)
			}
		}
	}
}
