package sbi

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// Why a device is not believed, beside ErrSignature, ErrUntrusted, ErrHash,
// ErrSealed and ErrProtocol.
var (
	ErrIdentity  = errors.New("sbi: the digital id is not that of the device that signed")
	ErrPurpose   = errors.New("sbi: signed for another purpose, environment or server")
	ErrStale     = errors.New("sbi: signed too long ago, or in the future")
	ErrReplay    = errors.New("sbi: not of this transaction, or shown before")
	ErrSample    = errors.New("sbi: the sample is not the one that was signed")
	ErrSimulator = errors.New("sbi: a simulator is not believed in production")
)

// Evidence is what a device has signed of one sample, after it has been checked.
type Evidence struct {
	Device        DigitalID
	Level         Level
	CapturedAt    time.Time
	TransactionID string
	Purpose       string
	Env           string
	Quality       float64
	PAD           *biometrics.PAD
}

// Trust is whom to believe and when.
type Trust struct {
	Roots *x509.CertPool // providers of devices
	Chips *x509.CertPool // providers of trust modules; nil: no device reaches L1

	Purpose string        // Registration or Authentication; empty: either
	Env     string        // empty: any
	MaxAge  time.Duration // of a signature; 0 means five minutes

	// Anyone believes whoever has signed, as if their issuer were trusted: in a trial,
	// where nobody has been certified yet.
	Anyone bool

	// Once tells whether a sample is shown for the first time, and remembers it until
	// then; Used.Once does. Nil: samples may be shown again, as when a stored packet
	// is checked.
	Once func(key string, until time.Time) bool
}

const (
	usualAge = 5 * time.Minute
	skew     = 2 * time.Minute // a device's clock may be ahead by so much
)

// Check checks a device's signed payload together with the sample that it signed:
// the payload holds that, or its SHA-256. Of a sealed value the sample is the sealed
// one. When a payload was signed long before now, give the moment when it was handed
// in, not the present one.
func (t Trust) Check(jws string, sample []byte, now time.Time) (Evidence, error) {
	p, evidence, err := t.payload(jws, now)
	if err != nil {
		return Evidence{}, err
	}
	value, err := unpadded(p.BioValue)
	if err != nil {
		return Evidence{}, err
	}
	if !isOf(value, p.BioValue, sample) {
		return Evidence{}, ErrSample
	}
	return evidence, t.first(p, evidence)
}

func isOf(value []byte, text string, sample []byte) bool {
	digest := sha256.Sum256(sample)
	return len(sample) > 0 && (bytes.Equal(value, sample) || bytes.Equal(value, digest[:]) || strings.EqualFold(text, hex.EncodeToString(digest[:])))
}

// CheckInfo checks what a device says of itself.
func (t Trust) CheckInfo(s SignedInfo, now time.Time) (Info, Evidence, error) {
	if s.DeviceInfo == "" {
		if err := s.Error.failure(); err != nil {
			return Info{}, Evidence{}, err
		}
		return Info{}, Evidence{}, fmt.Errorf("%w: no information", ErrProtocol)
	}
	outer, err := open(s.DeviceInfo)
	if err != nil {
		return Info{}, Evidence{}, err
	}
	var info Info
	if err := decode(outer.payload, &info); err != nil {
		return Info{}, Evidence{}, err
	}
	id, at, level, err := t.identity(info.DigitalID, outer)
	if err != nil {
		return Info{}, Evidence{}, err
	}
	evidence := Evidence{Device: id, Level: level, CapturedAt: at, Purpose: info.Purpose, Env: info.Env}
	if info.Certification != level {
		return Info{}, Evidence{}, fmt.Errorf("%w: it says level %.10q and has signed as %s", ErrIdentity, info.Certification, level)
	}
	return info, evidence, t.admits(evidence, now)
}

// payload opens a signed payload and checks all of it but the sample.
func (t Trust) payload(jws string, now time.Time) (Payload, Evidence, error) {
	outer, err := open(jws)
	if err != nil {
		return Payload{}, Evidence{}, err
	}
	var p Payload
	if err := decode(outer.payload, &p); err != nil {
		return Payload{}, Evidence{}, err
	}
	at, err := parseStamp(p.Timestamp)
	if err != nil {
		return Payload{}, Evidence{}, err
	}
	if err := p.wellFormed(); err != nil {
		return Payload{}, Evidence{}, err
	}
	chain, err := t.chain(outer, t.Roots, at)
	if err != nil {
		return Payload{}, Evidence{}, err
	}
	id, named, level, err := t.identity(p.DigitalID, outer)
	if err != nil {
		return Payload{}, Evidence{}, err
	}
	// An old digital id proves that a trust module was there once, not now.
	if apart := at.Sub(named); apart > t.maxAge() || apart < -skew {
		return Payload{}, Evidence{}, fmt.Errorf("%w: the digital id is of another time", ErrStale)
	}
	if err := speaksFor(chain, id); err != nil {
		return Payload{}, Evidence{}, err
	}
	if id.Type != p.BioType {
		return Payload{}, Evidence{}, fmt.Errorf("%w: it is of another type", ErrIdentity)
	}
	evidence := Evidence{Device: id, Level: level, CapturedAt: at, TransactionID: p.TransactionID, Purpose: p.Purpose, Env: p.Env, Quality: float64(p.QualityScore), PAD: p.PAD}
	return p, evidence, t.admits(evidence, now)
}

func (p Payload) wellFormed() error {
	switch {
	case p.BioValue == "":
		return fmt.Errorf("%w: no sample", ErrProtocol)
	case p.BioType != Finger && p.BioType != Iris && p.BioType != Face:
		return fmt.Errorf("%w: unknown type of sample", ErrProtocol)
	case !ValidTransaction(p.TransactionID):
		return fmt.Errorf("%w: the transaction has no valid name", ErrProtocol)
	case p.QualityScore < 0 || p.QualityScore > 100:
		return fmt.Errorf("%w: quality is 0 to 100", ErrProtocol)
	case p.PAD != nil && !(p.PAD.Score >= 0 && p.PAD.Score <= 1):
		return fmt.Errorf("%w: a PAD score is 0 to 1", ErrProtocol)
	}
	if _, ok := PositionOf(p.BioType, p.BioSubType); !ok && (p.BioType == Face || p.BioSubType != Unknown) {
		return fmt.Errorf("%w: unknown subtype of sample", ErrProtocol)
	}
	return nil
}

// identity checks a signed digital id. Whether it was signed by the device's own
// key or by a trust module is what makes the level: what the device says of its
// level counts for nothing.
func (t Trust) identity(jws string, outer signed) (DigitalID, time.Time, Level, error) {
	inner, err := open(jws)
	if err != nil {
		return DigitalID{}, time.Time{}, "", fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	var id DigitalID
	if err := decode(inner.payload, &id); err != nil {
		return DigitalID{}, time.Time{}, "", fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	at, err := parseStamp(id.DateTime)
	if err != nil {
		return DigitalID{}, time.Time{}, "", fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	if id.SerialNo == "" || id.DeviceProvider == "" {
		return DigitalID{}, time.Time{}, "", fmt.Errorf("%w: it names no device", ErrIdentity)
	}
	if sameKey(inner.key, outer.key) {
		chain, err := t.chain(outer, t.Roots, at)
		if err != nil {
			return DigitalID{}, time.Time{}, "", err
		}
		return id, at, L0, speaksFor(chain, id)
	}
	if _, err := t.chain(inner, t.Chips, at); err != nil {
		return DigitalID{}, time.Time{}, "", fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	chain, err := t.chain(outer, t.Roots, at)
	if err != nil {
		return DigitalID{}, time.Time{}, "", err
	}
	return id, at, L1, speaksFor(chain, id)
}

// chain is the way to somebody who is trusted.
func (t Trust) chain(s signed, roots *x509.CertPool, at time.Time) ([]*x509.Certificate, error) {
	if t.Anyone {
		roots = x509.NewCertPool()
		roots.AddCert(s.last)
	}
	return s.chain(roots, at)
}

func sameKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// speaksFor refuses a digital id that names another provider than those who
// certified the device, or another serial number than its certificate: where two
// providers are trusted, neither may speak for the other.
func speaksFor(chain []*x509.Certificate, id DigitalID) error {
	named := slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
		return slices.ContainsFunc(c.Subject.Organization, func(o string) bool { return strings.EqualFold(o, id.DeviceProvider) })
	})
	if !named {
		return fmt.Errorf("%w: none of its certificates is its provider's", ErrIdentity)
	}
	if serial := chain[0].Subject.SerialNumber; serial != "" && serial != id.SerialNo {
		return fmt.Errorf("%w: its certificate has another serial number", ErrIdentity)
	}
	return nil
}

// admits asks whether what is proved suffices.
func (t Trust) admits(e Evidence, now time.Time) error {
	if t.Purpose != "" && e.Purpose != t.Purpose || t.Env != "" && e.Env != t.Env {
		return ErrPurpose
	}
	if e.Purpose == Authentication && e.Level != L1 {
		return fmt.Errorf("%w: only L1 devices authenticate", ErrPurpose)
	}
	if e.Env == Production && e.Device.DeviceProvider == Simulator {
		return ErrSimulator
	}
	if age := now.Sub(e.CapturedAt); age > t.maxAge() || age < -skew {
		return ErrStale
	}
	return nil
}

func (t Trust) maxAge() time.Duration {
	if t.MaxAge > 0 {
		return min(t.MaxAge, math.MaxInt64-skew)
	}
	return usualAge
}

// first refuses a sample that was shown before: a transaction gives each part of a
// body once.
func (t Trust) first(p Payload, e Evidence) error {
	if t.Once == nil {
		return nil
	}
	key := strings.Join([]string{e.Device.DeviceProvider, e.Device.SerialNo, p.TransactionID, p.BioType, p.BioSubType}, "\n")
	if p.BioSubType == Unknown { // two unknown fingers of one transaction are two samples
		key += "\n" + upper(sha256.Sum256([]byte(p.BioValue)))
	}
	if !t.Once(key, e.CapturedAt.Add(t.maxAge()+skew)) {
		return ErrReplay
	}
	return nil
}
