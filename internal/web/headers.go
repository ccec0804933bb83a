package web

import (
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

// headers go out with every answer. Browsers obey them; APIs lose nothing.
func headers(public *url.URL) map[string]string {
	h := map[string]string{
		"Content-Security-Policy":      policy(nil),
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY", // for browsers that do not know frame-ancestors
		"Referrer-Policy":              "no-referrer",
		"Permissions-Policy":           "camera=(self), geolocation=(), microphone=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	}
	if public.Scheme == "https" {
		h["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
	}
	return h
}

// policy allows what our own origin serves and nothing inline, so that text which
// slips into a page unescaped still cannot run.
func policy(forms []string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " + sources(forms)
}

// sources are our own origin and those of addresses, as a directive names them.
func sources(addresses []string) string {
	all := []string{"'self'"}
	for _, address := range addresses {
		// A host may hold a semicolon or a comma that would end the directive.
		if s := source(address); s != "" && !strings.ContainsAny(s, " ;,'\"\t\r\n") {
			all = append(all, s)
		}
	}
	return strings.Join(all, " ")
}

func (r *Router) secure(c *gin.Context, d door) {
	for name, value := range r.headers {
		c.Header(name, value)
	}
	if len(d.formAction) > 0 {
		c.Header("Content-Security-Policy", policy(d.formAction))
	}
	if d.cors {
		c.Header("Access-Control-Allow-Origin", "*")
		c.Header("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, Retry-After")
		c.Header("Cross-Origin-Resource-Policy", "cross-origin")
	}
}
