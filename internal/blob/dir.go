package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

// dir keeps a blob in <root>/ab/cd/<key>, where ab and cd are the first bytes of
// the key's hash, so that no directory grows with the country, and the parts of
// the key are divided by dots. What is being written is in <root>/new.
type dir struct{ root string }

const (
	unfinished = "new"
	forgotten  = time.Hour // after which nobody is still writing
)

// Dir keeps blobs in a directory.
func Dir(path string) (Store, error) {
	d := dir{path}
	if err := os.MkdirAll(filepath.Join(path, unfinished), 0o700); err != nil {
		return nil, fmt.Errorf("opening the blob directory: %w", err)
	}
	if err := d.tidy(); err != nil {
		return nil, fmt.Errorf("opening the blob directory: %w", err)
	}
	return d, nil
}

// tidy removes what a crash left unfinished.
func (d dir) tidy() error {
	left, err := os.ReadDir(filepath.Join(d.root, unfinished))
	if err != nil {
		return err
	}
	for _, entry := range left {
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) < forgotten {
			continue // gone, or another process is writing it
		}
		if err := os.Remove(filepath.Join(d.root, unfinished, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d dir) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(d.root, hex.EncodeToString(sum[:1]), hex.EncodeToString(sum[1:2]), strings.ReplaceAll(key, "/", "."))
}

// Put writes beside, syncs, renames and syncs the directories: after a power cut
// the blob is there whole or not at all.
func (d dir) Put(_ context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(data) > maxBlob {
		return fmt.Errorf("storing blob %s: %w", key, errTooLarge)
	}
	err := d.put(d.path(key), data)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.New(fault.Busy, "The server has no room left. Try again later; its operators must make room.").Named("no-room").Because(err)
	}
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", key, err)
	}
	return nil
}

func (d dir) put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Join(d.root, unfinished), "")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(data)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return d.sync(filepath.Dir(path))
}

// sync makes the names down to a directory durable. All of them every time: that
// a directory is there does not say that whoever made it came to its sync.
func (d dir) sync(path string) error {
	for {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil || path == d.root {
			return err
		}
		path = filepath.Dir(path)
	}
}

// Get reads a blob.
func (d dir) Get(_ context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(key)
	}
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", key, err)
	}
	defer f.Close()
	data, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", key, err)
	}
	return data, nil
}

// Delete removes a blob for good, also after a power cut.
func (d dir) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	path := d.path(key)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.sync(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("deleting blob %s: %w", key, err)
	}
	return nil
}

// Keys lists every blob.
func (d dir) Keys(ctx context.Context) ([]string, error) {
	var keys []string
	err := filepath.WalkDir(d.root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted while we walked
			return nil
		case err != nil:
			return err
		case entry.IsDir() && path == filepath.Join(d.root, unfinished):
			return fs.SkipDir
		case entry.IsDir():
			return ctx.Err()
		}
		keys = append(keys, strings.ReplaceAll(entry.Name(), ".", "/"))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing blobs: %w", err)
	}
	return keys, nil
}
