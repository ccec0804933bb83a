package failpoint_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/plinth-id/plinth/internal/failpoint"
)

const asChild = "PLINTH_TEST_FAILPOINT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		failpoint.Hit("test/other")
		println("before")
		failpoint.Hit("test/here")
		println("after")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs this binary with points armed by its environment.
func child(setting string) (output string, state *os.ProcessState) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"=1", failpoint.Variable+"="+setting)
	raw, _ := cmd.CombinedOutput()
	return string(raw), cmd.ProcessState
}

func TestAnUnarmedPointDoesNothing(t *testing.T) {
	failpoint.Hit("test/unarmed")
	hits := 0
	disarm := failpoint.Arm("test/armed", func() { hits++ })
	failpoint.Hit("test/unarmed")
	failpoint.Hit("test/armed")
	disarm()
	failpoint.Hit("test/armed")
	if hits != 1 {
		t.Fatalf("got %d hits, want the one while it was armed", hits)
	}
}

func TestKillEndsTheProcessAtThePoint(t *testing.T) {
	output, state := child("test/here=kill")
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL || !strings.Contains(output, "before") || strings.Contains(output, "after") {
		t.Fatalf("got %q and %v, want it killed between before and after", output, state)
	}
}

func TestPanicAndSleepActAtThePoint(t *testing.T) {
	if output, state := child("test/here=panic"); state.ExitCode() != 2 || !strings.Contains(output, "failpoint test/here") {
		t.Fatalf("got %q and %v, want a panic that names the point", output, state)
	}
	if output, state := child("test/other=sleep:1ms,test/here=sleep:1ms"); state.ExitCode() != 0 || !strings.Contains(output, "after") {
		t.Fatalf("got %q and %v, want it to go on", output, state)
	}
}

func TestAWrongSettingStopsTheStart(t *testing.T) {
	for _, setting := range []string{"test/here=explode", "test/here=sleep:soon", "test/here"} {
		if output, state := child(setting); state.ExitCode() != 2 || !strings.Contains(output, failpoint.Variable) || strings.Contains(output, "before") {
			t.Fatalf("%s: got %q and %v, want a refusal that names the setting", setting, output, state)
		}
	}
}

func TestNamesListsEveryRegisteredPoint(t *testing.T) {
	name := failpoint.Name("test/registered")
	failpoint.Name("test/another")
	got, want := failpoint.Names(), []string{"test/another", "test/registered"}
	if name != "test/registered" || !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
