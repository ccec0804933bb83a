package credentials

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/fault"
)

// nonceLife is how long a wallet may take from the nonce to the proof.
const nonceLife = 5 * time.Minute

const (
	nonceTime   = 8  // bytes: when it expires
	nonceRandom = 16 // bytes
	nonceTag    = 16 // bytes
)

var invalidNonce = fault.New(fault.Invalid, "The nonce of the proof is unknown, expired or used. Ask the nonce endpoint for a new one.").Named("invalid_nonce")

// Nonce makes a c_nonce. It carries its own expiry and proof of origin, so that
// asking for one, which anybody may do, writes nothing.
func (i *Issuer) Nonce() (string, error) {
	raw := make([]byte, nonceTime+nonceRandom, nonceTime+nonceRandom+nonceTag)
	binary.BigEndian.PutUint64(raw, uint64(i.Now().Add(nonceLife).Unix()))
	if _, err := rand.Read(raw[nonceTime:]); err != nil {
		return "", fmt.Errorf("drawing a nonce: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, i.nonceTag(raw)...)), nil
}

func (i *Issuer) nonceTag(body []byte) []byte {
	return i.Ring.PRF("credential nonce", body)[:nonceTag]
}

// checkNonce tells when a nonce of ours expires.
func (i *Issuer) checkNonce(nonce string) (time.Time, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != nonceTime+nonceRandom+nonceTag {
		return time.Time{}, invalidNonce
	}
	body := raw[:nonceTime+nonceRandom]
	if !hmac.Equal(raw[len(body):], i.nonceTag(body)) {
		return time.Time{}, invalidNonce
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(body)), 0)
	if !i.Now().Before(expires) {
		return time.Time{}, invalidNonce
	}
	return expires, nil
}

// spendNonces takes the nonces of a request out of use, once: all or none.
func (i *Issuer) spendNonces(b *pgx.Batch, nonces []string) error {
	// In one order always, so that two requests with the same nonces cannot wait for each other.
	for _, nonce := range slices.Sorted(slices.Values(nonces)) {
		expires, err := i.checkNonce(nonce)
		if err != nil {
			return err
		}
		hash := sha256.Sum256([]byte(nonce))
		queueNonce(b, hash[:], expires)
	}
	return nil
}
