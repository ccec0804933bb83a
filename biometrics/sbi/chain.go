package sbi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrHash says that a sample is not the next of those that were captured before.
var ErrHash = errors.New("sbi: the chain of hashes is broken")

// FirstHash is what the first capture of a chain names as its previous hash: that
// of nothing.
func FirstHash() string { return upper(sha256.Sum256(nil)) }

// NextHash is the hash of a sample in the clear that follows a previous one:
// SHA-256 of both hashes, 32 bytes each, in upper-case hexadecimal.
func NextHash(previous string, sample []byte) (string, error) {
	before, err := previousHash(previous)
	if err != nil {
		return "", err
	}
	own := sha256.Sum256(sample)
	return upper(sha256.Sum256(append(before, own[:]...))), nil
}

// checkHash tells whether a hash follows. The text of the specification can be
// read as joining the hexadecimal texts, and some devices do.
func checkHash(previous, hash string, sample []byte) error {
	before, err := previousHash(previous)
	if err != nil {
		return err
	}
	given, err := hex.DecodeString(hash)
	if err != nil || len(given) != sha256.Size {
		return fmt.Errorf("%w: a hash is no SHA-256", ErrHash)
	}
	own := sha256.Sum256(sample)
	raw := sha256.Sum256(append(bytes.Clone(before), own[:]...))
	text := sha256.Sum256([]byte(strings.ToUpper(hex.EncodeToString(before) + hex.EncodeToString(own[:]))))
	if !bytes.Equal(given, raw[:]) && !bytes.Equal(given, text[:]) {
		return ErrHash
	}
	return nil
}

func previousHash(text string) ([]byte, error) {
	if text == "" {
		text = FirstHash()
	}
	before, err := hex.DecodeString(text)
	if err != nil || len(before) != sha256.Size {
		return nil, fmt.Errorf("%w: the previous hash is no SHA-256", ErrHash)
	}
	return before, nil
}

func upper(sum [sha256.Size]byte) string { return strings.ToUpper(hex.EncodeToString(sum[:])) }
