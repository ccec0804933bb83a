package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	callerKey = "web.caller"
	faultKey  = "web.fault"
	errorKey  = "web.error"
	brokenKey = "web.broken"
	actorKey  = "web.actor"
)

type requestIDKey struct{}

// RequestID is the number under which this request is in the log, for a person to
// quote when they ask for help.
func RequestID(c *gin.Context) string {
	id, _ := c.Request.Context().Value(requestIDKey{}).(string)
	return id
}

// traceparent is the W3C form. Nothing else from outside gets into the log as it is.
var traceparent = regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// observe numbers a request and writes its one line: the pattern of the route
// instead of the path, and no query, for both may name people.
func (r *Router) observe(c *gin.Context) {
	began := time.Now()
	id := rand.Text()
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
	c.Header("X-Request-Id", id)
	route := c.FullPath()
	if route == "" {
		route = "unmatched"
	}
	end := r.span(c, route)
	c.Next()
	end()

	caller, _ := c.Get(callerKey)
	line := []slog.Attr{slog.String("method", method(c.Request.Method)), slog.String("route", route),
		slog.Int("status", c.Writer.Status()), slog.Int("bytes", max(0, c.Writer.Size())),
		slog.Duration("took", time.Since(began)), slog.String("request", id), slog.Any("caller", caller)}
	if found := traceparent.FindStringSubmatch(c.GetHeader("traceparent")); found != nil {
		line = append(line, slog.String("trace", found[1]))
	}
	level := slog.LevelInfo
	if f, ok := c.Get(faultKey); ok {
		var more []slog.Attr
		level, more = failure(c, f.(*fault.Fault))
		line = append(line, more...)
	}
	r.config.Log.LogAttrs(c.Request.Context(), level, "request", line...)
	if c.GetBool(brokenKey) {
		panic(http.ErrAbortHandler)
	}
}

// span begins what a collector learns of a request: no more than its line has.
func (r *Router) span(c *gin.Context, route string) (end func()) {
	if r.config.Tracer == nil {
		return func() {}
	}
	parent := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	ctx, span := r.config.Tracer.Start(parent, method(c.Request.Method)+" "+route, trace.WithSpanKind(trace.SpanKindServer))
	c.Request = c.Request.WithContext(ctx)
	return func() {
		status := c.Writer.Status()
		span.SetAttributes(attribute.String("http.request.method", method(c.Request.Method)), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

func failure(c *gin.Context, f *fault.Fault) (slog.Level, []slog.Attr) {
	value, _ := c.Get(errorKey)
	err := value.(error)
	attrs := []slog.Attr{slog.String("fault", f.Code), slog.String("error", err.Error())}
	if p := (*panicked)(nil); errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", p.stack))
	}
	if f.Kind == fault.Internal && c.Writer.Status() != clientGone {
		return slog.LevelError, attrs
	}
	return slog.LevelInfo, attrs
}

func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// panicked is a panic of a handler. What it was thrown with may hold what a person
// entered, so only the runtime's own texts are kept.
type panicked struct{ what, stack string }

func (p *panicked) Error() string { return "panic: " + p.what }

// protected is the last resort: a mistake in one handler ends one request.
func protected(do func() error) (err error) {
	defer func() {
		thrown := recover()
		if thrown == nil {
			return
		}
		if thrown == http.ErrAbortHandler {
			panic(thrown)
		}
		what := fmt.Sprintf("%T", thrown)
		if mistake, ok := thrown.(runtime.Error); ok {
			what = mistake.Error()
		}
		err = &panicked{what: what, stack: string(debug.Stack())}
	}()
	return do()
}

// SetActor says who is asking ("officer:<id>"), for guards to call: idempotency
// keys belong to one actor.
func SetActor(c *gin.Context, actor string) { c.Set(actorKey, actor) }

// From is the network that a request comes from, coarse enough not to name a
// household: limits count by it.
func From(c *gin.Context) string {
	address, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return ""
	}
	bits := 48
	if address = address.Unmap(); address.Is4() {
		bits = 24
	}
	prefix, err := address.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}

// Logging makes a slog.Handler add the request's number to every line that is
// written with the context of a request.
func Logging(h slog.Handler) slog.Handler { return numbered{h} }

type numbered struct{ slog.Handler }

func (n numbered) Handle(ctx context.Context, record slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok && record.Message != "request" {
		record.AddAttrs(slog.String("request", id))
	}
	return n.Handler.Handle(ctx, record)
}

func (n numbered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return numbered{n.Handler.WithAttrs(attrs)}
}
func (n numbered) WithGroup(name string) slog.Handler { return numbered{n.Handler.WithGroup(name)} }
