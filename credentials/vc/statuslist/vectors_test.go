package statuslist

import (
	"context"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// vectors is the folder of outside test data.
func vectors(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TESTDATA_DIR"); dir != "" {
		return filepath.Join(dir, "vectors")
	}
	if os.Getenv("CI") != "" {
		t.Fatal("TESTDATA_DIR is not set")
	}
	t.Skip("TESTDATA_DIR is not set: skipped the vectors of the W3C and the IETF")
	return ""
}

func load(t *testing.T, to any, parts ...string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{vectors(t)}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatal(err)
	}
}

// listVector is a list of the draft in one of its two forms.
type listVector struct {
	Bits     int
	Entries  int
	Nonzero  map[string]Value
	Expected map[string]Value `json:"expected_nonzero"`
	JSON     *struct {
		Bits int
		Lst  string
	}
	CBOR       string `json:"cbor_hex"`
	StatusList *struct {
		Bits int
		Lst  string
	} `json:"status_list"`
	Inflated string `json:"inflated_hex"`
}

// holds checks every place of a list.
func holds(t *testing.T, l List, entries int, nonzero map[string]Value) {
	t.Helper()
	if l.Len() != entries {
		t.Errorf("got %d places, want %d", l.Len(), entries)
	}
	for k := range int64(entries) {
		got, err := l.At(k)
		if want := nonzero[strconv.FormatInt(k, 10)]; err != nil || got != want {
			t.Fatalf("place %d: got %d, %v; want %d", k, got, err, want)
		}
	}
	// And back: the same values give the same bytes.
	again, err := NewList(l.Bits(), entries)
	if err != nil {
		t.Fatal(err)
	}
	for place, v := range nonzero {
		index, err := strconv.ParseInt(place, 10, 64)
		if err != nil || again.Set(index, v) != nil {
			t.Fatalf("place %s: %v", place, err)
		}
	}
	if string(again.packed) != string(l.packed) {
		t.Error("the values written again are other bytes")
	}
}

func unfolded(t *testing.T, bits int, deflated []byte) List {
	t.Helper()
	packed, err := fromZlib(deflated)
	if err != nil {
		t.Fatal(err)
	}
	return List{bits: bits, packed: packed}
}

func TestListsOfTheDraft(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		t.Run(fmt.Sprintf("%d bits", bits), func(t *testing.T) {
			var v listVector
			load(t, &v, "token-status-list", fmt.Sprintf("tsl-%dbit.json", bits))
			deflated, err := jws.Bytes(v.JSON.Lst)
			if err != nil || v.JSON.Bits != bits {
				t.Fatalf("got %d bits, %v", v.JSON.Bits, err)
			}
			holds(t, unfolded(t, bits, deflated), v.Entries, v.Expected)
			raw, err := hex.DecodeString(v.CBOR)
			if err != nil {
				t.Fatal(err)
			}
			var list map[any]any
			if err := strict.Unmarshal(raw, &list); err != nil || list["bits"] != int64(bits) {
				t.Fatalf("got %v bits, %v", list["bits"], err)
			}
			holds(t, unfolded(t, bits, list["lst"].([]byte)), v.Entries, v.Expected)
		})
	}
	var small []listVector
	load(t, &small, "token-status-list", "small-json.json")
	for _, v := range small {
		deflated, err := jws.Bytes(v.StatusList.Lst)
		if err != nil {
			t.Fatal(err)
		}
		l := unfolded(t, v.StatusList.Bits, deflated)
		holds(t, l, v.Entries, v.Nonzero)
		if got := hex.EncodeToString(l.packed); got != v.Inflated {
			t.Errorf("got %s, want %s", got, v.Inflated)
		}
	}
}

func TestTokensOfTheDraft(t *testing.T) {
	var v struct {
		Key        map[string]any
		JWT        string
		CWT        string `json:"cwt_hex"`
		Referenced struct {
			Status struct {
				List struct {
					Index int64  `json:"idx"`
					URI   string `json:"uri"`
				} `json:"status_list"`
			}
		} `json:"referenced_token_jwt_status_claim"`
	}
	load(t, &v, "token-status-list", "status-list-token.json")
	delete(v.Key, "d")
	key, err := jws.ParseJWK(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	cwt, err := hex.DecodeString(v.CWT)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1686920170, 0)
	o := Options{Address: v.Referenced.Status.List.URI, Issuer: "https://example.com", Now: func() time.Time { return at }, Trust: jws.Trust{
		Keys: func(_ context.Context, issuer, kid string) (crypto.PublicKey, error) {
			if issuer != "https://example.com" || kid != "12" {
				return nil, ErrUnknownKey
			}
			return key, nil
		}}}
	asJWT, errJWT := VerifyJWT(t.Context(), v.JWT, o)
	asCWT, errCWT := VerifyCWT(t.Context(), cwt, o)
	for name, got := range map[string]struct {
		list Verified
		err  error
	}{"JWT": {asJWT, errJWT}, "CWT": {asCWT, errCWT}} {
		if got.err != nil {
			t.Errorf("%s: got %v, want nil", name, got.err)
			continue
		}
		if l := got.list; l.TTL != 43200*time.Second || !l.IssuedAt.Equal(at) || l.Expires.Unix() != 2291720170 || l.By != "https://example.com" || l.KeyID != "12" {
			t.Errorf("%s: got %+v", name, l)
		}
		if status, err := got.list.List.At(v.Referenced.Status.List.Index); err != nil || status != Invalid || got.list.List.Len() != 16 {
			t.Errorf("%s: got %d, %v; want the first of 16 to be invalid", name, status, err)
		}
	}
}

func TestBitstringsOfTheW3C(t *testing.T) {
	var spec struct {
		Bits       int
		Credential struct {
			Type    []string
			Subject map[string]any `json:"credentialSubject"`
		} `json:"status_list_credential"`
		Entry struct {
			Purpose string `json:"statusPurpose"`
			Index   string `json:"statusListIndex"`
		}
	}
	load(t, &spec, "bitstring-status-list", "spec-examples.json")
	s, err := ReadSubject(spec.Credential.Type, spec.Credential.Subject)
	if err != nil {
		t.Fatal(err)
	}
	index, err := strconv.ParseInt(spec.Entry.Index, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if set, err := s.Set(spec.Entry.Purpose, index); err != nil || set || s.Bits.Len() != spec.Bits || s.TTL != 5*time.Minute {
		t.Errorf("got %v, %v of %d for %v; want a bit that is not set", set, err, s.Bits.Len(), s.TTL)
	}
	if strings.Trim(string(s.Bits.packed), "\x00") != "" {
		t.Error("got a bit that is set, want none")
	}

	var computed struct {
		Cases []struct {
			Set         []int64
			EncodedList string
		}
	}
	load(t, &computed, "bitstring-status-list", "computed.json")
	for _, c := range computed.Cases {
		b, err := ParseBitstring(c.EncodedList)
		if err != nil {
			t.Fatal(err)
		}
		want, err := NewBitstring(MinPlaces)
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range c.Set {
			if err := want.Set(index); err != nil {
				t.Fatal(err)
			}
			if set, err := b.At(index); err != nil || !set {
				t.Errorf("place %d: got %v, %v; want it set", index, set, err)
			}
		}
		if string(b.packed) != string(want.packed) {
			t.Errorf("got other bits than %v", c.Set)
		}
	}
}
