package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// door is a route with all that its options say.
type door struct {
	who         Caller
	limit       int64
	cors        bool
	crossOrigin bool
	formAction  []string
	guard       func(*gin.Context) error
	handle      func(*gin.Context) error
	wraps       []func(func(*gin.Context) error) func(*gin.Context) error
}

// Option changes what holds for one route.
type Option func(*door)

// MaxBody sets how many bytes a body may have.
func MaxBody(n int64) Option { return func(d *door) { d.limit = n } }

// CORS lets scripts of any site call the route and read the answer, without
// cookies: for keys, metadata and other public endpoints of a protocol.
func CORS() Option { return func(d *door) { d.cors = true } }

// CrossOrigin lets pages of other sites send forms to the route, without cookies:
// for protocol endpoints that authenticate each request by itself.
func CrossOrigin() Option { return func(d *door) { d.crossOrigin = true } }

// FormAction names the origins to which a form on this page may lead, redirects
// after the form included, since browsers hold those to the same policy.
func FormAction(origins ...string) Option {
	return func(d *door) { d.formAction = append(d.formAction, origins...) }
}

// AllowFormTo does for one answer what FormAction does for a route. The handler
// calls it before it writes.
func AllowFormTo(c *gin.Context, origins ...string) {
	c.Header("Content-Security-Policy", policy(origins))
}

// AllowConnect lets scripts of one answer ask another origin too. The handler calls
// it before it writes, and after AllowFormTo.
func AllowConnect(c *gin.Context, origin string) {
	header := c.Writer.Header()
	header.Set("Content-Security-Policy", strings.Replace(header.Get("Content-Security-Policy"), "connect-src 'self'", "connect-src 'self' "+origin, 1))
}

// AllowWASM lets the scripts of one answer compile WebAssembly, and nothing else that
// the policy forbids. The handler calls it before it writes.
func AllowWASM(c *gin.Context) {
	header := c.Writer.Header()
	header.Set("Content-Security-Policy", strings.Replace(header.Get("Content-Security-Policy"), "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", 1))
}

// AllowFraming lets our own pages, and those of the origins, show one answer within
// them: for a page that knows nobody, and does nothing that a click could be stolen for.
// The handler calls it before it writes.
func AllowFraming(c *gin.Context, origins ...string) {
	header := c.Writer.Header()
	header.Set("Content-Security-Policy", strings.Replace(header.Get("Content-Security-Policy"), "frame-ancestors 'none'", "frame-ancestors "+sources(origins), 1))
	header.Del("X-Frame-Options") // it cannot name origins
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

func preflight(c *gin.Context) error {
	c.Header("Access-Control-Allow-Methods", "GET, HEAD, POST")
	c.Header("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, Accept-Language, Idempotency-Key")
	c.Header("Access-Control-Max-Age", "7200")
	c.Status(http.StatusNoContent)
	return nil
}

// source is how a content security policy names where a URL leads: its origin,
// or its scheme when an app on the phone answers. Empty for what is no URL.
func source(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme != "http" && u.Scheme != "https":
		return u.Scheme + ":"
	case u.Host == "":
		return ""
	}
	return u.Scheme + "://" + u.Host
}
