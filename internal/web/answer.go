package web

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
)

// RateLimited is the code of a Busy fault that means: you asked too often. It
// makes the answer 429 instead of 503.
const RateLimited = "rate-limited"

const (
	methodNotAllowed = "method-not-allowed"
	bodyTooLarge     = "body-too-large"
	keyReused        = "idempotency-key-reused"
	workNeeded       = "work-needed" // may go on after a proof of work
)

// clientGone is what the log says when the caller hung up: nobody reads an answer.
const clientGone = 499

var statusOfKind = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Busy:            http.StatusServiceUnavailable,
}

// statusOfCode is for the faults that HTTP tells apart more finely than callers do.
var statusOfCode = map[string]int{
	RateLimited:      http.StatusTooManyRequests,
	workNeeded:       http.StatusTooManyRequests,
	methodNotAllowed: http.StatusMethodNotAllowed,
	bodyTooLarge:     http.StatusRequestEntityTooLarge,
	keyReused:        http.StatusUnprocessableEntity,
}

// Status is the HTTP status of a fault.
func Status(f *fault.Fault) int {
	if status, ok := statusOfCode[f.Code]; ok {
		return status
	}
	return statusOfKind[f.Kind]
}

// problem is an RFC 9457 problem document.
type problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Fields    []fault.Field `json:"errors,omitempty"`
	RequestID string        `json:"request_id"`
}

// answer turns the handler's error into a page or a problem document.
func (r *Router) answer(c *gin.Context, err error) {
	if err == nil {
		c.Writer.WriteHeaderNow() // c.Status alone sends nothing
		return
	}
	f := judge(err)
	c.Set(faultKey, f)
	c.Set(errorKey, err)
	if errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil {
		c.Status(clientGone)
		return
	}
	if c.Writer.Written() {
		// Half an answer is out; only a broken connection tells the caller so.
		c.Set(brokenKey, true)
		return
	}
	status := Status(f)
	switch f.Kind {
	case fault.Busy:
		if c.Writer.Header().Get("Retry-After") == "" {
			c.Header("Retry-After", "5")
		}
	case fault.Unauthenticated:
		if c.Writer.Header().Get("WWW-Authenticate") == "" {
			c.Header("WWW-Authenticate", "Bearer")
		}
	}
	c.Header("Cache-Control", "no-store")
	if r.config.ErrorPage != nil && prefersPage(c.Request.Header) {
		if err := r.config.ErrorPage(c, status, f); err == nil || c.Writer.Written() {
			return
		}
	}
	c.Header("Content-Type", "application/problem+json")
	c.JSON(status, problem{Type: r.config.Public.JoinPath("problems", f.Code).String(), Title: http.StatusText(status),
		Status: status, Detail: f.Sentence, Fields: f.Fields, RequestID: RequestID(c)})
}

// judge is fault.Of for errors that only HTTP knows.
func judge(err error) *fault.Fault {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fault.New(fault.Invalid, "What you sent is too large. At most "+size(large.Limit)+" are taken here.").Named(bodyTooLarge).Because(err)
	}
	return fault.Of(err)
}

func size(bytes int64) string {
	switch {
	case bytes >= 1<<20:
		return strconv.FormatInt(bytes>>20, 10) + " MiB"
	case bytes >= 1<<10:
		return strconv.FormatInt(bytes>>10, 10) + " KiB"
	}
	return strconv.FormatInt(bytes, 10) + " bytes"
}

// prefersPage tells a person's browser from a program: it asks for HTML before JSON.
func prefersPage(header http.Header) bool {
	page, document := 0.0, 0.0
	for _, accepted := range strings.Split(strings.Join(header.Values("Accept"), ","), ",") {
		kind, parameters, err := mime.ParseMediaType(accepted)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := parameters["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch kind {
		case "text/html":
			page = max(page, weight)
		case "application/json", "application/problem+json":
			document = max(document, weight)
		}
	}
	return page > document
}
