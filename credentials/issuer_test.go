package credentials

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// house is an issuer with everything below it, served over HTTP.
type house struct {
	*Issuer
	desk     *auth.Desk
	provider *oidc.Provider
	person   uuid.UUID
	uin      registry.UIN
	url      string
	wallet   string    // client id of a wallet
	officer  uuid.UUID // who is let in as one

	mu     sync.Mutex
	late   time.Duration
	tokens map[string]auth.Token // by access token
	sent   []notify.Message
}

// rootKey is one for all tests: stretching its passphrase takes long on purpose.
var rootKey = sync.OnceValues(func() (keys.Root, error) {
	dir, err := os.MkdirTemp("", "plinth-credentials-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return keys.FileRoot(filepath.Join(dir, "root.key"), "a passphrase for tests")
})

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.late)
}

func (h *house) wait(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.late += d }

// judged finds an access token: one that a test made up, or the provider's.
func (h *house) judged(ctx context.Context, r *http.Request) (auth.Token, error) {
	h.mu.Lock()
	made, ok := h.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	h.mu.Unlock()
	if ok {
		return made, nil
	}
	return h.provider.Token(ctx, r)
}

func (h *house) queue(_ context.Context, _ pgx.Tx, m notify.Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, m)
	return nil
}

var ada = map[string]any{
	"fullName":    []any{map[string]any{"language": "eng", "value": "Ada Example"}, map[string]any{"language": "ara", "value": "آدا مثال"}},
	"dateOfBirth": "1984/04/18",
	"gender":      []any{map[string]any{"language": "eng", "value": "Female"}},
	"phone":       "+15550100001", "email": "ada@example.org", "preferredLang": "fra",
}

func newHouse(t *testing.T) *house {
	t.Helper()
	pool := pgtest.Pool(t)
	root, err := rootKey()
	must(t, err)
	ring, err := keys.Open(t.Context(), pool, root)
	must(t, err)
	h := &house{tokens: map[string]auth.Token{}, officer: uuid.New()}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	h.url = server.URL
	at, err := url.Parse(server.URL)
	must(t, err)
	people, err := registry.New(registry.Config{Pool: pool, Ring: ring, Schema: registry.DefaultSchema(), UINDigits: 10, Now: h.now,
		OnChange: func(ctx context.Context, tx pgx.Tx, c registry.Change) error { return h.Changed(ctx, tx, c) }})
	must(t, err)
	h.desk, err = auth.New(auth.Config{Pool: pool, Ring: ring, Registry: people, Queue: h.queue, Offers: func(notify.Channel) bool { return true }, Demo: true, Now: h.now})
	must(t, err)
	lists, err := status.New(status.Config{Pool: pool, Ring: ring, Issuer: at, Now: h.now})
	must(t, err)
	certificates, err := chain.Open(t.Context(), chain.Config{Pool: pool, Ring: ring, Issuer: at, Country: "XX", Now: h.now})
	must(t, err)
	h.Issuer, err = New(Config{Chain: certificates, Pool: pool, Ring: ring, Registry: people, Desk: h.desk, Status: lists, Draft13: true, Officer: func(*gin.Context) uuid.UUID { return h.officer }, Attesters: makers(t),
		Tokens: Tokens{Token: h.judged, Challenge: func(c *gin.Context, err error) error { return h.provider.Challenge(c, err) }, Nonce: func() string { return h.provider.Nonce() }}, Notify: h.queue, Offers: func(notify.Channel) bool { return true }, Issuer: at, Now: h.now})
	must(t, err)
	r := web.New(web.Config{Public: at, Log: slog.New(slog.DiscardHandler)})
	r.Guard(web.Operator, func(*gin.Context) error { return nil })
	r.Guard(web.Administrator, func(*gin.Context) error { return nil })
	h.Routes(r)
	lists.Routes(r)
	h.serveTokens(t, r)
	handler = r
	must(t, postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error {
		assigned, err := people.Assign(t.Context(), tx, registry.NewIdentity{Application: uuid.New(), Fields: ada})
		h.person, h.uin = assigned.Person, assigned.UIN
		return err
	}))
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// voucher is an officer's word for the person of the house.
func voucher() auth.Voucher { return auth.Voucher{Officer: uuid.New(), Reason: "at the desk"} }

// token gives an access token for the card.
func (h *house) token(t *testing.T, configurations ...string) string {
	t.Helper()
	token := uuid.NewString()
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		g, err := h.desk.Vouch(t.Context(), tx, voucher(), h.person, auth.Terms{Configurations: configurations})
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tokens[token] = auth.Token{Grant: g}
		return err
	}))
	return token
}

func (h *house) offer(t *testing.T, txCode bool) (o Offer) {
	t.Helper()
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) (err error) {
		o, err = h.Offer(t.Context(), tx, OfferTo{Person: h.person, Voucher: voucher(), TxCode: txCode})
		return err
	}))
	return o
}

// code is the pre-authorized code of an offer.
func (h *house) code(o Offer) string { return h.offerCode(o.Page[strings.LastIndex(o.Page, "/")+1:]) }

func (h *house) redeem(t *testing.T, code, txCode string) error {
	return postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		_, err := h.Redeem(t.Context(), tx, code, txCode)
		return err
	})
}

// proofFor makes a good proof with a fresh nonce.
func (h *house) proofFor(t *testing.T) string {
	t.Helper()
	nonce, err := h.Nonce()
	must(t, err)
	f := goodProof(ed())
	f.claims["aud"], f.claims["nonce"], f.claims["iat"] = h.ID(), nonce, h.now().Unix()
	return f.jwt(t)
}

func requestOf(t *testing.T, proof string) CredentialRequest {
	t.Helper()
	proofs, err := json.Marshal([]string{proof})
	must(t, err)
	id := NationalID
	return CredentialRequest{Configuration: &id, Proofs: map[string]json.RawMessage{"jwt": proofs}}
}

func TestNonceIsSpentOnce(t *testing.T) {
	h := newHouse(t)
	g := h.tokens[h.token(t, NationalID)]
	request := requestOf(t, h.proofFor(t))
	var won, lost, odd int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			_, err := h.Issue(t.Context(), g, request)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case fault.Of(err).Code == "invalid_nonce":
				lost++
			default:
				odd++
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 || lost != 99 {
		t.Errorf("got %d credentials and %d invalid_nonce, want 1 and 99", won, lost)
	}
	if got := h.count(t, "SELECT count(*) FROM credential_issuance"); got != 1 {
		t.Errorf("got %d lines in the ledger, want 1", got)
	}
}

func (h *house) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	must(t, h.Pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func TestNonceIsOursAndFresh(t *testing.T) {
	h := newHouse(t)
	nonce, err := h.Nonce()
	must(t, err)
	if _, err := h.checkNonce(nonce); err != nil {
		t.Errorf("got %v for a fresh nonce, want nil", err)
	}
	for _, bad := range []string{"", "x", nonce[:len(nonce)-1], "_" + nonce[1:], nonce + "A", strings.ToUpper(nonce)} {
		if _, err := h.checkNonce(bad); fault.Of(err) == nil || fault.Of(err).Code != "invalid_nonce" {
			t.Errorf("%q: got %v, want invalid_nonce", bad, err)
		}
	}
	h.wait(nonceLife)
	if _, err := h.checkNonce(nonce); fault.Of(err) == nil || fault.Of(err).Code != "invalid_nonce" {
		t.Errorf("got %v for an old nonce, want invalid_nonce", err)
	}
}

func TestASVS_10_4_2_OfferIsSpentOnce(t *testing.T) {
	h := newHouse(t)
	code := h.code(h.offer(t, false))
	var won, lost int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			err := h.redeem(t, code, "")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case fault.Of(err).Code == "invalid_grant":
				lost++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 || lost != 99 {
		t.Errorf("got %d grants and %d invalid_grant, want 1 and 99", won, lost)
	}
}

func TestOfferWithTransactionCodeIsSpentOnce(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	var won int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			err := h.redeem(t, h.code(o), o.TxCode)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if fault.Of(err).Code != "invalid_grant" {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("got %d grants, want 1", won)
	}
}

func TestASVS_6_6_3_TransactionCodeCannotBeGuessed(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	wrong := "000000"
	if o.TxCode == wrong {
		wrong = "000001"
	}
	var all sync.WaitGroup
	for range offerTries {
		all.Go(func() {
			if err := h.redeem(t, h.code(o), wrong); fault.Of(err).Code != "invalid_grant" {
				t.Errorf("got %v for a wrong code, want invalid_grant", err)
			}
		})
	}
	all.Wait()
	if err := h.redeem(t, h.code(o), o.TxCode); fault.Of(err) == nil || fault.Of(err).Code != "invalid_grant" {
		t.Errorf("got %v after %d wrong codes, want invalid_grant", err, offerTries)
	}
	again := h.offer(t, true)
	for range offerTries - 1 {
		if err := h.redeem(t, h.code(again), wrong+"0"); err == nil {
			t.Error("got nil for a wrong code")
		}
	}
	if err := h.redeem(t, h.code(again), again.TxCode); err != nil {
		t.Errorf("got %v for the right code at the last try, want nil", err)
	}
}

func TestTransactionCodeGoesWithTheOffersThatHaveOne(t *testing.T) {
	h := newHouse(t)
	with, without := h.offer(t, true), h.offer(t, false)
	for name, err := range map[string]error{"missing": h.redeem(t, h.code(with), ""), "unexpected": h.redeem(t, h.code(without), "123456")} {
		if f := fault.Of(err); f == nil || f.Code != "invalid_request" {
			t.Errorf("%s: got %v, want invalid_request", name, err)
		}
	}
	if err := h.redeem(t, h.code(without), ""); err != nil {
		t.Errorf("got %v, want an offer that is still good", err)
	}
}

func TestOfferExpires(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, false)
	h.wait(offerLife)
	if err := h.redeem(t, h.code(o), ""); fault.Of(err) == nil || fault.Of(err).Code != "invalid_grant" {
		t.Errorf("got %v, want invalid_grant", err)
	}
	if _, err := h.showOffer(t.Context(), o.Page[strings.LastIndex(o.Page, "/")+1:]); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	must(t, h.Sweep(t.Context()))
	if n := h.count(t, "SELECT count(*) FROM credential_offer"); n != 0 {
		t.Errorf("got %d offers after a sweep, want 0", n)
	}
}

func TestOffersAreStoredWithoutTheirSecrets(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	var row string
	must(t, h.Pool.QueryRow(t.Context(), "SELECT credential_offer::text FROM credential_offer").Scan(&row))
	for _, secret := range []string{h.code(o), o.TxCode, o.Page[strings.LastIndex(o.Page, "/")+1:]} {
		if strings.Contains(row, secret) || strings.Contains(row, hexOf(secret)) {
			t.Errorf("the row shows %s", secret)
		}
	}
}

func TestOfferAfterEnrolmentGoesByTwoWays(t *testing.T) {
	h := newHouse(t)
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error { return h.Enrolled(t.Context(), tx, h.person, uuid.New()) }))
	if len(h.sent) != 2 || h.sent[0].Channel != notify.Mail || h.sent[1].Channel != notify.SMS {
		t.Fatalf("got %d messages, want a mail and a text", len(h.sent))
	}
	link := h.sent[0].Text[strings.Index(h.sent[0].Text, "http"):]
	link, _, _ = strings.Cut(link, " ")
	txCode, _, _ := strings.Cut(h.sent[1].Text, " ")
	if strings.Contains(h.sent[0].Text, txCode) {
		t.Error("the mail holds the code too")
	}
	if !strings.Contains(h.sent[0].Subject, "prête") {
		t.Errorf("got %q, want French", h.sent[0].Subject)
	}
	if err := h.redeem(t, h.offerCode(link[strings.LastIndex(link, "/")+1:]), txCode); err != nil {
		t.Errorf("got %v, want the offer redeemed", err)
	}
}
