package statuslist

import (
	"compress/zlib"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// Media types of the signed forms, without application/.
const (
	TypeJWT = "statuslist+jwt"
	TypeCWT = "statuslist+cwt"
)

// maxTTL is a century, in seconds.
const maxTTL = 100 * 366 * 24 * 3600

// Token is a Token Status List with what is signed along with it (section 5).
type Token struct {
	Issuer      string // may be empty: whose list it is then follows from the key alone
	Address     string // where the list is, as credentials name it
	IssuedAt    time.Time
	Expires     time.Time     // zero: does not say
	TTL         time.Duration // for which it may be used after it was fetched; zero: does not say
	Aggregation string        // where all lists of the issuer are told; may be empty
	List        List
}

// Signing is a key that signs lists, and its name or the certificates that vouch for it.
type Signing struct {
	Key   crypto.Signer
	KeyID string
	Chain []*x509.Certificate // the key's own first, without the anchor
}

// Options are what a reader of a list trusts and asks for.
type Options struct {
	// Trust finds the key of an issuer. A list that comes with a chain is believed if
	// it leads to one of the anchors: give the anchor alone that vouched for the
	// credential, or any other issuer could bring back what this one revoked.
	jws.Trust
	Address string           // that the credential names
	Issuer  string           // of the credential; empty where it names none (mdoc)
	Now     func() time.Time // nil means time.Now
}

// Verified is a list whose signature holds.
type Verified struct {
	Token
	By    string // who signed it
	KeyID string
	Chain []*x509.Certificate // that was trusted, with the anchor; nil: found by Keys
}

// check checks that a token can be signed: a reader would refuse others.
func (t Token) check() error {
	switch {
	case t.Address == "" || t.IssuedAt.IsZero() || t.List.Len() == 0:
		return fmt.Errorf("%w: a list needs its address, its time and places", ErrMalformed)
	case t.TTL < 0 || t.TTL%time.Second != 0 || !t.Expires.IsZero() && !t.Expires.After(t.IssuedAt):
		return fmt.Errorf("%w: a list ends after it begins, and lives whole seconds", ErrMalformed)
	}
	return nil
}

// SignJWT gives the token as a JWT (section 5.1).
func (t Token) SignJWT(by Signing) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	deflated, err := deflate(t.List.packed, zlib.NewWriterLevel)
	if err != nil {
		return nil, err
	}
	list := map[string]any{"bits": t.List.bits, "lst": base64.RawURLEncoding.EncodeToString(deflated)}
	if t.Aggregation != "" {
		list["aggregation_uri"] = t.Aggregation
	}
	claims := map[string]any{"sub": t.Address, "iat": t.IssuedAt.Unix(), "status_list": list}
	if t.Issuer != "" {
		claims["iss"] = t.Issuer
	}
	if !t.Expires.IsZero() {
		claims["exp"] = t.Expires.Unix()
	}
	if t.TTL > 0 {
		claims["ttl"] = int64(t.TTL / time.Second)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding a list: %w", err)
	}
	header := map[string]any{"typ": TypeJWT}
	if by.KeyID != "" {
		header["kid"] = by.KeyID
	}
	if len(by.Chain) > 0 {
		header["x5c"] = jws.EncodeChain(by.Chain)
	}
	signer, err := jws.NewSigner(by.Key, header)
	if err != nil {
		return nil, err
	}
	return signer.Sign(payload)
}

// VerifyJWT checks a token in the form of a JWT: signature, address, issuer, times
// (section 8.3). What comes beside ErrExpired and ErrNotYetValid is signed; with any
// other error nothing is given.
func VerifyJWT(ctx context.Context, token string, o Options) (Verified, error) {
	parsed, err := jws.Parse(token)
	if err != nil {
		return Verified{}, err
	}
	if parsed.Header.Type != TypeJWT {
		return Verified{}, ErrMediaType
	}
	claims, err := jws.Object(parsed.Payload)
	if err != nil {
		return Verified{}, err
	}
	t, times, err := readClaims(claims)
	if err != nil {
		return Verified{}, err
	}
	return o.verify(ctx, parsed.Header, t, times, parsed.Verify)
}

// readClaims reads all of a JWT but the list itself, which is unfolded last.
func readClaims(claims map[string]any) (unread, jws.Times, error) {
	list, ok := claims["status_list"].(map[string]any)
	if !ok {
		return unread{}, jws.Times{}, fmt.Errorf("%w: a list without status_list", ErrMalformed)
	}
	u := unread{}
	for name, to := range map[string]*string{"iss": &u.Issuer, "sub": &u.Address} {
		if v, given := claims[name]; given {
			if *to, ok = v.(string); !ok {
				return unread{}, jws.Times{}, fmt.Errorf("%w: %s is not text", ErrMalformed, name)
			}
		}
	}
	lst, _ := list["lst"].(string)
	u.Aggregation, _ = list["aggregation_uri"].(string)
	var err error
	if u.deflated, err = jws.Bytes(lst); err != nil {
		return unread{}, jws.Times{}, err
	}
	bits, _ := list["bits"].(json.Number)
	if u.bits, err = bits.Int64(); err != nil {
		return unread{}, jws.Times{}, fmt.Errorf("%w: bits is not a number", ErrMalformed)
	}
	if v, given := claims["ttl"]; given {
		number, _ := v.(json.Number)
		seconds, err := number.Float64()
		if err != nil {
			return unread{}, jws.Times{}, fmt.Errorf("%w: ttl is not a number", ErrMalformed)
		}
		if u.TTL, err = ttl(seconds); err != nil {
			return unread{}, jws.Times{}, err
		}
	}
	times, err := jws.ReadTimes(claims)
	return u, times, err
}

func ttl(seconds float64) (time.Duration, error) {
	if math.IsNaN(seconds) || seconds <= 0 || seconds > maxTTL {
		return 0, fmt.Errorf("%w: ttl is not a positive number of seconds", ErrMalformed)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// unread is a token whose list is still folded.
type unread struct {
	Token
	bits     int64
	deflated []byte
}

// verify is what both forms have in common. The list is unfolded when it is known to be
// signed, so that strangers cannot make us work.
func (o Options) verify(ctx context.Context, h jws.Header, u unread, times jws.Times, signature func(crypto.PublicKey) error) (Verified, error) {
	clock := o.Now
	if clock == nil {
		clock = time.Now
	}
	now := clock()
	claimed := u.Issuer
	if claimed == "" {
		claimed = o.Issuer
	}
	by, err := o.Signatory(ctx, h, claimed, now)
	if err != nil {
		return Verified{}, err
	}
	if err := signature(by.Key); err != nil {
		return Verified{}, err
	}
	v := Verified{Token: u.Token, KeyID: h.KeyID}
	v.By, v.Chain = by.Name, by.Path
	switch {
	case u.Address == "" || times.IssuedAt.IsZero():
		return Verified{}, fmt.Errorf("%w: a list without its address or its time", ErrMalformed)
	case u.Address != o.Address:
		return Verified{}, ErrAddress
	case o.Issuer != "" && !same(v.By, o.Issuer):
		return Verified{}, ErrForeign
	case u.bits > 8 || !width(int(u.bits)):
		return Verified{}, fmt.Errorf("%w: values of another width", ErrUnsupported)
	}
	v.IssuedAt, v.Expires = times.IssuedAt, times.Expires
	packed, err := fromZlib(u.deflated)
	if err != nil {
		return Verified{}, err
	}
	v.List = List{bits: int(u.bits), packed: packed}
	return v, times.Check(now)
}

// same compares issuers. A credential may name a did:web where its list names the URL
// that it stands for, or the other way round.
func same(a, b string) bool {
	if a == b {
		return true
	}
	didA, errA := vc.DIDWeb(a)
	didB, errB := vc.DIDWeb(b)
	return errA == nil && didA == b || errB == nil && didB == a
}
