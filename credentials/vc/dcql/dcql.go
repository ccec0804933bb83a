// Package dcql reads the Digital Credentials Query Language of OpenID4VP 1.0 and
// applies it: for a wallet it tells which credentials answer a query and which of
// their claims leave, for a verifier whether what came back is what was asked for.
// Whether a credential is genuine is not its concern.
package dcql

import (
	"bytes"
	"encoding/json"
	"errors"
)

// What a query, or an answer to it, can be refused for. The errors of this package
// wrap one of them and never repeat a value of a credential.
var (
	ErrMalformed  = errors.New("dcql: not a well-formed query")
	ErrTooLarge   = errors.New("dcql: larger than is taken")
	ErrUnasked    = errors.New("dcql: a credential that was not asked for")
	ErrCount      = errors.New("dcql: another number of presentations than was asked for")
	ErrFormat     = errors.New("dcql: another format than was asked for")
	ErrType       = errors.New("dcql: another type of credential than was asked for")
	ErrAuthority  = errors.New("dcql: not of an authority that was asked for")
	ErrUnbound    = errors.New("dcql: no proof that the holder presents it")
	ErrClaims     = errors.New("dcql: a claim that was asked for is missing or has another value")
	ErrIncomplete = errors.New("dcql: a credential that is required is missing")
)

// The formats whose types and claims are understood.
const (
	FormatSDJWT = "dc+sd-jwt"
	FormatMdoc  = "mso_mdoc"
	FormatLDP   = "ldp_vc"
	FormatJWT   = "jwt_vc_json"
)

// AuthorityKey is the kind of authority that is named by the key identifier in its
// certificate.
const AuthorityKey = "aki"

// Query is a query that is well formed. Parse alone makes one.
type Query struct {
	Credentials []Credential
	Sets        []Set // empty: every credential is required
	raw         []byte
}

// Credential asks for one credential, or for several of one kind.
type Credential struct {
	ID          string
	Format      string
	Multiple    bool
	Types       [][]string // each a set that must all be present; empty: any type
	Authorities []Authority
	Unbound     bool // a proof of the holder is not required
	Claims      []Claim
	ClaimSets   [][]string // of claims by their id, the most wanted first
}

// Authority is a condition on who certifies the issuer: one of the values.
type Authority struct {
	Type   string
	Values []string
}

// Set asks for one of several combinations of credentials.
type Set struct {
	Options  [][]string // of credentials by their id
	Optional bool
}

// Claim asks for one claim, with one of the values when there are any.
type Claim struct {
	ID     string
	Path   Path
	Values []any // string, json.Number or bool
	Retain bool
}

// Path points to claims: text is a key, a number an index, and nil every element.
type Path []any

// JSON is the query as it was read, without insignificant space.
func (q Query) JSON() []byte { return bytes.Clone(q.raw) }

// MarshalJSON gives the query as it was read.
func (q Query) MarshalJSON() ([]byte, error) { return q.JSON(), nil }

// UnmarshalJSON is Parse.
func (q *Query) UnmarshalJSON(raw []byte) (err error) {
	*q, err = Parse(raw)
	return err
}

var _ json.Marshaler = Query{}

// Credential is the query with an id.
func (q Query) Credential(id string) (Credential, bool) {
	for _, c := range q.Credentials {
		if c.ID == id {
			return c, true
		}
	}
	return Credential{}, false
}
