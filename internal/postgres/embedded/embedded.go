// Package embedded runs a private Postgres for one data directory: reached over
// a Unix socket only, as an unprivileged user when we are root, and gone when we
// are, even by kill -9.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "plinth" // the database role, not the user of the operating system
	database  = "plinth"
	patience  = 60 * time.Second // for another process to bring up the server, initdb included
)

// Config says where the server keeps its data.
type Config struct {
	Dir  string // the data directory of the installation; we use Dir/postgres
	Fast bool   // for tests only: loses data when the machine falls
}

// Server is a running Postgres, ours or that of another process on the same Dir.
type Server struct {
	url   string
	owned atomic.Bool // by another process
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

// URL is what postgres.Open takes.
func (s *Server) URL() string { return s.url }

// Stop ends the server if it is ours, and waits for it. Whoever else uses it on
// the same Dir takes it over.
func (s *Server) Stop() {
	s.once.Do(func() { close(s.stop) })
	<-s.done
}

// Start makes sure that the server of the directory runs and answers. The first
// process on a directory owns the server and restarts it should it fall; others
// connect to it, and one of them takes it over when the owner ends.
func Start(ctx context.Context, config Config) (*Server, error) {
	c, err := prepare(config)
	if err != nil {
		return nil, err
	}
	s := &Server{url: address(c.sockets, database), stop: make(chan struct{}), done: make(chan struct{})}
	started := make(chan error, 1)
	go s.keep(c, started)

	deadline, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case err := <-started:
			if err != nil {
				<-s.done
				return nil, err
			}
			return s, nil
		case <-deadline.Done():
			s.Stop()
			return nil, fmt.Errorf("waiting for Postgres in %s: %w", c.home, deadline.Err())
		case <-time.After(20 * time.Millisecond):
		}
		// A server that answers while nobody owns it is one that still shuts down.
		if s.owned.Load() && c.owned(c.sockets) == nil && answers(deadline, s.url) == nil {
			return s, nil
		}
	}
}

// keep owns the server from the moment that the directory's lock is free until
// Stop. The first failure to bring it up is for Start, later ones are tried again.
func (s *Server) keep(c *cluster, started chan<- error) {
	defer close(s.done)
	// The kernel signals Postgres when the thread ends that started it, so this
	// thread stays with this goroutine as long as Postgres lives.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	lock := s.await(c)
	if lock == nil {
		return
	}
	defer lock.Close()
	first := started
	for {
		process, err := c.launch(s.stop)
		if first != nil {
			first <- err
		}
		switch {
		case err != nil && first != nil:
			return
		case err != nil:
			slog.Error("private Postgres does not start", "error", err)
		default:
			first = nil
			if s.watch(process) {
				_ = os.Remove(c.sockets) // the next owner makes it again
				return
			}
			slog.Error("private Postgres ended unasked, starting it again", "log", c.logfile())
		}
		select {
		case <-s.stop:
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// watch reports true when the server ended because we stopped it.
func (s *Server) watch(p *process) bool {
	select {
	case <-p.exited:
		return false
	case <-s.stop:
		_ = p.cmd.Process.Signal(syscall.SIGINT) // fast shutdown: rolls back what is open, keeps what is committed
	}
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // recovers at the next start, loses nothing committed
		<-p.exited
	}
	return true
}

// await returns the lock of the directory once it is ours, nil after Stop.
func (s *Server) await(c *cluster) *os.File {
	for {
		lock := c.tryLock()
		s.owned.Store(lock == nil)
		if lock != nil {
			return lock
		}
		select {
		case <-s.stop:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func address(sockets, name string) string {
	query := url.Values{"host": {sockets}, "port": {"5432"}, "user": {superuser}, "sslmode": {"disable"}}
	return "postgres:///" + name + "?" + query.Encode()
}

func answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
