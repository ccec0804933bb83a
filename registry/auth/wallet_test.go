package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry"
)

// holder is a wallet in software.
type holder struct {
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
	typ, kid  string
}

func newHolder(t *testing.T, algorithm jose.SignatureAlgorithm) *holder {
	t.Helper()
	var private crypto.Signer
	var err error
	if algorithm == jose.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	must(t, err)
	return &holder{algorithm, private, walletType, keys.Thumbprint(private.Public())}
}

func (h *holder) key() jose.JSONWebKey { return jose.JSONWebKey{Key: h.private.Public()} }

func (h *holder) sign(t *testing.T, claims map[string]any) []byte {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(h.typ)).WithHeader("kid", h.kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: h.algorithm, Key: h.private}, options)
	must(t, err)
	payload, err := json.Marshal(claims)
	must(t, err)
	signed, err := signer.Sign(payload)
	must(t, err)
	compact, err := signed.CompactSerialize()
	must(t, err)
	return []byte(compact)
}

// claims are what a wallet should sign in this login.
func (w *world) claims(transaction string) map[string]any {
	return map[string]any{"aud": public.String(), "transaction": transaction, "client": portal, "nonce": "a nonce", "iat": w.now().Unix(), "exp": w.now().Add(time.Minute).Unix()}
}

func byWallet(transaction string, signed []byte) Attempt {
	return Attempt{Wallet: signed, WalletNonce: "a nonce", Transaction: transaction, Client: portal, From: home}
}

func (w *world) withWallet(t *testing.T, algorithm jose.SignatureAlgorithm) (registry.Assigned, *holder, Wallet) {
	t.Helper()
	a, h := w.person(t), newHolder(t, algorithm)
	bound, err := w.BindWallet(t.Context(), w.logIn(t, a.UIN.Reveal()), h.key(), "my wallet")
	must(t, err)
	return a, h, bound
}

func TestWalletProvesWhoseItIs(t *testing.T) {
	w := newWorld(t)
	if !slices.Contains(w.Offered(), ByWallet) {
		t.Error("got no wallets on offer")
	}
	for n, algorithm := range walletAlgorithms {
		a, h, bound := w.withWallet(t, algorithm)
		if bound.Name != "my wallet" || bound.Thumbprint != h.kid || !bound.Expires.Equal(w.now().Add(180*day)) {
			t.Errorf("got %+v bound", bound)
		}
		w.wait(time.Hour)
		one := fmt.Sprint("login ", n)
		p, err := w.Verify(t.Context(), byWallet(one, h.sign(t, w.claims(one))))
		if err != nil || p.Person() != a.Person || !slices.Equal(p.Methods(), []Method{ByWallet}) || LevelOf(p.Methods()) != Substantial {
			t.Errorf("%s: got %v, %v; want the person by a wallet", algorithm, p.Methods(), err)
		}
		bound.Used = w.now()
		all, err := w.Wallets(t.Context(), w.Pool, a.Person)
		if err != nil || len(all) != 1 || all[0].ID != bound.ID || all[0].Name != bound.Name || all[0].Thumbprint != bound.Thumbprint || !all[0].Used.Equal(bound.Used) || !all[0].Expires.Equal(bound.Expires) {
			t.Errorf("got %+v, %v; want %+v", all, err, bound)
		}
		must(t, w.DropWallet(t.Context(), w.logIn(t, a.UIN.Reveal()), bound.ID))
		two := one + ", dropped"
		p, err = w.Verify(t.Context(), byWallet(two, h.sign(t, w.claims(two))))
		answered(t, two, p, err, errRefused)
		if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE person = $1 AND subject = $2 AND event IN ('wallet-bound', 'wallet-dropped')", a.Person, bound.ID.String()); n != 2 {
			t.Errorf("got %d entries, want two", n)
		}
	}
}

// What shuts out replay to another login, another relying party, another service.
func TestAWalletSignsForOneLoginOnly(t *testing.T) {
	w := newWorld(t)
	_, h, _ := w.withWallet(t, jose.ES256)
	now := w.now()
	for what, change := range map[string]map[string]any{
		"another service": {"aud": "https://evil.example"}, "a service in a list": {"aud": []string{public.String()}}, "no service": {"aud": nil}, "this service but for a slash": {"aud": public.String() + "/"},
		"another login": {"transaction": "another"}, "no login": {"transaction": ""}, "another relying party": {"client": "rogue"}, "no relying party": {"client": nil},
		"another nonce": {"nonce": "x"}, "no nonce": {"nonce": ""}, "expired": {"exp": now.Unix()}, "no end": {"exp": nil}, "an end far away": {"exp": now.Add(time.Hour).Unix()},
		"from the future": {"iat": now.Add(time.Minute).Unix(), "exp": now.Add(2 * time.Minute).Unix()}, "no beginning": {"iat": nil}, "the end first": {"iat": now.Unix() + 20, "exp": now.Unix() + 10},
		"a fraction": {"iat": "now"},
	} {
		claims := w.claims(what)
		maps.Copy(claims, change)
		_, err := w.Pool.Exec(t.Context(), "DELETE FROM auth_limit")
		must(t, err)
		p, err := w.Verify(t.Context(), byWallet(what, h.sign(t, claims)))
		answered(t, what, p, err, errRefused)
		// The login is still free for the right signature.
		if p, err := w.Verify(t.Context(), byWallet(what, h.sign(t, w.claims(what)))); p.Zero() {
			t.Errorf("after %s: got %v, want the right signature taken", what, err)
		}
	}
	// What one relying party got is given to another, in its own login.
	caught := byWallet("a login", h.sign(t, w.claims("a login")))
	for what, change := range map[string]func(a *Attempt){"to another relying party": func(a *Attempt) { a.Client = "rogue" }, "to another login": func(a *Attempt) { a.Transaction = "another" },
		"to another nonce": func(a *Attempt) { a.WalletNonce = "another" }, "with another's number": func(a *Attempt) { a.Identifier = w.person(t).UIN.Reveal() }} {
		x := caught
		change(&x)
		p, err := w.Verify(t.Context(), x)
		answered(t, what, p, err, errRefused)
	}
	if p, err := w.Verify(t.Context(), caught); p.Zero() {
		t.Errorf("got %v, want it taken where it belongs", err)
	}
}

func TestForgedWalletsAreRefused(t *testing.T) {
	w := newWorld(t)
	_, h, _ := w.withWallet(t, jose.ES256)
	stranger, edward := newHolder(t, jose.ES256), newHolder(t, jose.EdDSA)
	forged := *stranger
	forged.kid = h.kid
	other := *edward
	other.kid = h.kid
	for what, by := range map[string]*holder{"a key that nobody has": stranger, "another key under this name": &forged, "another algorithm under this name": &other} {
		p, err := w.Verify(t.Context(), byWallet("a login", by.sign(t, w.claims("a login"))))
		answered(t, what, p, err, errRefused)
	}
	untyped, unnamed := *h, *h
	untyped.typ, unnamed.kid = "JWT", ""
	tampered := h.sign(t, w.claims("a login"))
	tampered[len(tampered)/2] ^= 1
	none := "eyJhbGciOiJub25lIiwidHlwIjoicGxpbnRoLXdhbGxldC1sb2dpbitqd3QifQ.e30."
	for what, signed := range map[string][]byte{"another type": untyped.sign(t, w.claims("a login")), "no name": unnamed.sign(t, w.claims("a login")), "no algorithm": []byte(none),
		"no JWS": []byte("words"), "much": []byte(strings.Repeat("A", longestJWS+1))} {
		if p, err := w.Verify(t.Context(), byWallet("a login", signed)); !p.Zero() || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", what, err)
		}
	}
	if p, err := w.Verify(t.Context(), byWallet("a login", tampered)); !p.Zero() || err == nil {
		t.Errorf("tampered: got %v", err)
	}
	x := byWallet("a login", h.sign(t, w.claims("a login")))
	x.WalletNonce = ""
	if p, err := w.Verify(t.Context(), x); !p.Zero() || fault.Of(err).Kind != fault.Internal {
		t.Errorf("got %v, want the mistake of the caller told", err)
	}
	if p, err := w.Verify(t.Context(), byWallet("a login", h.sign(t, w.claims("a login")))); p.Zero() {
		t.Errorf("got %v, want the login free after forgeries", err)
	}
}

func TestAWalletSignaturePassesOnce(t *testing.T) {
	w := newWorld(t)
	_, h, _ := w.withWallet(t, jose.EdDSA)
	var passed atomic.Int32
	var all sync.WaitGroup
	for n := range 100 {
		x := byWallet("a login", h.sign(t, w.claims("a login")))
		all.Go(func() {
			if n%2 == 1 {
				x.From = afar
			}
			p, err := w.Verify(t.Context(), x)
			switch {
			case err == nil && !p.Zero():
				passed.Add(1)
			case !errors.Is(err, errRefused) && !errors.Is(err, errWait):
				t.Errorf("got %v, want it refused", err)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("got %d logins in one transaction, want one", n)
	}
	if n := w.count(t, "SELECT count(*) FROM audit_entry WHERE event = 'login-refused' AND details::text LIKE '%replayed%'"); n == 0 {
		t.Error("the replay is not in the audit")
	}
}

func TestOneKeyBelongsToOnePerson(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, jose.ES256)
	proofs := make([]Proof, 20)
	for n := range proofs {
		proofs[n] = w.logIn(t, w.person(t).UIN.Reveal())
	}
	var bound atomic.Int32
	var all sync.WaitGroup
	for _, p := range proofs {
		all.Go(func() {
			_, err := w.BindWallet(t.Context(), p, h.key(), "a wallet")
			if err == nil {
				bound.Add(1)
			} else if !errors.Is(err, errTaken) {
				t.Errorf("got %v, want it taken", err)
			}
		})
	}
	all.Wait()
	if n := bound.Load(); n != 1 {
		t.Fatalf("got %d bindings of one key, want one", n)
	}
	must(t, w.Ring.Rotate(t.Context(), keys.Lookup))
	for _, p := range proofs {
		if _, err := w.BindWallet(t.Context(), p, h.key(), "a wallet"); err != nil && !errors.Is(err, errTaken) && !errors.Is(err, errWeakProof) {
			t.Errorf("got %v", err)
		}
	}
	if n := w.count(t, "SELECT count(*) FROM auth_key"); n != 1 {
		t.Errorf("got %d bindings after a rotation, want one", n)
	}
	// It ends, and is free then; until then its person may begin it anew.
	a, mine, before := w.withWallet(t, jose.ES256)
	w.wait(100 * day)
	strong := Proof{person: a.Person, methods: []Method{ByFinger}, at: w.now()}
	again, err := w.BindWallet(t.Context(), strong, mine.key(), "again")
	if err != nil || !again.Expires.After(before.Expires) {
		t.Errorf("got %+v, %v; want it begun anew", again, err)
	}
	w.wait(180 * day)
	p, err := w.Verify(t.Context(), byWallet("a login", mine.sign(t, w.claims("a login"))))
	answered(t, "expired", p, err, errRefused)
	if all, err := w.Wallets(t.Context(), w.Pool, a.Person); err != nil || len(all) != 0 {
		t.Errorf("got %v, %v; want none that has expired", all, err)
	}
	if _, err := w.BindWallet(t.Context(), w.logIn(t, w.person(t).UIN.Reveal()), mine.key(), "second hand"); err != nil {
		t.Errorf("got %v, want a key free that has expired", err)
	}
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_key"); n != 1 {
		t.Errorf("got %d keys left, want one", n)
	}
}

func TestOnlyPublicKeysForSignaturesAreBound(t *testing.T) {
	w := newWorld(t)
	a := w.person(t)
	p := w.logIn(t, a.UIN.Reveal())
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	h := newHolder(t, jose.ES256)
	used, named := h.key(), h.key()
	used.Use, named.Algorithm = "enc", "EdDSA"
	for what, key := range map[string]jose.JSONWebKey{"none": {}, "private": {Key: h.private}, "P-384": {Key: p384.Public()}, "RSA": {Key: weak.Public()}, "symmetric": {Key: []byte("secret")},
		"for encryption": used, "of another algorithm": named, "no key": {Key: (*ecdsa.PublicKey)(nil)}, "half a key": {Key: ed25519.PublicKey("short")}, "nothing of a key": {Key: &ecdsa.PublicKey{Curve: elliptic.P256()}}} {
		if _, err := w.BindWallet(t.Context(), p, key, "x"); !fault.Is(err, fault.Invalid) || fault.Of(err).Fields[0].Name != "key" {
			t.Errorf("%s: got %v, want the key refused", what, err)
		}
	}
	if _, err := w.BindWallet(t.Context(), Proof{person: a.Person, methods: []Method{ByPIN}, at: w.now()}, h.key(), "x"); !errors.Is(err, errWeakProof) {
		t.Errorf("got %v, want a stronger login asked for", err)
	}
	w.Public = nil
	for _, err := range []error{func() error { _, err := w.BindWallet(t.Context(), p, h.key(), "x"); return err }(),
		func() error { _, err := w.Verify(t.Context(), byWallet("a login", []byte("x"))); return err }()} {
		if fault.Of(err).Code != "wallet-not-offered" {
			t.Errorf("got %v, want it said that wallets are not offered", err)
		}
	}
}

func TestWalletsAreKeptNowhereInTheClear(t *testing.T) {
	w := newWorld(t)
	a, h, bound := w.withWallet(t, jose.EdDSA)
	if p, err := w.Verify(t.Context(), byWallet("a login", h.sign(t, w.claims("a login")))); p.Zero() {
		t.Fatal(err)
	}
	all := strings.Join(append(dump(t, w.Pool, "auth_"), dump(t, w.Pool, "audit_")...), "\n")
	public := []byte(h.private.Public().(ed25519.PublicKey))
	for _, secret := range []string{bound.Thumbprint, fmt.Sprintf("%x", public), b64(public), bound.Name, a.UIN.Reveal(), "a login", "a nonce"} {
		if strings.Contains(all, secret) {
			t.Errorf("got %q in the database", secret)
		}
	}
	w.in(t, func(tx pgx.Tx) error { return w.Ring.ErasePerson(t.Context(), tx, a.Person) })
	p, err := w.Verify(t.Context(), byWallet("another", h.sign(t, w.claims("another"))))
	answered(t, "erased", p, err, errRefused)
}

func FuzzWalletSignature(f *testing.F) {
	f.Add([]byte("eyJhbGciOiJFUzI1NiJ9.e30.AA"))
	f.Add([]byte(".."))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > longestJWS {
			return
		}
		d := &Desk{Config: Config{Public: public}}
		if _, err := d.walletFits(Attempt{Wallet: raw, WalletNonce: "x"}); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	})
}
