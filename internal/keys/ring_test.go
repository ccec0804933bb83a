package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

const passphrase = "a passphrase for tests"

func newRoot(t *testing.T) Root {
	t.Helper()
	root, err := FileRoot(filepath.Join(t.TempDir(), "root.key"), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func open(t *testing.T, pool *pgxpool.Pool, root Root) *Ring {
	t.Helper()
	ring, err := Open(t.Context(), pool, root)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func exec(t *testing.T, pool *pgxpool.Pool, statement string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestEveryDomainHasOneKeyAndASecondStartMakesNone(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	first, second := open(t, pool, root).List(), open(t, pool, root).List()
	if len(first) != len(order) || !slices.Equal(first, second) {
		t.Fatalf("got %v, then %v; want one key of each of %d domains, twice the same", first, second, len(order))
	}
}

func TestRingsThatStartTogetherShareTheirKeys(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	const n = 6
	rings := make([]*Ring, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if rings[i], err = Open(context.Background(), pool, root); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, r := range rings[1:] {
		if !slices.Equal(r.List(), rings[0].List()) || !bytes.Equal(r.PRF("p"), rings[0].PRF("p")) || !bytes.Equal(r.Lookup("k", "v"), rings[0].Lookup("k", "v")) {
			t.Fatalf("got %v and %v, want the same keys", r.List(), rings[0].List())
		}
	}
	if got := len(rings[0].List()); got != len(order) {
		t.Fatalf("got %d keys, want %d", got, len(order))
	}
}

func TestASVS_11_3_3_SealedDataOpensOnlyAsItWasSealed(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	sealed := must[[]byte](t)(ring.Seal(Notices, []byte("code 123456"), []byte("row 1")))
	if plain, err := ring.Open(Notices, sealed, []byte("row 1")); err != nil || string(plain) != "code 123456" {
		t.Fatalf("got %q, %v; want it open", plain, err)
	}
	if _, err := ring.Open(Notices, sealed, []byte("row 2")); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: got %v, want ErrSealed", err)
	}
	if _, err := ring.Open(Sessions, sealed, []byte("row 1")); !errors.Is(err, ErrSealed) {
		t.Errorf("in another domain: got %v, want ErrSealed", err)
	}
	for i := range sealed {
		for bit := range 8 {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << bit
			if _, err := ring.Open(Notices, damaged, []byte("row 1")); !errors.Is(err, ErrSealed) {
				t.Fatalf("bit %d of byte %d flipped: got %v, want ErrSealed", bit, i, err)
			}
		}
		if _, err := ring.Open(Notices, sealed[:i], []byte("row 1")); !errors.Is(err, ErrSealed) {
			t.Fatalf("cut after %d bytes: got %v, want ErrSealed", i, err)
		}
	}
	if _, err := ring.Seal(Notices, []byte("x"), nil); err == nil {
		t.Error("sealing for no place: got nil, want an error")
	}
	if _, err := ring.Seal(OIDCSigning, []byte("x"), []byte("row 1")); err == nil {
		t.Error("sealing with a signing key: got nil, want an error")
	}
}

func TestASVS_13_3_4_RotationKeepsWhatWasSealedAndSigned(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	here, there := open(t, pool, root), open(t, pool, root)
	ad := []byte("row 1")
	sealed := must[[]byte](t)(here.Seal(Notices, []byte("old"), ad))
	old, looked := must[SigningKey](t)(here.Signer(OIDCSigning)), here.Lookup("uin", "1")
	packetKey, public := here.PacketKey()
	packet := must[[]byte](t)(SealTo(public, []byte("packet"), nil))
	for _, d := range []Domain{Notices, OIDCSigning, Lookup, Packets, Audit, VCIssuing, Identity} {
		if err := here.Rotate(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if plain, err := here.Open(Notices, sealed, ad); err != nil || string(plain) != "old" {
		t.Errorf("sealed before: got %q, %v; want it open", plain, err)
	}
	if plain, err := here.OpenPacket(packetKey, packet, nil); err != nil || string(plain) != "packet" {
		t.Errorf("packet from before: got %q, %v; want it open", plain, err)
	}
	if all := here.LookupAll("uin", "1"); len(all) != 2 || !bytes.Equal(all[1], looked) || bytes.Equal(all[0], looked) || !bytes.Equal(all[0], here.Lookup("uin", "1")) {
		t.Errorf("got %x, want the new look-up before %x", all, looked)
	}
	signing := must[SigningKey](t)(here.Signer(OIDCSigning))
	if v := here.Verifiers(OIDCSigning); len(v) != 2 || v[0].ID != signing.ID || v[1].ID != old.ID || signing.ID == old.ID || v[0].Signer != nil || v[1].Signer != nil {
		t.Errorf("got verifiers %v, want %s before %s, without signers", v, signing.ID, old.ID)
	}
	// The other process has not read the table since.
	fresh := must[[]byte](t)(here.Seal(Notices, []byte("new"), ad))
	if bytes.Equal(fresh[:header], sealed[:header]) {
		t.Error("got the old key's id in a new blob")
	}
	there.read = there.read.Add(-refreshPause)
	if plain, err := there.Open(Notices, fresh, ad); err != nil || string(plain) != "new" {
		t.Errorf("in the other process: got %q, %v; want it open", plain, err)
	}
	if got := must[SigningKey](t)(there.Signer(OIDCSigning)); got.ID != signing.ID {
		t.Errorf("the other process signs with %s, want %s", got.ID, signing.ID)
	}
}

func TestThePseudonymKeyIsNeverRotated(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	before := ring.PRF("pairwise", []byte("client"), []byte("person"))
	if err := ring.Rotate(t.Context(), Pseudonym); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if err := ring.Rotate(t.Context(), "nonsense"); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want it invalid", err)
	}
	if err := ring.Rotate(t.Context(), Lookup); err != nil {
		t.Fatal(err)
	}
	if after := ring.PRF("pairwise", []byte("client"), []byte("person")); !bytes.Equal(before, after) {
		t.Errorf("got %x, want %x for ever", after, before)
	}
}

func TestLookUpsAndPseudonymsKeepTheirInputsApart(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	all := [][]byte{
		ring.Lookup("phone", "1234"), ring.Lookup("uin", "1234"), ring.Lookup("uin1", "234"),
		ring.PRF("a", []byte("bc")), ring.PRF("ab", []byte("c")), ring.PRF("a", []byte("b"), []byte("c")), ring.PRF("a", nil, []byte("bc")),
		ring.PRF("uin", []byte("1234")),
	}
	for i, a := range all {
		if len(a) != 32 {
			t.Errorf("%d: got %d bytes, want 32", i, len(a))
		}
		for j, b := range all[:i] {
			if bytes.Equal(a, b) {
				t.Errorf("%d and %d are the same", i, j)
			}
		}
	}
}

func TestRowsThatSomebodyChangedAreRefused(t *testing.T) {
	for name, statement := range map[string]string{
		"wrapped keys swapped":          `UPDATE key_domain k SET wrapped = o.wrapped FROM key_domain o WHERE k.domain IN ('notices', 'sessions') AND o.domain IN ('notices', 'sessions') AND k.id <> o.id`,
		"keys of two domains exchanged": `UPDATE key_domain SET domain = 'vc-issuing', state = 'retired' WHERE domain = 'audit'`,
		"a bit flipped":                 `UPDATE key_domain SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1) WHERE domain = 'identity'`,
		"another algorithm":             `UPDATE key_domain SET algorithm = 'HMAC-SHA-256' WHERE domain = 'notices'`,
		"another public packet key":     `UPDATE key_domain SET public = set_byte(public, 7, get_byte(public, 7) # 1) WHERE domain = 'packets'`,
		"another public signing key":    `UPDATE key_domain k SET public = o.public FROM key_domain o WHERE k.domain = 'audit' AND o.domain = 'vc-issuing'`,
	} {
		t.Run(name, func(t *testing.T) {
			pool, root := pgtest.Pool(t), newRoot(t)
			running := open(t, pool, root)
			_, public := running.PacketKey()
			exec(t, pool, statement)
			if _, err := Open(t.Context(), pool, root); !fault.Is(err, fault.Denied) {
				t.Errorf("a new process: got %v, want it denied", err)
			}
			if err := running.Refresh(t.Context()); !fault.Is(err, fault.Denied) {
				t.Errorf("a running process: got %v, want it denied", err)
			}
			if _, after := running.PacketKey(); !bytes.Equal(after, public) {
				t.Error("a running process took the changed key")
			}
		})
	}
}

func TestARunningProcessKeepsKeysThatSomebodyDeleted(t *testing.T) {
	pool := pgtest.Pool(t)
	ring := open(t, pool, newRoot(t))
	exec(t, pool, `DELETE FROM key_domain WHERE domain = 'lookup'`)
	if err := ring.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("got %v, want it to say that a key is gone", err)
	}
	if got := ring.Lookup("uin", "1"); len(got) != 32 {
		t.Errorf("got %x, want a look-up all the same", got)
	}
}

func TestAnotherRootOpensNothing(t *testing.T) {
	pool := pgtest.Pool(t)
	open(t, pool, newRoot(t))
	if _, err := Open(t.Context(), pool, newRoot(t)); !fault.Is(err, fault.Denied) {
		t.Fatalf("got %v, want it denied", err)
	}
}

func TestSignersSignForTheirThumbprint(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	sum := sha256.Sum256([]byte("message"))
	for _, d := range []Domain{OIDCSigning, VCIssuing, Audit} {
		key := must[SigningKey](t)(ring.Signer(d))
		theirs := must[[]byte](t)((&jose.JSONWebKey{Key: key.Public}).Thumbprint(crypto.SHA256))
		if want := base64.RawURLEncoding.EncodeToString(theirs); key.ID != want || ring.Verifiers(d)[0].ID != want {
			t.Errorf("%s: got id %s, want %s", d, key.ID, want)
		}
		switch public := ring.Verifiers(d)[0].Public.(type) {
		case ed25519.PublicKey:
			if s := must[[]byte](t)(key.Signer.Sign(rand.Reader, []byte("message"), crypto.Hash(0))); !ed25519.Verify(public, []byte("message"), s) {
				t.Errorf("%s: the signature does not verify", d)
			}
		case *ecdsa.PublicKey:
			if s := must[[]byte](t)(key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)); !ecdsa.VerifyASN1(public, sum[:], s) {
				t.Errorf("%s: the signature does not verify", d)
			}
		default:
			t.Errorf("%s: got a %T", d, public)
		}
	}
	if _, err := ring.Signer(Notices); err == nil {
		t.Error("a sealing key signs")
	}
}

// The example of RFC 8037, appendix A.3.
func TestThumbprintOfEd25519IsThatOfRFC8037(t *testing.T) {
	public := must[[]byte](t)(base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
	if got, want := Thumbprint(ed25519.PublicKey(public)), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestPacketsOpenWithTheirKeyAndForTheirPurpose(t *testing.T) {
	ring := open(t, pgtest.Pool(t), newRoot(t))
	id, public := ring.PacketKey()
	sealed := must[[]byte](t)(SealTo(public, []byte("packet"), []byte("v1")))
	if plain, err := ring.OpenPacket(id, sealed, []byte("v1")); err != nil || string(plain) != "packet" {
		t.Fatalf("got %q, %v; want it open", plain, err)
	}
	for name, err := range map[string]error{
		"for another purpose": second(ring.OpenPacket(id, sealed, []byte("v2"))),
		"damaged":             second(ring.OpenPacket(id, append(bytes.Clone(sealed), 0), []byte("v1"))),
		"empty":               second(ring.OpenPacket(id, nil, []byte("v1"))),
		"too large":           second(ring.OpenPacket(id, make([]byte, maxPacket+1), []byte("v1"))),
	} {
		if !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", name, err)
		}
	}
	if _, err := ring.OpenPacket("unknown", sealed, []byte("v1")); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("got %v, want ErrUnknownKey", err)
	}
	largest := must[[]byte](t)(SealTo(public, make([]byte, maxPacket-sealOverhead), nil))
	if _, err := ring.OpenPacket(id, largest, nil); err != nil {
		t.Errorf("the largest packet: got %v, want it open", err)
	}
	if _, err := SealTo(public, make([]byte, maxPacket-sealOverhead+1), nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := SealTo([]byte("no key"), nil, nil); err == nil {
		t.Error("sealing to what is no key: got nil, want an error")
	}
}

func second[T any](_ T, err error) error { return err }

// secrets are the forms in which the key material of a ring could show.
func secrets(ring *Ring, more ...[]byte) map[string]bool {
	all := more
	for _, list := range *ring.keys.Load() {
		for _, k := range list {
			all = append(all, k.secret())
		}
	}
	forms := make(map[string]bool)
	for _, s := range all {
		piece := s[len(s)-16:] // the end: PKCS#8 begins the same for all
		if len(s) > 64 && s[0] == 0x30 {
			piece = s[36:52] // the scalar of P-256
		}
		forms[string(piece)] = true
		forms[hex.EncodeToString(piece)] = true
		forms[strings.Trim(fmt.Sprint(piece), "[]")] = true
		forms[strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", piece), "[]byte{"), "}")] = true
		forms[base64.StdEncoding.EncodeToString(s)[4:16]] = len(s) < 64
	}
	delete(forms, "")
	return forms
}

func TestASVS_16_2_5_NoKeyIsEverPrinted(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	ring := open(t, pool, root)
	key, person := newPerson(t, ring)
	if _, err := ring.Person(t.Context(), pool, person); err != nil { // and one in the cache
		t.Fatal(err)
	}
	signing := must[SigningKey](t)(ring.Signer(VCIssuing))
	oidc := must[SigningKey](t)(ring.Signer(OIDCSigning))
	domain, _ := ring.current(Notices)
	holder := struct {
		key  PersonKey
		root Root
		sign SigningKey
		s    crypto.Signer
		ring *Ring
		d    *domainKey
	}{key, root, signing, oidc.Signer, ring, domain}
	var out bytes.Buffer
	text, js := slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{ring, *ring.keys.Load(), ring.people.kept, root, key, &key, signing, signing.Signer, oidc, oidc.Signer, domain, *domain, holder, &holder, ring.List()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text.Info("test", "value", v)
		js.Info("test", "value", v)
		raw, _ := json.Marshal(v) // some cannot be; then nothing is shown
		out.Write(raw)
	}
	for form, counts := range secrets(ring, root.(fileRoot).key(), key.key()) {
		if counts && strings.Contains(out.String(), form) {
			t.Errorf("a key was printed as %q", form)
		}
	}
}

func TestASVS_13_3_1_TheTablesHoldNoKey(t *testing.T) {
	pool, root := pgtest.Pool(t), newRoot(t)
	ring := open(t, pool, root)
	key, _ := newPerson(t, ring)
	var dump string
	if err := pool.QueryRow(t.Context(), `SELECT (SELECT string_agg(k::text, '') FROM key_domain k) || (SELECT string_agg(p::text, '') FROM key_person p)`).Scan(&dump); err != nil {
		t.Fatal(err)
	}
	for form := range secrets(ring, root.(fileRoot).key(), key.key()) {
		if strings.Contains(dump, form) {
			t.Errorf("a key is in the database as %q", form)
		}
	}
}
