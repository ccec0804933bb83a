package abis

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// ErrJournal says that the file of an ABIS is damaged, or sealed by another key.
var ErrJournal = errors.New("abis: the file is damaged, or was sealed by another key; restore both from one backup")

// The file is a beginning of 48 bytes, by which its key is known, and entries: length
// of the sealed entry (4 bytes), nonce (12), the entry in CBOR sealed by AES-256-GCM. An
// entry is bound to its place, so none can be moved or left out. What a death has left
// half written at the end was never acknowledged; it is cut off, and kept beside.
const (
	magic     = "PLINTH ABIS  1\r\n"
	headBytes = int64(len(magic) + sha256.Size)
	keyBytes  = 32
	mostCut   = 16 << 20 // more than can be under way: then something else is wrong
	lengthOf  = 4
	nonceOf   = 12
	mostEntry = 1 << 20
	// forgotten is how long it is remembered by what request somebody was deleted.
	forgotten = 7 * 24 * time.Hour
)

// Kinds of entries.
const (
	entryInsert = 1
	entryDelete = 2
)

// entry is one change.
type entry struct {
	Kind      int               `cbor:"1,keyasint"`
	Reference string            `cbor:"2,keyasint"`
	Request   string            `cbor:"3,keyasint"`
	At        int64             `cbor:"4,keyasint"` // Unix seconds
	Templates map[string][]byte `cbor:"5,keyasint,omitempty"`
	// Flushed is up to where the file was on the disk when this was written: what is
	// broken before that place was broken later, by no death.
	Flushed int64 `cbor:"6,keyasint,omitempty"`
}

var decoder = func() cbor.DecMode {
	m, err := cbor.DecOptions{MaxNestedLevels: 4, MaxArrayElements: 16, MaxMapPairs: 32, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden}.DecMode()
	if err != nil {
		panic(err) // fixed options
	}
	return m
}()

// journal is the file.
type journal struct {
	aead  cipher.AEAD
	mac   []byte
	begun []byte // how a file of this key begins

	mu     sync.Mutex // of the end
	file   *os.File
	end    int64
	broken error // after which nothing is written

	flushing sync.Mutex
	flushed  atomic.Int64
}

func openJournal(path string, key []byte, now time.Time) (*journal, error) {
	j, err := newJournal(key)
	if err != nil {
		return nil, err
	}
	if err := j.compacted(path, now); err != nil {
		return nil, err
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("abis: %w", err)
	}
	if err := errors.Join(lock(j.file), still(j.file, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("abis: another process works with %s: %w", path, err), j.file.Close())
	}
	if err := j.begin(); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

// still tells whether a file stands at its path: another start may just have replaced it.
func still(file *os.File, path string) error {
	opened, err := file.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(path); err != nil || !os.SameFile(opened, named) {
		return errors.New("it was replaced")
	}
	return nil
}

func newJournal(key []byte) (*journal, error) {
	sealing, err := hkdf.Key(sha256.New, key, nil, "plinth abis templates", keyBytes)
	if err != nil {
		return nil, err
	}
	j := &journal{}
	if j.mac, err = hkdf.Key(sha256.New, key, nil, "plinth abis references", keyBytes); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	if j.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, j.mac)
	h.Write([]byte(magic))
	j.begun = h.Sum([]byte(magic))
	return j, nil
}

// begin writes the beginning of a new file, and finds the end of an old one.
func (j *journal) begin() error {
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	if info.Size() < headBytes { // new, or it died at once
		if err := j.file.Truncate(0); err != nil {
			return fmt.Errorf("abis: %w", err)
		}
		if _, err := j.file.WriteAt(j.begun, 0); err != nil {
			return fmt.Errorf("abis: %w", err)
		}
		j.end = headBytes
		return errors.Join(j.file.Sync(), syncDirectory(filepath.Dir(j.file.Name())))
	}
	if j.end, err = j.scan(j.file, info.Size(), func(int64, entry) error { return nil }); err != nil {
		return err
	}
	j.flushed.Store(j.end)
	if j.end == info.Size() {
		return nil
	}
	if j.lost(info.Size()) {
		return ErrJournal
	}
	return j.cut(info.Size())
}

// lost tells whether what is broken at the end was acknowledged once: an entry behind
// it says so.
func (j *journal) lost(size int64) bool {
	for at := j.end; at+lengthOf+nonceOf <= size && at < j.end+mostCut; {
		var length [lengthOf]byte
		if _, err := j.file.ReadAt(length[:], at); err != nil {
			return false
		}
		if e, err := j.read(at); err == nil && e.Flushed > j.end {
			return true
		}
		at += lengthOf + nonceOf + int64(binary.BigEndian.Uint32(length[:]))
	}
	return false
}

// cut takes away what stands behind the last good entry, into a file of its own.
func (j *journal) cut(size int64) error {
	if size-j.end > mostCut {
		return ErrJournal
	}
	tail := make([]byte, size-j.end)
	if _, err := j.file.ReadAt(tail, j.end); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	beside := fmt.Sprintf("%s.cut-%d", j.file.Name(), j.end)
	if err := os.WriteFile(beside, tail, 0o600); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	slog.Warn("abis: what was half written when the process died is cut off", "bytes", len(tail), "kept", beside)
	if err := errors.Join(j.file.Truncate(j.end), j.file.Sync()); err != nil {
		return fmt.Errorf("abis: %w", err)
	}
	return nil
}

// scan reads entries to the last good one, and tells where that ends.
func (j *journal) scan(file io.ReaderAt, size int64, take func(at int64, e entry) error) (int64, error) {
	head := make([]byte, headBytes)
	if _, err := file.ReadAt(head, 0); err != nil || !hmac.Equal(head, j.begun) {
		return 0, ErrJournal
	}
	in := bufio.NewReaderSize(io.NewSectionReader(file, headBytes, size-headBytes), 1<<20)
	for at := headBytes; ; {
		var length [lengthOf]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return at, nil
		}
		n := int64(binary.BigEndian.Uint32(length[:]))
		next := at + lengthOf + nonceOf + n
		if next > size || n > mostEntry {
			return at, nil
		}
		sealed := make([]byte, nonceOf+n)
		if _, err := io.ReadFull(in, sealed); err != nil {
			return at, fmt.Errorf("abis: %w", err)
		}
		e, err := j.open(at, sealed)
		if err != nil {
			return at, nil
		}
		if err := take(at, e); err != nil {
			return at, err
		}
		at = next
	}
}

// each gives every entry in its order.
func (j *journal) each(take func(at int64, e entry) error) error {
	_, err := j.scan(j.file, j.end, take)
	return err
}

func (j *journal) open(at int64, sealed []byte) (e entry, err error) {
	plain, err := j.aead.Open(nil, sealed[:nonceOf], sealed[nonceOf:], placeOf(at))
	if err != nil {
		return e, ErrJournal
	}
	if err := decoder.Unmarshal(plain, &e); err != nil || e.Kind != entryInsert && e.Kind != entryDelete || e.Reference == "" {
		return e, ErrJournal
	}
	return e, nil
}

// placeOf is what an entry is bound to.
func placeOf(at int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("abis entry\x00"), uint64(at))
}

// sealed is an entry as it stands at a place.
func (j *journal) sealed(at int64, e entry) ([]byte, error) {
	plain, err := cbor.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("abis: %w", err)
	}
	out := make([]byte, lengthOf+nonceOf, lengthOf+nonceOf+len(plain)+j.aead.Overhead())
	if len(plain)+j.aead.Overhead() > mostEntry {
		return nil, errors.New("abis: an entry is too large")
	}
	binary.BigEndian.PutUint32(out, uint32(len(plain)+j.aead.Overhead()))
	if _, err := rand.Read(out[lengthOf:]); err != nil {
		return nil, err
	}
	return j.aead.Seal(out, out[lengthOf:], plain, placeOf(at)), nil
}

// append writes an entry, and returns its place once it is on the disk.
func (j *journal) append(e entry) (int64, error) {
	j.mu.Lock()
	if j.broken != nil {
		defer j.mu.Unlock()
		return 0, j.broken
	}
	at := j.end
	e.Flushed = j.flushed.Load()
	raw, err := j.sealed(at, e)
	if err != nil {
		j.mu.Unlock()
		return 0, err
	}
	// What is written in part lies beyond the end, and is written over.
	if _, err := j.file.WriteAt(raw, at); err != nil {
		j.mu.Unlock()
		return 0, fmt.Errorf("abis: %w", err)
	}
	j.end += int64(len(raw))
	upTo := j.end
	j.mu.Unlock()
	return at, j.flush(upTo)
}

// flush brings everything up to a place to the disk: one for all who wait.
func (j *journal) flush(upTo int64) error {
	j.flushing.Lock()
	defer j.flushing.Unlock()
	if j.flushed.Load() >= upTo {
		return nil
	}
	j.mu.Lock()
	written, broken := j.end, j.broken
	j.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := j.file.Sync(); err != nil {
		// What a failed fsync has kept nobody knows: only a new start tells.
		j.mu.Lock()
		j.broken = fmt.Errorf("abis: the disk failed; start again: %w", err)
		j.mu.Unlock()
		return err
	}
	j.flushed.Store(written)
	return nil
}

// read reads the entry of a place.
func (j *journal) read(at int64) (entry, error) {
	var length [lengthOf]byte
	if _, err := j.file.ReadAt(length[:], at); err != nil {
		return entry{}, fmt.Errorf("abis: %w", err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > mostEntry {
		return entry{}, ErrJournal
	}
	sealed := make([]byte, nonceOf+n)
	if _, err := j.file.ReadAt(sealed, at+lengthOf); err != nil {
		return entry{}, fmt.Errorf("abis: %w", err)
	}
	return j.open(at, sealed)
}

// hash is a reference as a record may hold it.
func (j *journal) hash(reference string) string {
	h := hmac.New(sha256.New, j.mac)
	h.Write([]byte(reference))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if errors.Is(j.broken, os.ErrClosed) {
		return nil
	}
	j.broken = fmt.Errorf("abis: %w", os.ErrClosed)
	return j.file.Close()
}
