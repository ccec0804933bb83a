package credentials

import (
	"net/url"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/registry/auth"
)

func TestARepeatedMemberIsFoundAnywhere(t *testing.T) {
	for raw, want := range map[string]bool{
		`{"a":1,"b":{"a":1}}`:                 false,
		`{"a":1,"a":2}`:                       true,
		`{"a":1,"A":2}`:                       true,
		`{"a":{"b":1,"b":2}}`:                 true,
		`{"a":[{"b":1},{"b":1}]}`:             false,
		`{"a":[{"b":1,"c":[],"b":2}]}`:        true,
		`{"a":[1,[2,{"x":{},"y":[],"x":0}]]}`: true,
		`{"a":"a","b":["a","a"],"c":"a"}`:     false,
		`[]`:                                  false,
		``:                                    false,
		`{"a":`:                               false,
		strings.Repeat("[", maxDepth):         false,
		strings.Repeat("[", maxDepth+1):       true,
		strings.Repeat(`{"a":`, 10_000):       true,
	} {
		if got := repeats([]byte(raw)); got != want {
			t.Errorf("%.40s: got %v, want %v", raw, got, want)
		}
	}
}

func FuzzCredentialRequest(f *testing.F) {
	at, err := url.Parse("https://id.example.org")
	if err != nil {
		f.Fatal(err)
	}
	i := &Issuer{Config: Config{Issuer: at, Draft13: true}}
	i.active.Store(i.builtin())
	f.Add([]byte(`{"credential_configuration_id":"` + NationalID + `","proofs":{"jwt":["a"]}}`))
	f.Add([]byte(`{"format":"ldp_vc","credential_definition":{"type":["NationalID"]},"proof":{"proof_type":"jwt","jwt":"a"}}`))
	f.Add([]byte(`{"credential_identifier":"x","credential_response_encryption":{"jwk":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r CredentialRequest
		if decode(raw, &r) != nil {
			return
		}
		// Nothing is granted to nobody.
		if kind, err := i.asked(auth.Token{}, r); err == nil {
			t.Errorf("got %s without a token", kind.ID)
		}
		if kind, err := i.askedDraft13(auth.Token{}, r); err == nil {
			t.Errorf("got %s without a token", kind.ID)
		}
		_, _ = i.reply(r.Encryption, true)
	})
}
