package sdjwt

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// IssuerConfig is an issuer with its key.
type IssuerConfig struct {
	Key   crypto.Signer
	ID    string              // iss; may be empty when the chain names the issuer
	KeyID string              // kid; may be empty
	Chain []*x509.Certificate // x5c, the leaf first, without the anchor; may be empty
	// MediaType makes plain SD-JWTs of that typ. Empty means SD-JWT VCs.
	MediaType string
	Content   string // cty; may be empty
}

// Issuer signs drafts with one key.
type Issuer struct {
	signer *jws.Signer
	id     string
	plain  bool
}

// NewIssuer takes a key with the names that verifiers find it by.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	header := map[string]any{"typ": TypeVC}
	if c.MediaType != "" {
		header["typ"] = c.MediaType
	}
	if c.Content != "" {
		header["cty"] = c.Content
	}
	if c.KeyID != "" {
		header["kid"] = c.KeyID
	}
	if len(c.Chain) > 0 {
		header["x5c"] = jws.EncodeChain(c.Chain)
	}
	if c.ID == "" && len(c.Chain) == 0 && c.MediaType == "" {
		return nil, fmt.Errorf("%w: neither an id nor a chain names the issuer", ErrMalformed)
	}
	signer, err := jws.NewSigner(c.Key, header)
	if err != nil {
		return nil, err
	}
	return &Issuer{signer: signer, id: c.ID, plain: c.MediaType != ""}, nil
}

// Draft is what a credential is to say. A claim that a field gives may not be in
// Claims as well.
type Draft struct {
	Type   string // vct
	Claims map[string]any
	// Selective are the claims that the holder may keep back, each by its path: a
	// text is a name, a number the place in an array, nil every element of it. Paths
	// of claims that this draft has not got are passed over.
	Selective [][]any
	// Decoys are added to each object with digests, so that they tell less of how many
	// claims there are.
	Decoys    int
	Holder    crypto.PublicKey // cnf; nil: bound to nobody
	Status    *Status
	IssuedAt  time.Time // the times may be zero
	NotBefore time.Time
	Expires   time.Time
}

// Status is the place of a credential in a Token Status List.
type Status struct {
	URI   string
	Index int
}

// maxDecoys bounds what is added for no one to read.
const maxDecoys = 64

// Issue gives the SD-JWT with all its disclosures, for the holder.
func (i *Issuer) Issue(d Draft) (string, error) {
	claims, err := i.claims(d)
	if err != nil {
		return "", err
	}
	f, err := newFrame(d.Selective)
	if err != nil {
		return "", err
	}
	for name, inner := range f.names {
		if !i.plain && everybody[name] && inner != nil {
			return "", fmt.Errorf("%w: %s", ErrProtected, name)
		}
	}
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.reset(d.Decoys)
	if e.payload, err = e.value(e.payload, claims, f, 0); err != nil {
		return "", err
	}
	token, err := i.signer.Sign(e.payload)
	if err != nil {
		return "", err
	}
	if size := len(token) + 1 + len(e.disclosures); size > maxBytes {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, maxBytes)
	}
	var whole strings.Builder
	whole.Grow(len(token) + 1 + len(e.disclosures))
	whole.Write(token)
	whole.WriteByte('~')
	whole.Write(e.disclosures)
	return whole.String(), nil
}

// claims puts what the fields give beside the claims.
func (i *Issuer) claims(d Draft) (map[string]any, error) {
	if d.Decoys < 0 || d.Decoys > maxDecoys {
		return nil, fmt.Errorf("%w: %d decoys, at most %d", ErrTooLarge, d.Decoys, maxDecoys)
	}
	if d.Type == "" && !i.plain {
		return nil, fmt.Errorf("%w: a credential needs a type", ErrMalformed)
	}
	claims := make(map[string]any, len(d.Claims)+8)
	maps.Copy(claims, d.Claims)
	var twice string
	give := func(name string, value any) {
		if _, given := claims[name]; given {
			twice = name
		}
		claims[name] = value
	}
	if i.id != "" {
		give("iss", i.id)
	}
	if d.Type != "" {
		give("vct", d.Type)
	}
	if d.Status != nil {
		give("status", map[string]any{"status_list": map[string]any{"idx": d.Status.Index, "uri": d.Status.URI}})
	}
	for name, at := range map[string]time.Time{"iat": d.IssuedAt, "nbf": d.NotBefore, "exp": d.Expires} {
		if !at.IsZero() {
			give(name, at.Unix())
		}
	}
	if d.Holder != nil {
		jwk, err := jws.JWK(d.Holder)
		if err != nil {
			return nil, err
		}
		give("cnf", map[string]any{"jwk": jwk})
	}
	if twice != "" {
		return nil, fmt.Errorf("%w: %s is in the claims and in a field", ErrClash, twice)
	}
	return claims, nil
}
