package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
)

// faces stands for a trained model, which is not ours to ship: it knows a face by
// the shade of its picture's corner, and sees none in a white one.
type faces struct{ broken bool }

func (f faces) Extract(_ context.Context, img *face.Image) ([]byte, error) {
	if f.broken {
		return nil, face.ErrEngine
	}
	if img.Grey()[0] == 255 {
		return nil, face.ErrNoFace
	}
	return img.Grey()[:1], nil
}

func (faces) Compare(_ context.Context, a, b []byte) (biometrics.Score, error) {
	if bytes.Equal(a, b) {
		return 5, nil
	}
	return 1, nil
}

// portrait is a picture of somebody, at a moment.
func portrait(who, moment uint8) []byte {
	img := image.NewGray(image.Rect(0, 0, 80, 100))
	for i := range img.Pix {
		img.Pix[i] = 10 * who
	}
	img.SetGray(40, 50, color.Gray{Y: 100 + moment})
	return synth.PNG(img)
}

func facing(identifier string, image []byte) Attempt {
	return Attempt{Identifier: identifier, Face: image, Transaction: "a login", Client: portal, From: home}
}

func TestFaceNeedsAnEngine(t *testing.T) {
	w := newWorld(t)
	a := w.enrolled(t, registry.NewIdentity{Portrait: portrait(1, 0)})
	for _, identifier := range []string{a.UIN.Reveal(), nobodysUIN(t)} {
		p, err := w.Verify(t.Context(), facing(identifier, portrait(1, 1)))
		if !p.Zero() || !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "face-not-offered" || !strings.Contains(fault.Of(err).Sentence, "face is not offered here") {
			t.Errorf("got %v, want it said that faces are not offered", err)
		}
	}
	if slices.Contains(w.Offered(), ByFace) {
		t.Error("got faces on offer")
	}
	w.Face = faces{}
	if !slices.Contains(w.Offered(), ByFace) {
		t.Error("got no faces on offer, want them with an engine")
	}
}

func TestFaceProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	w.Face = faces{}
	a, without := w.enrolled(t, registry.NewIdentity{Portrait: portrait(1, 0)}), w.person(t)
	p, err := w.Verify(t.Context(), facing(a.UIN.Reveal(), portrait(1, 1)))
	if err != nil || p.Person() != a.Person || fmt.Sprint(p.Methods()) != "[face]" {
		t.Errorf("got %v, %v; want the person by a face", p.Methods(), err)
	}
	for what, x := range map[string]Attempt{"another face": facing(a.UIN.Reveal(), portrait(2, 1)), "nobody": facing(nobodysUIN(t), portrait(1, 2)),
		"somebody without a portrait": facing(without.UIN.Reveal(), portrait(1, 2)), "the portrait itself": facing(a.UIN.Reveal(), portrait(1, 0))} {
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	for what, c := range map[string]struct {
		image []byte
		code  string
	}{"shown before": {portrait(1, 1), "face-shown-before"}, "no image": {[]byte("words"), "face-unusable"}, "no face": {blank(t), "face-unusable"}} {
		if p, err := w.Verify(t.Context(), facing(a.UIN.Reveal(), c.image)); !p.Zero() || fault.Of(err).Code != c.code {
			t.Errorf("%s: got %v, want %s", what, err, c.code)
		}
	}
	w.Policy = evidence.Trial()
	if p, err := w.Verify(t.Context(), facing(a.UIN.Reveal(), portrait(1, 0))); p.Zero() {
		t.Errorf("got %v in a trial, want it taken", err)
	}
	w.Face = faces{broken: true}
	if _, err := w.Verify(t.Context(), facing(a.UIN.Reveal(), portrait(1, 4))); !fault.Is(err, fault.Busy) || !errors.Is(err, face.ErrEngine) {
		t.Errorf("got %v, want busy", err)
	}
}

func TestAnAttemptBringsOneKindOfEvidence(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	for what, x := range map[string]Attempt{"nothing": {}, "two": {Code: "123456", PIN: "123456"}, "three": {Finger: []byte("x"), Eye: []byte("x"), Face: []byte("x")},
		"an empty map": {Knowledge: map[string]string{}}, "a wallet and a passkey": {Wallet: []byte("x"), Passkey: []byte("x")}} {
		x.Identifier, x.Transaction, x.Client, x.From = a.UIN.Reveal(), "a login", portal, home
		if p, err := w.Verify(t.Context(), x); !p.Zero() || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", what, err)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM auth_limit"); n != 0 {
		t.Errorf("got %d budgets touched, want none", n)
	}
	w.without[notify.SMS] = true
	if !slices.Contains(w.Offered(), ByCode) {
		t.Error("got no codes, want them by mail")
	}
	w.without[notify.Mail] = true
	if slices.Contains(w.Offered(), ByCode) {
		t.Error("got codes without a channel")
	}
}
