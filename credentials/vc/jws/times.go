package jws

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// skew is how far two honest clocks may be apart.
const skew = time.Minute

// Times are when a token was signed and from when to when it counts; each may be zero.
type Times struct{ IssuedAt, NotBefore, Expires time.Time }

// ReadTimes takes the times out of a set of claims (RFC 7519). An iat that is no number
// is passed over: it ends nothing, and W3C's own tests have it as a date.
func ReadTimes(claims map[string]any) (Times, error) {
	var t Times
	for name, to := range map[string]*time.Time{"iat": &t.IssuedAt, "nbf": &t.NotBefore, "exp": &t.Expires} {
		value, given := claims[name]
		if !given {
			continue
		}
		number, ok := value.(json.Number)
		if !ok && name == "iat" {
			continue
		}
		seconds, err := number.Float64()
		if !ok || err != nil || math.Abs(seconds) > 1<<40 {
			return Times{}, fmt.Errorf("%w: %s is not a time", ErrMalformed, name)
		}
		*to = time.Unix(int64(seconds), 0).UTC()
	}
	return t, nil
}

// Check says whether the token counts now.
func (t Times) Check(now time.Time) error {
	switch {
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return ErrExpired
	case t.NotBefore.After(now.Add(skew)), t.IssuedAt.After(now.Add(skew)):
		return ErrNotYetValid
	}
	return nil
}
