package main

import (
	"context"
	_ "embed"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

//go:embed openapi.json
var openapi []byte

// doors opens what belongs to no other package.
func (h *house) doors() {
	h.router.Handle("GET", "/", web.Anyone, h.home)
	h.router.Handle("GET", "/static/*file", web.Anyone, func(c *gin.Context) error {
		templates.Static().ServeHTTP(c.Writer, c.Request)
		return nil
	})
	h.router.Handle("GET", "/healthz", web.Anyone, func(c *gin.Context) error {
		c.JSON(http.StatusOK, gin.H{"status": "ok"})
		return nil
	})
	h.router.Handle("GET", "/readyz", web.Anyone, h.ready)
	h.router.Handle("GET", "/openapi.json", web.Anyone, func(c *gin.Context) error {
		c.Data(http.StatusOK, "application/json", openapi)
		return nil
	})
	metrics := promhttp.HandlerFor(h.numbers(), promhttp.HandlerOpts{})
	h.router.Handle("GET", "/metrics", web.Anyone, func(c *gin.Context) error {
		metrics.ServeHTTP(c.Writer, c.Request)
		return nil
	})
	if h.demo {
		h.router.Handle("GET", "/demo/inbox", web.Demo, h.showInbox)
	}
}

// front is what this process answers: a process that only works tells how it is,
// and nothing else.
func (h *house) front() http.Handler {
	if slices.Contains(h.Roles, "web") {
		return h.router
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		mux.Handle("GET "+path, h.router)
	}
	return mux
}

func (h *house) home(c *gin.Context) error {
	page := templates.Home{Demo: h.demo, Doors: []string{"wallet", "verify"}, Issuer: h.URL.String()}
	if h.demo {
		page.Doors = []string{"portal", "wallet", "inbox", "verify"}
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

// ready says yes while the database answers within a second and is up to date.
func (h *house) ready(c *gin.Context) error {
	ctx, cancel := context.WithTimeout(c.Request.Context(), time.Second)
	defer cancel()
	pending, err := postgres.Pending(ctx, h.pool)
	if err != nil || pending > 0 {
		return fault.New(fault.Busy, "The database is not ready. Try again in a few seconds.").Because(err)
	}
	c.JSON(http.StatusOK, gin.H{"status": "ready"})
	return nil
}

// numbers are the figures for Prometheus: the process, the pool, the capacity.
func (h *house) numbers() *prometheus.Registry {
	r := prometheus.NewRegistry()
	gauge := func(name, help string, value func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "plinth", Name: name, Help: help}, value))
	}
	gauge("database_connections", "Connections to the database in use.", func() float64 { return float64(h.pool.Stat().AcquiredConns()) })
	gauge("audit_pending", "Audit entries not yet in the Merkle tree.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, err := h.log.Pending(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	r.MustRegister(h.issuer.Dialects)
	gauge("credential_certificate_days", "Days until the certificate of the issuer stops the issuing of SD-JWT VCs and mobile documents; negative: it has.", func() float64 {
		days, _ := h.chain.Problems()
		return float64(days)
	})
	return r
}

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

func (h *house) showInbox(c *gin.Context) error {
	messages, err := h.inbox.Messages(c.Request.Context(), 200)
	if err != nil {
		return err
	}
	var page templates.Inbox
	for _, m := range messages {
		page.Messages = append(page.Messages, templates.InboxMessage{Channel: string(m.Channel), To: m.To, Subject: m.Subject,
			Text: m.Text, Link: link.FindString(m.Text), At: m.At})
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, page)
}

// problemPage shows a fault to a person.
func problemPage(c *gin.Context, status int, f *fault.Fault) error {
	page := templates.Problem{Kind: f.Kind.String(), Sentence: f.Sentence, RequestID: web.RequestID(c)}
	if f.Kind == fault.Internal {
		page.Sentence = ""
	}
	for _, field := range f.Fields {
		page.Fields = append(page.Fields, templates.FieldError{Message: field.Name + ": " + field.Rule})
	}
	return templates.Render(c.Writer, c.Request, status, page)
}
