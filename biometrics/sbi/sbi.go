// Package sbi speaks the Secure Biometric Interface 0.9.5 (formerly MOSIP Device
// Service), by which capture devices are found and driven: a service for each
// device on 127.0.0.1, ports 4501 to 4600, HTTP with verbs of its own, and JSON
// that the device signs.
//
// Discover finds devices and Service drives one. What a device answers is worth
// nothing until Trust has checked it: Trust.CheckInfo for what it says of itself,
// Trust.CheckAnswer for a whole capture, Trust.CheckSealed for what only a server
// can open, Trust.Check for one signed payload, and Trust.CheckRecord for a
// sample that has travelled in a CBEFF document, as Record writes it.
//
// Package simulator is a device that serves the pictures of a folder.
package sbi

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// Version is the version of the interface that is spoken.
const Version = "0.9.5"

// The verbs, which stand where HTTP has GET and POST, and their paths.
const (
	VerbDiscover = "MOSIPDISC"
	VerbInfo     = "MOSIPDINFO"
	VerbCapture  = "CAPTURE"
	VerbRCapture = "RCAPTURE"
	VerbStream   = "STREAM"

	PathDiscover = "/device"
	PathInfo     = "/info"
	PathCapture  = "/capture"
	PathStream   = "/stream"
)

// Kinds of devices; AnyKind asks for all of them.
const (
	AnyKind = "Biometric Device"
	Finger  = "Finger"
	Iris    = "Iris"
	Face    = "Face"
)

// What a device is registered for. A device for registration answers RCAPTURE and
// STREAM, one for authentication answers CAPTURE, and neither does the other's.
const (
	Registration   = "Registration"
	Authentication = "Auth"
)

// Level is how far a device is certified.
type Level string

// The levels. L0 signs in software on the host and is for supervised registration
// only; L1 signs and seals inside a trust module.
const (
	L0 Level = "L0"
	L1 Level = "L1"
)

// States of a device.
const (
	Ready         = "Ready"
	Busy          = "Busy"
	NotReady      = "Not Ready"
	NotRegistered = "Not Registered"
)

// Environments that a device can be registered in.
const (
	Staging       = "Staging"
	Developer     = "Developer"
	PreProduction = "Pre-Production"
	Production    = "Production"
)

// Simulator is the provider that our simulated device names, so that a policy can
// refuse it. No trust is ever given to it in production.
const Simulator = "PLINTH-SIMULATOR"

// ErrProtocol says that bytes are not what the interface prescribes.
var ErrProtocol = errors.New("sbi: not what the interface prescribes")

// DigitalID names a device. In discovery it travels as base64url, elsewhere signed:
// by the device's own key at level L0, by that of its trust module at L1.
type DigitalID struct {
	SerialNo         string `json:"serialNo"`
	Make             string `json:"make"`
	Model            string `json:"model"`
	Type             string `json:"type"`
	DeviceSubType    string `json:"deviceSubType"`
	DeviceProvider   string `json:"deviceProvider"`
	DeviceProviderID string `json:"deviceProviderId"`
	DateTime         string `json:"dateTime"`
}

// Number is a number that is written as text, as devices write theirs; it is read
// from either form.
type Number float64

// MarshalJSON writes the number as text.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return nil, ErrProtocol
	}
	return []byte(`"` + n.String() + `"`), nil
}

// UnmarshalJSON reads a number or a text that is one. An empty text and null are 0.
func (n *Number) UnmarshalJSON(raw []byte) error {
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	if text == "" || text == "null" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e9 {
		return fmt.Errorf("%w: %.20q is no number", ErrProtocol, text)
	}
	*n = Number(v)
	return nil
}

// String writes as few digits as name the number.
func (n Number) String() string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }

// Device is one answer to discovery.
type Device struct {
	DeviceID       string   `json:"deviceId"`
	DeviceStatus   string   `json:"deviceStatus"`
	Certification  Level    `json:"certification"`
	ServiceVersion string   `json:"serviceVersion"`
	DeviceSubID    []Number `json:"deviceSubId"`
	CallbackID     string   `json:"callbackId"`
	DigitalID      string   `json:"digitalId"`
	DeviceCode     string   `json:"deviceCode"`
	SpecVersion    []string `json:"specVersion"`
	Purpose        string   `json:"purpose"`
	Error          *Error   `json:"error"`

	Base string `json:"-"` // where it was found
}

// Identity reads the digital id of discovery, which is not signed: it tells what
// to show and to ask for, and proves nothing.
func (d Device) Identity() (DigitalID, error) {
	raw, err := unpadded(d.DigitalID)
	if err != nil {
		return DigitalID{}, err
	}
	var id DigitalID
	return id, decode(raw, &id)
}

// Info is what a device says of itself, signed.
type Info struct {
	DeviceStatus   string   `json:"deviceStatus"`
	DeviceID       string   `json:"deviceId"`
	Firmware       string   `json:"firmware"`
	Certification  Level    `json:"certification"`
	ServiceVersion string   `json:"serviceVersion"`
	DeviceSubID    []Number `json:"deviceSubId"`
	CallbackID     string   `json:"callbackId"`
	DigitalID      string   `json:"digitalId"`
	DeviceCode     string   `json:"deviceCode"`
	Env            string   `json:"env"`
	Purpose        string   `json:"purpose"`
	SpecVersion    []string `json:"specVersion"`
}

// SignedInfo is one answer to the question for information: an Info as a JWS.
type SignedInfo struct {
	DeviceInfo string `json:"deviceInfo"`
	Error      *Error `json:"error"`
}

// Request asks for a capture.
type Request struct {
	Env           string         `json:"env"`
	Purpose       string         `json:"purpose"`
	SpecVersion   string         `json:"specVersion"`
	Timeout       Number         `json:"timeout"` // milliseconds
	CaptureTime   string         `json:"captureTime"`
	DomainURI     string         `json:"domainUri,omitempty"` // of the server that will open it; CAPTURE only
	TransactionID string         `json:"transactionId"`
	Bio           []Ask          `json:"bio"`
	CustomOpts    map[string]any `json:"customOpts"`
}

// Ask is what is to be captured by one device.
type Ask struct {
	Type           string   `json:"type"`
	Count          Number   `json:"count"`
	BioSubType     []string `json:"bioSubType"`
	Exception      []string `json:"exception,omitempty"` // what the person does not have; RCAPTURE only
	RequestedScore Number   `json:"requestedScore"`
	DeviceID       string   `json:"deviceId"`
	DeviceSubID    Number   `json:"deviceSubId"`
	PreviousHash   string   `json:"previousHash"`
}

// Answer is what a capture gives: one Biometric for each sample.
type Answer struct {
	Biometrics []Biometric `json:"biometrics"`
}

// Biometric is one sample: Data is a Payload as a JWS of the device's key. Sealed
// ones come with the session key and the thumbprint of the certificate that it is
// sealed to.
type Biometric struct {
	SpecVersion string `json:"specVersion"`
	Data        string `json:"data"`
	Hash        string `json:"hash"`
	SessionKey  string `json:"sessionKey,omitempty"`
	Thumbprint  string `json:"thumbprint,omitempty"`
	Error       *Error `json:"error"`
}

// Payload is what a device signs of one sample.
type Payload struct {
	DigitalID            string          `json:"digitalId"`
	DeviceCode           string          `json:"deviceCode"`
	DeviceServiceVersion string          `json:"deviceServiceVersion"`
	BioType              string          `json:"bioType"`
	BioSubType           string          `json:"bioSubType,omitempty"` // none for a face
	Purpose              string          `json:"purpose"`
	Env                  string          `json:"env"`
	DomainURI            string          `json:"domainUri,omitempty"`
	BioValue             string          `json:"bioValue"`
	TransactionID        string          `json:"transactionId"`
	Timestamp            string          `json:"timestamp"`
	RequestedScore       Number          `json:"requestedScore"`
	QualityScore         Number          `json:"qualityScore"`
	PAD                  *biometrics.PAD `json:"pad,omitempty"` // a vendor's addition: what its presentation attack detection found
}

// StreamRequest asks for pictures while a person is helped.
type StreamRequest struct {
	DeviceID    string `json:"deviceId"`
	DeviceSubID Number `json:"deviceSubId"`
	Timeout     Number `json:"timeout,omitempty"` // milliseconds; 0 means five minutes
}

// Unknown is the subtype of a finger or an eye that is not named.
const Unknown = "UNKNOWN"

var fingerSubTypes = map[biometrics.Position]string{
	biometrics.RightThumb: "Right Thumb", biometrics.RightIndex: "Right IndexFinger", biometrics.RightMiddle: "Right MiddleFinger",
	biometrics.RightRing: "Right RingFinger", biometrics.RightLittle: "Right LittleFinger",
	biometrics.LeftThumb: "Left Thumb", biometrics.LeftIndex: "Left IndexFinger", biometrics.LeftMiddle: "Left MiddleFinger",
	biometrics.LeftRing: "Left RingFinger", biometrics.LeftLittle: "Left LittleFinger",
}

// SubType is how the interface writes a position: "Left IndexFinger", "Right" for
// an eye, nothing for a face.
func SubType(p biometrics.Position) string {
	switch p {
	case biometrics.LeftEye:
		return "Left"
	case biometrics.RightEye:
		return "Right"
	}
	return fingerSubTypes[p]
}

// PositionOf reads a kind and a subtype; ok tells whether they name a position.
func PositionOf(kind, subtype string) (p biometrics.Position, ok bool) {
	switch {
	case kind == Face:
		return biometrics.FullFace, subtype == ""
	case kind == Iris && subtype == "Left":
		return biometrics.LeftEye, true
	case kind == Iris && subtype == "Right":
		return biometrics.RightEye, true
	case kind == Finger:
		for p, written := range fingerSubTypes {
			if written == subtype {
				return p, true
			}
		}
	}
	return "", false
}

// KindOf is the kind of device that captures a position.
func KindOf(p biometrics.Position) string {
	return map[biometrics.Modality]string{biometrics.Finger: Finger, biometrics.Iris: Iris, biometrics.Face: Face}[p.Modality()]
}

// Parts are the positions that a part of a device takes: of a finger device 1 the
// left four, 2 the right four, 3 the thumbs; of an iris device the left, the
// right, both eyes; 0 is the whole device.
func Parts(kind string, part int) []biometrics.Position {
	left := []biometrics.Position{biometrics.LeftIndex, biometrics.LeftMiddle, biometrics.LeftRing, biometrics.LeftLittle}
	right := []biometrics.Position{biometrics.RightIndex, biometrics.RightMiddle, biometrics.RightRing, biometrics.RightLittle}
	thumbs := []biometrics.Position{biometrics.LeftThumb, biometrics.RightThumb}
	eyes := []biometrics.Position{biometrics.LeftEye, biometrics.RightEye}
	switch {
	case kind == Face && part == 0:
		return []biometrics.Position{biometrics.FullFace}
	case kind == Iris && (part == 0 || part == 3):
		return eyes
	case kind == Iris && (part == 1 || part == 2):
		return eyes[part-1 : part]
	case kind == Finger && part == 0:
		return append(append(left, right...), thumbs...)
	case kind == Finger && part >= 1 && part <= 3:
		return [][]biometrics.Position{left, right, thumbs}[part-1]
	}
	return nil
}

var transactionForm = regexp.MustCompile(`^[A-Za-z0-9-]{4,50}$`)

// ValidTransaction tells whether a text can name a transaction.
func ValidTransaction(id string) bool { return transactionForm.MatchString(id) }

// Stamp writes a time as the interface wants it: UTC, whole seconds.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// parseStamp reads a time. The interface knows one form; devices add fractions
// and offsets.
func parseStamp(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 2000 || t.Year() > 9998 {
		return time.Time{}, fmt.Errorf("%w: %.40q is no time", ErrProtocol, text)
	}
	return t, nil
}
