package sdjwt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// peer is @sd-jwt/sd-jwt-vc, driven by bench/interop/sdjwt.mjs.
type peer struct {
	t     *testing.T
	dir   string
	world object
}

func (p peer) do(step string) (answer struct {
	Verified bool
	Token    string
	Claims   object
	Reason   string
}) {
	p.t.Helper()
	raw, err := json.Marshal(p.world)
	if err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(p.t.TempDir(), "world.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		p.t.Fatal(err)
	}
	command := exec.Command("node", "sdjwt.mjs", step, file)
	command.Dir = p.dir
	out, _ := command.Output() // it says itself what went wrong
	if err := json.Unmarshal(bytes.TrimSpace(out), &answer); err != nil {
		p.t.Fatalf("%s: %q (%v)", step, out, err)
	}
	return answer
}

func private(t *testing.T, key *ecdsa.PrivateKey) object {
	t.Helper()
	jwk, err := jws.JWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk["d"] = base64.RawURLEncoding.EncodeToString(d)
	return jwk
}

// TestInteropBothWays issues, presents and verifies with a library that shares no code
// with ours: each step is done by either, on what the other has made.
func TestInteropBothWays(t *testing.T) {
	dir := os.Getenv("PLINTH_INTEROP")
	if dir == "" {
		t.Skip("PLINTH_INTEROP is not set: it is the folder bench/interop with its modules")
	}
	key, holder := newKey(t, elliptic.P256()), newKey(t, elliptic.P256())
	h := newHouse(t, key)
	h.holder = holder
	d := amina(holder.Public())
	d.Decoys, d.Status = 2, nil                           // the peer would fetch the list
	d.IssuedAt, d.Expires = noon, noon.AddDate(100, 0, 0) // the peer asks the real clock
	p := peer{t, dir, object{"issuer": private(t, key), "holder": private(t, holder), "aud": occasion.Audience, "nonce": occasion.Nonce, "iat": occasion.At.Unix()}}
	o := h.options
	o.Binding = &Binding{Audience: occasion.Audience, Nonce: occasion.Nonce}

	p.world["claims"] = object{"iss": issuerID, "vct": vct, "given_name": "Amina", "family_name": "يوسف", "nationalities": []any{"KE", "TZ"},
		"address": object{"street_address": "12 \"Palm\" Lane", "country": "KE"}}
	p.world["frame"] = object{"_sd": []any{"given_name", "family_name", "address"}, "_sd_decoy": 2,
		"address": object{"_sd": []any{"street_address"}}, "nationalities": object{"_sd": []any{0, 1}}}
	p.world["show"] = object{"given_name": true, "address": object{"street_address": true}, "nationalities": object{"0": true}}
	want := [][]any{{"address"}, {"address", "street_address"}, {"given_name"}, {"nationalities", 0}}

	for name, token := range map[string]string{"issued by us": issue(t, h, d), "issued by the peer": p.do("issue").Token} {
		held, err := Receive(t.Context(), token, h.options)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		chosen, err := held.Choose([][]any{{"given_name"}, {"address"}, {"nationalities", 0}})
		if err != nil {
			t.Fatal(err)
		}
		unbound, err := chosen.Bind(occasion)
		if err != nil {
			t.Fatal(err)
		}
		p.world["token"], err = unbound.Sign(holder)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.do("verify"); !got.Verified || got.Claims["given_name"] != "Amina" || got.Claims["family_name"] != nil {
			t.Errorf("%s, presented by us: the peer has %+v", name, got)
		}
		p.world["nonce"] = "another"
		if got := p.do("verify"); got.Verified {
			t.Errorf("%s, another nonce: the peer takes it", name)
		}
		p.world["nonce"], p.world["token"] = occasion.Nonce, token
		c, err := Verify(t.Context(), p.do("present").Token, o)
		if err != nil || !c.Bound || !reflect.DeepEqual(c.Disclosed, want) {
			t.Errorf("%s, presented by the peer: got %v (%v), want %v", name, c.Disclosed, err, want)
		}
	}
}
