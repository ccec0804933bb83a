package web

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrTooLong says that an answer from outside was longer than we read.
var ErrTooLong = errors.New("the answer is longer than is read here")

// ErrPrivateAddress says that a URL from outside leads into our own network.
var ErrPrivateAddress = errors.New("the address is not one of the public internet")

// ClientConfig bounds what a request to the outside may take.
type ClientConfig struct {
	Timeout time.Duration // for the whole exchange; 0 means 10 s
	Header  time.Duration // until an answer begins; 0 means Timeout
	Limit   int64         // bytes of an answer; 0 means 1 MiB
	Private bool          // the URL is from our own settings, so it may lead into our own network
}

// NewClient makes an HTTP client for requests to the outside. It follows no redirect,
// and unless Private refuses every address that is not public, after names have
// been resolved: a name may lead anywhere, and elsewhere the next time.
func NewClient(config ClientConfig) *http.Client {
	if config.Timeout == 0 {
		config.Timeout = 10 * time.Second
	}
	if config.Limit == 0 {
		config.Limit = 1 << 20
	}
	dialer := &net.Dialer{Timeout: min(config.Timeout, 5*time.Second)}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		ResponseHeaderTimeout:  config.Header,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if !config.Private {
		transport.Proxy = nil // or the proxy would be asked to go where we must not
		dialer.Control = publicOnly
	}
	return &http.Client{
		Timeout:       config.Timeout,
		Transport:     bounded{transport, config.Limit},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !public(at.Addr()) {
		return ErrPrivateAddress
	}
	return nil
}

// Ranges that netip takes for global unicast but that lead to ourselves, to a
// neighbour, or by way of a translator to either (IANA special-purpose registries).
var special = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10")

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// bounded cuts every answer at a limit, with an error rather than silently.
type bounded struct {
	*http.Transport
	limit int64
}

// RoundTrip sends one request.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limited{ReadCloser: resp.Body, left: b.limit}
	return resp, nil
}

type limited struct {
	io.ReadCloser
	left int64
}

// Read fails once there is more than the limit.
func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, ErrTooLong
	}
	// One byte more than is left, to tell the end from too much.
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, ErrTooLong
	}
	return n, err
}
