package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
)

type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

// diagnosis is what doctor found; problems name what to do.
type diagnosis struct {
	Version  string `json:"version"`
	Database struct {
		DSN           string `json:"dsn"`
		ServerVersion string `json:"server_version"`
	} `json:"database"`
	UIN struct {
		Digits   int   `json:"digits"`
		Capacity int64 `json:"capacity"`
		Issued   int64 `json:"issued"`
	} `json:"uin"`
	Keys     []keys.Info `json:"keys"`
	Problems []string    `json:"problems"`
}

func (c *doctorCommand) Run(ctx context.Context, settings lazySettings) error {
	d := diagnosis{Version: version(), Problems: []string{}, Keys: []keys.Info{}}
	s, err := settings()
	if err != nil {
		d.problem("%v", err)
		return d.print(c.JSON)
	}
	g := &ground{Settings: s}
	defer g.close()
	d.disk(s.Data)
	if err := g.settled(); err != nil {
		d.problem("%v", err)
		return d.print(c.JSON)
	}
	if err := g.openDatabase(ctx); err != nil {
		d.problem("%v", err)
		return d.print(c.JSON)
	}
	d.database(ctx, g)
	if len(d.Problems) == 0 {
		d.people(ctx, g)
	}
	return d.print(c.JSON)
}

func (d *diagnosis) problem(format string, args ...any) {
	d.Problems = append(d.Problems, fmt.Sprintf(format, args...))
}

// disk wants room: a full disk would stop enrolment.
func (d *diagnosis) disk(dir string) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		d.problem("data directory %s: %v", dir, err)
		return
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < 1<<30 {
		d.problem("data directory %s: %d MB left; make room, at 0 enrolment stops", dir, free>>20)
	}
	if probe, err := os.CreateTemp(dir, ".doctor-"); err != nil {
		d.problem("data directory %s: cannot be written: %v", dir, err)
	} else {
		probe.Close()
		os.Remove(probe.Name())
	}
}

// database checks the schema's version and that both clocks agree: expiry of
// codes and sessions rests on them.
func (d *diagnosis) database(ctx context.Context, g *ground) {
	d.Database.DSN = g.dsn()
	var theirs time.Time
	if err := g.pool.QueryRow(ctx, `SELECT current_setting('server_version'), now()`).Scan(&d.Database.ServerVersion, &theirs); err != nil {
		d.problem("database: %v", err)
		return
	}
	if apart := time.Since(theirs).Abs(); apart > 5*time.Second {
		d.problem("clock: this machine and the database are %s apart; run NTP on both", apart.Round(time.Second))
	}
	pending, err := postgres.Pending(ctx, g.pool)
	switch {
	case err != nil:
		d.problem("database: %v", err)
	case pending > 0:
		d.problem("database: %d migrations are missing; run plinth migrate", pending)
	}
}

func (d *diagnosis) people(ctx context.Context, g *ground) {
	if err := g.openPeople(ctx); err != nil {
		d.problem("keys: %v", err)
		return
	}
	d.Keys = g.ring.List()
	d.certificates(ctx, g)
	var err error
	if d.UIN.Digits, d.UIN.Capacity, d.UIN.Issued, err = g.registry.Status(ctx, g.pool); err != nil {
		d.problem("registry: %v", err)
		return
	}
	if d.UIN.Issued > d.UIN.Capacity/2 {
		d.problem("uin: more than half of all %d-digit numbers are given out; set PLINTH_UIN_DIGITS=%d", d.UIN.Digits, min(12, d.UIN.Digits+1))
	}
}

func (d *diagnosis) print(asJSON bool) error {
	if asJSON {
		if err := printJSON(d); err != nil {
			return err
		}
	} else {
		fmt.Println("plinth", d.Version)
		if d.Database.ServerVersion != "" {
			fmt.Println("database", d.Database.ServerVersion)
		}
		if d.UIN.Digits > 0 {
			fmt.Printf("uin %d digits, %d of %d given out\nkeys %d\n", d.UIN.Digits, d.UIN.Issued, d.UIN.Capacity, len(d.Keys))
		}
		for _, p := range d.Problems {
			fmt.Println("PROBLEM", p)
		}
	}
	if len(d.Problems) > 0 {
		return exit(exitNo)
	}
	return nil
}
