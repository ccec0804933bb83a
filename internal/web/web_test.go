package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

// journal is where the log of a test goes.
type journal struct {
	mu sync.Mutex
	bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Buffer.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Buffer.String()
}

// site is a router behind a real server.
type site struct {
	*web.Router
	*httptest.Server
	log *journal
}

func open(t *testing.T, public string, routes func(*web.Router)) site {
	t.Helper()
	u, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	r := web.New(web.Config{Public: u, Log: slog.New(slog.NewJSONHandler(log, nil)), ErrorPage: page})
	routes(r)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return site{Router: r, Server: server, log: log}
}

func page(c *gin.Context, status int, f *fault.Fault) error {
	c.Data(status, "text/html; charset=utf-8", []byte("<p>"+f.Sentence+"</p>"))
	return nil
}

func ok(c *gin.Context) error {
	c.String(http.StatusOK, "fine")
	return nil
}

// ask sends a request with headers in pairs and returns the answer with its body read.
func (s site) ask(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(content)
}

func TestAFaultBecomesAProblemDocument(t *testing.T) {
	s := open(t, "https://id.example", func(r *web.Router) {
		r.Handle("POST", "/api", web.Anyone, func(*gin.Context) error {
			return fault.New(fault.Invalid, "Please correct the fields named.").Named("bad-person").At("email", "must hold an @").Because(errors.New("secret cause"))
		})
	})
	resp, body := s.ask(t, "POST", "/api", "{}")
	var got struct {
		Type, Title, Detail string
		Status              int
		Errors              []fault.Field
		RequestID           string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s, want a problem document with 400", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if got.Type != "https://id.example/problems/bad-person" || got.Status != 400 || got.Detail != "Please correct the fields named." ||
		len(got.Errors) != 1 || got.Errors[0].Name != "email" || got.RequestID != resp.Header.Get("X-Request-Id") {
		t.Fatalf("got %s", body)
	}
	if strings.Contains(body, "secret cause") {
		t.Fatal("what lies behind a fault must not reach the caller")
	}
}

func TestEveryKindHasItsStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{fault.New(fault.Internal, "x"), 500}, {fault.New(fault.Invalid, "x"), 400}, {fault.New(fault.Unauthenticated, "x"), 401},
		{fault.New(fault.Denied, "x"), 403}, {fault.New(fault.NotFound, "x"), 404}, {fault.New(fault.Conflict, "x"), 409},
		{fault.New(fault.Busy, "x"), 503}, {fault.New(fault.Busy, "x").Named(web.RateLimited), 429},
		{errors.New("anything else"), 500}, {&http.MaxBytesError{Limit: 1}, 413},
	} {
		s := open(t, "http://localhost", func(r *web.Router) {
			r.Handle("GET", "/", web.Anyone, func(*gin.Context) error { return c.err })
		})
		resp, _ := s.ask(t, "GET", "/", "")
		if resp.StatusCode != c.want {
			t.Errorf("%v: got %d, want %d", c.err, resp.StatusCode, c.want)
		}
		if asked := c.want == 503 || c.want == 429; asked != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%v: got Retry-After %q", c.err, resp.Header.Get("Retry-After"))
		}
	}
}

func TestABrowserGetsAPageAndAProgramADocument(t *testing.T) {
	s := open(t, "http://localhost", func(*web.Router) {})
	for accept, want := range map[string]string{
		"text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
		"application/json, text/html;q=0.5":         "application/problem+json",
		"application/json, text/html":               "application/problem+json",
		"*/*":                                       "application/problem+json",
		"text/html;q=0":                             "application/problem+json",
		"text/html;q=high":                          "application/problem+json",
		"":                                          "application/problem+json",
	} {
		resp, _ := s.ask(t, "GET", "/nowhere", "", "Accept", accept)
		if got := resp.Header.Get("Content-Type"); got != want || resp.StatusCode != 404 {
			t.Errorf("Accept %q: got %d %q, want 404 %q", accept, resp.StatusCode, got, want)
		}
	}
}

func TestAMissingRouteAndAWrongMethodAreFaults(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) { r.Handle("GET", "/here", web.Anyone, ok) })
	if resp, body := s.ask(t, "GET", "/here/", ""); resp.StatusCode != 404 || !strings.Contains(body, "/problems/not-found") {
		t.Fatalf("got %d %s, want a 404 problem", resp.StatusCode, body)
	}
	resp, body := s.ask(t, "POST", "/here", "")
	if resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") || !strings.Contains(body, "method-not-allowed") {
		t.Fatalf("got %d Allow %q %s, want a 405 problem", resp.StatusCode, resp.Header.Get("Allow"), body)
	}
	if resp, body := s.ask(t, "HEAD", "/here", ""); resp.StatusCode != 200 || body != "" {
		t.Fatalf("got %d %q, want GET's answer without a body", resp.StatusCode, body)
	}
}

func TestASVS_8_3_1_ADoorWithoutItsGuardStopsTheStart(t *testing.T) {
	open(t, "http://localhost", func(r *web.Router) {
		defer func() {
			if recover() == nil {
				t.Fatal("got a route for operators without a guard, want a panic at start")
			}
		}()
		r.Handle("GET", "/office", web.Operator, ok)
	})
}

func TestASVS_8_2_1_TheGuardComesBeforeTheHandler(t *testing.T) {
	entered := false
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Guard(web.Operator, func(*gin.Context) error {
			return fault.New(fault.Unauthenticated, "Please sign in first.")
		})
		r.Handle("GET", "/office", web.Operator, func(*gin.Context) error { entered = true; return nil })
	})
	resp, _ := s.ask(t, "GET", "/office", "")
	if resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") == "" || entered {
		t.Fatalf("got %d, entered %v; want 401 with WWW-Authenticate and nobody inside", resp.StatusCode, entered)
	}
	want := []web.Route{{Method: "GET", Path: "/office", Who: web.Operator}}
	if got := s.Routes(); len(got) != 1 || got[0] != want[0] {
		t.Fatalf("got %v, want %v", got, want)
	}
}

var quiet = slog.New(slog.DiscardHandler)

func contextWithStop(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	return ctx, stop
}

func TestEveryLineOfARequestCarriesItsNumber(t *testing.T) {
	var log journal
	logger := slog.New(web.Logging(slog.NewJSONHandler(&log, nil))).With("part", "test").WithGroup("g")
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("GET", "/", web.Anyone, func(c *gin.Context) error {
			logger.InfoContext(c.Request.Context(), "within")
			return ok(c)
		})
	})
	resp, _ := s.ask(t, "GET", "/", "")
	if !strings.Contains(log.String(), resp.Header.Get("X-Request-Id")) {
		t.Fatalf("got %s, want the number %s in it", log.String(), resp.Header.Get("X-Request-Id"))
	}
}
