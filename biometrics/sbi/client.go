package sbi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Where devices are looked for.
const (
	FirstPort = 4501
	LastPort  = 4600
	host      = "127.0.0.1"
)

// Bounds of an answer.
const (
	maxWords   = 1 << 20  // discovery, information, errors
	maxAnswer  = 96 << 20 // a capture: four fingers in base64url twice
	maxDevices = 64

	discoveryPatience = 2 * time.Second
)

// Service is the service of one or several devices on one port.
type Service struct {
	Base string // http://127.0.0.1:4501
	HTTP *http.Client
}

// Discover asks every port for devices of a kind, all at once. Ports without a
// service cost nothing; one that does not answer in two seconds is passed over.
// What is found is in the order of the ports.
func Discover(ctx context.Context, client *http.Client, kind string) ([]Device, error) {
	asked := ctx // whose end is an error; that of our own patience is none
	ctx, cancel := context.WithTimeout(ctx, discoveryPatience)
	defer cancel()
	var mu sync.Mutex
	var found []Device
	var all sync.WaitGroup
	for port := FirstPort; port <= LastPort; port++ {
		all.Go(func() {
			devices, err := Service{Base: "http://" + host + ":" + strconv.Itoa(port), HTTP: client}.Devices(ctx, kind)
			if err != nil {
				return // nobody there, or no such device
			}
			mu.Lock()
			defer mu.Unlock()
			found = append(found, devices...)
		})
	}
	all.Wait()
	slices.SortStableFunc(found, func(a, b Device) int { return cmp.Compare(a.Base, b.Base) })
	return found, asked.Err()
}

// Devices asks for the devices of a kind.
func (s Service) Devices(ctx context.Context, kind string) ([]Device, error) {
	raw, err := s.call(ctx, VerbDiscover, PathDiscover, map[string]string{"type": kind}, maxWords)
	if err != nil {
		return nil, err
	}
	devices, err := parseDevices(raw)
	if err != nil {
		return nil, err
	}
	kept := devices[:0]
	var refusal error
	for _, d := range devices {
		if d.DeviceID == "" {
			refusal = errors.Join(refusal, d.Error.failure())
			continue
		}
		if id, err := d.Identity(); err != nil || kind != AnyKind && id.Type != kind {
			continue // who names no type, or another one than was asked for, is not meant
		}
		d.Base = s.Base
		if local(d.CallbackID) {
			d.Base = strings.TrimRight(d.CallbackID, "/")
		}
		kept = append(kept, d)
	}
	if len(kept) == 0 && refusal != nil {
		return nil, refusal
	}
	return kept, nil
}

func parseDevices(raw []byte) ([]Device, error) {
	var devices []Device
	if err := decode(raw, &devices); err != nil {
		return nil, err
	}
	if len(devices) > maxDevices {
		return nil, fmt.Errorf("%w: too many devices", ErrProtocol)
	}
	return devices, nil
}

// local tells whether a device's own address leads to this machine: where else it
// would lead us, a device has no business to send us.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return false
	}
	at, err := netip.ParseAddr(u.Hostname())
	return err == nil && at.IsLoopback()
}

// Info asks the devices what they are. Trust.CheckInfo reads it.
func (s Service) Info(ctx context.Context) ([]SignedInfo, error) {
	raw, err := s.call(ctx, VerbInfo, PathInfo, nil, maxWords)
	if err != nil {
		return nil, err
	}
	return parseInfo(raw)
}

func parseInfo(raw []byte) ([]SignedInfo, error) {
	var all []SignedInfo
	if err := decode(raw, &all); err != nil {
		return nil, err
	}
	if len(all) > maxDevices {
		return nil, fmt.Errorf("%w: too many devices", ErrProtocol)
	}
	if len(all) == 1 && all[0].DeviceInfo == "" {
		if err := all[0].Error.failure(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// RCapture captures for registration: in the clear, signed. Trust.CheckAnswer reads
// it.
func (s Service) RCapture(ctx context.Context, r Request) (Answer, error) {
	return s.capture(ctx, VerbRCapture, r)
}

// Capture captures for authentication: sealed and signed. Trust.CheckSealed reads
// it, where the server's key is.
func (s Service) Capture(ctx context.Context, r Request) (Answer, error) {
	return s.capture(ctx, VerbCapture, r)
}

func (s Service) capture(ctx context.Context, verb string, r Request) (Answer, error) {
	raw, err := s.call(ctx, verb, PathCapture, r, maxAnswer)
	if err != nil {
		return Answer{}, err
	}
	return ParseAnswer(raw)
}

// ParseAnswer reads an answer to a capture; one that holds errors only is an error.
func ParseAnswer(raw []byte) (Answer, error) {
	var a Answer
	if err := decode(raw, &a); err != nil {
		return Answer{}, err
	}
	if len(a.Biometrics) == 0 || len(a.Biometrics) > maxBiometrics {
		return Answer{}, fmt.Errorf("%w: %d samples in an answer", ErrProtocol, len(a.Biometrics))
	}
	var failures []error
	for _, b := range a.Biometrics {
		if err := b.Error.failure(); err != nil {
			failures = append(failures, err)
		}
	}
	if len(failures) == len(a.Biometrics) {
		return Answer{}, errors.Join(failures...)
	}
	return a, nil
}

func (s Service) call(ctx context.Context, verb, path string, body any, limit int64) ([]byte, error) {
	answer, err := s.send(ctx, verb, path, body)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return bounded(answer.Body, limit)
}

func (s Service) send(ctx context.Context, verb, path string, body any) (*http.Response, error) {
	var sent io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, verb, strings.TrimRight(s.Base, "/")+path, sent)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("EXT", "plinth")
	r.Close = true    // the interface closes each connection; one kept would be lost in the middle of the next request
	direct := *s.HTTP // a device has nowhere to send us
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := direct.Do(r)
	if err != nil {
		return nil, fmt.Errorf("sbi: asking the device: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		return nil, fmt.Errorf("%w: status %d", ErrProtocol, answer.StatusCode)
	}
	return answer, nil
}

func bounded(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("sbi: reading the device's answer: %w", err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: the answer is too long", ErrProtocol)
	}
	return raw, nil
}
