// Package dpop judges proofs of possession (RFC 9449): that whoever sends a request
// has the key that a token is bound to. It knows no tokens and no database.
package dpop

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/registry/partner"
)

const (
	ahead    = 10 * time.Second // clocks differ (FAPI 2.0, 5.3.2.1)
	behind   = 60 * time.Second
	window   = 30 * time.Second // nonces change this often, and are good for this one and the one before
	maxProof = 8 << 10
	// Remembered is how long a jti must be remembered to be good once.
	Remembered = behind + ahead + 2*window
)

// Algorithms are those that proofs may be signed with.
var Algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256}

// ErrNonce says that the proof is too old or from the future, and that one with
// our nonce would be taken whatever the clock of its maker says.
var ErrNonce = errors.New("send the proof again with the nonce of the DPoP-Nonce header")

// Proof is a proof that was judged.
type Proof struct {
	Thumbprint string // of the key (RFC 7638): jkt
	ID         string // jti, for the caller to use up
}

// Judge judges proofs; Key gives the bytes that nonces are made with.
type Judge struct {
	Key func(label string, parts ...[]byte) []byte
	Now func() time.Time
}

type claims struct {
	ID       string           `json:"jti"`
	Method   string           `json:"htm"`
	Address  string           `json:"htu"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	Token    string           `json:"ath"`
	Nonce    string           `json:"nonce"`
}

// Check judges the proof in the header of a request to address. With an access
// token the proof must be for that token (section 4.3).
func (j Judge) Check(r *http.Request, address, access string) (Proof, error) {
	sent := r.Header.Values("DPoP")
	if len(sent) != 1 || len(sent[0]) > maxProof {
		return Proof{}, errors.New("send one DPoP header")
	}
	parsed, err := jwt.ParseSigned(sent[0], Algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Proof{}, errors.New("the proof is no JWT that is signed by ES256, EdDSA or PS256")
	}
	header := parsed.Headers[0]
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return Proof{}, errors.New("typ must be dpop+jwt")
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || partner.Strong(header.JSONWebKey.Key) != "" {
		return Proof{}, errors.New("jwk must hold a public key, strong enough and without its private parts")
	}
	var c claims
	if err := parsed.Claims(header.JSONWebKey.Key, &c); err != nil {
		return Proof{}, errors.New("the signature is not by the key in jwk")
	}
	if err := j.claims(c, r.Method, address, access); err != nil {
		return Proof{}, err
	}
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, errors.New("jwk has no thumbprint")
	}
	return Proof{Thumbprint: base64.RawURLEncoding.EncodeToString(sum), ID: c.ID}, nil
}

func (j Judge) claims(c claims, method, address, access string) error {
	switch {
	case c.ID == "" || len(c.ID) > 256:
		return errors.New("jti is missing or too long")
	case c.Method != method:
		return errors.New("htm is not the method of the request")
	case !same(c.Address, address):
		return errors.New("htu is not the address of the request")
	case c.IssuedAt == nil:
		return errors.New("iat is missing")
	case access != "" && subtle.ConstantTimeCompare([]byte(c.Token), []byte(hash(access))) != 1:
		return errors.New("ath is not the hash of the access token")
	}
	if c.Nonce != "" {
		if !j.ours(c.Nonce) {
			return ErrNonce
		}
		return nil
	}
	now, at := j.Now(), c.IssuedAt.Time()
	if at.After(now.Add(ahead)) || at.Before(now.Add(-behind)) {
		return ErrNonce
	}
	return nil
}

// same compares addresses without query and fragment (section 4.3, 9), and
// without what RFC 3986 calls scheme-based normalization.
func same(sent, ours string) bool {
	a, err := url.Parse(sent)
	if err != nil || a.User != nil {
		return false
	}
	b, err := url.Parse(ours)
	return err == nil && strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(host(a), host(b)) && a.EscapedPath() == b.EscapedPath()
}

func host(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
	}
	return u.Hostname() + ":" + port
}

func hash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Nonce is the nonce of this moment. It is kept nowhere.
func (j Judge) Nonce() string { return j.nonce(j.Now().UnixNano() / int64(window)) }

func (j Judge) nonce(period int64) string {
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], uint64(period))
	return base64.RawURLEncoding.EncodeToString(j.Key("dpop nonce", raw[:])[:16])
}

func (j Judge) ours(nonce string) bool {
	period := j.Now().UnixNano() / int64(window)
	return hmac.Equal([]byte(nonce), []byte(j.nonce(period))) || hmac.Equal([]byte(nonce), []byte(j.nonce(period-1)))
}
