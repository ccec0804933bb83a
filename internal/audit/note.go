package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/plinth-id/plinth/internal/keys"
	"golang.org/x/mod/sumdb/note"
)

// algEd25519 is the signed-note algorithm byte of Ed25519 (C2SP signed-note).
const algEd25519 = 1

// signer signs notes with a key that may be on a token.
type signer struct {
	name string
	key  keys.SigningKey
}

func (s signer) Name() string { return s.name }

func (s signer) KeyHash() uint32 { return keyHash(s.name, s.key.Public) }

func (s signer) Sign(message []byte) ([]byte, error) {
	return s.key.Signer.Sign(rand.Reader, message, crypto.Hash(0))
}

func keyHash(name string, public crypto.PublicKey) uint32 {
	key, _ := public.(ed25519.PublicKey)
	sum := sha256.Sum256(append(append([]byte(name+"\n"), algEd25519), key...))
	return binary.BigEndian.Uint32(sum[:])
}

// verifier checks the signature of one key.
type verifier struct {
	name string
	key  ed25519.PublicKey
}

func (v verifier) Name() string                  { return v.name }
func (v verifier) KeyHash() uint32               { return keyHash(v.name, v.key) }
func (v verifier) Verify(message, s []byte) bool { return ed25519.Verify(v.key, message, s) }

// verifiers are our audit keys, retired ones too.
func (l *Log) verifiers() note.Verifiers {
	var all []note.Verifier
	for _, k := range l.Ring.Verifiers(keys.Audit) {
		if public, ok := k.Public.(ed25519.PublicKey); ok {
			all = append(all, verifier{l.Origin, public})
		}
	}
	return note.VerifierList(all...)
}
