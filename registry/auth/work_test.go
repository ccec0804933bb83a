package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/plinth-id/plinth/internal/altcha"
	"github.com/plinth-id/plinth/internal/fault"
)

func worked(t *testing.T, c altcha.Challenge) string {
	t.Helper()
	for n := range c.MaxNumber + 1 {
		if sum := sha256.Sum256(fmt.Append(nil, c.Salt, n)); hex.EncodeToString(sum[:]) == c.Challenge {
			raw, err := json.Marshal(map[string]any{"algorithm": c.Algorithm, "challenge": c.Challenge, "number": n, "salt": c.Salt, "signature": c.Signature})
			must(t, err)
			return base64.StdEncoding.EncodeToString(raw)
		}
	}
	t.Fatal("got a challenge without a solution")
	return ""
}

func TestWorkIsSpentOnce(t *testing.T) {
	w := newWorld(t)
	payload := worked(t, w.AskWork())
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := w.SpendWork(t.Context(), w.Pool, payload); err == nil {
				taken.Add(1)
			} else if !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "work-spent" {
				t.Errorf("got %v, want it spent", err)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("got one proof of work taken %d times, want once", n)
	}
	if err := w.SpendWork(t.Context(), w.Pool, "e30="); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want no work refused", err)
	}
	late := worked(t, w.AskWork())
	w.wait(altcha.Life)
	if err := w.SpendWork(t.Context(), w.Pool, late); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want it too late", err)
	}
	w.wait(altcha.Life)
	must(t, w.Sweep(t.Context()))
	if n := w.count(t, "SELECT count(*) FROM auth_work"); n != 0 {
		t.Errorf("got %d proofs kept for ever", n)
	}
}
