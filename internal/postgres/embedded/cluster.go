package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
)

// cluster is one Postgres data directory with all that is needed to run it.
type cluster struct {
	lock       string // the file that its owner keeps locked
	home       string // holds data, log and, when the path is short enough, the socket
	sockets    string
	bin        string
	fast       bool
	credential *syscall.Credential // nil: as ourselves
}

// process is a running postmaster that we started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

func (c *cluster) data() string    { return filepath.Join(c.home, "data") }
func (c *cluster) logfile() string { return filepath.Join(c.home, "postgres.log") }

// tryLock returns the locked file, or nil when another process has it.
func (c *cluster) tryLock() *os.File {
	f, err := os.OpenFile(c.lock, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		f.Close()
		return nil
	}
	return f
}

// launch brings the server up, from nothing if need be. Our caller holds the lock.
func (c *cluster) launch(stop <-chan struct{}) (*process, error) {
	if err := c.waitForOld(stop); err != nil {
		return nil, err
	}
	if err := c.initialise(); err != nil {
		return nil, err
	}
	if err := c.own(c.sockets); err != nil {
		return nil, err
	}
	log, err := c.openLog()
	if err != nil {
		return nil, fmt.Errorf("opening the log of Postgres: %w", err)
	}
	defer log.Close()
	cmd := c.command("postgres", append([]string{"-D", c.data(), "-k", c.sockets}, c.settings()...)...)
	cmd.Stdout, cmd.Stderr = log, log
	// In a process group of its own, or Ctrl-C would reach Postgres before us.
	// SIGINT is its fast shutdown: it comes even when we are killed by -9.
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGINT
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Postgres: %w", err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.exited) }()
	if err := c.ready(p, stop); err != nil {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		<-p.exited
		return nil, err
	}
	return p, nil
}

func (c *cluster) settings() []string {
	settings := []string{
		"listen_addresses=", "port=5432", "unix_socket_permissions=0700", "max_connections=200",
		"shared_buffers=128MB", "jit=off", "timezone=UTC", "log_timezone=UTC",
		// What people entered must not reach a log: no statements, no parameters,
		// no "Key (…)=(…) already exists".
		"log_min_error_statement=panic", "log_error_verbosity=terse", "log_parameter_max_length_on_error=0",
	}
	if c.fast {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
	}
	args := make([]string, 0, 2*len(settings))
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	return args
}

// command runs a program of the server as the user that owns the data.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.home
	// C.UTF-8 is on every machine. Nothing else of our environment concerns
	// Postgres, and PLINTH_KEY_PASSPHRASE least of all.
	cmd.Env = []string{"PATH=" + c.bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=" + c.home}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.credential}
	return cmd
}

// initialise makes the data directory where there is none yet, whole or not at all.
func (c *cluster) initialise() error {
	if _, err := os.Stat(filepath.Join(c.data(), "PG_VERSION")); err == nil {
		return nil
	}
	half := c.data() + ".new"
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("removing a half-made database: %w", err)
	}
	args := []string{"-D", half, "-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"}
	if c.fast {
		args = append(args, "--no-sync", "--wal-segsize=4")
	}
	if output, err := c.command("initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("making a new database in %s: %w: %s", half, err, bytes.TrimSpace(output))
	}
	if err := os.Rename(half, c.data()); err != nil {
		return fmt.Errorf("making a new database: %w", err)
	}
	return syncDir(c.home)
}

// waitForOld waits for the server of an owner that was killed a moment ago: it
// still shuts down, and would refuse us the directory.
func (c *cluster) waitForOld(stop <-chan struct{}) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		pid := c.oldServer()
		if pid == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Busy, fmt.Sprintf("An earlier Postgres (process %d) still uses %s. Stop it, then start again.", pid, c.data()))
		}
		select {
		case <-stop:
			return errors.New("stopped while an earlier Postgres ended")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// oldServer is the process that postmaster.pid names, 0 when there is none. A
// number alone may name a stranger after a reboot; the working directory tells.
func (c *cluster) oldServer() int {
	content, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 0 {
		return 0
	}
	at, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "cwd"))
	if err != nil {
		return 0
	}
	if real, err := filepath.EvalSymlinks(c.data()); err != nil || at != real {
		return 0
	}
	return pid
}

// ready waits until the server answers, and makes our database in it.
func (c *cluster) ready(p *process, stop <-chan struct{}) error {
	for {
		if err := c.ensureDatabase(); err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("postgres ended at its start; %s says: %s", c.logfile(), c.lastLine())
		case <-stop:
			return errors.New("stopped while Postgres started")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *cluster) ensureDatabase() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address(c.sockets, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, database).Scan(&exists); err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	return err
}

// openLog starts a new file before the log gets big; one old file is kept.
func (c *cluster) openLog() (*os.File, error) {
	if info, err := os.Stat(c.logfile()); err == nil && info.Size() > 10<<20 {
		if err := os.Rename(c.logfile(), c.logfile()+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(c.logfile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (c *cluster) lastLine() string {
	content, err := os.ReadFile(c.logfile())
	if err != nil {
		return err.Error()
	}
	content = bytes.TrimSpace(content)
	return string(content[bytes.LastIndexByte(content, '\n')+1:])
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
