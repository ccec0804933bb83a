package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/plinth-id/plinth/cmd/plinth/portal"
	"github.com/plinth-id/plinth/registry"
)

type benchLogin struct {
	load
	People int `default:"500" help:"How many persons log in."`
}

func (c *benchLogin) Run(ctx context.Context) error {
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	people, err := b.people(ctx, c.People)
	if err != nil {
		return err
	}
	rp, err := b.relyingParty()
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * c.Workers}
	r, err := c.measure(ctx, "login", b.pid(), func(ctx context.Context, n int) error {
		return logIn(ctx, rp, transport, people[n%len(people)])
	})
	if err != nil {
		return err
	}
	return r.report()
}

// relyingParty is the demo's portal, played from here.
func (b *bench) relyingParty() (*portal.Portal, error) {
	d := &demo{ground: b.house.ground, dir: b.dir}
	sheet, err := readSheet(b.dir)
	if err != nil {
		return nil, err
	}
	if err := d.readPortalKey(filepath.Join(b.dir, portalKeyFile)); err != nil {
		return nil, err
	}
	back, err := url.Parse(b.url + "/demo/portal/callback")
	if err != nil {
		return nil, err
	}
	return portal.New(portal.Config{Issuer: b.url, ClientID: sheet.Clients[0].ID, Key: d.key, KeyID: "portal-1", Redirect: back, HTTP: localClient()}), nil
}

// browser clicks through pages as a person would.
type browser struct {
	http *http.Client
	from string // the address that a balancer would report
	page string // what is shown
	at   *url.URL
}

func newBrowser(transport http.RoundTripper) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{from: fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), 1+rand.IntN(250))}
	b.http = &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/demo/portal/callback" {
			return http.ErrUseLastResponse // here the relying party takes over
		}
		r.Header.Set("X-Forwarded-For", b.from)
		return nil
	}}
	return b, nil
}

func (b *browser) do(ctx context.Context, method, address string, form url.Values) error {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("X-Forwarded-For", b.from)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := b.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if b.at = answer.Request.URL; answer.StatusCode == http.StatusSeeOther || answer.StatusCode == http.StatusFound {
		if b.at, err = answer.Location(); err != nil {
			return err
		}
	}
	if b.page = string(raw); answer.StatusCode >= 400 {
		return fmt.Errorf("%s answered %d", r.URL.Path, answer.StatusCode)
	}
	return nil
}

var hidden = regexp.MustCompile(`name="visit" value="([^"]*)"`)

// submit sends the form of the page.
func (b *browser) submit(ctx context.Context, path string, form url.Values) error {
	found := hidden.FindStringSubmatch(b.page)
	if found == nil {
		return fmt.Errorf("the page at %s has no form", b.at.Path)
	}
	form.Set("visit", found[1])
	return b.do(ctx, http.MethodPost, b.at.Scheme+"://"+b.at.Host+path, form)
}

// logIn is one whole login with a one-time code, up to userinfo.
func logIn(ctx context.Context, rp *portal.Portal, transport http.RoundTripper, who registry.Assigned) error {
	b, err := newBrowser(transport)
	if err != nil {
		return err
	}
	attempt, to, err := rp.Begin(ctx)
	if err != nil {
		return err
	}
	if err := b.do(ctx, http.MethodGet, to, nil); err != nil {
		return err
	}
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/oidc/login/method", url.Values{"method": {"code"}}},
		{"/oidc/login", url.Values{"identifier": {who.UIN.Reveal()}}},
		{"/oidc/login/code", url.Values{"code": {"111111"}}},
		{"/oidc/login/consent", url.Values{"decision": {"allow"}, "claim": {"name", "email", "birthdate"}}},
	} {
		if b.at.Query().Has("code") {
			break // the person has allowed it before
		}
		if err := b.submit(ctx, step.path, step.form); err != nil {
			return err
		}
	}
	_, err = rp.Finish(ctx, attempt, b.at.Query().Get("code"))
	return err
}
