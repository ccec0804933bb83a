package verifier

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
)

const (
	maxLists  = 256       // that are kept; each is a few kilobytes
	longestTL = time.Hour // for which we hold a list, whatever its issuer allows
)

// What can be wrong with a status, apart from revocation.
var (
	errUnreachable = errors.New("the status list could not be fetched")
	errRefused     = errors.New("the status list is not acceptable")
)

// tokenStatus marks a place in a Token Status List, where one value tells both.
const tokenStatus = "token"

// judged are the purposes of a list whose bit takes a credential out of use; the
// bits of others say nothing about that.
var judged = []string{statuslist.Revocation, statuslist.Suspension, tokenStatus}

// status looks the credential up in its issuer's status lists.
func (v *Verifier) status(ctx context.Context, verdict *Verdict, s shown) {
	checked := false
	for _, at := range s.status {
		if at.purpose != "" && !slices.Contains(judged, at.purpose) {
			continue
		}
		checked = true
		if v.Status == nil {
			verdict.add("status", Undetermined, "status_unchecked")
			return
		}
		value, asOf, err := v.valueAt(ctx, s.issuer, at)
		if !asOf.IsZero() && (verdict.StatusAt == nil || asOf.Before(*verdict.StatusAt)) {
			verdict.StatusAt = &asOf
		}
		switch {
		case errors.Is(err, statuslist.ErrRange):
			verdict.add("status", Fail, "status_out_of_range")
			return
		case errors.Is(err, errUnreachable):
			verdict.add("status", Undetermined, "status_unreachable")
			return
		case err != nil:
			verdict.add("status", Undetermined, "status_refused")
			return
		case value == statuslist.Suspended:
			verdict.add("status", Fail, "suspended")
			return
		case value != statuslist.Valid: // values of an issuer's own are no reason to accept
			verdict.add("status", Fail, "revoked")
			return
		}
	}
	if checked {
		verdict.add("status", Pass, "not_revoked")
	} else {
		verdict.add("status", Pass, "status_none")
	}
}

// valueAt fetches the list, unless it is still held, and looks at one place.
func (v *Verifier) valueAt(ctx context.Context, issuer string, at place) (statuslist.Value, time.Time, error) {
	now := v.Now()
	name := at.list + " " + kindOf(at)
	held, ok := v.lists.get(name, now)
	ok = ok && (v.Fresh == nil || !v.Fresh(at.list))
	if !ok {
		fetch := v.Status
		if at.purpose == tokenStatus && v.Tokens != nil {
			fetch = v.Tokens
		}
		raw, err := fetch(ctx, at.list)
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("%w: %w", errUnreachable, err)
		}
		var ttl time.Duration
		if held, ttl, err = v.openList(ctx, raw, issuer, at.list); err != nil {
			return 0, time.Time{}, fmt.Errorf("%w: %w", errRefused, err)
		}
		held.asOf = now
		v.lists.put(name, held, now.Add(ttl), now)
	}
	// Whoever else signs it could bring back what this issuer revoked.
	if !sameIssuer(held.issuer, issuer) || held.address != at.list {
		return 0, held.asOf, fmt.Errorf("%w: it is another's", errRefused)
	}
	value, err := held.at(at)
	return value, held.asOf, err
}

// kindOf tells the two kinds of lists apart: both can be at one address.
func kindOf(at place) string {
	if at.purpose == tokenStatus {
		return tokenStatus
	}
	return "bits"
}

// sameIssuer compares names of issuers: DIDs, and the addresses that codes and
// tokens have instead.
func sameIssuer(a, b string) bool {
	if a == b {
		return true
	}
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if did, err := vc.DIDWeb(pair[0]); err == nil && did == pair[1] {
			return true
		}
	}
	return false
}

// list is a status list whose signature is good: of the W3C, or of the IETF.
type list struct {
	issuer, address string
	asOf            time.Time // when it was fetched
	until           time.Time // by its issuer; zero: it says nothing
	bits            *statuslist.Subject
	values          *statuslist.List
}

func (l list) at(p place) (statuslist.Value, error) {
	switch {
	case p.purpose == tokenStatus && l.values != nil:
		return l.values.At(int64(p.index))
	case l.bits == nil:
		return 0, fmt.Errorf("%w: it is of another kind", errRefused)
	case p.purpose == tokenStatus: // codes were printed that name a list of bits
		p.purpose = statuslist.Revocation
	}
	set, err := l.bits.Set(p.purpose, int64(p.index))
	switch {
	case err != nil || !set:
		return statuslist.Valid, err
	case p.purpose == statuslist.Suspension:
		return statuslist.Suspended, nil
	}
	return statuslist.Invalid, nil
}

// openList checks a list in whichever form it came.
func (v *Verifier) openList(ctx context.Context, raw []byte, issuer, address string) (list, time.Duration, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return v.openBits(ctx, raw)
	}
	o := statuslist.Options{Trust: v.listTrust(issuer), Address: address, Now: v.Now}
	var token statuslist.Verified
	var err error
	if bytes.HasPrefix(raw, []byte("ey")) {
		token, err = statuslist.VerifyJWT(ctx, string(bytes.TrimSpace(raw)), o)
	} else {
		token, err = statuslist.VerifyCWT(ctx, raw, o)
	}
	if err != nil {
		return list{}, 0, err
	}
	return list{issuer: issuer, address: token.Address, until: token.Expires, values: &token.List}, v.hold(token.TTL, token.Expires), nil
}

// listTrust believes the issuer of a credential alone, and the authorities that
// vouch for it: any other could bring back what this one revoked.
func (v *Verifier) listTrust(issuer string) jws.Trust {
	t := jws.Trust{Keys: func(ctx context.Context, by, kid string) (crypto.PublicKey, error) {
		if by != "" && !sameIssuer(by, issuer) {
			return nil, jws.ErrUnknownKey
		}
		return v.issuerKey(ctx, issuer, kid)
	}}
	for _, anchor := range v.Trust().Anchors() {
		if sameIssuer(anchor.Issuer.ID, issuer) {
			if t.Anchors == nil {
				t.Anchors = x509.NewCertPool()
			}
			t.Anchors.AddCert(anchor.Certificate)
		}
	}
	return t
}

// openBits checks a BitstringStatusListCredential.
func (v *Verifier) openBits(ctx context.Context, raw []byte) (list, time.Duration, error) {
	c, err := vc.Verify(ctx, raw, vc.VerifyOptions{Keys: v.Trust().Resolve, Now: v.Now})
	if err != nil {
		return list{}, 0, err
	}
	subject, err := statuslist.ReadSubject(c.Types, c.Claims)
	if err != nil {
		return list{}, 0, err
	}
	return list{issuer: c.Issuer, address: c.ID, until: c.ValidUntil, bits: &subject}, v.hold(subject.TTL, c.ValidUntil), nil
}

// hold is for how long a list may be kept.
func (v *Verifier) hold(ttl time.Duration, until time.Time) time.Duration {
	held := longestTL
	if ttl > 0 {
		held = min(held, ttl)
	}
	if !until.IsZero() {
		held = min(held, until.Sub(v.Now()))
	}
	return held
}

// cache keeps status lists for as long as their issuers allow.
type cache struct {
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	list  list
	until time.Time
}

func (c *cache) get(address string, now time.Time) (list, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[address]
	return k.list, ok && now.Before(k.until)
}

func (c *cache) put(address string, l list, until, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxLists {
		for old, k := range c.kept { // the aged ones, and any while there are too many
			if !now.Before(k.until) || len(c.kept) >= maxLists {
				delete(c.kept, old)
			}
		}
	}
	c.kept[address] = kept{l, until}
}
