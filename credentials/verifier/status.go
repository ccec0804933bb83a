package verifier

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
)

// maxLists bounds how many status lists are kept; each is a few kilobytes.
const maxLists = 256

// What can be wrong with a status, apart from revocation.
var (
	errUnreachable = errors.New("the status list could not be fetched")
	errRefused     = errors.New("the status list is not acceptable")
	errOutOfRange  = errors.New("the index is not in the status list")
)

// judged are the purposes of a list whose bit takes a credential out of use; the
// bits of others say nothing about that.
var judged = []string{"revocation", "suspension", tokenStatus}

// tokenStatus marks a place in a Token Status List, where one value tells both.
const tokenStatus = "token"

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
		set, err := v.isSet(ctx, s.issuer, at)
		switch {
		case errors.Is(err, errOutOfRange):
			verdict.add("status", Fail, "status_out_of_range")
			return
		case errors.Is(err, errUnreachable):
			verdict.add("status", Undetermined, "status_unreachable")
			return
		case err != nil:
			verdict.add("status", Undetermined, "status_refused")
			return
		case set && at.purpose == "suspension":
			verdict.add("status", Fail, "suspended")
			return
		case set:
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

// isSet fetches the list, unless it is still held, and looks at one bit.
func (v *Verifier) isSet(ctx context.Context, issuer string, at place) (bool, error) {
	now := v.Now()
	held, ok := v.lists.get(at.list, now)
	if !ok {
		raw, err := v.Status(ctx, at.list)
		if err != nil {
			return false, fmt.Errorf("%w: %w", errUnreachable, err)
		}
		var ttl time.Duration
		if held, ttl, err = v.openList(ctx, raw); err != nil {
			return false, err
		}
		v.lists.put(at.list, held, now.Add(ttl), now)
	}
	switch {
	// Whoever else signs it could bring back what this issuer revoked.
	case !sameIssuer(held.issuer, issuer), held.address != at.list:
		return false, fmt.Errorf("%w: it is another's", errRefused)
	case !slices.Contains(held.purposes, at.purpose) && (at.purpose != tokenStatus || !slices.Contains(held.purposes, "revocation")):
		return false, fmt.Errorf("%w: it serves another purpose", errRefused)
	case at.index < 0 || at.index >= len(held.bits)*8:
		return false, errOutOfRange
	}
	return held.bits[at.index/8]&(0x80>>(at.index%8)) != 0, nil
}

// sameIssuer compares a DID with a DID, or with the address that a code names.
func sameIssuer(did, issuer string) bool {
	if did == issuer {
		return true
	}
	web, err := vc.DIDWeb(issuer)
	return err == nil && web == did
}

// list is a status list whose signature is good.
type list struct {
	issuer, address string
	purposes        []string
	bits            []byte
}

const (
	leastBits = 131072 / 8 // bytes of a list, by the specification
	mostBits  = 16 << 20   // bytes that we unfold
	longestTL = time.Hour  // for which we hold a list, whatever its issuer allows
)

// openList checks a BitstringStatusListCredential and unfolds it.
func (v *Verifier) openList(ctx context.Context, raw []byte) (list, time.Duration, error) {
	c, err := vc.Verify(ctx, raw, vc.VerifyOptions{Keys: v.Trust().Resolve, Now: v.Now})
	if err != nil {
		return list{}, 0, fmt.Errorf("%w: %w", errRefused, err)
	}
	if !slices.Contains(c.Types, "BitstringStatusListCredential") || c.Claims["type"] != "BitstringStatusList" {
		return list{}, 0, fmt.Errorf("%w: it is no status list", errRefused)
	}
	l := list{issuer: c.Issuer, address: c.ID}
	switch purpose := c.Claims["statusPurpose"].(type) {
	case string:
		l.purposes = []string{purpose}
	case []any:
		for _, each := range purpose {
			text, _ := each.(string)
			l.purposes = append(l.purposes, text)
		}
	}
	encoded, _ := c.Claims["encodedList"].(string)
	if l.bits, err = unfold(encoded); err != nil {
		return list{}, 0, fmt.Errorf("%w: %w", errRefused, err)
	}
	ttl := longestTL
	if ms, ok := c.Claims["ttl"].(float64); ok && ms >= 0 && ms < float64(longestTL.Milliseconds()) {
		ttl = time.Duration(ms) * time.Millisecond
	}
	if !c.ValidUntil.IsZero() {
		ttl = min(ttl, c.ValidUntil.Sub(v.Now()))
	}
	return l, ttl, nil
}

func unfold(encoded string) ([]byte, error) {
	digits, ok := strings.CutPrefix(encoded, "u")
	if !ok {
		return nil, errors.New("the list is not in base64url")
	}
	deflated, err := base64.RawURLEncoding.DecodeString(digits)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(deflated))
	if err != nil {
		return nil, err
	}
	bits, err := io.ReadAll(io.LimitReader(r, mostBits+1))
	if err != nil {
		return nil, err
	}
	if len(bits) < leastBits || len(bits) > mostBits {
		return nil, errors.New("the list is too short or too long")
	}
	return bits, nil
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
	c.kept[address] = kept{list: l, until: until}
}
