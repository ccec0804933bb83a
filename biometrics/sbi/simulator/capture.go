package simulator

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

const maxOptions = 50

// capture answers RCAPTURE and CAPTURE.
func (s *Simulator) capture(r *http.Request) sbi.Answer {
	purpose := map[string]string{sbi.VerbRCapture: sbi.Registration, sbi.VerbCapture: sbi.Authentication}[r.Method]
	if purpose != s.Purpose {
		return refused(sbi.CodeWrongPurpose)
	}
	var asked sbi.Request
	if !read(r, &asked) || len(asked.Bio) != 1 || len(asked.CustomOpts) > maxOptions {
		return refused(sbi.CodeUnreadable)
	}
	d, code := s.meant(asked)
	if code != sbi.CodeSuccess {
		return refused(code)
	}
	picks, code := s.choose(asked.Bio[0])
	if code != sbi.CodeSuccess {
		return refused(code)
	}
	if _, code := s.status(d); code != sbi.CodeSuccess {
		return refused(code)
	}
	if !d.busy.CompareAndSwap(false, true) {
		return refused(sbi.CodeBusy)
	}
	defer d.busy.Store(false)
	if !s.expose(r.Context(), asked.Timeout) {
		return refused(sbi.CodeNoObject)
	}
	return s.captured(d, asked, picks)
}

func refused(code string) sbi.Answer {
	return sbi.Answer{Biometrics: []sbi.Biometric{{SpecVersion: sbi.Version, Error: sbi.NewError(code)}}}
}

// meant finds the device that a request is for, and checks what all requests have.
func (s *Simulator) meant(asked sbi.Request) (*device, string) {
	ask := asked.Bio[0]
	at := slices.IndexFunc(s.devices, func(d *device) bool { return d.id == ask.DeviceID })
	switch {
	case asked.SpecVersion != "" && asked.SpecVersion != sbi.Version:
		return nil, sbi.CodeWrongVersion
	case asked.Env != s.Env || asked.Purpose != "" && asked.Purpose != s.Purpose:
		return nil, sbi.CodeWrongTarget
	case !sbi.ValidTransaction(asked.TransactionID):
		return nil, sbi.CodeBadTransaction
	case at < 0:
		return nil, sbi.CodeNotFound
	case ask.Type != s.devices[at].kind:
		return nil, sbi.CodeWrongTarget
	case !slices.Contains(s.devices[at].numbers(), ask.DeviceSubID):
		return nil, sbi.CodeWrongPart
	case asked.Timeout < 0 || ask.RequestedScore < 0 || ask.RequestedScore > 100:
		return nil, sbi.CodeUnreadable
	case s.Purpose == sbi.Authentication && s.SealTo == nil:
		return nil, sbi.CodeNoDomainKey
	}
	if raw, err := hex.DecodeString(ask.PreviousHash); err != nil || len(raw) != 0 && len(raw) != 32 {
		return nil, sbi.CodeUnreadable
	}
	return s.devices[at], sbi.CodeSuccess
}

// pick is a position to capture, under the name that the answer gives it.
type pick struct {
	position biometrics.Position
	subType  string
}

// choose finds what to capture: the named ones, in the order of the hand, then as
// many others as were asked for without a name; without names all that the part of
// the device takes. What the person does not have is left out.
func (s *Simulator) choose(ask sbi.Ask) ([]pick, string) {
	part := sbi.Parts(ask.Type, int(ask.DeviceSubID))
	count := int(ask.Count)
	if ask.Type == sbi.Face {
		if count != 1 || len(ask.BioSubType) > 0 {
			return nil, sbi.CodeCount
		}
		return []pick{{position: biometrics.FullFace}}, sbi.CodeSuccess
	}
	for _, e := range ask.Exception {
		p, ok := sbi.PositionOf(ask.Type, e)
		at := slices.Index(part, p)
		if !ok || at < 0 {
			return nil, sbi.CodeWrongSubType
		}
		part = slices.Delete(part, at, at+1)
	}
	named, unnamed, ok := wanted(ask)
	if !ok {
		return nil, sbi.CodeWrongSubType
	}
	if len(ask.BioSubType) == 0 && s.Purpose == sbi.Registration {
		named = part
	}
	var picks []pick
	for _, p := range sbi.Parts(ask.Type, int(ask.DeviceSubID)) {
		if at := slices.Index(named, p); at >= 0 {
			named = slices.Delete(slices.Clone(named), at, at+1)
			if slices.Contains(part, p) {
				picks = append(picks, pick{p, sbi.SubType(p)})
			}
		}
	}
	if len(named) > 0 {
		return nil, sbi.CodeWrongSubType // of another part of the device, or twice
	}
	for _, p := range part {
		other := !slices.ContainsFunc(picks, func(k pick) bool { return k.position == p })
		if unnamed && len(picks) < count && other && s.has(p) {
			picks = append(picks, pick{p, sbi.Unknown})
		}
	}
	if count < 1 || len(picks) != count {
		return nil, sbi.CodeCount
	}
	return picks, sbi.CodeSuccess
}

// wanted reads the names of a request. To authenticate with no name means any.
func wanted(ask sbi.Ask) (named []biometrics.Position, unnamed, ok bool) {
	for _, text := range ask.BioSubType {
		p, known := sbi.PositionOf(ask.Type, text)
		switch {
		case text == sbi.Unknown:
			unnamed = true
		case known:
			named = append(named, p)
		default:
			return nil, false, false
		}
	}
	return named, unnamed || len(ask.BioSubType) == 0, true
}

// expose takes as long as a capture takes, and tells whether there was time for it.
func (s *Simulator) expose(ctx context.Context, timeout sbi.Number) bool {
	if s.Exposure <= 0 {
		return true
	}
	var late <-chan time.Time
	if timeout > 0 {
		late = time.After(time.Duration(float64(timeout) * float64(time.Millisecond)))
	}
	select {
	case <-time.After(s.Exposure):
		return true
	case <-late:
	case <-ctx.Done():
	}
	return false
}

// captured makes the answer: each sample continues the chain of hashes of those
// before it.
func (s *Simulator) captured(d *device, asked sbi.Request, picks []pick) sbi.Answer {
	previous := asked.Bio[0].PreviousHash
	var a sbi.Answer
	for _, k := range picks {
		b := sbi.Biometric{SpecVersion: sbi.Version}
		record, quality, err := s.sample(k)
		if err == nil {
			b, err = s.signed(d, asked, k, shot{record, quality, previous})
		}
		switch {
		case errors.Is(err, biometrics.ErrNoFinger), errors.Is(err, fs.ErrNotExist):
			b = sbi.Biometric{SpecVersion: sbi.Version, Error: sbi.NewError(sbi.CodeNoObject)}
		case err != nil:
			b = sbi.Biometric{SpecVersion: sbi.Version, Error: sbi.NewError(sbi.CodeExtraction)}
		default:
			previous = b.Hash
		}
		a.Biometrics = append(a.Biometrics, b)
	}
	return a
}

// shot is one sample with the hash of the one before it.
type shot struct {
	record   []byte
	quality  float64
	previous string
}

func (s *Simulator) signed(d *device, asked sbi.Request, k pick, taken shot) (sbi.Biometric, error) {
	b := sbi.Biometric{SpecVersion: sbi.Version, Error: sbi.NewError(sbi.CodeSuccess)}
	id, err := s.signedID(d)
	if err != nil {
		return b, err
	}
	if b.Hash, err = sbi.NextHash(taken.previous, taken.record); err != nil {
		return b, err
	}
	p := sbi.Payload{DigitalID: id, DeviceCode: s.Identity.Serial(), DeviceServiceVersion: serviceVersion, BioType: d.kind, BioSubType: k.subType,
		Purpose: s.Purpose, Env: s.Env, TransactionID: asked.TransactionID, Timestamp: sbi.Stamp(s.Now()),
		RequestedScore: asked.Bio[0].RequestedScore, QualityScore: sbi.Number(taken.quality)}
	value := taken.record
	if s.Purpose == sbi.Authentication {
		sealed, err := sbi.Seal(value, s.SealTo, p.Timestamp, p.TransactionID)
		if err != nil {
			return b, err
		}
		value, p.DomainURI = sealed.Value, asked.DomainURI
		b.SessionKey, b.Thumbprint = base64.RawURLEncoding.EncodeToString(sealed.SessionKey), sealed.Thumbprint
	}
	p.BioValue = base64.RawURLEncoding.EncodeToString(value)
	b.Data, err = s.Identity.device().sign(p)
	return b, err
}
