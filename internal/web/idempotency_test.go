package web_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
)

// sealing stands in for the key ring: it hides nothing well, but it binds what it
// seals to its place, and shows what was left unsealed.
func sealing(pool *pgxpool.Pool) web.IdempotencyConfig {
	mask := func(b []byte) []byte {
		out := bytes.Clone(b)
		for i := range out {
			out[i] ^= 0x5a
		}
		return out
	}
	return web.IdempotencyConfig{Pool: pool,
		Seal: func(plain, ad []byte) ([]byte, error) { return append(bytes.Clone(ad), mask(plain)...), nil },
		Open: func(sealed, ad []byte) ([]byte, error) {
			if !bytes.HasPrefix(sealed, ad) {
				return nil, errors.New("sealed for another place")
			}
			return mask(sealed[len(ad):]), nil
		},
		PRF: func(label string, parts ...[]byte) []byte {
			h := hmac.New(sha256.New, []byte("test key"))
			fmt.Fprintf(h, "%s %q", label, parts)
			return h.Sum(nil)
		},
	}
}

// counting opens a site with one route that counts its effects and answers with the count.
func counting(t *testing.T, pool *pgxpool.Pool) (site, *atomic.Int64) {
	t.Helper()
	var effects atomic.Int64
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("POST", "/effects", web.Anyone, func(c *gin.Context) error {
			body, err := io.ReadAll(c.Request.Body)
			if err != nil {
				return err
			}
			switch string(body) {
			case "refuse":
				return fault.New(fault.Denied, "Not now.")
			case "panic":
				panic("in the middle")
			}
			c.Header("Location", "/effects/1")
			c.JSON(http.StatusCreated, gin.H{"effect": effects.Add(1), "for": string(body)})
			return nil
		}, web.Idempotency(sealing(pool)))
	})
	return s, &effects
}

func TestTheSameKeyHasOneEffectAndOneAnswer(t *testing.T) {
	pool := pgtest.Pool(t)
	s, effects := counting(t, pool)
	send := func() (*http.Response, string) {
		return s.ask(t, "POST", "/effects", "Amina", "Idempotency-Key", "k1", "Authorization", "Bearer a")
	}
	first, firstBody := send()
	second, secondBody := send()
	if effects.Load() != 1 || first.StatusCode != 201 || second.StatusCode != 201 || firstBody != secondBody {
		t.Fatalf("got %d effects, %d %s then %d %s; want one and the same", effects.Load(), first.StatusCode, firstBody, second.StatusCode, secondBody)
	}
	if second.Header.Get("Location") != "/effects/1" || second.Header.Get("Content-Type") != first.Header.Get("Content-Type") ||
		second.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("got %v then %v, want the same headers and a mark", first.Header, second.Header)
	}
	var stored string
	if err := pool.QueryRow(t.Context(), `SELECT encode(id, 'escape') || encode(sealed, 'escape') FROM web_idempotency`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stored, "Amina") || strings.Contains(stored, "k1") || strings.Contains(stored, "Bearer") {
		t.Fatalf("got %q stored, want nothing readable", stored)
	}
}

func TestTheSameKeyForAnotherRequestIsRefused(t *testing.T) {
	s, effects := counting(t, pgtest.Pool(t))
	s.ask(t, "POST", "/effects", "a", "Idempotency-Key", "k1", "Authorization", "Bearer a")
	resp, body := s.ask(t, "POST", "/effects", "b", "Idempotency-Key", "k1", "Authorization", "Bearer a")
	if resp.StatusCode != 422 || !strings.Contains(body, "idempotency-key-reused") || effects.Load() != 1 {
		t.Fatalf("got %d %s and %d effects, want 422 and one", resp.StatusCode, body, effects.Load())
	}
}

func TestKeysBelongToTheirActor(t *testing.T) {
	s, effects := counting(t, pgtest.Pool(t))
	for i, headers := range [][]string{{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}, {"X-Nobody", "1"}, {"X-Nobody", "2"}} {
		resp, _ := s.ask(t, "POST", "/effects", "x", append(headers, "Idempotency-Key", "k1")...)
		if got, want := effects.Load(), int64(i+1); resp.StatusCode != 201 || got != want {
			t.Fatalf("%v: got %d and %d effects, want 201 and %d", headers, resp.StatusCode, got, want)
		}
	}
}

func TestARefusalGivesTheKeyBack(t *testing.T) {
	pool := pgtest.Pool(t)
	s, _ := counting(t, pool)
	for body, want := range map[string]int{"refuse": 403, "panic": 500} {
		for range 2 {
			if resp, _ := s.ask(t, "POST", "/effects", body, "Idempotency-Key", body, "Authorization", "Bearer a"); resp.StatusCode != want {
				t.Fatalf("%s: got %d, want %d each time", body, resp.StatusCode, want)
			}
		}
	}
	var kept int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM web_idempotency`).Scan(&kept); err != nil || kept != 0 {
		t.Fatalf("got %d, %v; want no key kept", kept, err)
	}
}

func TestManyAtOnceWithOneKeyHaveOneEffect(t *testing.T) {
	s, effects := counting(t, pgtest.Pool(t))
	var wg sync.WaitGroup
	statuses := make(chan int, 30)
	for range 30 {
		wg.Go(func() {
			req, err := http.NewRequest("POST", s.URL+"/effects", strings.NewReader("x"))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Idempotency-Key", "k")
			req.Header.Set("Authorization", "Bearer a")
			resp, err := s.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	for status := range statuses {
		if status != 201 && status != 409 {
			t.Errorf("got %d, want the answer, or a request to wait", status)
		}
	}
	if got := effects.Load(); got != 1 {
		t.Fatalf("got %d effects, want one", got)
	}
}

func TestAKeyInUseAsksToWaitUntilItsHolderIsLongGone(t *testing.T) {
	pool := pgtest.Pool(t)
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	var runs atomic.Int64
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("POST", "/slow", web.Anyone, func(c *gin.Context) error {
			if n := runs.Add(1); n == 1 {
				entered <- struct{}{}
				<-leave
			}
			c.String(200, strconv.FormatInt(runs.Load(), 10))
			return nil
		}, web.Idempotency(sealing(pool)))
	})
	headers := []string{"Idempotency-Key", "k", "Authorization", "Bearer a"}
	first := make(chan int, 1)
	go func() {
		resp, _ := s.ask(t, "POST", "/slow", "x", headers...)
		first <- resp.StatusCode
	}()
	<-entered
	resp, body := s.ask(t, "POST", "/slow", "x", headers...)
	if resp.StatusCode != 409 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "idempotency-key-in-use") {
		t.Fatalf("got %d %s, want 409 with Retry-After", resp.StatusCode, body)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE web_idempotency SET started_at = now() - interval '6 minutes'`); err != nil {
		t.Fatal(err)
	}
	if resp, body := s.ask(t, "POST", "/slow", "x", headers...); resp.StatusCode != 200 || body != "2" {
		t.Fatalf("got %d %s, want the work taken over", resp.StatusCode, body)
	}
	close(leave)
	if got := <-first; got != 409 {
		t.Fatalf("got %d for the one who lost the key, want 409", got)
	}
	if _, body := s.ask(t, "POST", "/slow", "x", headers...); body != "2" {
		t.Fatalf("got %s, want the answer of the one who holds the key", body)
	}
}

func TestKeysAreForgottenAfterADay(t *testing.T) {
	pool := pgtest.Pool(t)
	s, effects := counting(t, pool)
	send := func(key string) {
		s.ask(t, "POST", "/effects", "x", "Idempotency-Key", key, "Authorization", "Bearer a")
	}
	send("old")
	if _, err := pool.Exec(t.Context(), `UPDATE web_idempotency SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	send("old") // an expired key is as good as new, swept or not
	send("new")
	if got := effects.Load(); got != 3 {
		t.Fatalf("got %d effects, want 3", got)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE web_idempotency SET expires_at = now() WHERE id = (SELECT id FROM web_idempotency LIMIT 1)`); err != nil {
		t.Fatal(err)
	}
	if swept, err := web.SweepIdempotency(t.Context(), pool); err != nil || swept != 1 {
		t.Fatalf("got %d, %v; want the expired one swept", swept, err)
	}
}
