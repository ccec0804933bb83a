package credentials

import (
	"crypto"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// A credential names its holder as long as it stands, and to the key that it was given
// to: not after it was suspended, revoked or has ended, whatever a copy of a list says.
func TestOnlyAStandingCredentialNamesItsHolder(t *testing.T) {
	h := newHouse(t)
	_, key := h.fetched(t, NationalID)
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	must(t, err)
	var at status.Entry
	must(t, h.Pool.QueryRow(t.Context(), `SELECT status_list, status_index FROM credential_issuance WHERE holder = $1`, thumbprint).Scan(&at.List, &at.Index))
	found := func(what string, holder []byte, want bool) {
		t.Helper()
		person, err := h.HolderAt(t.Context(), h.Pool, at, holder)
		if want && (err != nil || person != h.person) || !want && (!fault.Is(err, fault.NotFound) || person != uuid.Nil) {
			t.Errorf("%s: got %s, %v; want found: %v", what, person, err, want)
		}
	}
	set := func(v status.Value) {
		t.Helper()
		must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error { return h.Status.Set(t.Context(), tx, []status.Entry{at}, v) }))
	}
	found("as it was given", thumbprint, true)
	found("to another key", append([]byte{thumbprint[0] ^ 1}, thumbprint[1:]...), false)
	found("to no key", nil, false)
	set(status.Suspended)
	found("suspended", thumbprint, false)
	set(status.Valid)
	found("lifted", thumbprint, true)
	h.wait(20 * 365 * 24 * time.Hour)
	found("ended", thumbprint, false)
	h.wait(-20 * 365 * 24 * time.Hour)
	set(status.Revoked)
	found("revoked", thumbprint, false)
	at.Index = (at.Index + 1) % status.Size
	found("elsewhere", thumbprint, false)
}

// Copies of one batch, and batches of one day, have the same times as everybody else's.
func TestTimesTellNothingOfABatch(t *testing.T) {
	h := newHouse(t)
	k, _ := h.kind(NationalID)
	first := h.from(k)
	h.wait(time.Hour)
	if second := h.from(k); first != second && second.Sub(first) != 24*time.Hour || first.Hour() != 0 || first.Minute() != 0 || first.Second() != 0 {
		t.Errorf("got %s, then %s; want the beginning of the day", first, second)
	}
}
