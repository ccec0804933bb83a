package oidc

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/keys"
)

// secret draws 256 random bits: the name of a pushed request.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: the program ends instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

// A ticket stands for a grant: an authorization code or a refresh token. It holds
// the grant's id and a keyed hash, so that nothing of it need be kept, and who
// reads the database can make none.
type ticket struct {
	kind       string
	id         uuid.UUID
	generation uint32
}

const (
	codeKind    = "code"
	refreshKind = "refresh"
	deviceKind  = "device"
	cibaKind    = "ciba"
	macBytes    = 20
)

func (p *Provider) mac(t ticket) []byte {
	var generation [4]byte
	binary.BigEndian.PutUint32(generation[:], t.generation)
	return p.Ring.PRF("oidc "+t.kind, t.id[:], generation[:])[:macBytes]
}

// write gives the ticket as clients get it.
func (p *Provider) write(t ticket) string {
	raw := append(t.id[:], 0, 0, 0, 0)
	binary.BigEndian.PutUint32(raw[16:], t.generation)
	return base64.RawURLEncoding.EncodeToString(append(raw, p.mac(t)...))
}

// read gives the ticket that a client shows; false unless we wrote it.
func (p *Provider) read(kind, shown string) (ticket, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(shown)
	if err != nil || len(raw) != 20+macBytes {
		return ticket{}, false
	}
	t := ticket{kind: kind, id: uuid.UUID(raw[:16]), generation: binary.BigEndian.Uint32(raw[16:20])}
	return t, hmac.Equal(raw[20:], p.mac(t))
}

// access is what an access token says to us. It is sealed, so that to everybody
// else it says nothing.
type access struct {
	ID       uuid.UUID `json:"i"`           // of the grant, or of the token itself when it has none
	Client   string    `json:"c,omitempty"` // none: a wallet that we do not know
	Expires  int64     `json:"e"`
	Issued   int64     `json:"t"`
	Scopes   []string  `json:"s"`           // of a token without a grant, or with less than its grant; nil: those of the grant
	Audience []string  `json:"a,omitempty"` // empty: our own endpoints
	JKT      string    `json:"k,omitempty"` // thumbprint of the key that it is bound to
	X5T      string    `json:"x,omitempty"` // or of the certificate
	Machine  bool      `json:"m,omitempty"` // the client's own, without a person
	Actor    string    `json:"o,omitempty"` // who acts for the person (RFC 8693): a client
	Before   []string  `json:"b,omitempty"` // who acted before it, the last first
	Own      uuid.UUID `json:"w,omitzero"`  // of the token itself, when it was exchanged for another of the same grant
}

var accessPlace = []byte("oidc access token")

func (p *Provider) writeAccess(a access) (string, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	sealed, err := p.Ring.Seal(keys.Sessions, raw, accessPlace)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

const maxAccess = 4 << 10

// readAccess opens an access token, whether it is still good or not.
func (p *Provider) readAccess(shown string) (access, bool) {
	var a access
	if len(shown) > maxAccess {
		return a, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(shown)
	if err != nil {
		return a, false
	}
	raw, err := p.Ring.Open(keys.Sessions, sealed, accessPlace)
	return a, err == nil && json.Unmarshal(raw, &a) == nil
}

// actors are those who act with a token, the present one first (RFC 8693, 4.1).
func (a access) actors() []string {
	if a.Actor == "" {
		return nil
	}
	return append([]string{a.Actor}, a.Before...)
}

// single is by what a token is revoked alone, without a grant; nil: it lasts as its grant does.
func (a access) single() uuid.UUID {
	if a.Machine {
		return a.ID
	}
	return a.Own
}

func (a access) expired(now time.Time) bool { return now.Unix() >= a.Expires }
