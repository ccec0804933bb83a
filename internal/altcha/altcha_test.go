package altcha

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

// at is a toll at a moment.
func at(now time.Time) *Toll {
	key := func(parts ...[]byte) []byte {
		h := hmac.New(sha256.New, []byte("a key for tests"))
		for _, p := range parts {
			fmt.Fprintf(h, "%d\x00%s", len(p), p)
		}
		return h.Sum(nil)
	}
	return New(key, func() time.Time { return now })
}

// solve does the work as ALTCHA's widget does: the first number that fits.
func solve(t *testing.T, c Challenge) solution {
	t.Helper()
	for n := range c.MaxNumber + 1 {
		sum := sha256.Sum256(fmt.Append(nil, c.Salt, n))
		if hex.EncodeToString(sum[:]) == c.Challenge {
			return solution{c.Algorithm, c.Challenge, int64(n), c.Salt, c.Signature}
		}
	}
	t.Fatal("got a challenge without a solution")
	return solution{}
}

func payload(t *testing.T, s any) string {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func TestWorkCounts(t *testing.T) {
	toll := at(noon)
	c := toll.Challenge(1000)
	if c.Algorithm != "SHA-256" || c.MaxNumber != 1000 || len(c.Challenge) != 64 || !strings.HasSuffix(c.Salt, fmt.Sprintf("?expires=%d&", noon.Add(Life).Unix())) {
		t.Errorf("got %+v", c)
	}
	// The widget gives its time as well.
	s := solve(t, c)
	full := map[string]any{"algorithm": s.Algorithm, "challenge": s.Challenge, "number": s.Number, "salt": s.Salt, "signature": s.Signature, "took": 12}
	for _, p := range []string{payload(t, s), payload(t, full)} {
		id, err := toll.Check(p)
		if err != nil || hex.EncodeToString(id) != c.Challenge {
			t.Errorf("got %x, %v; want the challenge", id, err)
		}
	}
	if _, err := at(noon.Add(Life - time.Second)).Check(payload(t, s)); err != nil {
		t.Errorf("got %v, want it to count until its end", err)
	}
	if again := toll.Challenge(1000); again.Challenge == c.Challenge || again.Salt == c.Salt {
		t.Error("got one challenge twice")
	}
}

func TestWorkThatDoesNotCountIsRefused(t *testing.T) {
	toll := at(noon)
	c := toll.Challenge(1000)
	for what, spoil := range map[string]func(s *solution){
		"another number": func(s *solution) { s.Number++ }, "a negative number": func(s *solution) { s.Number = -1 }, "another algorithm": func(s *solution) { s.Algorithm = "SHA-1" },
		"another signature": func(s *solution) { s.Signature = strings.Repeat("0", 64) }, "no signature": func(s *solution) { s.Signature = "" },
		"more time":         func(s *solution) { s.Salt = strings.Replace(s.Salt, "expires=1", "expires=2", 1) },
		"no time":           func(s *solution) { s.Salt = s.Salt[:32] + "&" },
		"another challenge": func(s *solution) { s.Challenge = toll.Challenge(1).Challenge },
		"a challenge of one's own": func(s *solution) {
			s.Number, s.Challenge = 7, hex.EncodeToString(digest(s.Salt, 7))
		},
		// Digits that move between the salt and the number leave the hash as it is.
		"a number spliced": func(s *solution) {
			s.Salt = strings.TrimSuffix(s.Salt, "&") + "0&"
		},
	} {
		s := solve(t, c)
		spoil(&s)
		if id, err := toll.Check(payload(t, s)); id != nil || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %x, %v; want it refused", what, id, err)
		}
	}
	good := solve(t, c)
	for what, p := range map[string]string{"nothing": "", "no base64": "!", "no JSON": base64.StdEncoding.EncodeToString([]byte("{")), "two": base64.StdEncoding.EncodeToString([]byte("{}{}")),
		"much": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(" "), longestPayload)), "a list": payload(t, []solution{good})} {
		if id, err := toll.Check(p); id != nil || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %x, %v; want it refused", what, id, err)
		}
	}
	if _, err := at(noon.Add(Life)).Check(payload(t, good)); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want it too late", err)
	}
}

func FuzzCheck(f *testing.F) {
	toll := at(noon)
	c := toll.Challenge(10)
	for n := range int64(11) {
		raw, _ := json.Marshal(solution{c.Algorithm, c.Challenge, n, c.Salt, c.Signature})
		f.Add(base64.StdEncoding.EncodeToString(raw))
	}
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, payload string) {
		id, err := toll.Check(payload)
		if err != nil && (id != nil || !fault.Is(err, fault.Invalid)) {
			t.Errorf("got %x, %v", id, err)
		}
		if err == nil && len(id) != sha256.Size {
			t.Errorf("got an id of %d bytes", len(id))
		}
	})
}
