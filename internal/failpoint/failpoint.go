// Package failpoint names the places where a crash would hurt, so that the crash
// tests can stop there. The points are compiled in and do nothing until armed.
package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Variable is the environment variable that arms points in a running binary:
// "name=kill", "name=panic" or "name=sleep:5s", several separated by commas.
const Variable = "PLINTH_FAILPOINT"

var (
	some  atomic.Bool
	mu    sync.Mutex
	armed = map[string]func(){}
	named = map[string]bool{}
)

func init() {
	for _, setting := range strings.FieldsFunc(os.Getenv(Variable), func(r rune) bool { return r == ',' }) {
		name, action, _ := strings.Cut(setting, "=")
		do, err := parse(name, action)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		Arm(name, do)
	}
}

func parse(name, action string) (func(), error) {
	kind, argument, _ := strings.Cut(action, ":")
	switch kind {
	case "kill":
		// SIGKILL and wait: no deferred function may run, as in a power cut.
		return func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }, nil
	case "panic":
		return func() { panic("failpoint " + name) }, nil
	case "sleep":
		pause, err := time.ParseDuration(argument)
		if err != nil {
			return nil, fmt.Errorf("%s: %q needs a duration such as sleep:5s", Variable, name)
		}
		return func() { time.Sleep(pause) }, nil
	}
	return nil, fmt.Errorf("%s: %q wants kill, panic or sleep:<duration>, not %q", Variable, name, action)
}

// Name registers a point and returns its name, for a package variable beside the code.
func Name(name string) string {
	mu.Lock()
	defer mu.Unlock()
	named[name] = true
	return name
}

// Names lists every registered point, sorted.
func Names() []string {
	mu.Lock()
	defer mu.Unlock()
	names := make([]string, 0, len(named))
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Arm makes Hit(name) call do, until the returned func is called.
func Arm(name string, do func()) (disarm func()) {
	mu.Lock()
	defer mu.Unlock()
	armed[name] = do
	some.Store(true)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		delete(armed, name)
		some.Store(len(armed) > 0)
	}
}

// Hit does what the point was armed with, and nothing otherwise.
func Hit(name string) {
	if !some.Load() {
		return
	}
	mu.Lock()
	do := armed[name]
	mu.Unlock()
	if do != nil {
		do()
	}
}
