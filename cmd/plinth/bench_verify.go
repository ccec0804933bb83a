package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

type benchVerify struct {
	Rounds int           `default:"3" help:"How often each is measured; all take turns, so that a busy machine is busy for all."`
	Each   time.Duration `default:"700ms" help:"Processor time for one in a round."`
	Sample string        `type:"path" help:"Also write the credential to this file, for others to be measured with."`
}

// craft is one thing that is done to a document, over and over.
type craft struct {
	what string
	do   func() error
}

// pace is how often something is done in a second of processor time, the collector's
// share included. The others on a machine slow even that: hence the range, and the
// reference beside it.
type pace struct {
	What   string  `json:"what"`
	PerCPU float64 `json:"per_cpu_second"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Reference is in units of verifications of a P-256 signature, by the standard library.
	Reference float64 `json:"p256_verifications_each"`
}

// Run signs and verifies documents of every form in this process.
func (c *benchVerify) Run(ctx context.Context) error {
	w, err := newWorkshop()
	if err != nil {
		return err
	}
	if c.Sample != "" {
		raw, err := json.Marshal(w.sample())
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Sample, raw, 0o600); err != nil {
			return wrongUse{err}
		}
	}
	crafts, err := w.crafts(ctx)
	if err != nil {
		return err
	}
	seen := make([][]float64, len(crafts))
	for range max(c.Rounds, 1) {
		for i, one := range crafts {
			rate, err := perSecond(ctx, c.Each, one.do)
			if err != nil {
				return fmt.Errorf("%s: %w", one.what, err)
			}
			seen[i] = append(seen[i], rate)
		}
	}
	reference := middle(seen[0])
	for i, one := range crafts {
		p := pace{What: one.what, PerCPU: middle(seen[i]), Low: slices.Min(seen[i]), High: slices.Max(seen[i])}
		p.Reference = reference / p.PerCPU
		fmt.Fprintf(os.Stderr, "%-40s %10.0f per CPU-second (%.0f to %.0f)   %7.2f P-256 verifications each\n", p.What, p.PerCPU, p.Low, p.High, p.Reference)
		if err := printJSON(p); err != nil {
			return err
		}
	}
	return nil
}

func middle(all []float64) float64 {
	sorted := slices.SortedFunc(slices.Values(all), cmp.Compare)
	return sorted[len(sorted)/2]
}

// perSecond does something until it has used so much processor time.
func perSecond(ctx context.Context, each time.Duration, do func() error) (float64, error) {
	if err := do(); err != nil { // the first time makes what is kept
		return 0, err
	}
	from := spent()
	for n := 1; ; n++ {
		if err := cmp.Or(do(), ctx.Err()); err != nil {
			return 0, err
		}
		if used := spent() - from; used >= each {
			return float64(n) / used.Seconds(), nil
		}
	}
}

// spent is the processor time of this process so far.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
