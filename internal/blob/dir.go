package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

type dir struct{ root string }

// Dir keeps blobs in a directory.
func Dir(path string) (Store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("opening the blob directory: %w", err)
	}
	return dir{path}, nil
}

func (d dir) path(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

// Put writes beside, syncs, renames and syncs the directory: after a power cut
// the blob is there whole or not at all.
func (d dir) Put(_ context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	path := d.path(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("storing blob %s: %w", key, err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".put-")
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", key, err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err == nil {
		err = syncUpTo(d.root, filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("storing blob %s: %w", key, err)
	}
	return nil
}

// syncUpTo makes the names durable, of new directories too.
func syncUpTo(root, path string) error {
	for {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil || path == root {
			return err
		}
		path = filepath.Dir(path)
	}
}

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
	data, err := io.ReadAll(io.LimitReader(f, maxBlob+1))
	if err != nil || len(data) > maxBlob {
		return nil, fmt.Errorf("reading blob %s: %w (or it is too large)", key, err)
	}
	return data, nil
}

func (d dir) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := os.Remove(d.path(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("deleting blob %s: %w", key, err)
	}
	return nil
}

func (d dir) Keys(context.Context) ([]string, error) {
	var keys []string
	err := filepath.WalkDir(d.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		key, err := filepath.Rel(d.root, path)
		keys = append(keys, filepath.ToSlash(key))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing blobs: %w", err)
	}
	return keys, nil
}
