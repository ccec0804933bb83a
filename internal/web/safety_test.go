package web_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

func TestASVS_3_4_SecurityHeadersAreOnEveryAnswer(t *testing.T) {
	s := open(t, "https://id.example", func(r *web.Router) {
		r.Handle("GET", "/fine", web.Anyone, ok)
		r.Handle("GET", "/broken", web.Anyone, func(*gin.Context) error { panic("x") })
	})
	for _, path := range []string{"/fine", "/broken", "/missing"} {
		resp, _ := s.ask(t, "GET", path, "")
		for name, want := range map[string]string{
			"Strict-Transport-Security":  "max-age=31536000; includeSubDomains", // 3.4.1
			"X-Content-Type-Options":     "nosniff",                             // 3.4.4
			"Referrer-Policy":            "no-referrer",                         // 3.4.5
			"Cache-Control":              "no-store",                            // 14.3.2
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: got %q, want %q", path, name, got, want)
			}
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: got Access-Control-Allow-Origin %q, want none (3.4.2)", path, got)
		}
	}
}

func directives(t *testing.T, resp *http.Response) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range strings.Split(resp.Header.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		all[name] = value
	}
	return all
}

func TestASVS_3_4_3_PolicyAllowsNothingInline(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) { r.Handle("GET", "/", web.Anyone, ok) })
	resp, _ := s.ask(t, "GET", "/", "")
	got := directives(t, resp)
	for name, want := range map[string]string{"default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
		"base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'"} { // frame-ancestors: 3.4.6
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if strings.Contains(resp.Header.Get("Content-Security-Policy"), "unsafe") {
		t.Errorf("got %q, want nothing unsafe", resp.Header.Get("Content-Security-Policy"))
	}
	if got := resp.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("got HSTS %q over plain http, want none", got)
	}
}

func TestAFormMayLeadToNamedOriginsOnly(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("GET", "/route", web.Anyone, ok, web.FormAction("https://rp.example/cb?x=1"))
		r.Handle("GET", "/answer", web.Anyone, func(c *gin.Context) error {
			web.AllowFormTo(c, "com.example.app:/cb", "https://evil;script-src", "https://evil\tscript-src", "not a url", "https://rp.example:8443/cb")
			return ok(c)
		})
	})
	for path, want := range map[string]string{
		"/route": "'self' https://rp.example", "/answer": "'self' com.example.app: https://rp.example:8443",
	} {
		resp, _ := s.ask(t, "GET", path, "")
		if got := directives(t, resp)["form-action"]; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestASVS_3_5_1_AnotherSiteCannotChangeAnything(t *testing.T) {
	cookie := func(c *gin.Context) error { c.String(200, c.GetHeader("Cookie")); return nil }
	s := open(t, "https://id.example", func(r *web.Router) {
		r.Handle("POST", "/page", web.Anyone, cookie)
		r.Handle("POST", "/token", web.Client, cookie, web.CrossOrigin())
		r.Handle("POST", "/vci", web.Bearer, cookie, web.CORS())
	})
	for _, c := range []struct {
		path, header, value string
		status              int
		body                string
	}{
		{"/page", "Sec-Fetch-Site", "cross-site", 403, "cross-origin"},
		{"/page", "Sec-Fetch-Site", "same-site", 403, "cross-origin"},
		{"/page", "Origin", "https://evil.example", 403, "cross-origin"},
		{"/page", "Origin", "null", 403, "cross-origin"},
		{"/page", "Origin", "https://id.example", 200, "session=1"},
		{"/page", "Sec-Fetch-Site", "same-origin", 200, "session=1"},
		{"/page", "User-Agent", "a program", 200, "session=1"},
		{"/token", "Sec-Fetch-Site", "cross-site", 200, ""},
		{"/vci", "Origin", "https://evil.example", 200, ""},
	} {
		resp, body := s.ask(t, "POST", c.path, "", "Cookie", "session=1", c.header, c.value)
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) || c.body == "" && body != "" {
			t.Errorf("%s with %s %s: got %d %q, want %d %q", c.path, c.header, c.value, resp.StatusCode, body, c.status, c.body)
		}
	}
}

func TestASVS_3_4_2_OnlyPublicProtocolEndpointsAnswerScriptsOfOthers(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("GET", "/jwks", web.Anyone, ok, web.CORS())
		r.Handle("POST", "/jwks", web.Anyone, ok, web.CORS())
		r.Handle("POST", "/private", web.Anyone, ok)
	})
	resp, _ := s.ask(t, "OPTIONS", "/jwks", "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
	if resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Fatalf("got %d %v, want a preflight answer for all, without credentials", resp.StatusCode, resp.Header)
	}
	if resp, _ := s.ask(t, "GET", "/jwks", "", "Origin", "https://app.example"); resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatal("want the answer readable for all")
	}
	if resp, _ := s.ask(t, "OPTIONS", "/private", ""); resp.StatusCode != 405 {
		t.Fatalf("got %d, want no preflight answer", resp.StatusCode)
	}
	if len(s.Routes()) != 3 {
		t.Fatalf("got %v, want the three routes and no preflight", s.Routes())
	}
}

func TestASVS_5_2_1_ALargeBodyIsRefused(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) {
		read := func(c *gin.Context) error {
			if _, err := io.ReadAll(c.Request.Body); err != nil {
				return fault.New(fault.Invalid, "This cannot be read.").Because(err)
			}
			return ok(c)
		}
		r.Handle("POST", "/small", web.Anyone, read, web.MaxBody(2<<10))
		r.Handle("POST", "/default", web.Anyone, read)
	})
	if resp, _ := s.ask(t, "POST", "/small", strings.Repeat("x", 2<<10)); resp.StatusCode != 200 {
		t.Fatalf("got %d at the limit, want 200", resp.StatusCode)
	}
	resp, body := s.ask(t, "POST", "/small", strings.Repeat("x", 2<<10+1))
	if resp.StatusCode != 413 || !strings.Contains(body, "2 KiB") {
		t.Fatalf("got %d %s, want 413 that names the limit", resp.StatusCode, body)
	}
	req, err := http.NewRequest("POST", s.URL+"/default", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1)))) // no length told
	if err != nil {
		t.Fatal(err)
	}
	resp, err = s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Fatalf("got %d, want 413 for a stream without a length too", resp.StatusCode)
	}
}

func TestASVS_16_5_4_APanicEndsOneRequestOnly(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("GET", "/value", web.Anyone, func(*gin.Context) error { panic("person@example.org") })
		r.Handle("GET", "/index", web.Anyone, func(*gin.Context) error { var none []int; _ = none[len(none)]; return nil })
		r.Handle("GET", "/half", web.Anyone, func(c *gin.Context) error {
			c.String(200, "half an answer")
			c.Writer.Flush()
			panic("too late")
		})
		r.Handle("GET", "/fine", web.Anyone, ok)
	})
	resp, body := s.ask(t, "GET", "/value", "")
	if resp.StatusCode != 500 || strings.Contains(body, "person@example.org") {
		t.Fatalf("got %d %s, want a general 500", resp.StatusCode, body)
	}
	if strings.Contains(s.log.String(), "person@example.org") || !strings.Contains(s.log.String(), "safety_test.go") {
		t.Fatalf("got %s, want the stack without the thrown value", s.log)
	}
	s.ask(t, "GET", "/index", "")
	if !strings.Contains(s.log.String(), "index out of range") {
		t.Fatalf("got %s, want the runtime's own text", s.log)
	}
	half, err := s.Client().Get(s.URL + "/half")
	if err == nil {
		_, err = io.ReadAll(half.Body)
		half.Body.Close()
	}
	if err == nil {
		t.Fatal("got a whole answer, want a broken connection")
	}
	if resp, _ := s.ask(t, "GET", "/fine", ""); resp.StatusCode != 200 {
		t.Fatalf("got %d, want the others served", resp.StatusCode)
	}
}

func TestASVS_16_2_5_OneLineNamesTheRouteAndNobody(t *testing.T) {
	s := open(t, "http://localhost", func(r *web.Router) {
		r.Handle("GET", "/people/:uin", web.Anyone, func(c *gin.Context) error {
			return fault.New(fault.NotFound, "We do not know this number.")
		})
	})
	resp, _ := s.ask(t, "GET", "/people/2345678901?name=Amina", "", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Request-Id", "forged")
	line := s.log.String()
	if strings.Count(line, "\n") != 1 || strings.Contains(line, "2345678901") || strings.Contains(line, "Amina") || strings.Contains(line, "forged") {
		t.Fatalf("got %s, want one line that names nobody", line)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"method": "GET", "route": "/people/:uin", "status": 404.0, "caller": "anyone",
		"fault": "not-found", "request": resp.Header.Get("X-Request-Id"), "trace": "0af7651916cd43dd8448eb211c80319c", "level": "INFO"} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	before := len(s.log.String())
	s.ask(t, "GET", "/people/1", "", "traceparent", "00-x\" forged")
	if after := s.log.String()[before:]; strings.Contains(after, "forged") || strings.Contains(after, "trace") { // 16.4.1
		t.Fatalf("got %s, want nothing of a malformed trace", after)
	}
}

func TestASVS_4_1_3_ForwardedAddressesAreBelievedFromProxiesOnly(t *testing.T) {
	from := func(proxies ...netip.Prefix) string {
		r := web.New(web.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}, Log: quiet, Proxies: proxies})
		r.Handle("GET", "/", web.Anyone, func(c *gin.Context) error { c.String(200, web.From(c)); return nil })
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = "192.0.2.77:999"
		req.Header.Set("X-Forwarded-For", "2001:db8:1:2::9")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w.Body.String()
	}
	if got, want := from(), "192.0.2.0/24"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := from(netip.MustParsePrefix("192.0.2.0/24")), "2001:db8:1::/48"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// timed is a connection that notes the deadlines it is given.
type timed struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error  { w.read = at; return nil }
func (w *timed) SetWriteDeadline(at time.Time) error { w.write = at; return nil }

func TestASlowCallerIsCutOff(t *testing.T) {
	r := web.New(web.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}, Log: quiet})
	r.Handle("POST", "/small", web.Anyone, ok, web.MaxBody(1))
	r.Handle("POST", "/packet", web.Anyone, ok, web.MaxBody(20<<20))
	small, packet := &timed{ResponseRecorder: httptest.NewRecorder()}, &timed{ResponseRecorder: httptest.NewRecorder()}
	r.ServeHTTP(small, httptest.NewRequest("POST", "/small", nil))
	r.ServeHTTP(packet, httptest.NewRequest("POST", "/packet", nil))
	if small.read.IsZero() || !small.write.After(small.read) || packet.read.Sub(small.read) < 40*time.Minute {
		t.Fatalf("got %v and %v, want a minute, and forty more for a packet at 64 kbit/s", small, packet)
	}
}

func TestServeFinishesWhatIsUnderWay(t *testing.T) {
	ctx, stop := contextWithStop(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	r := web.New(web.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}, Log: quiet})
	r.Handle("GET", "/slow", web.Anyone, func(c *gin.Context) error {
		close(entered)
		<-leave
		if err := c.Request.Context().Err(); err != nil {
			return err
		}
		return ok(c)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, ln, r, time.Minute) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	stop()
	refused := func() bool {
		other, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			other.Close()
		}
		return err != nil
	}
	for !refused() {
		time.Sleep(time.Millisecond)
	}
	close(leave)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v, %v; want the answer that was under way", resp, err)
	}
	if err := <-served; err != nil {
		t.Fatalf("got %v, want a clean end", err)
	}
}

func TestServeEndsWhatTakesTooLong(t *testing.T) {
	ctx, stop := contextWithStop(t)
	entered := make(chan struct{})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(entered); <-r.Context().Done() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, ln, h, 10*time.Millisecond) }()
	go func() { _, _ = http.Get("http://" + ln.Addr().String()) }()
	<-entered
	stop()
	if err := <-served; err != nil {
		t.Fatalf("got %v, want an end", err)
	}
}

func TestASVS_1_3_6_AURLFromOutsideCannotReachOurNetwork(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	client := web.NewClient(web.ClientConfig{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.0.0.1", "169.254.169.254",
		"100.64.0.1", "192.168.1.1", "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"} {
		resp, err := client.Get("http://" + host + port)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, web.ErrPrivateAddress) {
			t.Errorf("%s: got %v, want a refusal", host, err)
		}
	}
	resp, err := web.NewClient(web.ClientConfig{Private: true}).Get(inside.URL)
	if err != nil {
		t.Fatalf("got %v, want our own settings to lead into our own network", err)
	}
	resp.Body.Close()
}

func TestWhoIsAskedMustBeginToAnswer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	resp, err := web.NewClient(web.ClientConfig{Private: true, Timeout: time.Hour, Header: 50 * time.Millisecond}).Get(silent.URL)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("got %d from who says nothing, want an end", resp.StatusCode)
	}
}

func TestAnOutsideAnswerIsBoundedAndNeverRedirects(t *testing.T) {
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		fmt.Fprint(w, strings.Repeat("x", 100))
	}))
	defer outside.Close()
	for limit, want := range map[int64]error{100: nil, 99: web.ErrTooLong, 1: web.ErrTooLong} {
		resp, err := web.NewClient(web.ClientConfig{Private: true, Limit: limit}).Get(outside.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !errors.Is(err, want) || int64(len(body)) > limit {
			t.Errorf("limit %d: got %d bytes, %v; want %v", limit, len(body), err, want)
		}
	}
	resp, err := web.NewClient(web.ClientConfig{Private: true}).Get(outside.URL + "/elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Fatalf("got %d, want the redirect itself", resp.StatusCode)
	}
}
