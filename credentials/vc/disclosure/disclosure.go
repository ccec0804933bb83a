// Package disclosure makes and checks the proofs of ecdsa-sd-2023, by which a holder
// shows a part of a credential: every statement that may be withheld is signed by
// itself, and nodes without a name go by labels that tell nothing of what is hidden.
package disclosure

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
	"github.com/plinth-id/plinth/credentials/vc/rdf"
)

// Document is what is disclosed in parts, without its proof.
type Document struct {
	Members map[string]any
	Known   jsonld.Contexts
}

// Sign makes the base proof value of a document, for its holder alone. The members
// that the mandatory JSON pointers name are shown always. proofHash is the hash of what the proof says; sign is the issuer's key (P-256).
func Sign(doc Document, proofHash []byte, mandatory []string, sign func([]byte) ([]byte, error)) (string, error) {
	secret := make([]byte, sha256.Size)
	if _, err := rand.Read(secret); err != nil {
		return "", fmt.Errorf("disclosure: %w", err)
	}
	// A key for this credential alone: an issuer's token need not sign every statement.
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("disclosure: %w", err)
	}
	whole, err := doc.group(secret)
	if err != nil {
		return "", err
	}
	always, err := whole.choose(mandatory)
	if err != nil {
		return "", err
	}
	b := base{Public: compressed(&own.PublicKey), Secret: secret, Mandatory: mandatory, Signatures: [][]byte{}}
	for i, line := range whole.lines {
		if always.at[i] {
			continue
		}
		signature, err := signLine(own, line)
		if err != nil {
			return "", err
		}
		b.Signatures = append(b.Signatures, signature)
	}
	if b.Signature, err = sign(message(proofHash, b.Public, always.hash(whole.lines))); err != nil {
		return "", err
	}
	return b.encode()
}

// Derive makes of a document with a base proof what a holder shows: the mandatory
// members, and those that the JSON pointers name. It gives the document without its
// proof, and the derived proof value.
func Derive(doc Document, value string, pointers []string) (map[string]any, string, error) {
	b, err := parseBase(value)
	if err != nil {
		return nil, "", err
	}
	whole, err := doc.group(b.Secret)
	if err != nil {
		return nil, "", err
	}
	both := slices.Concat(b.Mandatory, pointers)
	always, errA := whole.choose(b.Mandatory)
	chosen, errB := whole.choose(pointers)
	shown, errC := whole.choose(both)
	for _, err := range []error{errA, errB, errC} {
		if err != nil {
			return nil, "", err
		}
	}
	if len(b.Signatures) != len(whole.lines)-len(always.at) {
		return nil, "", fmt.Errorf("%w: not as many signatures as statements", jsonld.ErrMalformed)
	}
	d := derived{Signature: b.Signature, Public: b.Public, Signatures: [][]byte{}, Labels: map[uint64][]byte{}, Mandatory: []uint64{}}
	var place, signature uint64
	for i := range whole.lines {
		if !always.at[i] {
			if chosen.at[i] {
				d.Signatures = append(d.Signatures, b.Signatures[signature])
			}
			signature++
		}
		if shown.at[i] {
			if always.at[i] {
				d.Mandatory = append(d.Mandatory, place)
			}
			place++
		}
	}
	if err := d.label(shown.quads, whole.labels); err != nil {
		return nil, "", err
	}
	reveal, err := pick(doc.Members, both)
	if err != nil {
		return nil, "", err
	}
	encoded, err := d.encode()
	return reveal, encoded, err
}

// label tells a verifier the labels under which the nodes were signed.
func (d derived) label(shown rdf.Dataset, labels map[string]string) error {
	c, err := shown.Canonical(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("%w: %w", jsonld.ErrTooLarge, err)
	}
	for old, canonical := range c.Labels {
		number, err := labelNumber(canonical)
		if err != nil {
			return err
		}
		if d.Labels[number], err = base64.RawURLEncoding.DecodeString(strings.TrimPrefix(labels[old], "u")); err != nil {
			return fmt.Errorf("%w: a label", jsonld.ErrMalformed)
		}
	}
	return nil
}

// Verify checks a derived proof value against the document that is shown (without
// its proof). check is the issuer's key.
func Verify(doc Document, proofHash, value []byte, check func(message, signature []byte) error) error {
	d, err := parseDerived(value)
	if err != nil {
		return err
	}
	own, err := d.key()
	if err != nil {
		return err
	}
	quads, err := doc.Known.Statements(doc.Members)
	if err != nil {
		return err
	}
	c, err := quads.Canonical(crypto.SHA256)
	if err != nil {
		return fmt.Errorf("%w: %w", jsonld.ErrTooLarge, err)
	}
	signed, err := d.relabelled(c.Labels)
	if err != nil {
		return err
	}
	lines := quads.Lines(signed)
	always := selection{at: map[int]bool{}}
	for _, i := range d.Mandatory {
		if i >= uint64(len(lines)) || always.at[int(i)] {
			return errProof
		}
		always.at[int(i)] = true
	}
	if len(d.Signatures) != len(lines)-len(always.at) {
		return errProof
	}
	if err := check(message(proofHash, d.Public, always.hash(lines)), d.Signature); err != nil {
		return err
	}
	next := 0
	for i, line := range lines {
		if always.at[i] {
			continue
		}
		if !fits(own, line, d.Signatures[next]) {
			return ErrSignature
		}
		next++
	}
	return nil
}

// message is what the issuer signs: the proof, the key of the statements, and the
// hash of those that are shown always.
func message(proofHash, public, mandatoryHash []byte) []byte {
	return slices.Concat(proofHash, public, mandatoryHash)
}

// hidden is the label of a node that tells nothing of its place.
func hidden(secret []byte, canonical string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(canonical))
	return "u" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
