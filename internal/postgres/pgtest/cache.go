package pgtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/plinth-id/plinth/internal/postgres"
)

const prefix = "plinth-pgtest-"

// key names a cached data directory by all that decides what is in it.
func key() string {
	h := sha256.New()
	fmt.Fprintln(h, "1", os.Geteuid())
	for _, program := range []string{"postgres", "initdb"} {
		path, _ := exec.LookPath(program)
		path, _ = filepath.EvalSymlinks(path)
		info, err := os.Stat(path)
		if err == nil {
			fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano())
		}
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range build.Deps {
			if m.Path == "github.com/riverqueue/river" {
				fmt.Fprintln(h, m.Version)
			}
		}
	}
	migrations := postgres.Migrations()
	_ = fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(migrations, path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "plinth-pgtest"), nil
}

// restore puts the data directory that an earlier test binary left into dir. It
// reports false when there is none, or it could not; a new one is then made.
func restore(dir string) bool {
	cache, err := cacheDir()
	if err != nil {
		return false
	}
	from := filepath.Join(cache, key())
	if _, err := os.Stat(from); err != nil {
		return false
	}
	to := filepath.Join(dir, "postgres")
	if err := copyTree(from, to); err != nil {
		os.RemoveAll(to)
		return false
	}
	return true
}

// keep leaves a stopped server's data directory for the test binaries to come. A
// failure costs them time only, so nothing is reported.
func keep(dir string) {
	cache, err := cacheDir()
	if err != nil || os.MkdirAll(cache, 0o700) != nil {
		return
	}
	half, err := os.MkdirTemp(cache, "half-")
	if err != nil {
		return
	}
	defer os.RemoveAll(half)
	whole := filepath.Join(half, "postgres")
	if copyTree(filepath.Join(dir, "postgres"), whole) != nil {
		return
	}
	_ = os.Rename(whole, filepath.Join(cache, key())) // fails when another binary was first
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != key() && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

// copyTree copies directories and plain files with owner and mode, and leaves out
// what only a running server has.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, info.Mode().Perm())
		case info.Mode().IsRegular():
			err = copyFile(path, target, info.Mode().Perm())
		default:
			return nil
		}
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || os.Geteuid() != 0 {
			return nil
		}
		return os.Chown(target, int(stat.Uid), int(stat.Gid))
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// sweep removes what test binaries that have ended left behind: their lock is
// free. One that has just begun may not hold it yet.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, "postgres.lock"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
