// Package altcha asks for a proof of work in the form of ALTCHA (version 1, SHA-256):
// its widget, or any script, looks for the number whose hash after a salt is the
// challenge. Nothing is stored for a challenge. That one solution counts once is the
// business of whoever takes it, by the id that Check gives.
package altcha

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	// Life is how long a challenge may take. Ids need not be remembered for longer.
	Life = 10 * time.Minute

	algorithm      = "SHA-256"
	saltBytes      = 16
	longestPayload = 2048
)

// Toll asks for work and checks it.
type Toll struct {
	key func(parts ...[]byte) []byte
	now func() time.Time
}

// New takes a keyed hash, such as an HMAC of keys.Ring, and the clock.
func New(key func(parts ...[]byte) []byte, now func() time.Time) *Toll { return &Toll{key, now} }

// Challenge is what the widget gets.
type Challenge struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	MaxNumber int    `json:"maxnumber"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

// Challenge asks for half of most hashes on average; most is positive.
func (t *Toll) Challenge(most int) Challenge {
	raw := make([]byte, saltBytes)
	_, _ = rand.Read(raw)                                         // never fails (crypto/rand)
	number, _ := rand.Int(rand.Reader, big.NewInt(int64(most)+1)) // likewise
	// The salt ends in a delimiter: else digits could move from its end to the number,
	// which would make another time of it and leave the hash as it is.
	salt := fmt.Sprintf("%x?expires=%d&", raw, t.now().Add(Life).Unix())
	challenge := digest(salt, number.Int64())
	return Challenge{algorithm, hex.EncodeToString(challenge), most, salt, t.sign(challenge, salt)}
}

func digest(salt string, number int64) []byte {
	sum := sha256.Sum256([]byte(salt + strconv.FormatInt(number, 10)))
	return sum[:]
}

// sign covers the salt too, and so the time.
func (t *Toll) sign(challenge []byte, salt string) string {
	return hex.EncodeToString(t.key(challenge, []byte(salt)))
}

// solution is what the widget gives back.
type solution struct {
	Algorithm string `json:"algorithm"`
	Challenge string `json:"challenge"`
	Number    int64  `json:"number"`
	Salt      string `json:"salt"`
	Signature string `json:"signature"`
}

var saltForm = regexp.MustCompile(`^[0-9a-f]{32}\?expires=([0-9]{1,12})&$`)

// errWork is the one answer to work that does not count.
var errWork = fault.New(fault.Invalid, "Your browser's proof of work does not count, or took too long. Load the page again.").Named("work-unusable")

// Check checks a solution, as the widget puts it into a form. The id is that of the
// challenge, by which it is known again.
func (t *Toll) Check(payload string) (id []byte, err error) {
	if len(payload) > longestPayload {
		return nil, errWork
	}
	raw, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return nil, errWork.Because(err)
	}
	var s solution
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&s); err != nil {
		return nil, errWork.Because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errWork
	}
	id, err = hex.DecodeString(s.Challenge)
	salt := saltForm.FindStringSubmatch(s.Salt)
	if err != nil || s.Algorithm != algorithm || salt == nil || s.Number < 0 {
		return nil, errWork.Because(err)
	}
	expires, err := strconv.ParseInt(salt[1], 10, 64)
	if err != nil || t.now().Unix() >= expires {
		return nil, errWork.Because(err)
	}
	if !hmac.Equal([]byte(s.Signature), []byte(t.sign(id, s.Salt))) || !hmac.Equal(id, digest(s.Salt, s.Number)) {
		return nil, errWork
	}
	return id, nil
}
