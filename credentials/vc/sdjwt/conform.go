package sdjwt

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"strings"
)

// Conforms checks a credential against the metadata of its type. What a holder has
// kept back is not held against the issuer.
func (c Credential) Conforms(m TypeMetadata) error { return c.conforms(m, false) }

// Conforms is for the holder, who has all disclosures: what is not there was never
// issued.
func (h Held) Conforms(m TypeMetadata) error { return h.conforms(m, true) }

func (c Credential) conforms(m TypeMetadata, complete bool) error {
	if c.Type != m.VCT {
		return fmt.Errorf("%w: it is of another type", ErrType)
	}
	for _, claim := range m.Claims {
		found, hidden, err := c.root.find(claim.Path)
		if err != nil {
			return err
		}
		if claim.Mandatory && len(found) == 0 && (complete || !hidden) {
			return fmt.Errorf("%w: a mandatory claim is missing", ErrType)
		}
		for _, n := range found {
			selective := n.from != nil || n.keptBack
			if claim.Selective == always && !selective || claim.Selective == never && selective {
				return fmt.Errorf("%w: a claim that may be kept back and should not, or the other way round", ErrType)
			}
		}
	}
	return nil
}

// find follows a path over the claims as they were issued; hidden says that more may
// be where nothing was disclosed.
func (n *node) find(path []any) (found []*node, hidden bool, err error) {
	found = []*node{n}
	for _, step := range path {
		var next []*node
		for _, at := range found {
			if at.keptBack {
				hidden = true
				continue
			}
			inner, err := at.step(step)
			if err != nil {
				return nil, false, fmt.Errorf("%w: a claim of another shape", ErrType)
			}
			if len(inner) == 0 && at.hidden > 0 {
				hidden = true
			}
			next = append(next, inner...)
		}
		found = next
	}
	return found, hidden, nil
}

// integrityHashes are those of W3C's Subresource Integrity, the strongest first.
var integrityHashes = []struct {
	name string
	hash crypto.Hash
}{{"sha512", crypto.SHA512}, {"sha384", crypto.SHA384}, {"sha256", crypto.SHA256}}

// Integrity is the value of an #integrity claim for a document.
func Integrity(document []byte) string {
	h := crypto.SHA256.New()
	h.Write(document)
	return "sha256-" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// CheckIntegrity compares a document with the value of an #integrity claim. Of several
// hashes the strongest kind that is known decides (draft -19, section 5).
func CheckIntegrity(document []byte, integrity string) error {
	for _, known := range integrityHashes {
		given := false
		h := known.hash.New()
		h.Write(document)
		sum := h.Sum(nil)
		for _, expression := range strings.Fields(integrity) {
			digest, ok := strings.CutPrefix(expression, known.name+"-")
			if !ok {
				continue
			}
			given = true
			digest, _, _ = strings.Cut(digest, "?") // options, of which there are none
			raw, err := base64.StdEncoding.DecodeString(digest)
			if err == nil && bytes.Equal(raw, sum) {
				return nil
			}
		}
		if given {
			return ErrIntegrity
		}
	}
	return ErrIntegrity
}
