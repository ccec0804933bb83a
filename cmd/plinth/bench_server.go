package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

// bench is a demo that runs as a process of its own, so that its processor time
// can be told from that of the one who pushes.
type bench struct {
	url, dir string
	process  *exec.Cmd
	house    *house // the same data, seen from here
}

// startBench starts a demo in a fresh directory and waits until it is seeded.
func startBench(ctx context.Context) (b *bench, err error) {
	b = &bench{}
	if b.dir, err = os.MkdirTemp("", "plinth-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	// The private Postgres runs as another user when we are root.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().String()
	ln.Close()
	b.url = "http://localhost:" + address[strings.LastIndexByte(address, ':')+1:]
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b.process = exec.Command(self, "demo", "--data", b.dir)
	// The benchmark stands before the server like a balancer: each login comes from
	// an address of its own, as in life.
	env := []string{"PLINTH_URL=" + b.url, "PLINTH_LISTEN=" + address, "PLINTH_PROXIES=127.0.0.1/32", "PLINTH_LOG=error"}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PLINTH_") {
			env = append(env, pair)
		}
	}
	b.process.Env = env
	b.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := b.process.Start(); err != nil {
		return nil, err
	}
	return b, b.open(ctx)
}

// open waits for the demo and opens its data from here too.
func (b *bench) open(ctx context.Context) error {
	deadline := time.Now().Add(3 * time.Minute)
	for {
		sheet, err := readSheet(b.dir)
		if err == nil && len(sheet.People) > 0 {
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.New("the demo did not get ready")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s, err := readSettings("", []string{"PLINTH_URL=" + b.url, "PLINTH_DATA=" + b.dir, "PLINTH_ROLES=web"})
	if err != nil {
		return err
	}
	g, err := openGround(ctx, s, false)
	if err != nil {
		return err
	}
	b.house, err = openHouse(ctx, g)
	return err
}

// people makes persons without biometrics, straight in the registry: for
// benchmarks of what comes after enrolment.
func (b *bench) people(ctx context.Context, n int) ([]registry.Assigned, error) {
	all := make([]registry.Assigned, n)
	for i := range all {
		err := postgres.InTx(ctx, b.house.pool, func(tx pgx.Tx) (err error) {
			all[i], err = b.house.registry.Assign(ctx, tx, registry.NewIdentity{Application: uuid.New(), Fields: map[string]any{
				"fullName": []any{map[string]any{"language": "eng", "value": fmt.Sprintf("Person %d", i)}}, "dateOfBirth": "1990/01/01",
				"gender": []any{map[string]any{"language": "eng", "value": "Female"}}, "phone": fmt.Sprintf("+2126%08d", i), "email": fmt.Sprintf("p%d@example.org", i)}})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (b *bench) pid() int { return b.process.Process.Pid }

func (b *bench) stop() {
	if b.house != nil {
		b.house.close()
	}
	if b.process != nil && b.process.Process != nil {
		_ = b.process.Process.Signal(syscall.SIGTERM)
		_ = b.process.Wait()
	}
	if strings.HasPrefix(filepath.Base(b.dir), "plinth-bench-") {
		os.RemoveAll(b.dir)
	}
}
