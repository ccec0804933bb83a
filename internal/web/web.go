// Package web is the one way in over HTTP: every route says who may call it, and
// every answer, good or bad, leaves with the same headers, limits and log line.
package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/plinth-id/plinth/internal/fault"
)

// Caller says who may call a route.
type Caller string

// The callers. A route for an officer needs a guard; the others check inside the
// handler, because protocols prescribe how they refuse.
const (
	Anyone        Caller = "anyone"
	Demo          Caller = "demo"    // anyone, in demo mode only
	Client        Caller = "client"  // OAuth client authentication
	Bearer        Caller = "bearer"  // access token
	Officer       Caller = "officer" // of any role
	Operator      Caller = "operator"
	Adjudicator   Caller = "adjudicator"
	Administrator Caller = "administrator"
)

// Config is what a Router needs. Public is required.
type Config struct {
	Public    *url.URL                                                   // where people reach us
	Log       *slog.Logger                                               // gets one line a request; nil means slog.Default
	MaxBody   int64                                                      // bytes a body may have; 0 means 1 MiB
	Proxies   []netip.Prefix                                             // address ranges whose X-Forwarded-For is believed
	ErrorPage func(c *gin.Context, status int, fault *fault.Fault) error // for people; nil means problem documents for all
	Tracer    trace.Tracer                                               // gets a span of each request; nil means none
	Again     *IdempotencyConfig                                         // makes every changing call behind a guard safe to send again; nil means none
}

// Route is one entry of the table of who may do what.
type Route struct {
	Method, Path string
	Who          Caller
}

// Router is the http.Handler of the whole binary.
type Router struct {
	config  Config
	engine  *gin.Engine
	guards  map[Caller]func(*gin.Context) error
	routes  []Route
	flights map[string]bool // paths that answer preflight requests
	origins *http.CrossOriginProtection
	headers map[string]string
}

func init() { gin.SetMode(gin.ReleaseMode) }

// New makes a Router without routes. It panics without a Public URL, since only a
// mistake in the binary leaves it out.
func New(config Config) *Router {
	if config.Public == nil || config.Public.Host == "" {
		panic("web: Config.Public must be a URL with a host")
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.MaxBody == 0 {
		config.MaxBody = 1 << 20
	}
	r := &Router{config: config, engine: gin.New(), guards: map[Caller]func(*gin.Context) error{},
		flights: map[string]bool{}, origins: http.NewCrossOriginProtection(), headers: headers(config.Public)}
	if err := r.origins.AddTrustedOrigin(config.Public.Scheme + "://" + config.Public.Host); err != nil {
		panic("web: Config.Public: " + err.Error())
	}
	proxies := make([]string, len(config.Proxies))
	for i, p := range config.Proxies {
		proxies[i] = p.String()
	}
	if err := r.engine.SetTrustedProxies(proxies); err != nil {
		panic("web: Config.Proxies: " + err.Error()) // a netip.Prefix is one gin can read
	}
	r.engine.ForwardedByClientIP = len(proxies) > 0
	r.engine.RedirectTrailingSlash = false
	r.engine.HandleMethodNotAllowed = true
	r.engine.ContextWithFallback = true
	r.engine.Use(r.observe)
	r.engine.NoRoute(r.refuse(fault.New(fault.NotFound, "There is nothing at this address. Please check it, or begin at the start page.")))
	r.engine.NoMethod(r.refuse(fault.New(fault.Invalid, "This address does not take such a request. The Allow header says which it takes.").Named(methodNotAllowed)))
	return r
}

// Guard sets the check that every route of that caller runs first. It comes
// before the routes.
func (r *Router) Guard(who Caller, check func(*gin.Context) error) { r.guards[who] = check }

// Handle adds a route. The handler returns its error, and the router answers for
// it. A route that needs a guard which is missing panics, so that no binary with
// an open door ever starts.
func (r *Router) Handle(method, path string, who Caller, h func(*gin.Context) error, options ...Option) {
	guard := r.guards[who]
	open := []Caller{Anyone, Demo, Client, Bearer}
	if guard == nil && !slices.Contains(open, who) {
		panic(fmt.Sprintf("web: %s %s is for %q, who has no guard", method, path, who))
	}
	d := door{who: who, limit: r.config.MaxBody, guard: guard, handle: h}
	for _, option := range options {
		option(&d)
	}
	if r.config.Again != nil && guard != nil && method != http.MethodGet {
		Idempotency(*r.config.Again)(&d)
	}
	for _, wrap := range d.wraps {
		d.handle = wrap(d.handle)
	}
	r.routes = append(r.routes, Route{Method: method, Path: path, Who: who})
	r.engine.Handle(method, path, r.enter(d))
	if method == http.MethodGet {
		r.engine.Handle(http.MethodHead, path, r.enter(d))
	}
	if d.cors && !r.flights[path] {
		r.flights[path] = true
		r.engine.Handle(http.MethodOptions, path, r.enter(door{who: Anyone, cors: true, handle: preflight}))
	}
}

// Routes lists every route in the order of registration.
func (r *Router) Routes() []Route { return slices.Clone(r.routes) }

// ServeHTTP answers one request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.engine.ServeHTTP(w, req) }

// enter is what happens at every door before the handler's turn, in this order:
// headers that hold for refusals too, then limits, then who is asking.
func (r *Router) enter(d door) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Set(callerKey, d.who)
		r.secure(c, d)
		r.answer(c, protected(func() error {
			if err := r.admit(c, d); err != nil {
				return err
			}
			return d.handle(c)
		}))
	}
}

func (r *Router) admit(c *gin.Context, d door) error {
	if err := r.origins.Check(c.Request); err != nil {
		if !d.cors && !d.crossOrigin {
			return fault.New(fault.Denied, "This request came from another site, so we did not carry it out. Please start from our own page.").Named("cross-origin").Because(err)
		}
		// Open to other sites, but never with what the browser knows about our user.
		c.Request.Header.Del("Cookie")
	}
	patience(c, d.limit)
	if c.Request.ContentLength > d.limit {
		return &http.MaxBytesError{Limit: d.limit}
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, d.limit)
	if d.guard != nil {
		return d.guard(c)
	}
	return nil
}

// patience bounds how long a caller may take to send a body and to fetch the
// answer: a minute, and more for what takes long over a poor line.
func patience(c *gin.Context, limit int64) {
	const slowest = 8 << 10 // bytes a second: 64 kbit/s
	until := time.Now().Add(time.Minute + time.Duration(limit/slowest)*time.Second)
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(until) // an in-memory test has no connection
	_ = control.SetWriteDeadline(until.Add(time.Minute))
}

func (r *Router) refuse(f *fault.Fault) gin.HandlerFunc {
	return r.enter(door{who: Anyone, limit: r.config.MaxBody, handle: func(*gin.Context) error { return f }})
}
