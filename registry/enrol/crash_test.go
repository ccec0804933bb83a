package enrol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
)

// The variables of a process that works in the office until it is killed.
const (
	childVariable   = "PLINTH_TEST_ENROL_DATABASE"
	childDirectory  = "PLINTH_TEST_ENROL_DIRECTORY"
	childImpatience = time.Minute
)

// child is that process: it hands in every packet that has no acknowledgement
// yet, and works on applications until its standard input ends.
func child() {
	ctx := context.Background()
	pool, err := postgres.Open(ctx, os.Getenv(childVariable))
	exitOn(err)
	workers = 2 // each death costs those at work an attempt
	dir := os.Getenv(childDirectory)
	w, err := openWorld(ctx, pool, dir)
	exitOn(err)
	exitOn(w.river.Start(ctx))
	go func() {
		for {
			exitOn(w.Recover(ctx))
			time.Sleep(100 * time.Millisecond)
		}
	}()
	exitOn(w.handIn(ctx, dir))
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// handIn writes an acknowledgement for each packet that was received.
func (w *world) handIn(ctx context.Context, dir string) error {
	officer, err := os.ReadFile(filepath.Join(dir, "officer"))
	if err != nil {
		return err
	}
	packets, err := filepath.Glob(filepath.Join(dir, "*.packet"))
	if err != nil {
		return err
	}
	for _, file := range packets {
		if _, err := os.Stat(file + ".ack"); err == nil {
			continue
		}
		packet, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		a, err := w.Receive(ctx, packet, uuid.MustParse(string(officer)))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file+".ack", []byte(a.ID.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// office is a process of the test, and the data on which it works.
type office struct {
	*world
	url string
}

// begin starts a process with a failpoint armed, or with none.
func (o office) begin(t *testing.T, point string) (*exec.Cmd, io.Closer) {
	t.Helper()
	command := exec.Command(os.Args[0])
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PLINTH_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(command.Env, childVariable+"="+o.url, childDirectory+"="+o.dir)
	if point != "" {
		command.Env = append(command.Env, failpoint.Variable+"="+point+"=kill")
	}
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, in
}

// dies lets a process work until its failpoint kills it.
func (o office) dies(t *testing.T, point string) {
	t.Helper()
	command, in := o.begin(t, point)
	defer in.Close()
	dead := make(chan error, 1)
	go func() { dead <- command.Wait() }()
	select {
	case err := <-dead:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: got %v, want it killed there", point, err)
		}
	case <-time.After(childImpatience):
		_ = command.Process.Kill()
		t.Fatalf("%s: nobody came by", point)
	}
	// Time passes: those whom the dead one held are free again.
	if _, err := o.Pool.Exec(t.Context(), `UPDATE enrol_application SET claimed_until = now() - interval '1 second' WHERE claimed_until > now()`); err != nil {
		t.Fatal(err)
	}
}

// A process is killed at every named point of the pipeline in turn, while packets
// run through it. Afterwards each packet that was accepted has exactly one
// outcome, and nobody has two numbers.
func TestKilledAnywhereNothingIsLostOrDoubled(t *testing.T) {
	persons := 10
	if os.Getenv("PLINTH_LONG") != "" {
		persons = 48
	}
	const twice = 2 // of them are enrolled a second time
	o := office{url: pgtest.URL(t)}
	pool, err := postgres.Open(t.Context(), o.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if o.world, err = openWorld(t.Context(), pool, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	o.station = o.addStation(t, "station one")
	keep := func(name string, raw []byte) {
		if err := os.WriteFile(filepath.Join(o.dir, name), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep("officer", []byte(o.station.Officer.String()))
	for i := range persons {
		keep(fmt.Sprintf("%02d.packet", i), o.packet(t, newApplicant(int64(i), 0)))
	}
	for i := range twice {
		keep(fmt.Sprintf("again%d.packet", i), o.packet(t, newApplicant(int64(i), 1)))
	}
	killed := 0
	for _, stage := range []string{"receive/after-blob", "receive/before-commit", "receive/after-commit", "check", "line", "dedupe", "assign", "notify"} {
		for _, point := range failpoint.Names() {
			if strings.HasPrefix(point, "enrol/"+stage) {
				o.dies(t, point)
				killed++
			}
		}
	}
	if all := len(failpoint.Names()); killed < 13 {
		t.Errorf("got %d deaths at %d points, want one at each of the pipeline: %v", killed, all, failpoint.Names())
	}
	command, in := o.begin(t, "")
	defer func() { in.Close(); _ = command.Wait() }()
	o.account(t, persons, twice)
}

// account waits for the outcome of every packet and counts.
func (o office) account(t *testing.T, persons, twice int) {
	t.Helper()
	outcomes := map[State]int{}
	for end := time.Now().Add(childImpatience); ; time.Sleep(50 * time.Millisecond) {
		acks, err := filepath.Glob(filepath.Join(o.dir, "*.ack"))
		if err != nil {
			t.Fatal(err)
		}
		if len(acks) == persons+twice {
			for _, file := range acks {
				id, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				a := o.settled(t, uuid.MustParse(string(id)))
				outcomes[a.State]++
				if _, err := o.stored(t.Context(), a); err != nil {
					t.Errorf("the packet of %s is lost: %v", a.ID, err)
				}
				if ends := o.count(t, `SELECT count(*) FROM enrol_move WHERE application = $1 AND state IN ('notified', 'rejected', 'quarantined')`, a.ID); ends != 1 {
					t.Errorf("got %d ends of %s, want one", ends, a.ID)
				}
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %d acknowledgements, want %d", len(acks), persons+twice)
		}
	}
	if outcomes[Notified] != persons || outcomes[Rejected] != twice {
		t.Errorf("got %v, want %d with a number and %d rejected", outcomes, persons, twice)
	}
	if n := o.count(t, `SELECT count(*) FROM enrol_application`); n != persons+twice {
		t.Errorf("got %d applications, want %d", n, persons+twice)
	}
	if n := o.count(t, `SELECT count(*) FROM registry_identity`); n != persons {
		t.Errorf("got %d identities, want %d", n, persons)
	}
	if _, err := o.log.Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := o.log.Verify(t.Context(), 0, 0)
	if err != nil || !report.OK() || report.Entries == 0 {
		t.Errorf("got %+v, %v; want a log that verifies", report, err)
	}
}
