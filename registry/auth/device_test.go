package auth

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// scanner is a simulated device that has one finger on it.
type scanner struct {
	sbi.Service
	identity simulator.Identity
}

func (w *world) scanner(t *testing.T, picture string) scanner {
	t.Helper()
	raw, err := w.DeviceCertificate(t.Context())
	must(t, err)
	certificates, err := sbi.ParseCertificates(raw)
	must(t, err)
	identity, err := simulator.Own(t.TempDir(), w.now())
	must(t, err)
	device, err := simulator.New(simulator.Config{Pictures: fstest.MapFS{"rightIndex.png": {Data: print(t, picture)}}, Kinds: []string{sbi.Finger}, Level: sbi.L1, Purpose: sbi.Authentication,
		Env: sbi.Developer, Identity: identity, SealTo: certificates[0], Now: w.now})
	must(t, err)
	listening := httptest.NewServer(device)
	t.Cleanup(listening.Close)
	return scanner{sbi.Service{Base: listening.URL, HTTP: listening.Client()}, identity}
}

// capture does what the page does: it fills in the request and has the device answer.
func (s scanner) capture(t *testing.T, w *world, change func(*sbi.Request)) DeviceAnswer {
	t.Helper()
	request, transaction, err := w.AskDevice(ByFinger)
	must(t, err)
	var r sbi.Request
	must(t, json.Unmarshal(request, &r))
	r.Env, r.CaptureTime, r.Bio[0].DeviceID, r.Bio[0].BioSubType = sbi.Developer, sbi.Stamp(w.now()), "1", []string{DevicePart(biometrics.RightIndex)}
	if change != nil {
		change(&r)
	}
	answer, err := s.Capture(t.Context(), r)
	must(t, err)
	raw, err := json.Marshal(answer)
	must(t, err)
	return DeviceAnswer{raw, transaction}
}

// trusting is a policy that believes a scanner.
func (s scanner) trusting(t *testing.T, rule string) evidence.Policy {
	t.Helper()
	coded := func(raw []byte) *fstest.MapFile {
		return &fstest.MapFile{Data: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})}
	}
	p, err := evidence.Parse([]byte(`{"trust": {"providers": "a.pem", "trust_modules": "b.pem"}, "login": {"any": `+rule+`}}`),
		fstest.MapFS{"a.pem": coded(s.identity.Chain[len(s.identity.Chain)-1].Raw), "b.pem": coded(s.identity.ChipChain[len(s.identity.ChipChain)-1].Raw)})
	must(t, err)
	return p
}

func TestAFingerOnADeviceProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	s := w.scanner(t, "p01_rightIndex_1")
	for what, policy := range map[string]evidence.Policy{"trusted": s.trusting(t, `{"device": "L1", "trial": true}`), "a trial": evidence.Trial()} {
		w.Policy = policy
		x, err := w.FromDevice(t.Context(), shown(a.UIN.Reveal(), nil, ""), ByFinger, s.capture(t, w, nil))
		must(t, err)
		if x.Position != biometrics.RightIndex || x.Captured == nil || x.Captured.Device.DeviceProvider != sbi.Simulator {
			t.Errorf("%s: got %s, %+v; want the finger that was asked for, with what its device says", what, x.Position, x.Captured)
		}
		if p, err := w.Verify(t.Context(), x); err != nil || p.Person() != a.Person {
			t.Errorf("%s: got %v, want the person", what, err)
		}
	}
	// A key that was rotated away still opens what a device seals to it.
	must(t, w.Ring.Rotate(t.Context(), keys.Devices))
	if _, err := w.FromDevice(t.Context(), Attempt{}, ByFinger, s.capture(t, w, nil)); err != nil {
		t.Errorf("got %v from a device with the certificate of before", err)
	}
}

func TestACaptureThatProvesNothingIsRefused(t *testing.T) {
	w := newWorld(t)
	s, foreign := w.scanner(t, "p01_rightIndex_1"), w.scanner(t, "p01_rightIndex_1")
	trust := s.trusting(t, `{"device": "L1", "trial": true}`)
	w.Policy = trust
	good := s.capture(t, w, nil)
	for what, c := range map[string]struct {
		answer DeviceAnswer
		method Method
		code   string
	}{
		"nothing":                       {DeviceAnswer{nil, good.Transaction}, ByFinger, "finger-uncaptured"},
		"no JSON":                       {DeviceAnswer{[]byte(strings.Repeat("[", 100_000)), good.Transaction}, ByFinger, "finger-uncaptured"},
		"another transaction":           {DeviceAnswer{good.JSON, s.capture(t, w, nil).Transaction}, ByFinger, "finger-uncaptured"},
		"of a device nobody trusts":     {foreign.capture(t, w, nil), ByFinger, "finger-unproven"},
		"for another server":            {s.capture(t, w, func(r *sbi.Request) { r.DomainURI = "https://evil.example" }), ByFinger, "finger-unproven"},
		"as an eye":                     {good, ByIris, "eye-uncaptured"},
		"with another signature":        {DeviceAnswer{bytes.Replace(good.JSON, []byte(`"data":"eyJ`), []byte(`"data":"eyK`), 1), good.Transaction}, ByFinger, "finger-uncaptured"},
		"sealed to another certificate": {DeviceAnswer{resealed(t, good.JSON), good.Transaction}, ByFinger, "finger-unproven"},
	} {
		if _, err := w.FromDevice(t.Context(), Attempt{}, c.method, c.answer); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != c.code {
			t.Errorf("%s: got %v (%s), want %s", what, err, fault.Of(err).Code, c.code)
		}
	}
	w.wait(3 * time.Minute)
	if _, err := w.FromDevice(t.Context(), Attempt{}, ByFinger, good); fault.Of(err).Code != "finger-uncaptured" {
		t.Errorf("got %v for a capture of three minutes ago", err)
	}
	if _, err := w.FromDevice(t.Context(), Attempt{}, ByPIN, good); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v for a PIN from a scanner", err)
	}
}

// resealed names another certificate.
func resealed(t *testing.T, raw []byte) []byte {
	t.Helper()
	var a sbi.Answer
	must(t, json.Unmarshal(raw, &a))
	a.Biometrics[0].Thumbprint = strings.Repeat("AB", 32)
	out, err := json.Marshal(a)
	must(t, err)
	return out
}

// Nobody watches a login: without a rule it takes devices of level L1 only, and where
// none is trusted no part of the body is offered.
func TestWithoutAPolicyNoImageLogsIn(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	w.Policy = evidence.Policy{}
	for _, m := range w.Offered() {
		if m == ByFinger || m == ByIris || m == ByFace {
			t.Errorf("%s is offered, and nobody could pass", m)
		}
	}
	if p, err := w.Verify(t.Context(), shown(a.UIN.Reveal(), print(t, "p01_rightIndex_1"), "")); !p.Zero() || fault.Of(err).Code != "finger-unproven" {
		t.Errorf("got %v, want a device asked for", err)
	}
	w.Policy = w.scanner(t, "p01_rightIndex_1").trusting(t, `{"device": "L1"}`)
	if device, plain := w.Captures(ByFinger); !device || plain {
		t.Errorf("got devices %v, images %v; want devices only", device, plain)
	}
}
