package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the program: started with AS_PLINTH=1 it runs main,
// so that the journeys walk through the real commands in real processes.
func TestMain(m *testing.M) {
	if os.Getenv("AS_PLINTH") == "1" {
		os.Unsetenv("AS_PLINTH")
		main()
		return
	}
	code := m.Run()
	if shared.demo != nil {
		shared.demo.stop()
		os.RemoveAll(shared.demo.dir)
	}
	os.Exit(code)
}

// plinth makes a command of the program with only the settings that are given.
func plinth(ctx context.Context, env []string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0], args...)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PLINTH_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(append(command.Env, env...), "AS_PLINTH=1")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command
}

// running is a demo that runs as a process of its own.
type running struct {
	url, dir string
	shop     string // the address of a page of somebody else that may have our verifier in it
	sheet    demoSheet
	env      []string
	process  *exec.Cmd
	output   *bytes.Buffer
}

var shared struct {
	once sync.Once
	demo *running
	err  error
}

// demoOf starts one demo for all journeys and waits until it is seeded.
func demoOf(t *testing.T) *running {
	t.Helper()
	shared.once.Do(func() { shared.demo, shared.err = startDemo("") })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.demo
}

func startDemo(dir string) (*running, error) {
	if dir == "" {
		made, err := os.MkdirTemp("", "plinth-journeys-")
		if err != nil {
			return nil, err
		}
		// The private Postgres runs as another user when we are root.
		if err := os.Chmod(made, 0o755); err != nil {
			return nil, err
		}
		dir = made
	}
	address, err := free()
	if err != nil {
		return nil, err
	}
	shop, err := free()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	d := &running{url: "http://localhost:" + port, dir: dir, shop: shop, output: new(bytes.Buffer)}
	trust, err := writeList(dir, "neighbours.json", neighbours(neighbour, neighbourKey.Public(), time.Time{}))
	if err != nil {
		return nil, err
	}
	d.env = []string{"PLINTH_URL=" + d.url, "PLINTH_LISTEN=" + address, "PLINTH_DATA=" + dir, "PLINTH_VERIFIER_EMBED=http://" + shop, "PLINTH_TRUST=" + trust}
	d.process = plinth(context.Background(), d.env, "demo", "--data", dir)
	out, err := d.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.process.Stderr = d.output
	if err := d.process.Start(); err != nil {
		return nil, err
	}
	return d, d.ready(out)
}

// free is an address where nobody listens.
func free() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// ready waits for the line that says so.
func (d *running) ready(out io.Reader) error {
	said := make(chan error, 1)
	go func() {
		var all bytes.Buffer
		chunk := make([]byte, 4096)
		told := false
		for {
			n, err := out.Read(chunk)
			all.Write(chunk[:n])
			if !told && strings.Contains(all.String(), "Plinth is ready") {
				told = true
				said <- nil
			}
			if err != nil {
				if !told {
					said <- fmt.Errorf("the demo ended early: %s", d.output)
				}
				return
			}
		}
	}()
	select {
	case err := <-said:
		if err != nil {
			return err
		}
	case <-time.After(4 * time.Minute):
		d.stop()
		return fmt.Errorf("the demo did not get ready: %s", d.output)
	}
	raw, err := os.ReadFile(filepath.Join(d.dir, demoFile))
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, &d.sheet)
}

func (d *running) stop() {
	_ = d.process.Process.Signal(syscall.SIGTERM)
	_ = d.process.Wait()
}

// run runs a command against the demo; it returns stdout and the exit code.
func (d *running) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := plinth(ctx, append(d.env, "PLINTH_WALLET_PASSPHRASE=a wallet for tests"), args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		t.Logf("plinth %s: exit %d: %s", strings.Join(args, " "), failed.ExitCode(), stderr.String())
		return string(out) + stderr.String(), failed.ExitCode()
	case err != nil:
		t.Fatalf("plinth %s: %v", strings.Join(args, " "), err)
	}
	return string(out), 0
}

// get fetches a page of the demo.
func (d *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	answer, err := http.Get(d.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(raw)
}

// settledState waits for the outcome of an application.
func (d *running) settledState(t *testing.T, application string) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, code := d.run(t, "application", application)
		if code != exitYes {
			t.Errorf("application %s: exit %d: %s", application, code, out)
			return ""
		}
		if state, _ := answerOf(t, out)["state"].(string); settled(state) || time.Now().After(deadline) {
			return state
		}
	}
}
