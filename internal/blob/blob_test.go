package blob

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

// stores opens one of each kind.
func stores(t *testing.T) map[string]Store {
	t.Helper()
	inDir, err := Open("", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inBucket, err := Open(bucket(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Store{"directory": inDir, "S3": inBucket}
}

func keysOf(t *testing.T, s Store) []string {
	t.Helper()
	keys, err := s.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func TestWhatWasPutIsThere(t *testing.T) {
	for name, s := range stores(t) {
		t.Run(name, func(t *testing.T) {
			blobs := map[string][]byte{"packets/0b1f-4c": []byte("sealed"), "packets/0b1f_4c": {}, "a": bytes.Repeat([]byte{0, 1, 255}, 100_000), "a/b/c": []byte("deep")}
			for range 2 { // putting again changes nothing
				for key, data := range blobs {
					if err := s.Put(t.Context(), key, data); err != nil {
						t.Fatal(err)
					}
				}
			}
			for key, want := range blobs {
				if got, err := s.Get(t.Context(), key); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: got %d bytes, %v; want %d", key, len(got), err, len(want))
				}
			}
			if got, want := keysOf(t, s), []string{"a", "a/b/c", "packets/0b1f-4c", "packets/0b1f_4c"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			for range 2 {
				if err := s.Delete(t.Context(), "a"); err != nil {
					t.Errorf("deleting: got %v, want nil, twice", err)
				}
			}
			if _, err := s.Get(t.Context(), "a"); !fault.Is(err, fault.NotFound) {
				t.Errorf("got %v, want not found", err)
			}
			if got := keysOf(t, s); len(got) != 3 {
				t.Errorf("got %q, want three left", got)
			}
		})
	}
}

func TestKeysThatLeadElsewhereAreRefused(t *testing.T) {
	for name, s := range stores(t) {
		for _, key := range []string{"", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "A", "a.b", "a\x00", "a b", ".put", "new/../x", strings.Repeat("a", 201)} {
			if err := s.Put(t.Context(), key, []byte("x")); err == nil {
				t.Errorf("%s: put %q", name, key)
			}
			if _, err := s.Get(t.Context(), key); err == nil || fault.Is(err, fault.NotFound) {
				t.Errorf("%s: get %q: %v, want a refusal", name, key, err)
			}
			if err := s.Delete(t.Context(), key); err == nil {
				t.Errorf("%s: deleted %q", name, key)
			}
		}
		if err := s.Put(t.Context(), "large", make([]byte, maxBlob+1)); err == nil {
			t.Errorf("%s: took a blob that could not be read again", name)
		}
		if got := keysOf(t, s); len(got) != 0 {
			t.Errorf("%s: got %q, want nothing", name, got)
		}
	}
}

func TestPuttingTogetherLeavesOneWholeBlob(t *testing.T) {
	s, err := Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if err := s.Put(context.Background(), "same", bytes.Repeat([]byte{byte(i)}, 4096)); err != nil {
				t.Error(err)
			}
			if err := s.Put(context.Background(), fmt.Sprintf("other/%d", i), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), "same")
	if err != nil || len(got) != 4096 || len(bytes.Trim(got, string(got[:1]))) != 0 {
		t.Errorf("got a mixture, %v", err)
	}
	if n := len(keysOf(t, s)); n != 17 {
		t.Errorf("got %d keys, want 17", n)
	}
}

func TestWhatACrashLeftIsNoBlobAndIsTidiedLater(t *testing.T) {
	root := t.TempDir()
	if _, err := Dir(root); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(root, unfinished, "1"), filepath.Join(root, unfinished, "2")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * forgotten)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	s, err := Dir(root)
	if err != nil {
		t.Fatal(err)
	}
	if got := keysOf(t, s); len(got) != 0 {
		t.Errorf("got %q, want no blobs", got)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what a crash left long ago is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what another process is writing was removed: %v", err)
	}
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	root := filepath.Join(t.TempDir(), "blobs")
	s, err := Dir(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "packets/1", []byte("x")); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got mode %v, want none for others", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWrongAddressIsRefusedWithoutItsSecret(t *testing.T) {
	for _, address := range []string{"http://host/bucket", "s3://host/bucket", "s3://key:hunter2@host", "s3://key:hunter2@host/a/b", "s3://key:hunter2@/bucket",
		"s3://key:hunter2@host:port/bucket", "s3://key:hunter2@ho st/bucket"} {
		_, err := Open(address, t.TempDir())
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", address, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the secret is in %q", err)
		}
	}
}
