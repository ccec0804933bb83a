package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/notify"
)

// Whoever reads somebody's messages must not become them for good: who was enrolled with
// fingers shows one before a key is bound.
func TestACodeAloneBindsNothingToWhoHasABody(t *testing.T) {
	w := newWorld(t)
	a := w.withFingers(t)
	uin := a.UIN.Reveal()
	coded := w.logIn(t, uin)
	shown := func() Proof {
		p, err := w.Verify(t.Context(), Attempt{Identifier: uin, Finger: print(t, "p01_rightIndex_1"), Transaction: uuid.NewString(), Client: portal, From: home})
		must(t, err)
		return p
	}()
	bind := func(p Proof) error {
		_, err := w.BindWallet(t.Context(), p, newHolder(t, jose.ES256).key(), "a wallet")
		return err
	}
	if err := bind(coded); !errors.Is(err, errWeakProof) {
		t.Errorf("got %v for a wallet by a code, want more asked", err)
	}
	if _, _, err := w.BeginPasskey(t.Context(), coded); !errors.Is(err, errWeakProof) {
		t.Errorf("got %v for a passkey by a code, want more asked", err)
	}
	// Nor by way of a PIN that the code has set.
	must(t, w.SetPIN(t.Context(), coded, goodPIN))
	pinned, err := w.Verify(t.Context(), Attempt{Identifier: uin, PIN: goodPIN, Transaction: uuid.NewString(), Client: portal, From: home})
	must(t, err)
	both, err := w.Combine(w.logIn(t, uin), pinned)
	must(t, err)
	if err := bind(both); !errors.Is(err, errWeakProof) {
		t.Errorf("got %v by a code and its PIN, want more asked", err)
	}
	must(t, bind(shown))
	// A PIN that was set with the finger is a kind of its own.
	must(t, w.SetPIN(t.Context(), shown, goodPIN))
	must(t, bind(both))
	// Who cannot show a body here is not asked for one, and still for two kinds.
	w.Methods = []Method{ByCode, ByPIN, ByWallet}
	b := w.withFingers(t)
	must(t, bind(w.logIn(t, b.UIN.Reveal())))
}

// What was bound is told by every channel: whoever has taken over one has not the other.
func TestWhatIsBoundIsToldEverywhere(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	w.inbox = nil
	_, err := w.BindWallet(t.Context(), p, newHolder(t, jose.ES256).key(), "a wallet")
	must(t, err)
	told := map[notify.Channel]string{}
	for _, m := range w.inbox {
		told[m.Channel] = m.To
		if !strings.Contains(m.Text, "a wallet") || !strings.Contains(m.Text, "https://id.example:8443/oidc/account") || m.Until.Before(w.at) {
			t.Errorf("got %q, want it said what was bound, and where it is removed", m.Text)
		}
	}
	if len(w.inbox) != 2 || told[notify.SMS] != "+15550100001" || told[notify.Mail] != "ada@example.org" {
		t.Errorf("got %v told, want both channels", told)
	}
}
