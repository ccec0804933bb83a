package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/registry"
)

// benchOIDC measures what relying parties do, each by itself: how much processor
// time of server and database it takes, how many transactions write, and how much
// they write.
type benchOIDC struct {
	load
	People int      `default:"200" help:"How many persons log in."`
	Works  []string `default:"code,fapi,otp,machine,refresh,userinfo" help:"What is measured: code, fapi, otp, machine, refresh, userinfo."`
}

// task is one thing that is measured, after what has to be there before it.
type task struct {
	name    string
	prepare func(ctx context.Context, people []registry.Assigned) error
	do      func(ctx context.Context, n int) error
}

// written is a result with what went to the database's log.
type written struct {
	result
	PerCPU  float64 `json:"per_cpu_second"`
	Commits float64 `json:"write_commits_each"`
	WAL     float64 `json:"wal_bytes_each"`
}

func (c *benchOIDC) Run(ctx context.Context) error {
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	people, err := b.people(ctx, c.People)
	if err != nil {
		return err
	}
	p, err := newParties(ctx, b, c.Workers)
	if err != nil {
		return err
	}
	var all []written
	for _, w := range p.tasks() {
		if !slices.Contains(c.Works, w.name) {
			continue
		}
		if err := w.prepare(ctx, people); err != nil {
			return fmt.Errorf("preparing %s: %w", w.name, err)
		}
		r, err := c.written(ctx, b, w)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	return printJSON(all)
}

func (c *benchOIDC) written(ctx context.Context, b *bench, w task) (written, error) {
	xids, wal, err := b.log(ctx)
	if err != nil {
		return written{}, err
	}
	r, err := c.measure(ctx, w.name, b.pid(), w.do)
	if err != nil {
		return written{}, err
	}
	xids2, wal2, err := b.log(ctx)
	if err != nil {
		return written{}, err
	}
	done := float64(max(1, r.Done))
	x := written{result: r, PerCPU: done / r.CPU, Commits: float64(xids2-xids) / done, WAL: float64(wal2-wal) / done}
	fmt.Fprintf(os.Stderr, "%-9s %7.0f /CPU-s  %7.1f /s   p50 %6.1f  p95 %6.1f  p99 %6.1f ms   %4.1f write commits, %5.0f bytes of WAL each   %d done, %d errors %s\n",
		r.What, x.PerCPU, r.Rate, r.P50, r.P95, r.P99, x.Commits, x.WAL, r.Done, r.Errors, r.FirstFail)
	return x, nil
}

// log is how many transactions have written, and how much. What the background
// does meanwhile, the audit tree above all, is counted in.
func (b *bench) log(ctx context.Context) (xids, bytes int64, err error) {
	err = b.house.pool.QueryRow(ctx, `SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`).Scan(&xids, &bytes)
	return xids, bytes, err
}

func (p *parties) tasks() []task {
	return []task{
		{"code", p.logInAll, func(ctx context.Context, n int) error {
			_, err := p.login(ctx, p.plain, p.browsers[n%len(p.browsers)], nil)
			return err
		}},
		{"fapi", p.logInAll, func(ctx context.Context, n int) error {
			_, err := p.login(ctx, p.strict, p.browsers[n%len(p.browsers)], nil)
			return err
		}},
		{"otp", p.remember, func(ctx context.Context, n int) error {
			b, err := newBrowser(p.transport)
			if err != nil {
				return err
			}
			t, err := p.login(ctx, p.strict, b, &p.people[n%len(p.people)])
			if err != nil {
				return err
			}
			return p.userinfo(ctx, p.strict, t.Access)
		}},
		{"machine", p.remember, func(ctx context.Context, n int) error {
			_, err := p.token(ctx, p.plain, url.Values{"grant_type": {"client_credentials"}, "scope": {"ssf.read"}})
			return err
		}},
		{"refresh", p.grantAll, func(ctx context.Context, n int) error { return p.refreshOne(ctx, n) }},
		{"userinfo", p.grantAll, func(ctx context.Context, n int) error {
			return p.userinfo(ctx, p.plain, p.grants[n%len(p.grants)].Access)
		}},
	}
}

func (p *parties) remember(_ context.Context, people []registry.Assigned) error {
	p.people = people
	return nil
}

// logInAll has everybody logged in, each in a browser of their own.
func (p *parties) logInAll(ctx context.Context, people []registry.Assigned) error {
	p.people = people
	if p.browsers != nil {
		return nil
	}
	for i := range people {
		b, err := newBrowser(p.transport)
		if err != nil {
			return err
		}
		if _, err := p.login(ctx, p.plain, b, &people[i]); err != nil {
			return err
		}
		p.browsers = append(p.browsers, b)
	}
	return nil
}

// grantAll gets everybody's tokens, with one to refresh them.
func (p *parties) grantAll(ctx context.Context, people []registry.Assigned) error {
	if err := p.logInAll(ctx, people); err != nil || p.grants != nil {
		return err
	}
	for _, b := range p.browsers {
		t, err := p.login(ctx, p.plain, b, nil)
		if err != nil {
			return err
		}
		p.grants = append(p.grants, &held{tokens: t})
	}
	return nil
}

// refreshOne renews the tokens of somebody whom no other worker has just now.
func (p *parties) refreshOne(ctx context.Context, n int) error {
	g := p.grants[n%len(p.grants)]
	g.mu.Lock()
	defer g.mu.Unlock()
	t, err := p.token(ctx, p.plain, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Refresh}})
	if err == nil {
		g.Refresh = t.Refresh
	}
	return err
}

func (p *parties) userinfo(ctx context.Context, c *party, access string) error {
	header := http.Header{"Authorization": {"Bearer " + access}}
	if c.bound != nil {
		proof, err := c.proof(http.MethodGet, p.url+"/oidc/userinfo", access)
		if err != nil {
			return err
		}
		header = http.Header{"Authorization": {"DPoP " + access}, "DPoP": {proof}}
	}
	var info struct{ Name string }
	if err := p.call(ctx, http.MethodGet, "/oidc/userinfo", call{header: header}, &info); err != nil {
		return err
	}
	if !strings.HasPrefix(info.Name, "Person") {
		return fmt.Errorf("userinfo told %q", info.Name)
	}
	return nil
}
