package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
)

// trustKey is the setting of the issuers that are believed besides us.
var trustKey = key{"PLINTH_TRUST", "", "trust lists (files, comma separated; plain or signed) of the issuers that the verifier of this server believes besides us (docs/verifier.md); empty: none",
	func(s *Settings, v string) error {
		s.Trust = nil
		for file := range strings.SplitSeq(v, ",") {
			if file = strings.TrimSpace(file); file != "" {
				s.Trust = append(s.Trust, file)
			}
		}
		return nil
	}}

// rereadTrust is how long a change of the files can go unnoticed.
const rereadTrust = time.Minute

// others are the issuers that we believe besides us. The files are read again now and
// then, for lists end; one that cannot be read leaves what it said before.
type others struct {
	files []string
	mu    sync.Mutex
	at    time.Time
	lists map[string]vc.TrustList
}

// read reads all files that it can, and gives the first error.
func (o *others) read() (failed error) {
	for _, file := range o.files {
		list, _, err := new(verifyCommand).readTrust(file, filepath.Dir(file))
		switch {
		case err == nil:
			o.lists[file] = list
		case failed == nil:
			failed = fmt.Errorf("PLINTH_TRUST: %w", err)
		}
	}
	return failed
}

// besides gives our list with the others' issuers, of the lists that are not over. None
// of them can speak for an issuer that stands there already: neither for us.
func (o *others) besides(ours vc.TrustList, now time.Time) vc.TrustList {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.at) >= rereadTrust {
		if err := o.read(); err != nil {
			slog.Warn("a list of issuers could not be read", "error", err)
		}
		for file, list := range o.lists {
			if list.Over(now) {
				slog.Warn("a list of issuers has expired: fetch it anew", "file", file)
			}
		}
		o.at = now
	}
	ours.Issuers = slices.Clone(ours.Issuers)
	for _, file := range o.files {
		list := o.lists[file]
		if list.Over(now) {
			continue
		}
		for _, issuer := range list.Issuers {
			if !slices.ContainsFunc(ours.Issuers, func(known vc.TrustedIssuer) bool { return sameIssuer(known.ID, issuer.ID) }) {
				ours.Issuers = append(ours.Issuers, issuer)
			}
		}
	}
	return ours
}

// sameIssuer compares an issuer's DID or address with another.
func sameIssuer(a, b string) bool {
	did := func(name string) string {
		if made, err := vc.DIDWeb(name); err == nil {
			return made
		}
		return name
	}
	return did(a) == did(b)
}

// believed are the issuers that our verifier believes: we, with the keys of now, and
// those of PLINTH_TRUST.
func (h *house) believed() vc.TrustList {
	return h.others.besides(h.trusted(), time.Now())
}
