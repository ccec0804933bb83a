package status

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

const (
	editionLife = 24 * time.Hour  // how long a signed list is good for
	editionAge  = time.Hour       // when it is signed anew though nothing changed
	skew        = 5 * time.Minute // that the clock of a verifier may be behind
)

// The forms in which one list is published.
const (
	Revocations = "revocation" // BitstringStatusListCredential, a purpose each
	Suspensions = "suspension"
	TokenJWT    = "jwt" // Token Status List, which tells both
	TokenCWT    = "cwt"
)

// purposes are the values that a bitstring list has a bit for.
var purposes = map[string]Value{Revocations: Revoked, Suspensions: Suspended}

// published is a list in one of its forms.
type published struct {
	list int64
	form string
}

// Edition is a list as it was signed.
type Edition struct {
	Document []byte
	Tag      string // changes with the document
}

// edition is remembered with what it was signed for.
type edition struct {
	Edition
	state int64
	key   string
	at    time.Time
}

// List gives a list, signed, as it is now.
func (p *Publisher) List(ctx context.Context, list int64, form string) (Edition, error) {
	if mediaTypes[form] == "" {
		return Edition{}, errNoList
	}
	now := p.Now()
	current, known, err := state(ctx, p.Pool, list)
	if err != nil {
		return Edition{}, err
	}
	if !known {
		return Edition{}, errNoList
	}
	key, err := p.keyOf(form)
	if err != nil {
		return Edition{}, err
	}
	which := published{list, form}
	p.mu.Lock()
	last, ok := p.signed[which]
	p.mu.Unlock()
	if ok && last.state == current && last.key == key && now.Sub(last.at).Abs() < editionAge {
		return last.Edition, nil
	}
	all, err := changes(ctx, p.Pool, list)
	if err != nil {
		return Edition{}, err
	}
	made := edition{key: key, at: now}
	for _, c := range all {
		made.state += c.Version // of what is in it, which may be more than was counted before
	}
	if made.Document, err = p.sign(which, all, now); err != nil {
		return Edition{}, err
	}
	made.Tag = tag(made.Document)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.signed) >= maxRemembered {
		clear(p.signed)
	}
	p.signed[which] = made
	return made.Edition, nil
}

// keyOf names the key that signs a form, so that a turn of keys makes a new edition.
func (p *Publisher) keyOf(form string) (string, error) {
	if _, bits := purposes[form]; bits {
		key, _, err := p.issuerKey()
		return key.ID, err
	}
	by, err := p.Signer()
	if err != nil {
		return "", err
	}
	return keys.Thumbprint(by.Key.Public()), nil
}

// maxRemembered bounds the memory of signed lists, of some kilobytes each.
const maxRemembered = 1024

var errNoList = fault.New(fault.NotFound, "There is no such status list. Check its address.")

func tag(document []byte) string {
	sum := sha256.Sum256(document)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
