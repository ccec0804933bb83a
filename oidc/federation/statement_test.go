package federation

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

func TestKeysOfUnknownKindsArePassedOver(t *testing.T) {
	const good = `{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for raw, want := range map[string]int{
		`{"keys":[{"kty":"new","kid":"a"},{"kty":"EC","crv":"secp256k1","kid":"b"},` + good + `]}`: 1,
		`{"keys":[{"kty":"new","kid":"a"}]}`:            0,
		`{"keys":[{"kty":"new"},` + good + `]}`:         0,
		`{"keys":[` + good + `,` + good + `]}`:          0,
		`{"Keys":[` + good + `]}`:                       0,
		`{"keys":[{"kty":"oct","kid":"k","k":"AAAA"}]}`: 0,
		`{"keys":[{"kty":"RSA","kid":"k","d":"AQ"}]}`:   0,
		`{"keys":[]}`: 0,
		`null`:        0,
	} {
		set, err := readKeys(json.RawMessage(raw))
		if (err == nil) != (want > 0) || err == nil && len(set.Keys) != want {
			t.Fatalf("%s: got %d keys, %v; want %d", raw, len(set.Keys), err, want)
		}
	}
}

func TestATrustMarkMustBeOfTheTypeThatIsClaimed(t *testing.T) {
	mark := func(payload string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".AA"
	}
	for raw, want := range map[string]string{
		mark(`{"trust_mark_type":"x"}`): "x", mark(`{"trust_mark_type":1}`): "", mark(`{"trust_mark_type":"x","trust_mark_type":"y"}`): "", mark(`[]`): "", "a.b": "", "": "",
	} {
		if got := claimedType(raw); got != want {
			t.Fatalf("%s: got %q, want %q", raw, got, want)
		}
	}
}

func TestJSONThatTwoMayReadInTwoWaysIsRefused(t *testing.T) {
	deep := ""
	for range maxNesting + 1 {
		deep += "["
	}
	for raw, good := range map[string]bool{
		`{"a":1,"b":{"a":2}}`: true, `{"a":1,"a":2}`: false, `{"x":{"a":1,"\u0061":2}}`: false, `{"a":1}{}`: false, `{"a":"` + "\xff" + `"}`: false, deep: false, `{"a":1,}`: false, ``: false,
	} {
		if err := wellFormed([]byte(raw)); (err == nil) != good {
			t.Fatalf("%s: got %v, want good %v", raw, err, good)
		}
	}
}
