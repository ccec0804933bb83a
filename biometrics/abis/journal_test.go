package abis

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const childVariable = "PLINTH_ABIS_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childVariable); file != "" {
		child(file)
	}
	os.Exit(m.Run())
}

// child writes without end, and says what is on the disk.
func child(file string) {
	j, err := openJournal(file, testKey, time.Now())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var all sync.WaitGroup
	for writer := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				reference := fmt.Sprintf("w%d-%d", writer, i)
				if _, err := j.append(testEntry(reference)); err != nil {
					os.Exit(1)
				}
				fmt.Println(reference)
			}
		})
	}
	all.Wait()
}

func testEntry(reference string) entry {
	return entry{Kind: entryInsert, Reference: reference, Request: "r-" + reference, At: time.Now().Unix(), Templates: map[string][]byte{"rightIndex": bytes.Repeat([]byte{1}, 900)}}
}

func references(t *testing.T, j *journal) (all []string) {
	t.Helper()
	if err := j.each(func(_ int64, e entry) error { all = append(all, e.Reference); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func opened(t *testing.T, file string) *journal {
	t.Helper()
	j, err := openJournal(file, testKey, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() })
	return j
}

// Whatever a process has said to be kept is there after it was killed.
func TestAKilledProcessLosesNothing(t *testing.T) {
	for round := range 3 {
		file := filepath.Join(t.TempDir(), "templates")
		var said bytes.Buffer
		writer := exec.Command(os.Args[0])
		writer.Env, writer.Stdout = append(os.Environ(), childVariable+"="+file), &said
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(200+150*round) * time.Millisecond)
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait() // it was killed
		kept := make(map[string]bool)
		for _, reference := range references(t, opened(t, file)) {
			kept[reference] = true
		}
		lines := strings.Split(said.String(), "\n")
		lost := 0
		for _, reference := range lines[:len(lines)-1] { // what follows the last line's end was cut by the death
			if !kept[reference] {
				lost++
			}
		}
		if len(lines) < 5 || lost > 0 {
			t.Errorf("round %d: %d of %d acknowledged ones are lost", round, lost, len(lines)-1)
		}
	}
}

func TestWhatIsHalfWrittenIsCutOff(t *testing.T) {
	file := filepath.Join(t.TempDir(), "templates")
	j := opened(t, file)
	for i := range 5 {
		if _, err := j.append(testEntry(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	last := j.end
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		raw  []byte
		want int
	}{
		"whole": {whole, 5}, "cut": {whole[:last-1], 4}, "cut in the length": {append(bytes.Clone(whole), 0, 0), 5}, "a hole": {append(bytes.Clone(whole), make([]byte, 700)...), 5},
		"a flipped bit": {flipped(whole, last-100), 4}, "a length without end": {append(bytes.Clone(whole), bytes.Repeat([]byte{0xff}, 50)...), 5}, "nothing": {nil, 0}, "half a beginning": {whole[:20], 0},
	} {
		name := filepath.Join(t.TempDir(), "templates")
		if err := os.WriteFile(name, c.raw, 0o600); err != nil {
			t.Fatal(err)
		}
		again := opened(t, name)
		if got := len(references(t, again)); got != c.want {
			t.Errorf("%s: got %d entries, want %d", what, got, c.want)
		}
		if _, err := again.append(testEntry("new")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := len(references(t, again)); got != c.want+1 {
			t.Errorf("%s: got %d entries after one more, want %d", what, got, c.want+1)
		}
	}
}

// What was acknowledged is not cut off when it breaks later: that must be seen.
func TestDamageIsNotTakenForADeath(t *testing.T) {
	file := filepath.Join(t.TempDir(), "templates")
	j := opened(t, file)
	var places []int64
	for i := range 5 {
		at, err := j.append(testEntry(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for what, at := range map[string]int64{"the first": places[0], "the middle": places[2], "the last but one": places[3]} {
		if err := os.WriteFile(file, flipped(whole, at+200), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openJournal(file, testKey, time.Now()); !errors.Is(err, ErrJournal) {
			t.Errorf("%s: got %v, want it refused", what, err)
		}
	}
	// Nobody was told of an entry behind which none knows that it was on the disk.
	torn := bytes.Clone(whole[:places[1]])
	for _, reference := range []string{"x", "y"} {
		raw, err := j.sealed(int64(len(torn)), testEntry(reference))
		if err != nil {
			t.Fatal(err)
		}
		torn = append(torn, raw...)
	}
	if err := os.WriteFile(file, flipped(torn, places[1]+200), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := references(t, opened(t, file)); len(got) != 1 {
		t.Errorf("got %v, want what was acknowledged", got)
	}
}

func flipped(raw []byte, at int64) []byte {
	raw = bytes.Clone(raw)
	raw[at] ^= 1
	return raw
}

func TestAFileOfAnotherKeyIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "templates")
	j := opened(t, file)
	if _, err := j.append(testEntry("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(file, testKey, time.Now()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want one process at a time", err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(file)
	for what, key := range map[string][]byte{"another key": bytes.Repeat([]byte{8}, keyBytes)} {
		if _, err := openJournal(file, key, time.Now()); !errors.Is(err, ErrJournal) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

// Entries cannot be moved, nor put into another file of the key.
func TestAnEntryIsBoundToItsPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "templates")
	j := opened(t, file)
	first, err := j.append(testEntry("a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := j.append(testEntry("b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	swapped := append(bytes.Clone(raw[:first]), append(bytes.Clone(raw[second:]), raw[first:second]...)...)
	if err := os.WriteFile(file, swapped, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := references(t, opened(t, file)); len(got) != 0 {
		t.Errorf("got %v of moved entries", got)
	}
	if kept, err := filepath.Glob(file + ".cut-*"); err != nil || len(kept) != 1 {
		t.Errorf("got %v, %v; want what was cut off to be kept", kept, err)
	}
}

// Who was deleted does not lie there for ever, and that they were is known for a while.
func TestWhoWasDeletedIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.insert(t, "a", 1, 0)
	w.insert(t, "b", 2, 0)
	w.ask(t, "delete", "delete-a", "a", "")
	before, err := os.Stat(w.file)
	if err != nil {
		t.Fatal(err)
	}
	w.restart(t)
	after, err := os.Stat(w.file)
	if err != nil || after.Size() >= before.Size() || w.Len() != 1 {
		t.Errorf("got %d bytes after %d, %d people, %v; want one gone", after.Size(), before.Size(), w.Len(), err)
	}
	if a := w.ask(t, "delete", "delete-a", "a", ""); a.ReturnValue != Success {
		t.Errorf("got %+v for the same delete, want the same answer", a)
	}
	if got := names(w.ask(t, "identify", "q", "b", "")); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func FuzzJournal(f *testing.F) {
	j, err := newJournal(testKey)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := j.sealed(headBytes, testEntry("a"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(bytes.Clone(j.begun), raw...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		end, err := j.scan(bytes.NewReader(raw), int64(len(raw)), func(int64, entry) error { return nil })
		if err == nil && (end < headBytes || end > int64(len(raw))) {
			t.Errorf("got the end %d of %d bytes", end, len(raw))
		}
	})
}
