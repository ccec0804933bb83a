// Package failpoint names the places where a crash would hurt, so that the crash
// tests can stop there. The points are compiled in and do nothing until armed.
package failpoint

import (
	"fmt"
	"maps"
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
	some  atomic.Bool // spares the lock where nothing is armed
	mu    sync.Mutex
	armed = map[string]func(){}
	named = map[string]bool{}
)

func init() {
	for _, setting := range strings.FieldsFunc(os.Getenv(Variable), func(r rune) bool { return r == ',' }) {
		name, action, _ := strings.Cut(setting, "=")
		kind, argument, _ := strings.Cut(action, ":")
		pause, err := time.ParseDuration(argument)
		switch {
		case kind == "kill": // no deferred function runs, as in a power cut
			Arm(name, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} })
		case kind == "panic":
			Arm(name, func() { panic("failpoint " + name) })
		case kind == "sleep" && err == nil:
			Arm(name, func() { time.Sleep(pause) })
		default:
			fmt.Fprintf(os.Stderr, "%s: %q wants =kill, =panic or =sleep:<duration>\n", Variable, name)
			os.Exit(2)
		}
	}
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
	return slices.Sorted(maps.Keys(named))
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
