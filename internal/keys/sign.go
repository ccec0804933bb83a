package keys

import (
	"fmt"
	"time"
)

// Signer is the current signing key of a domain.
func (r *Ring) Signer(d Domain) (SigningKey, error) {
	k, err := r.current(d)
	if err != nil {
		return SigningKey{}, err
	}
	if k.signer == nil {
		return SigningKey{}, fmt.Errorf("the %s key does not sign", d)
	}
	signing := k.verifier()
	signing.Signer = k.signer
	return signing, nil
}

// Next is the key that will sign after the current one; false when there is none yet.
// It signs requests for certificates until its turn comes.
func (r *Ring) Next(d Domain) (SigningKey, bool) {
	for _, k := range (*r.keys.Load())[d] {
		if k.State == next && k.signer != nil {
			signing := k.verifier()
			signing.Signer = k.signer
			return signing, true
		}
	}
	return SigningKey{}, false
}

// Published are the keys that others should know: the current one, the next, and
// those that were retired less than overlap ago.
func (r *Ring) Published(d Domain, now time.Time, overlap time.Duration) []SigningKey {
	var all []SigningKey
	for _, k := range (*r.keys.Load())[d] {
		if k.signer != nil && (k.Retired == nil || now.Sub(*k.Retired) < overlap) {
			all = append(all, k.verifier())
		}
	}
	return all
}

// Verifiers are the keys whose signatures are good: the current one first.
func (r *Ring) Verifiers(d Domain) []SigningKey {
	var all []SigningKey
	for _, k := range (*r.keys.Load())[d] {
		if k.signer != nil {
			all = append(all, k.verifier())
		}
	}
	return all
}
