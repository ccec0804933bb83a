package credentials

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/wallet"
)

func (h *house) offerOf(t *testing.T, kind string) (o Offer) {
	t.Helper()
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) (err error) {
		o, err = h.Offer(t.Context(), tx, OfferTo{Person: h.person, Voucher: voucher(), Kinds: []string{kind}})
		return err
	}))
	return o
}

// In every format, as many copies as the policy of the kind has it, and more of them
// once they run out.
func TestWalletFetchesEveryFormatInCopies(t *testing.T) {
	h := newHouse(t)
	for _, kind := range []string{NationalID, "national_id_sd_jwt", "national_id_mdoc", "proof_of_age_sd_jwt"} {
		w := newWallet(t)
		w.Now = h.now
		card, err := w.Receive(t.Context(), h.offerOf(t, kind).Link, "")
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if card.Copies < 2 {
			t.Errorf("%s: got %d copies, want a batch", kind, card.Copies)
		}
		shown, err := w.Show(card.ID)
		must(t, err)
		if len(shown.Claims) == 0 || shown.Holder == "" {
			t.Errorf("%s: got %+v, want claims that are bound to a key", kind, shown)
		}
		more, err := w.Refill(t.Context(), card.ID)
		if err != nil {
			t.Errorf("%s: refill: %v", kind, err)
			continue
		}
		after, err := w.List()
		must(t, err)
		if more.ID != card.ID || len(after) != 1 || after[0].Copies <= card.Copies {
			t.Errorf("%s: got %+v after %+v, want more copies of the same card", kind, after, card)
		}
		must(t, w.Delete(t.Context(), card.ID))
	}
}

// Fetched from an issuer that speaks draft 13, and from one that wants encryption.
func TestWalletSpeaksToIssuersOfOtherHabits(t *testing.T) {
	h := newHouse(t)
	h.Encrypted = true
	if _, err := newWalletAt(t, h).Receive(t.Context(), h.offerOf(t, "national_id_sd_jwt").Link, ""); err != nil {
		t.Errorf("encrypted: %v", err)
	}
}

func newWalletAt(t *testing.T, h *house) *wallet.Wallet {
	t.Helper()
	w := newWallet(t)
	w.Now = h.now
	return w
}
