package verifier

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
)

const (
	typeOffline = "plinth-offline+jwt"
	offlineLife = 7 * 24 * time.Hour // after which a device doubts what it keeps
	maxOffline  = 512                // lists that a device keeps
)

// offline is what a device keeps to judge codes and SD-JWT VCs without a network:
// whom to believe, and what was revoked when it was made. It is signed, so that it
// can be carried by whatever way, and has a number, so that none is replaced by an
// older one.
type offline struct {
	Sequence int64                  `json:"sequence"`
	Issued   int64                  `json:"iat"`
	Expires  int64                  `json:"exp"`
	Issuers  []offlineIssuer        `json:"issuers"`
	Lists    map[string]offlineList `json:"lists"`
	Keys     []map[string]any       `json:"keys"` // that may sign the editions after this one
}

type offlineIssuer struct {
	ID   string                    `json:"id"`
	Name string                    `json:"name"`
	Keys map[string]map[string]any `json:"keys"` // JWKs by the name of the key
}

// offlineList is a status list whose signature we have checked: two bits a place,
// the least significant first, deflated.
type offlineList struct {
	Issuer string `json:"issuer"`
	At     int64  `json:"at"`
	Until  int64  `json:"exp,omitempty"` // by its issuer; 0: it says nothing
	Values string `json:"values"`
}

// Offline gives what a device keeps, signed, and the key that has signed it.
func (v *Verifier) Offline(ctx context.Context) (signed string, key map[string]any, err error) {
	if v.Signer == nil {
		return "", nil, errors.New("nothing is given to devices here")
	}
	if key, err = jws.JWK(v.Signer.Public()); err != nil {
		return "", nil, err
	}
	now := v.Now()
	o := offline{Sequence: now.Unix(), Issued: now.Unix(), Expires: now.Add(offlineLife).Unix(), Lists: map[string]offlineList{}, Keys: []map[string]any{key}}
	if o.Issuers, err = offlineIssuers(v.Trust()); err != nil {
		return "", nil, err
	}
	if v.Lists != nil {
		addresses, err := v.Lists(ctx)
		if err != nil {
			return "", nil, err
		}
		for _, address := range addresses[:min(len(addresses), maxOffline)] {
			if l, ok := v.offlineList(ctx, address); ok {
				o.Lists[address] = l
			}
		}
	}
	payload, err := json.Marshal(o)
	if err != nil {
		return "", nil, err
	}
	signer, err := jws.NewSigner(v.Signer, map[string]any{"typ": typeOffline})
	if err != nil {
		return "", nil, err
	}
	token, err := signer.Sign(payload)
	return string(token), key, err
}

// offlineIssuers are the trusted issuers with their keys as browsers take them.
func offlineIssuers(t vc.TrustList) ([]offlineIssuer, error) {
	var all []offlineIssuer
	for _, known := range t.Issuers {
		issuer := offlineIssuer{ID: known.ID, Name: known.Name, Keys: map[string]map[string]any{}}
		for _, k := range known.Keys {
			public, err := vc.ParseMultikey(k.PublicKeyMultibase)
			if err == nil {
				issuer.Keys[k.ID], err = jws.JWK(public)
			}
			if err != nil {
				return nil, fmt.Errorf("key %s: %w", k.ID, err)
			}
		}
		all = append(all, issuer)
	}
	return all, nil
}

// offlineList reads a list of one of the issuers. One that cannot be had is left out:
// devices say then that the status is not known.
func (v *Verifier) offlineList(ctx context.Context, address string) (offlineList, bool) {
	for _, known := range v.Trust().Issuers {
		at := place{purpose: tokenStatus, list: address}
		if _, _, err := v.valueAt(ctx, known.ID, at); err != nil {
			continue
		}
		held, ok := v.lists.get(address+" "+kindOf(at), v.Now())
		if !ok {
			continue
		}
		l := offlineList{Issuer: known.ID, At: held.asOf.Unix(), Values: held.folded()}
		if !held.until.IsZero() {
			l.Until = held.until.Unix()
		}
		return l, true
	}
	return offlineList{}, false
}

// folded are the values of a list, two bits each.
func (l list) folded() string {
	size := 0
	if l.values != nil {
		size = l.values.Len()
	} else {
		size = l.bits.Bits.Len()
	}
	raw := make([]byte, (size+3)/4)
	for i := range size {
		value, err := l.at(place{purpose: tokenStatus, index: i})
		if err != nil || value > 2 { // a value of the issuer's own
			value = statuslist.Invalid
		}
		raw[i/4] |= byte(value) << (i % 4 * 2)
	}
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(raw) // a buffer takes everything
	_ = w.Close()
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}
