package abis

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// compacted writes a file anew, without those who were deleted, if there are any:
// templates of somebody who is no more must not lie there for ever.
func (j *journal) compacted(path string, now time.Time) error {
	old, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	defer old.Close()
	if lock(old) != nil {
		return nil // somebody works with it, which will be said when it is opened
	}
	info, err := old.Stat()
	if err != nil || info.Size() < headBytes {
		return err
	}
	live, dead := make(map[string]int64), false
	end, err := j.scan(old, info.Size(), func(at int64, e entry) error {
		_, again := live[e.Reference]
		dead = dead || again
		live[e.Reference] = at
		return nil
	})
	if err != nil || !dead || end < info.Size() { // first the end must be put in order
		return err
	}
	return j.rewrite(old, info.Size(), path, func(at int64, e entry) bool {
		return live[e.Reference] == at && (e.Kind == entryInsert || now.Sub(time.Unix(e.At, 0)) < forgotten)
	})
}

// rewrite writes what is kept into a new file, which then takes the place of the old.
func (j *journal) rewrite(old *os.File, size int64, path string, keep func(at int64, e entry) bool) (err error) {
	fresh, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	end := headBytes
	if _, err := fresh.WriteAt(j.begun, 0); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	if _, err := j.scan(old, size, func(at int64, e entry) error {
		if !keep(at, e) {
			return nil
		}
		e.Flushed = end // all of this is on the disk before it has its name
		raw, err := j.sealed(end, e)
		if err != nil {
			return err
		}
		if _, err := fresh.WriteAt(raw, end); err != nil {
			return fmt.Errorf("abis: %w", err)
		}
		end += int64(len(raw))
		return nil
	}); err != nil {
		return err
	}
	if err := fresh.Sync(); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	return syncDirectory(filepath.Dir(path))
}

// syncDirectory makes a new name last.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
