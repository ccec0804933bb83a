// Package sdjwt makes, holds and checks SD-JWTs (RFC 9901) and the credentials in
// that form, SD-JWT VCs: an issuer signs digests of claims, and the holder shows of
// the claims behind them what the holder wants to show. It knows no database and
// never touches the network.
package sdjwt

import (
	"crypto"
	_ "crypto/sha256" // the hashes of _sd_alg
	_ "crypto/sha512"
	"errors"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// What a token can be refused for. The errors of this package wrap one of them
// and never repeat what the token claims.
var (
	ErrMalformed   = jws.ErrMalformed
	ErrTooLarge    = jws.ErrTooLarge
	ErrUnsupported = jws.ErrUnsupported
	ErrSignature   = jws.ErrSignature
	ErrUnknownKey  = jws.ErrUnknownKey
	ErrUntrusted   = jws.ErrUntrusted
	ErrNotYetValid = jws.ErrNotYetValid
	ErrExpired     = jws.ErrExpired
	ErrKey         = jws.ErrKey

	ErrMediaType    = errors.New("sdjwt: another kind of token than the one asked for")
	ErrDuplicate    = errors.New("sdjwt: a digest or a disclosure stands there twice")
	ErrUnreferenced = errors.New("sdjwt: a disclosure that the issuer has not signed")
	ErrClash        = errors.New("sdjwt: a claim is made twice")
	ErrReserved     = errors.New("sdjwt: a name that only digests may have")
	ErrProtected    = errors.New("sdjwt: a claim that everybody must see was made selective")
	ErrPath         = errors.New("sdjwt: a path that leads to no claim")

	ErrNotBound    = errors.New("sdjwt: the holder has not signed it")
	ErrHolderKey   = errors.New("sdjwt: it was not signed by the holder's key")
	ErrNonce       = errors.New("sdjwt: the holder has signed it for another occasion")
	ErrAudience    = errors.New("sdjwt: the holder has signed it for somebody else")
	ErrStale       = errors.New("sdjwt: the holder has signed it too long ago, or not yet")
	ErrAltered     = errors.New("sdjwt: the holder has signed other claims than these")
	ErrTransaction = errors.New("sdjwt: the holder has not signed the transaction")

	ErrType      = errors.New("sdjwt: it is not what the metadata of its type describes")
	ErrIntegrity = errors.New("sdjwt: a document is not the one that was meant")
)

// Media types, as typ has them.
const (
	TypeVC       = "dc+sd-jwt"
	typeVCBefore = "vc+sd-jwt" // drafts up to -05; wallets in the field still have them
	typeBinding  = "kb+jwt"
)

// The bounds of a token beside those of its parts.
const (
	maxBytes       = 2 << 20
	maxDisclosures = 1024
	maxDepth       = 16
)

// everybody are the claims of an SD-JWT VC that are never selective, draft -19,
// section 2.2.2.3: who leaves them out could hide that a credential has ended.
var everybody = map[string]bool{
	"iss": true, "nbf": true, "exp": true, "cnf": true, "vct": true, "vct#integrity": true, "aka_vcts": true, "status": true,
}

// hashes are the values of _sd_alg that are understood.
var hashes = map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}

const defaultHash = "sha-256"
