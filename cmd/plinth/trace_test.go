package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
)

// A collector gets the pattern of the route, never the path that was asked.
func TestSpansTellNoSecret(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(raw)
	}))
	defer collector.Close()
	tracer, stop, err := tracing(collector.URL)
	must(t, err)
	at, err := url.Parse("http://localhost")
	must(t, err)
	r := web.New(web.Config{Public: at, Tracer: tracer, Log: slog.New(slog.DiscardHandler)})
	r.Handle("GET", "/things/:secret", web.Anyone, func(c *gin.Context) error { c.Status(http.StatusNoContent); return nil })
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/things/hidden?code=hidden", nil))
	must(t, stop(t.Context()))
	said := <-got
	if !strings.HasPrefix(said, "/v1/traces ") || !strings.Contains(said, "GET /things/:secret") || !strings.Contains(said, `"intValue":"204"`) || strings.Contains(said, "hidden") {
		t.Errorf("got %q, want the route and nothing of the path", said)
	}
}
