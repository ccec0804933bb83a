package keys

import "fmt"

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
