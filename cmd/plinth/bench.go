package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type benchCommand struct {
	Enrol      benchEnrol      `cmd:"" help:"Enrolments: from a submitted packet to a UIN."`
	Population benchPopulation `cmd:"" help:"A population through the whole pipeline, with some who come twice."`
	Login      benchLogin      `cmd:"" help:"Logins: authorize, one-time code, consent, token, userinfo."`
	OIDC       benchOIDC       `cmd:"" name:"oidc" help:"What relying parties do, each by itself: logins by each profile, tokens, userinfo."`
	Issue      benchIssue      `cmd:"" help:"Credentials: token, nonce, key proof, credential (OpenID4VCI)."`
	Verify     benchVerify     `cmd:"" help:"Credentials of every form, signed and verified in this process."`
	Biometrics benchBiometrics `cmd:"" help:"The engine: errors on sets of prints, times of its parts; writes a report."`
	Gallery    benchGallery    `cmd:"" help:"Searches of one person among many, by minutiae of nobody."`
}

// load is how hard a benchmark pushes.
type load struct {
	Workers  int           `default:"4" help:"How many at once."`
	Duration time.Duration `default:"10s" help:"How long."`
}

// result is what a benchmark prints. CPU counts the server and its database,
// children included; the driver's own is left out.
type result struct {
	What      string  `json:"what"`
	Rate      float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P95       float64 `json:"p95_ms"`
	P99       float64 `json:"p99_ms"`
	Done      int     `json:"done"`
	Errors    int     `json:"errors"`
	CPU       float64 `json:"server_cpu_seconds"`
	CPUPer    float64 `json:"server_cpu_ms_each"`
	PerCPU    float64 `json:"per_server_cpu_second,omitempty"`
	Copies    int     `json:"copies,omitempty"` // that each of them is of; the rest counts requests
	FirstFail string  `json:"first_error,omitempty"`
}

// errNoMore says that all that was prepared has been done.
var errNoMore = errors.New("all done")

// measure runs do from several workers for a while; do gets a number that no
// other call gets.
func (l load) measure(ctx context.Context, what string, server int, do func(ctx context.Context, n int) error) (result, error) {
	before, err := cpuOf(server)
	if err != nil {
		return result{}, err
	}
	var (
		next  atomic.Int64
		mu    sync.Mutex
		spans []time.Duration
		r     = result{What: what}
		wg    sync.WaitGroup
	)
	begun := time.Now()
	for range l.Workers {
		wg.Go(func() {
			for time.Since(begun) < l.Duration && ctx.Err() == nil {
				at := time.Now()
				err := do(ctx, int(next.Add(1)-1))
				if errors.Is(err, errNoMore) {
					return
				}
				took := time.Since(at)
				mu.Lock()
				if err != nil {
					r.Errors++
					if r.FirstFail == "" {
						r.FirstFail = err.Error()
					}
				} else {
					spans = append(spans, took)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	after, err := cpuOf(server)
	if err != nil {
		return result{}, err
	}
	return r.filled(spans, took, after-before), nil
}

func (r result) filled(spans []time.Duration, took, cpu time.Duration) result {
	slices.Sort(spans)
	at := func(q float64) float64 {
		if len(spans) == 0 {
			return 0
		}
		return float64(spans[min(len(spans)-1, int(q*float64(len(spans))))].Microseconds()) / 1000
	}
	r.Done, r.Rate = len(spans), float64(len(spans))/took.Seconds()
	r.P50, r.P95, r.P99 = at(.50), at(.95), at(.99)
	r.CPU = cpu.Seconds()
	if r.Done > 0 {
		r.CPUPer = cpu.Seconds() * 1000 / float64(r.Done)
	}
	return r
}

func (r result) report() error {
	if r.CPUPer > 0 {
		r.PerCPU = 1000 / r.CPUPer * float64(max(r.Copies, 1))
	}
	fmt.Fprintf(os.Stderr, "%-26s %8.1f /s   p50 %7.1f ms   p95 %7.1f ms   p99 %7.1f ms   %6.2f CPU-ms each   %7.0f per CPU-second   %d done, %d errors\n",
		r.What, r.Rate, r.P50, r.P95, r.P99, r.CPUPer, r.PerCPU, r.Done, r.Errors)
	return printJSON(r)
}
