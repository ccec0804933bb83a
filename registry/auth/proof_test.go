package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

func terms() Terms {
	return Terms{Client: portal, Scopes: []string{"openid", "profile"}, Claims: []string{"name"}, Configurations: []string{"NationalID"}}
}

func TestGrantIsWhatAProvenPersonWasAskedFor(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	asked := terms()
	g, err := w.Grant(p, asked)
	must(t, err)
	asked.Scopes[0], asked.Claims[0], asked.Configurations[0] = "admin", "email", "Passport"
	g.Scopes()[0], g.Claims()[0], g.Configurations()[0], g.AMR()[0], p.Methods()[0] = "admin", "email", "Passport", "hwk", ByPasskey
	if g.Zero() || g.Person() != a.Person || g.Client() != portal || !slices.Equal(g.Scopes(), terms().Scopes) || !slices.Equal(g.Claims(), terms().Claims) ||
		!slices.Equal(g.Configurations(), terms().Configurations) || g.ACR() != ACRCode || !slices.Equal(g.AMR(), []string{"otp"}) || !g.At().Equal(w.at) || g.Voucher() != (Voucher{}) {
		t.Errorf("got %v, want what was asked for, unchanged", g)
	}
}

func TestProofIsGoodForAWhile(t *testing.T) {
	w := newWorld(t)
	p := w.logIn(t, w.person(t).UIN.Reveal())
	blob, err := w.SealProof(p, []byte("a cookie"))
	must(t, err)
	w.wait(proofLife)
	if _, err := w.Grant(p, terms()); err != nil {
		t.Errorf("got %v, want it good until its end", err)
	}
	w.wait(time.Second)
	if g, err := w.Grant(p, terms()); !g.Zero() || !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it refused after its end", err)
	}
	// What waited on the pages of a login is good as long as they may be: somebody who asked
	// for more time has got it.
	w.wait(VisitLife - proofLife - time.Second)
	q, err := w.OpenProof(blob, []byte("a cookie"))
	if g, granted := w.Grant(q, terms()); err != nil || granted != nil || g.Zero() {
		t.Errorf("got %v, %v; want it good until the end of the visit", err, granted)
	}
	if err := w.SetPIN(t.Context(), q, goodPIN); !errors.Is(err, errNoProof) {
		t.Errorf("got %v, want a fresher one to set a PIN", err)
	}
	w.wait(time.Second)
	if g, err := w.Grant(q, terms()); !g.Zero() || !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it refused after the visit", err)
	}
	if p, err := w.OpenProof(blob, []byte("a cookie")); !p.Zero() || !fault.Is(err, fault.Denied) {
		t.Errorf("got %v, want it refused after its end", err)
	}
}

func TestZeroProofAndZeroGrantAreWorthNothing(t *testing.T) {
	w := newWorld(t)
	if !(Proof{}).Zero() || !(Grant{}).Zero() || !(Proof{person: uuid.New()}).Zero() || !(Proof{at: w.at}).Zero() || !(Grant{person: uuid.New()}).Zero() || !(Grant{at: w.at}).Zero() {
		t.Error("got one that is not zero, want all of them zero")
	}
	g, err := w.Grant(Proof{}, terms())
	if !g.Zero() || !fault.Is(err, fault.Denied) || fault.Of(err).Code != "no-proof" {
		t.Errorf("got %v, want a grant refused", err)
	}
	if blob, err := w.SealProof(Proof{}, []byte("a cookie")); blob != nil || !fault.Is(err, fault.Denied) {
		t.Errorf("got %d bytes, %v; want the proof refused", len(blob), err)
	}
	if blob, err := w.SealGrant(Grant{}, []byte("a row")); blob != nil || !fault.Is(err, fault.Denied) {
		t.Errorf("got %d bytes, %v; want the grant refused", len(blob), err)
	}
	if device := w.Remember(Proof{}); device != "" {
		t.Error("got a device, want none")
	}
}

func TestProofAndGrantComeBackAsTheyWereSealed(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	g, err := w.Grant(p, terms())
	must(t, err)
	var vouched Grant
	officer := Voucher{uuid.New(), "seen with a passport"}
	w.in(t, func(tx pgx.Tx) (err error) {
		vouched, err = w.Vouch(t.Context(), tx, officer, a.Person, terms())
		return err
	})
	blob, err := w.SealProof(p, []byte("a cookie"))
	must(t, err)
	// What was sealed before a rotation is opened after it.
	must(t, w.Ring.Rotate(t.Context(), keys.Sessions))
	q, err := w.OpenProof(blob, []byte("a cookie"))
	p.visit = true // it waited
	if err != nil || fmt.Sprintf("%+v", q) != fmt.Sprintf("%+v", p) || q.Zero() {
		t.Errorf("got %+v, %v; want %+v", q, err, p)
	}
	for _, want := range []Grant{g, vouched} {
		blob, err := w.SealGrant(want, []byte("a row"))
		must(t, err)
		got, err := w.OpenGrant(blob, []byte("a row"))
		if err != nil || got.Person() != want.Person() || got.Client() != want.Client() || !slices.Equal(got.Scopes(), want.Scopes()) || !slices.Equal(got.Claims(), want.Claims()) ||
			!slices.Equal(got.Configurations(), want.Configurations()) || got.ACR() != want.ACR() || !slices.Equal(got.AMR(), want.AMR()) || !got.At().Equal(want.At()) || got.Voucher() != want.Voucher() {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
}

func TestTamperedProofsAndGrantsAreRefused(t *testing.T) {
	w := newWorld(t)
	p := w.logIn(t, w.person(t).UIN.Reveal())
	g, err := w.Grant(p, terms())
	must(t, err)
	ad := []byte("its place")
	proof, err := w.SealProof(p, ad)
	must(t, err)
	grant, err := w.SealGrant(g, ad)
	must(t, err)
	foreign := newWorld(t)
	opens := func(what string, d *Desk, blob, ad []byte, wantProof, wantGrant bool) {
		t.Helper()
		p, err := d.OpenProof(blob, ad)
		if (err == nil) != wantProof || p.Zero() == wantProof || err != nil && (!fault.Is(err, fault.Denied) || fault.Of(err).Code != "no-proof") {
			t.Errorf("%s as a proof: got %v", what, err)
		}
		g, err := d.OpenGrant(blob, ad)
		if (err == nil) != wantGrant || g.Zero() == wantGrant || err != nil && (!fault.Is(err, fault.Denied) || fault.Of(err).Code != "no-proof") {
			t.Errorf("%s as a grant: got %v", what, err)
		}
	}
	opens("a proof", w.Desk, proof, ad, true, false)
	opens("a grant", w.Desk, grant, ad, false, true)
	for what, blob := range map[string][]byte{"nothing": nil, "a word": []byte("proof"), "half": proof[:len(proof)/2]} {
		opens(what, w.Desk, blob, ad, false, false)
	}
	for _, blob := range [][]byte{proof, grant} {
		opens("for another place", w.Desk, blob, []byte("another place"), false, false)
		opens("for no place", w.Desk, blob, nil, false, false)
		opens("of another deployment", foreign.Desk, blob, ad, false, false)
		for i := range blob {
			spoiled := bytes.Clone(blob)
			spoiled[i] ^= 1
			opens(fmt.Sprintf("byte %d changed", i), w.Desk, spoiled, ad, false, false)
		}
	}
}

func TestOfficerVouchesWithAReasonThatIsKept(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	officer := uuid.New()
	vouch := func(v Voucher, person uuid.UUID) (g Grant, err error) {
		err = postgres.InTx(t.Context(), w.Pool, func(tx pgx.Tx) (err error) {
			g, err = w.Vouch(t.Context(), tx, v, person, terms())
			return err
		})
		return g, err
	}
	g, err := vouch(Voucher{officer, "seen with a passport"}, a.Person)
	if err != nil || g.Zero() || g.Person() != a.Person || g.ACR() != "" || len(g.AMR()) != 0 || g.Voucher().Officer != officer || !g.At().Equal(w.at) {
		t.Errorf("got %v, %v; want a grant on the officer's word", g, err)
	}
	if _, err := vouch(Voucher{Reason: "enrolled just now"}, a.Person); err != nil {
		t.Errorf("got %v, want the registry to vouch after an enrolment", err)
	}
	for actor, reason := range map[string]string{"officer:" + officer.String(): "seen with a passport", "system": "enrolled just now"} {
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'vouched' AND person = $1 AND actor = $2 AND details::jsonb ->> 'reason' = $3", a.Person, actor, reason); n != 1 {
			t.Errorf("%s: got %d entries, want 1 with the reason", actor, n)
		}
	}
	for what, reason := range map[string]string{"none": "", "a dot": ".", "too short": "nine char", "too long": strings.Repeat("x", 501)} {
		if g, err := vouch(Voucher{officer, reason}, a.Person); !g.Zero() || !fault.Is(err, fault.Invalid) || fault.Of(err).Fields[0].Name != "reason" {
			t.Errorf("%s: got %v, want the reason named", what, err)
		}
	}
	if g, err := vouch(Voucher{officer, "seen with a passport"}, uuid.New()); !g.Zero() || !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: got %v, want not found", err)
	}
}

// An officer's word is no way around a deactivation: nothing is read for it.
func TestGrantForSomebodyDeactivatedYieldsNoClaims(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	g, err := w.Grant(w.logIn(t, a.UIN.Reveal()), terms())
	must(t, err)
	w.in(t, func(tx pgx.Tx) error {
		return w.Registry.SetStatus(t.Context(), tx, a.Person, registry.Active, registry.Deactivated)
	})
	if all, err := w.Registry.Claims(t.Context(), w.Pool, g.Person(), g.Claims(), nil); all != nil || !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, %v; want nothing", all, err)
	}
}

func TestGrantIsPrintedWithoutThePerson(t *testing.T) {
	w := newWorld(t)
	g, err := w.Grant(w.logIn(t, w.person(t).UIN.Reveal()), terms())
	must(t, err)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("granted", "grant", g)
	fmt.Fprintf(&log, "%v %+v %s", g, g, g)
	if strings.Contains(log.String(), g.Person().String()) || strings.Count(log.String(), "grant to "+portal) != 4 {
		t.Errorf("got %s, want the client only", log.String())
	}
}
