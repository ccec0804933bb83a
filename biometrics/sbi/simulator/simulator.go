// Package simulator is a capture device without a sensor: a service of the Secure
// Biometric Interface that serves the pictures of a folder, named by position as in
// an enrolment directory (rightIndex.png, leftEye.png, face.jpg). It converts them
// into ISO/IEC 19794 records, signs them, and seals them where a device would.
//
// Where it is not like a device: a picture is always the same, so it never waits
// for a better one; there is no JPEG 2000 encoder here, so a finger or an eye of a
// picture that is not JPEG 2000 already travels as PNG, which the records allow but
// the profile of MOSIP does not name; an eye for authentication is not cropped. Its
// digital id names the provider PLINTH-SIMULATOR, and it serves no production.
package simulator

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

const (
	serviceVersion = "0.9.5"
	maxRequest     = 1 << 20
)

// Config is what a simulator is made of.
type Config struct {
	Pictures fs.FS
	Kinds    []string // sbi.Finger, sbi.Iris, sbi.Face
	Level    sbi.Level
	Purpose  string // sbi.Registration or sbi.Authentication
	Env      string // any but production
	Identity Identity
	SealTo   *x509.Certificate // of the server that opens what authenticates
	Exposure time.Duration     // how long a capture takes
	Origin   string            // of the pages that may use it; empty means any
	Now      func() time.Time  // nil means time.Now
}

// Simulator is the service. It is an http.Handler.
type Simulator struct {
	Config
	devices []*device
}

// device is one of the kinds that the service offers.
type device struct {
	id, kind, subType string
	parts             []int
	busy              atomic.Bool
}

// New makes a simulator.
func New(c Config) (*Simulator, error) {
	switch {
	case c.Pictures == nil || len(c.Kinds) == 0:
		return nil, errors.New("a simulator needs pictures and a kind of device")
	case c.Level != sbi.L0 && c.Level != sbi.L1:
		return nil, errors.New("the level is L0 or L1")
	case c.Purpose != sbi.Registration && c.Purpose != sbi.Authentication:
		return nil, errors.New("the purpose is Registration or Auth")
	case c.Purpose == sbi.Authentication && c.Level == sbi.L0:
		return nil, errors.New("a device of level L0 is for registration only: take L1")
	case !slices.Contains([]string{sbi.Staging, sbi.Developer, sbi.PreProduction}, c.Env):
		return nil, errors.New("a simulator works in Developer, Staging or Pre-Production")
	}
	if err := c.Identity.complete(c.Level); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Simulator{Config: c}
	for _, kind := range c.Kinds {
		d, err := newDevice(kind, c.Purpose)
		if err != nil {
			return nil, err
		}
		s.devices = append(s.devices, d)
	}
	return s, nil
}

func newDevice(kind, purpose string) (*device, error) {
	registers := purpose == sbi.Registration
	switch {
	case kind == sbi.Finger && registers:
		return &device{id: "1", kind: kind, subType: "Slap", parts: []int{1, 2, 3}}, nil
	case kind == sbi.Finger:
		return &device{id: "1", kind: kind, subType: "Single", parts: []int{0}}, nil
	case kind == sbi.Iris && registers:
		return &device{id: "2", kind: kind, subType: "Double", parts: []int{1, 2, 3}}, nil
	case kind == sbi.Iris:
		return &device{id: "2", kind: kind, subType: "Single", parts: []int{0}}, nil
	case kind == sbi.Face:
		return &device{id: "3", kind: kind, subType: "Full face", parts: []int{0}}, nil
	}
	return nil, fmt.Errorf("%q is no kind of device", kind)
}

// ServeHTTP answers one request.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.admit(w, r)
	switch {
	case !own(r.Host):
		// A name that leads here may be a page's that wants to be taken for us.
		answer(w, http.StatusMisdirectedRequest, failed(sbi.CodeForeignAddress))
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case r.Method == sbi.VerbDiscover && r.URL.Path == sbi.PathDiscover:
		s.discover(w, r)
	case r.Method == sbi.VerbInfo && r.URL.Path == sbi.PathInfo:
		s.info(w, r)
	case (r.Method == sbi.VerbRCapture || r.Method == sbi.VerbCapture) && r.URL.Path == sbi.PathCapture:
		answer(w, http.StatusOK, s.capture(r))
	case r.Method == sbi.VerbStream && r.URL.Path == sbi.PathStream:
		s.stream(w, r)
	default:
		answer(w, http.StatusNotFound, failed(sbi.CodeUnknownRequest))
	}
}

// admit lets pages in: custom verbs need a preflight, and a page of the internet
// that reaches into this machine needs one more word.
func (s *Simulator) admit(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	origin := s.Origin
	if origin == "" {
		origin = "*"
	} else {
		h.Add("Vary", "Origin")
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Location, Content-Type")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", strings.Join([]string{sbi.VerbDiscover, sbi.VerbInfo, sbi.VerbCapture, sbi.VerbRCapture, sbi.VerbStream, http.MethodOptions}, ", "))
		h.Set("Access-Control-Allow-Headers", "Content-Type, EXT, Accept, Cache-Control")
		h.Set("Access-Control-Max-Age", "600")
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Location", strings.TrimSuffix(base(r), "/"))
	h.Set("Connection", "close")
}

func own(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

// base is the address at which the request came in.
func base(r *http.Request) string {
	if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return "http://" + at.String() + "/"
	}
	return "http://" + r.Host + "/"
}

func answer(w http.ResponseWriter, status int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{}`) // our own types always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever asked may have gone
}

type wrapped struct {
	Error *sbi.Error `json:"error"`
}

func failed(code string) wrapped { return wrapped{sbi.NewError(code)} }

// read reads a request's JSON.
func read(r *http.Request, into any) bool {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	return err == nil && len(raw) <= maxRequest && json.Unmarshal(raw, into) == nil
}

func (s *Simulator) discover(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Type string `json:"type"`
	}
	if !read(r, &asked) {
		answer(w, http.StatusOK, []wrapped{failed(sbi.CodeUnreadable)})
		return
	}
	if !slices.Contains([]string{sbi.AnyKind, sbi.Finger, sbi.Iris, sbi.Face}, asked.Type) {
		answer(w, http.StatusOK, []wrapped{failed(sbi.CodeUnknownKind)})
		return
	}
	var found []sbi.Device
	for _, d := range s.devices {
		if asked.Type != sbi.AnyKind && asked.Type != d.kind {
			continue
		}
		id, err := json.Marshal(s.digitalID(d))
		if err != nil {
			continue
		}
		status, code := s.status(d)
		found = append(found, sbi.Device{DeviceID: d.id, DeviceStatus: status, Certification: s.Level, ServiceVersion: serviceVersion,
			DeviceSubID: d.numbers(), CallbackID: base(r), DigitalID: base64.RawURLEncoding.EncodeToString(id),
			DeviceCode: s.Identity.Serial(), SpecVersion: []string{sbi.Version}, Purpose: s.Purpose, Error: sbi.NewError(code)})
	}
	if len(found) == 0 {
		answer(w, http.StatusOK, []wrapped{failed(sbi.CodeNotFound)})
		return
	}
	answer(w, http.StatusOK, found)
}

func (s *Simulator) info(w http.ResponseWriter, r *http.Request) {
	var all []sbi.SignedInfo
	for _, d := range s.devices {
		id, err := s.signedID(d)
		if err != nil {
			answer(w, http.StatusOK, []wrapped{failed(sbi.CodeExtraction)})
			return
		}
		status, code := s.status(d)
		jws, err := s.Identity.device().sign(sbi.Info{DeviceStatus: status, DeviceID: d.id, Firmware: serviceVersion, Certification: s.Level,
			ServiceVersion: serviceVersion, DeviceSubID: d.numbers(), CallbackID: base(r), DigitalID: id, DeviceCode: s.Identity.Serial(),
			Env: s.Env, Purpose: s.Purpose, SpecVersion: []string{sbi.Version}})
		if err != nil {
			answer(w, http.StatusOK, []wrapped{failed(sbi.CodeExtraction)})
			return
		}
		all = append(all, sbi.SignedInfo{DeviceInfo: jws, Error: sbi.NewError(code)})
	}
	answer(w, http.StatusOK, all)
}

func (d *device) numbers() []sbi.Number {
	var all []sbi.Number
	for _, part := range d.parts {
		all = append(all, sbi.Number(part))
	}
	return all
}

// status is what a device can do now, with the code that explains it.
func (s *Simulator) status(d *device) (status, code string) {
	leaf := s.Identity.Chain[0]
	switch now := s.Now(); {
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return sbi.NotRegistered, sbi.CodeKeyExpired
	case !slices.ContainsFunc(sbi.Parts(d.kind, 0), s.has):
		return sbi.NotReady, sbi.CodeNotReady
	case d.busy.Load():
		return sbi.Busy, sbi.CodeBusy
	}
	return sbi.Ready, sbi.CodeSuccess
}

func (s *Simulator) has(p biometrics.Position) bool {
	_, _, err := s.picture(p)
	return err == nil
}

func (s *Simulator) digitalID(d *device) sbi.DigitalID {
	return sbi.DigitalID{SerialNo: s.Identity.Serial(), Make: "Plinth", Model: "SIMULATOR", Type: d.kind, DeviceSubType: d.subType,
		DeviceProvider: sbi.Simulator, DeviceProviderID: sbi.Simulator, DateTime: sbi.Stamp(s.Now())}
}

// signedID is signed by the trust module's key, or without one by the device's own.
func (s *Simulator) signedID(d *device) (string, error) {
	by := s.Identity.device()
	if s.Level == sbi.L1 {
		by = s.Identity.chip()
	}
	return by.sign(s.digitalID(d))
}
