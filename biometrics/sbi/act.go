package sbi

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// Act is one act of registration, by however many devices: each capture has a
// transaction of its own, and all are one chain of hashes.
type Act struct {
	HTTP    *http.Client
	Trust   Trust
	Timeout time.Duration    // of each capture
	Now     func() time.Time // nil means time.Now

	previous string
}

func (a *Act) now() time.Time {
	clock := a.Now
	if clock == nil {
		clock = time.Now
	}
	return clock()
}

// Meet asks a device that was found who it is, and checks that.
func (a *Act) Meet(ctx context.Context, d Device) (Info, Evidence, error) {
	all, err := Service{Base: d.Base, HTTP: a.HTTP}.Info(ctx)
	if err != nil {
		return Info{}, Evidence{}, err
	}
	doubt := error(NewError(CodeNotFound))
	for _, signed := range all {
		info, evidence, err := a.Trust.CheckInfo(signed, a.now())
		switch {
		case err != nil:
			doubt = err // of a device that may be another one
		case info.DeviceID == d.DeviceID:
			return info, evidence, nil
		}
	}
	return Info{}, Evidence{}, doubt
}

// Plan groups positions into what a device is asked for at once. The other fingers
// of a hand are excluded, as those are that a person does not have.
func (d Device) Plan(kind string, positions []biometrics.Position) []Ask {
	parts := []int{0}
	if slices.Contains(d.DeviceSubID, 1) {
		parts = []int{1, 2, 3}
	}
	both := kind == Iris && len(parts) == 3 && len(positions) == 2
	var plan []Ask
	for _, part := range parts {
		if kind == Iris && len(parts) == 3 && both != (part == 3) {
			continue
		}
		ask := Ask{Type: kind, DeviceID: d.DeviceID, DeviceSubID: Number(part), BioSubType: []string{}}
		for _, p := range Parts(kind, part) {
			switch wanted := slices.Contains(positions, p); {
			case wanted:
				ask.Count++
				if kind != Face {
					ask.BioSubType = append(ask.BioSubType, SubType(p))
				}
			case part != 0:
				ask.Exception = append(ask.Exception, SubType(p))
			}
		}
		if ask.Count > 0 {
			plan = append(plan, ask)
		}
	}
	return plan
}

// Register captures what is asked for, in an environment, and checks it. Where the
// device could not take all of it, the rest is given with the error.
func (a *Act) Register(ctx context.Context, d Device, env string, ask Ask) ([]Captured, error) {
	var name [16]byte
	if _, err := rand.Read(name[:]); err != nil {
		return nil, err
	}
	ask.PreviousHash = cmp.Or(a.previous, FirstHash())
	r := Request{Env: env, Purpose: Registration, SpecVersion: Version, Timeout: Number(a.Timeout.Milliseconds()),
		CaptureTime: Stamp(a.now()), TransactionID: hex.EncodeToString(name[:]), Bio: []Ask{ask}}
	answer, err := Service{Base: d.Base, HTTP: a.HTTP}.RCapture(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("capturing %s: %w", ask.Type, err)
	}
	all, err := a.Trust.CheckAnswer(r, answer, a.now())
	if len(all) > 0 {
		a.previous = all[len(all)-1].Hash
	}
	return all, err
}
