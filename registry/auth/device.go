package auth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/internal/fault"
)

// DeviceCertificate is what capture devices seal to, in PEM.
func (d *Desk) DeviceCertificate(ctx context.Context) ([]byte, error) {
	all, err := d.Ring.Recipients(ctx)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: all[0].Certificate.Raw}), nil
}

const (
	deviceTimeout = 20000 // milliseconds that somebody has to lay a finger down
	deviceScore   = 60    // quality that a device should try to reach
)

// parts are what is captured for each method.
var parts = map[Method]part{ByFinger: aFinger, ByIris: anEye, ByFace: aFace}

// Captures tells whether evidence of a method may come from a capture device, and
// whether it may be a plain image.
func (d *Desk) Captures(method Method) (device, plain bool) {
	return d.Policy.Takes(evidence.Login, parts[method].modality)
}

// AskDevice makes the request for a capture device (Secure Biometric Interface 0.9.5,
// CAPTURE) as JSON, and names its transaction. Whoever drives the device fills in
// which one it is, its environment, the time, and what of the body is wanted.
func (d *Desk) AskDevice(method Method) (request []byte, transaction string, err error) {
	p, ok := parts[method]
	if !ok || d.Public == nil {
		return nil, "", notOffered(method)
	}
	transaction = rand.Text()
	request, err = json.Marshal(sbi.Request{Purpose: sbi.Authentication, SpecVersion: sbi.Version, Timeout: deviceTimeout, DomainURI: d.Public.String(), TransactionID: transaction,
		Bio: []sbi.Ask{{Type: p.kind(), Count: 1, BioSubType: []string{}, RequestedScore: deviceScore, PreviousHash: sbi.FirstHash()}}})
	return request, transaction, err
}

// DevicePart is how devices name a part of the body: "Right IndexFinger"; empty for a face.
func DevicePart(position biometrics.Position) string { return sbi.SubType(position) }

func (p part) kind() string {
	return map[biometrics.Modality]string{biometrics.Finger: sbi.Finger, biometrics.Iris: sbi.Iris, biometrics.Face: sbi.Face}[p.modality]
}

// DeviceAnswer is what a capture device has answered to a request of AskDevice.
type DeviceAnswer struct {
	JSON        []byte
	Transaction string
}

// FromDevice puts into an attempt what a capture device has answered. The fault is Invalid: nothing is
// known of the person yet.
func (d *Desk) FromDevice(ctx context.Context, a Attempt, method Method, answer DeviceAnswer) (Attempt, error) {
	p, ok := parts[method]
	if !ok || d.Public == nil {
		return a, notOffered(method)
	}
	read, err := sbi.ParseAnswer(answer.JSON)
	if err != nil {
		return a, p.uncaptured(err)
	}
	by, err := d.opener(ctx, read)
	if err != nil {
		return a, err
	}
	expected := sbi.Request{Purpose: sbi.Authentication, TransactionID: answer.Transaction, DomainURI: d.Public.String()}
	all, err := d.Policy.Trust(evidence.Login, p.modality).CheckSealed(expected, read, by, d.Now())
	if err != nil {
		return a, p.uncaptured(err)
	}
	if len(all) != 1 || all[0].Evidence.Device.Type != p.kind() {
		return a, p.uncaptured(fmt.Errorf("%w: one sample of a %s was asked for", sbi.ErrProtocol, p.name))
	}
	a.Captured, a.Position = &all[0].Evidence, all[0].Position
	switch method {
	case ByFinger:
		a.Finger = all[0].Sample
	case ByIris:
		a.Eye = all[0].Sample
	default:
		a.Face, a.Position = all[0].Sample, ""
	}
	return a, nil
}

// opener is the key that an answer was sealed to, of those that devices may have; the
// current one when it is none of them.
func (d *Desk) opener(ctx context.Context, answer sbi.Answer) (sbi.Server, error) {
	all, err := d.Ring.Recipients(ctx)
	if err != nil {
		return sbi.Server{}, err
	}
	at := 0
	for i, r := range all {
		if slices.ContainsFunc(answer.Biometrics, func(b sbi.Biometric) bool { return strings.EqualFold(b.Thumbprint, sbi.Thumbprint(r.Certificate)) }) {
			at = i
			break
		}
	}
	return sbi.Server{Certificate: all[at].Certificate, Key: all[at].Key}, nil
}

// uncaptured says that what a device gave cannot be used.
func (p part) uncaptured(err error) error {
	code, sentence := "-uncaptured", "The device gave nothing that can be used. Capture the "+p.name+" again."
	if errors.Is(err, sbi.ErrUntrusted) || errors.Is(err, sbi.ErrSimulator) || errors.Is(err, sbi.ErrIdentity) || errors.Is(err, sbi.ErrPurpose) || errors.Is(err, sbi.ErrSealed) {
		code, sentence = "-unproven", "This device is not one that this service accepts. Use another, or log in another way."
	}
	return fault.New(fault.Invalid, sentence).Named(p.name + code).Because(err)
}
