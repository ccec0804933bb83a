package sbi

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
)

const maxBiometrics = 16

// Captured is one sample of an answer that has been checked.
type Captured struct {
	Position biometrics.Position // empty: of a finger or an eye that is not named
	Sample   []byte              // an ISO/IEC 19794 record
	Hash     string              // the previous one of the next capture
	Evidence Evidence

	jws  string
	spec string
}

// Server is who can open what is sealed.
type Server struct {
	Certificate *x509.Certificate
	Key         crypto.Decrypter
}

// CheckAnswer checks all samples of a registration capture against what was asked:
// signatures, purpose, environment, transaction, the parts of the body, and the
// chain of hashes. Where the device reports an error beside some samples, they are
// given with it.
func (t Trust) CheckAnswer(asked Request, a Answer, now time.Time) ([]Captured, error) {
	return t.each(asked, a, now, func(_ Biometric, _ Payload, value []byte) ([]byte, error) { return value, nil })
}

// CheckSealed checks all samples of an authentication capture and opens them. A
// server that did not ask itself fills in of the request what it expects, and leaves
// Bio empty.
func (t Trust) CheckSealed(asked Request, a Answer, by Server, now time.Time) ([]Captured, error) {
	return t.each(asked, a, now, func(b Biometric, p Payload, value []byte) ([]byte, error) {
		if !strings.EqualFold(b.Thumbprint, Thumbprint(by.Certificate)) {
			return nil, fmt.Errorf("%w: it is sealed to another certificate", ErrSealed)
		}
		key, err := unpadded(b.SessionKey)
		if err != nil {
			return nil, err
		}
		return Sealed{Value: value, SessionKey: key}.Open(by.Key, p.Timestamp, p.TransactionID)
	})
}

type opener func(b Biometric, p Payload, value []byte) ([]byte, error)

func (t Trust) each(asked Request, a Answer, now time.Time, open opener) ([]Captured, error) {
	if len(a.Biometrics) == 0 || len(a.Biometrics) > maxBiometrics {
		return nil, fmt.Errorf("%w: %d samples in an answer", ErrProtocol, len(a.Biometrics))
	}
	previous := FirstHash()
	if len(asked.Bio) > 0 {
		previous = asked.Bio[0].PreviousHash
	}
	var all []Captured
	var failures []error
	for _, b := range a.Biometrics {
		if err := b.Error.failure(); err != nil {
			failures = append(failures, err)
			continue
		}
		c, err := t.one(asked, b, now, open)
		if err != nil {
			return nil, err
		}
		if c.Position != "" && slices.ContainsFunc(all, func(other Captured) bool { return other.Position == c.Position }) {
			return nil, fmt.Errorf("%w: one part of the body twice", ErrReplay)
		}
		if err := checkHash(previous, c.Hash, c.Sample); err != nil {
			return nil, err
		}
		previous = c.Hash
		all = append(all, c)
	}
	return all, errors.Join(failures...)
}

// one checks one sample, all but its place in the chain.
func (t Trust) one(asked Request, b Biometric, now time.Time, open opener) (Captured, error) {
	t.Purpose, t.Env = cmp.Or(asked.Purpose, t.Purpose), cmp.Or(asked.Env, t.Env)
	p, evidence, err := t.payload(b.Data, now)
	if err != nil {
		return Captured{}, err
	}
	if p.TransactionID != asked.TransactionID {
		return Captured{}, ErrReplay
	}
	if asked.DomainURI != "" && p.DomainURI != asked.DomainURI {
		return Captured{}, ErrPurpose
	}
	if len(asked.Bio) > 0 && !asked.Bio[0].wants(p) {
		return Captured{}, fmt.Errorf("%w: the device gives what was not asked for", ErrProtocol)
	}
	value, err := unpadded(p.BioValue)
	if err != nil {
		return Captured{}, err
	}
	sample, err := open(b, p, value)
	if err != nil {
		return Captured{}, err
	}
	if err := t.first(p, evidence); err != nil {
		return Captured{}, err
	}
	position, _ := PositionOf(p.BioType, p.BioSubType)
	return Captured{Position: position, Sample: sample, Hash: b.Hash, Evidence: evidence, jws: b.Data, spec: b.SpecVersion}, nil
}

func (a Ask) wants(p Payload) bool {
	switch {
	case p.BioType != a.Type || slices.Contains(a.Exception, p.BioSubType) && p.BioSubType != "":
		return false
	case p.BioType == Face:
		return true
	case p.BioSubType == Unknown || len(a.BioSubType) > 0:
		return slices.Contains(a.BioSubType, p.BioSubType)
	}
	position, _ := PositionOf(p.BioType, p.BioSubType)
	return slices.Contains(Parts(a.Type, int(a.DeviceSubID)), position)
}

// placeholder stands in a payload for the sample that stands beside it.
const placeholder = "<bioValue>"

var formats = map[biometrics.Modality]int{biometrics.Finger: cbeff.FingerImage, biometrics.Iris: cbeff.IrisImage, biometrics.Face: cbeff.FaceImage}

// Record is the sample as it travels in a CBEFF document, with what CheckRecord
// needs: the signature without its payload as the record's own, and the payload
// with a placeholder for the sample.
func (c Captured) Record() (cbeff.Record, error) {
	head, rest, _ := strings.Cut(c.jws, ".")
	body, signature, _ := strings.Cut(rest, ".")
	payload, err := unpadded(body)
	if err != nil {
		return cbeff.Record{}, err
	}
	var p Payload
	if err := decode(payload, &p); err != nil {
		return cbeff.Record{}, err
	}
	text := strings.Replace(string(payload), `"`+p.BioValue+`"`, `"`+placeholder+`"`, 1)
	if strings.Count(text, placeholder) != 1 || c.Position == "" {
		return cbeff.Record{}, fmt.Errorf("%w: the payload cannot be kept apart from its sample", ErrProtocol)
	}
	return cbeff.Record{
		Position: c.Position, Format: formats[c.Position.Modality()], Level: "Raw", Purpose: "Enroll",
		Created: c.Evidence.CapturedAt, Quality: int(c.Evidence.Quality), Algorithm: "HMAC/SHA-256",
		Data: c.Sample, Signature: []byte(head + ".." + signature),
		Others: map[string]string{"PAYLOAD": text, "SPEC_VERSION": c.spec},
	}, nil
}

// CheckRecord checks a sample that has travelled in a CBEFF document.
func (t Trust) CheckRecord(r cbeff.Record, now time.Time) (Evidence, error) {
	head, signature, detached := strings.Cut(string(r.Signature), "..")
	before, after, held := strings.Cut(r.Others["PAYLOAD"], placeholder)
	if !detached || !held || len(r.Data) == 0 {
		return Evidence{}, fmt.Errorf("%w: the record carries no device's signature", ErrSignature)
	}
	value := base64.RawURLEncoding.EncodeToString(r.Data)
	jws := func(value string) string {
		return head + "." + base64.RawURLEncoding.EncodeToString([]byte(before+value+after)) + "." + signature
	}
	p, evidence, err := t.payload(jws(value), now)
	if errors.Is(err, ErrSignature) && len(value)%4 != 0 { // some devices fill up
		p, evidence, err = t.payload(jws(base64.URLEncoding.EncodeToString(r.Data)), now)
	}
	if err != nil {
		return Evidence{}, err
	}
	// A signed payload can be cut anywhere: the record must be the sample of it, not
	// some other part of its text.
	if sample, err := unpadded(p.BioValue); err != nil || !bytes.Equal(sample, r.Data) {
		return Evidence{}, ErrSample
	}
	if position, named := PositionOf(p.BioType, p.BioSubType); named && position != r.Position {
		return Evidence{}, fmt.Errorf("%w: it was signed for another part of the body", ErrSample)
	}
	return evidence, t.first(p, evidence)
}
