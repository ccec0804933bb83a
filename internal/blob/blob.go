// Package blob keeps what is too large for the database, sealed by whoever puts
// it, in a directory or an S3-compatible store.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
)

// Store keeps blobs by key: lower case letters, digits, - and _ in parts divided
// by /. Put is idempotent and durable when it returns; Get of a key that is not
// there is a fault NotFound; Delete of one is done already. Keys come in no order.
type Store interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	Keys(ctx context.Context) ([]string, error)
}

// maxBlob bounds what is put and read.
const maxBlob = 64 << 20

var errTooLarge = errors.New("it is too large")

// read reads a blob to its end, within bounds.
func read(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBlob+1))
	if err == nil && len(data) > maxBlob {
		err = errTooLarge
	}
	return data, err
}

var keyForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$`)

func checkKey(key string) error {
	if len(key) > 200 || !keyForm.MatchString(key) {
		return fmt.Errorf("blob: %q is no key", key)
	}
	return nil
}

func missing(key string) error {
	return fault.New(fault.NotFound, "The stored file is not there. Restore it from the backup.").Because(fmt.Errorf("blob %s", key))
}

// Open opens the store at address: empty for a directory in dataDir, or s3://….
func Open(address, dataDir string) (Store, error) {
	switch {
	case address == "":
		return Dir(filepath.Join(dataDir, "blobs"))
	case strings.HasPrefix(address, "s3://"):
		return S3(address)
	}
	return nil, fault.New(fault.Invalid, "PLINTH_BLOB_URL must be empty or begin with s3://. Correct it and start again.")
}
