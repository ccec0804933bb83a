package credentials

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// somebodyElse is another person of the registry.
func (h *house) somebodyElse(t *testing.T) (person uuid.UUID) {
	t.Helper()
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		a, err := h.Registry.Assign(t.Context(), tx, registry.NewIdentity{Application: uuid.New(), Fields: ada})
		person = a.Person
		return err
	}))
	return person
}

// deferred asks for a card that an officer must approve.
func (h *house) deferred(t *testing.T, token string, copies int) (string, Deferred) {
	t.Helper()
	answer, err := h.Issue(t.Context(), h.tokens[token], batchOf(t, h.proofsFor(t, copies)))
	must(t, err)
	if answer.Transaction == "" || answer.Interval != int(approvalPause.Seconds()) || answer.Credentials != nil {
		t.Fatalf("got %+v, want a transaction_id", answer)
	}
	all, err := h.Waiting(t.Context(), 10)
	must(t, err)
	return answer.Transaction, all[len(all)-1]
}

const because = "the papers were seen"

func TestAnOfficerApprovesWhatWaits(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	token := h.token(t, NationalID)
	transaction, waits := h.deferred(t, token, 3)
	if waits.Configuration != NationalID || waits.UIN != h.uin.String() || waits.Reason != voucher().Reason {
		t.Errorf("got %+v, want what an officer needs and no more", waits)
	}
	body := `{"transaction_id":"` + transaction + `"}`
	if got, told := ask(t, "POST", h.url+"/vci/deferred", token, body); got.StatusCode != 202 || told["transaction_id"] != transaction || told["interval"] == nil || told["credentials"] != nil {
		t.Errorf("got %d %v, want 202 and the same transaction_id", got.StatusCode, told)
	}
	if got, told := ask(t, "POST", h.url+deferredPath+"/"+waits.ID.String()+"/approve", "", `{"reason":"`+because+`"}`); got.StatusCode != 204 {
		t.Fatalf("got %d %v, want it approved", got.StatusCode, told)
	}
	got, told := ask(t, "POST", h.url+"/vci/deferred", token, body)
	list, _ := told["credentials"].([]any)
	if got.StatusCode != 200 || len(list) != 3 || told["notification_id"] == nil || told["transaction_id"] != nil || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v, want three credentials", got.StatusCode, told)
	}
	document, err := json.Marshal(list[2].(map[string]any)["credential"])
	must(t, err)
	if v := h.judge(t, document, fetch); v.Verdict != verifier.Valid {
		t.Errorf("got %s: %s; want valid", v.Verdict, codes(v))
	}
	if got, told := ask(t, "POST", h.url+"/vci/deferred", token, body); got.StatusCode != 400 || told["error"] != "invalid_transaction_id" {
		t.Errorf("got %d %v for what was fetched, want invalid_transaction_id", got.StatusCode, told)
	}
	for _, event := range []string{"credential-deferred", "credential-approved"} {
		if n := h.count(t, "SELECT count(*) FROM audit_entry WHERE event = $1 AND person = $2", event, h.person); n != 1 {
			t.Errorf("got %d entries of %s, want 1", n, event)
		}
	}
}

func TestWhatWaitsIsRefused(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	token := h.token(t, NationalID)
	transaction, waits := h.deferred(t, token, 1)
	rule := func(r Ruling) error { r.ID = waits.ID; return h.Rule(t.Context(), r) }
	refused(t, "without a reason", rule(Ruling{Officer: uuid.New(), Approve: true}), "invalid")
	refused(t, "by who vouched", rule(Ruling{Officer: h.tokens[token].Voucher().Officer, Approve: true, Reason: because}), "own-request")
	must(t, rule(Ruling{Officer: uuid.New(), Reason: because}))
	refused(t, "decided before", rule(Ruling{Officer: uuid.New(), Approve: true, Reason: because}), "request-decided")
	refused(t, "unknown", h.Rule(t.Context(), Ruling{ID: uuid.New(), Officer: uuid.New(), Reason: because}), "request-unknown")
	_, err := h.Fetch(t.Context(), h.tokens[token], transaction)
	refused(t, "refused", err, "credential_request_denied")
	if n := h.count(t, "SELECT count(*) FROM credential_issuance"); n != 0 {
		t.Errorf("got %d lines in the ledger, want 0", n)
	}
}

func TestATransactionIsItsWallets(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	token := h.token(t, NationalID)
	transaction, waits := h.deferred(t, token, 1)
	must(t, h.Rule(t.Context(), Ruling{ID: waits.ID, Officer: uuid.New(), Approve: true, Reason: because}))
	var another auth.Grant
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) (err error) {
		another, err = h.desk.Vouch(t.Context(), tx, voucher(), h.person, auth.Terms{Client: "another-wallet", Configurations: []string{NationalID}})
		return err
	}))
	_, err := h.Fetch(t.Context(), auth.Token{Grant: another}, transaction)
	refused(t, "another wallet", err, "invalid_transaction_id")
	_, err = h.Fetch(t.Context(), h.tokens[h.token(t)], transaction)
	refused(t, "a token for something else", err, "insufficient_scope")
	_, err = h.Fetch(t.Context(), h.tokens[token], transaction+"x")
	refused(t, "another number", err, "invalid_transaction_id")
	first := h.person
	h.person = h.somebodyElse(t)
	_, err = h.Fetch(t.Context(), h.tokens[h.token(t, NationalID)], transaction)
	refused(t, "another person", err, "invalid_transaction_id")
	h.person = first
	// A token of a later login does as well.
	if _, err := h.Fetch(t.Context(), h.tokens[h.token(t, NationalID)], transaction); err != nil {
		t.Errorf("got %v, want the credential", err)
	}
	transaction, waits = h.deferred(t, token, 1)
	must(t, h.Rule(t.Context(), Ruling{ID: waits.ID, Officer: uuid.New(), Approve: true, Reason: because}))
	h.wait(deferredLife)
	_, err = h.Fetch(t.Context(), h.tokens[token], transaction)
	refused(t, "too late", err, "invalid_transaction_id")
	must(t, h.Sweep(t.Context()))
	if n := h.count(t, "SELECT count(*) FROM credential_deferred"); n != 0 {
		t.Errorf("got %d requests after a sweep, want 0", n)
	}
}

// A crash while it is fetched loses nothing, and of any number who fetch it at once
// one gets it.
func TestADeferredCredentialIsFetchedOnce(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	token := h.token(t, NationalID)
	transaction, waits := h.deferred(t, token, 1)
	must(t, h.Rule(t.Context(), Ruling{ID: waits.ID, Officer: uuid.New(), Approve: true, Reason: because}))
	disarm := failpoint.Arm(pointSigned, func() { panic("crash") })
	func() {
		defer disarm()
		defer func() { _ = recover() }()
		_, err := h.Fetch(t.Context(), h.tokens[token], transaction)
		t.Errorf("got %v, want a crash", err)
	}()
	var won int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := h.Fetch(t.Context(), h.tokens[token], transaction)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else {
				refused(t, "taken", err, "invalid_transaction_id")
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("got it %d times, want once", won)
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance WHERE state = 'issued'"); n != 1 {
		t.Errorf("got %d credentials issued, want 1", n)
	}
}

func TestAnUnsettledRecordIsWaitedFor(t *testing.T) {
	h := newHouse(t)
	unsettled := true
	h.Unsettled = func(context.Context, postgres.DB, uuid.UUID) (bool, error) { return unsettled, nil }
	token := h.token(t, NationalID)
	answer, err := h.Issue(t.Context(), h.tokens[token], batchOf(t, h.proofsFor(t, 1)))
	if err != nil || answer.Transaction == "" || answer.Interval != int(settlingPause.Seconds()) {
		t.Fatalf("got %+v, %v; want it deferred", answer, err)
	}
	if all, err := h.Waiting(t.Context(), 10); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want nothing for an officer", all, err)
	}
	if again, err := h.Fetch(t.Context(), h.tokens[token], answer.Transaction); err != nil || again.Transaction != answer.Transaction {
		t.Errorf("got %+v, %v; want it deferred still", again, err)
	}
	unsettled = false
	if given, err := h.Fetch(t.Context(), h.tokens[token], answer.Transaction); err != nil || len(given.Credentials) != 1 {
		t.Errorf("got %+v, %v; want the credential", given, err)
	}
}

func TestWhatIsDeferredIsStoredSealed(t *testing.T) {
	h := newHouse(t)
	h.alter(func(k *Kind) { k.Approved = true })
	transaction, _ := h.deferred(t, h.token(t, NationalID), 1)
	var row string
	must(t, h.Pool.QueryRow(t.Context(), "SELECT credential_deferred::text FROM credential_deferred").Scan(&row))
	for _, secret := range []string{transaction, "did:key", h.person.String(), voucher().Reason} {
		if contains(row, secret) {
			t.Errorf("the row shows %s", secret)
		}
	}
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		return h.Registry.SetStatus(t.Context(), tx, h.person, registry.Active, registry.Deactivated)
	}))
	if all, err := h.Waiting(t.Context(), 10); err != nil && !fault.Is(err, fault.NotFound) || len(all) > 1 {
		t.Errorf("got %v, %v", all, err)
	}
}
