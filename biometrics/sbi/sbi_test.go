package sbi_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image/jpeg"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
)

func TestDiscoveryFindsWhatWasAskedFor(t *testing.T) {
	s := running(t, nil)
	for kind, want := range map[string][]string{sbi.AnyKind: {"1", "2", "3"}, sbi.Finger: {"1"}, sbi.Iris: {"2"}, sbi.Face: {"3"}} {
		devices, err := s.Devices(t.Context(), kind)
		var got []string
		for _, d := range devices {
			id, err := d.Identity()
			if err != nil || id.DeviceProvider != sbi.Simulator || d.Base != s.Base || d.DeviceStatus != sbi.Ready || d.DeviceCode != id.SerialNo || len(id.SerialNo) < 12 {
				t.Errorf("got %+v, %+v, %v", d, id, err)
			}
			got = append(got, d.DeviceID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", kind, got, err, want)
		}
	}
	if _, err := s.Devices(t.Context(), "Palm"); !errors.Is(err, sbi.NewError(sbi.CodeUnknownKind)) {
		t.Errorf("got %v, want that there is no such kind", err)
	}
	fingers := running(t, func(c *simulator.Config) { c.Kinds = []string{sbi.Finger} })
	if _, err := fingers.Devices(t.Context(), sbi.Iris); !errors.Is(err, sbi.NewError(sbi.CodeNotFound)) {
		t.Errorf("got %v, want that no device was found", err)
	}
}

// The ports are those of the interface, so this needs a free one of them.
func TestDiscoverAsksAllPorts(t *testing.T) {
	for port := sbi.LastPort; port >= sbi.FirstPort; port-- {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", sbi.Number(port).String()))
		if err != nil {
			continue
		}
		c := simulator.Config{Pictures: pictures(t), Kinds: []string{sbi.Face}, Level: sbi.L0, Purpose: sbi.Registration, Env: sbi.Developer, Identity: must(keys())(t)}
		service := httptest.NewUnstartedServer(must(simulator.New(c))(t))
		service.Listener.Close()
		service.Listener = listener
		service.Start()
		t.Cleanup(service.Close)
		found, err := sbi.Discover(t.Context(), service.Client(), sbi.Face)
		if err != nil || !slices.ContainsFunc(found, func(d sbi.Device) bool { return d.Base == service.URL }) {
			t.Errorf("got %+v, %v; want %s among them", found, err, service.URL)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := sbi.Discover(ended, service.Client(), sbi.Face); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was ended", err)
		}
		return
	}
	t.Fatal("no port from 4501 to 4600 is free")
}

func TestInformationIsSignedByDeviceAndChip(t *testing.T) {
	for level, change := range map[sbi.Level]func(*simulator.Config){sbi.L0: nil, sbi.L1: levelOne} {
		all, err := running(t, change).Info(t.Context())
		if err != nil || len(all) != 3 {
			t.Fatalf("got %d, %v; want three devices", len(all), err)
		}
		for _, one := range all {
			info, evidence, err := trusting(t).CheckInfo(one, time.Now())
			if err != nil || evidence.Level != level || info.Certification != level || info.DeviceCode != evidence.Device.SerialNo || info.Env != sbi.Developer {
				t.Errorf("%s: got %+v, %+v, %v", level, info, evidence, err)
			}
		}
	}
	softly := trusting(t)
	softly.Chips = nil
	all := must(running(t, levelOne).Info(t.Context()))(t)
	if _, _, err := softly.CheckInfo(all[0], time.Now()); !errors.Is(err, sbi.ErrUntrusted) {
		t.Errorf("got %v, want no L1 without trusted modules", err)
	}
}

func TestRegistrationOfEveryPart(t *testing.T) {
	for level, change := range map[sbi.Level]func(*simulator.Config){sbi.L0: nil, sbi.L1: levelOne} {
		s, trust := running(t, change), trusting(t)
		previous := sbi.FirstHash()
		for i, ask := range []sbi.Ask{
			{Type: sbi.Finger, Count: 4, DeviceID: "1", DeviceSubID: 1},
			{Type: sbi.Finger, Count: 3, DeviceID: "1", DeviceSubID: 2, Exception: []string{"Right RingFinger"}},
			{Type: sbi.Iris, Count: 2, DeviceID: "2", DeviceSubID: 3},
			{Type: sbi.Iris, Count: 1, DeviceID: "2", DeviceSubID: 2},
			{Type: sbi.Face, Count: 1, DeviceID: "3"},
		} {
			r := leftSlap()
			r.TransactionID = "act-" + sbi.Number(i).String()
			ask.PreviousHash = previous // one chain over all captures
			r.Bio[0] = ask
			a, err := s.RCapture(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			all, err := trust.CheckAnswer(r, a, time.Now())
			if err != nil || len(all) != int(ask.Count) {
				t.Fatalf("%s %+v: got %d, %v", level, ask, len(all), err)
			}
			for _, c := range all {
				images, err := iso.ReadImages(c.Sample)
				if err != nil || images[0].Position != c.Position || c.Evidence.Level != level || images[0].Quality != int(c.Evidence.Quality) || images[0].Codec == iso.WSQ {
					t.Errorf("got %v of %s, %+v", err, c.Position, c.Evidence)
				}
			}
			previous = all[len(all)-1].Hash
		}
	}
}

func TestAuthenticationIsSealedToTheServer(t *testing.T) {
	s, trust, by := running(t, authenticates(t)), trusting(t), must(server())(t)
	r := twoFingers()
	a := must(s.Capture(t.Context(), r))(t)
	all, err := trust.CheckSealed(r, a, by, time.Now())
	if err != nil || !slices.Equal(positions(all), []biometrics.Position{biometrics.LeftIndex, ""}) {
		t.Fatalf("got %v, %v", positions(all), err)
	}
	for _, c := range all {
		if images, err := iso.ReadImages(c.Sample); err != nil || images[0].Codec != iso.WSQ || images[0].Position != c.Position || c.Evidence.Level != sbi.L1 {
			t.Errorf("got %v, want WSQ of an L1 device, and no finger named that was not asked by name", err)
		}
	}
	if bytes.Contains(must(base64.RawURLEncoding.DecodeString(payloadOf(t, a.Biometrics[0].Data).BioValue))(t), []byte("FIR\x00")) {
		t.Error("a record travels in the clear")
	}
	if a.Biometrics[0].SessionKey == a.Biometrics[1].SessionKey {
		t.Error("one session key for two samples")
	}
	if _, err := trust.CheckAnswer(r, a, time.Now()); !errors.Is(err, sbi.ErrHash) {
		t.Errorf("got %v: a sealed value passes for a clear one", err)
	}
}

func TestAuthenticationOfEyesAndFace(t *testing.T) {
	s, trust, by := running(t, authenticates(t)), trusting(t), must(server())(t)
	for _, ask := range []sbi.Ask{
		{Type: sbi.Iris, Count: 2, BioSubType: []string{"Left", "Right"}, DeviceID: "2"},
		{Type: sbi.Face, Count: 1, DeviceID: "3"},
	} {
		r := twoFingers()
		r.Bio = []sbi.Ask{ask}
		a := must(s.Capture(t.Context(), r))(t)
		all, err := trust.CheckSealed(r, a, by, time.Now())
		if err != nil || len(all) != int(ask.Count) {
			t.Errorf("%s: got %d, %v", ask.Type, len(all), err)
		}
	}
}

func TestStreamShowsPictures(t *testing.T) {
	for _, ask := range []sbi.StreamRequest{{DeviceID: "1", DeviceSubID: 1, Timeout: 700}, {DeviceID: "2", DeviceSubID: 3, Timeout: 700}, {DeviceID: "3", Timeout: 700}} {
		frames, err := running(t, nil).Stream(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			picture, err := frames.Next()
			if err != nil {
				break // it ends at its timeout
			}
			if _, err := jpeg.Decode(bytes.NewReader(picture)); err != nil {
				t.Errorf("got %v, want a JPEG", err)
			}
			n++
		}
		if err := frames.Close(); err != nil || n < 2 {
			t.Errorf("got %d pictures, %v; want some", n, err)
		}
	}
	if _, err := running(t, nil).Stream(t.Context(), sbi.StreamRequest{DeviceID: "9"}); !errors.Is(err, sbi.NewError(sbi.CodeNoDevice)) {
		t.Errorf("got %v, want that no device is connected", err)
	}
	if _, err := running(t, authenticates(t)).Stream(t.Context(), sbi.StreamRequest{DeviceID: "1"}); !errors.Is(err, sbi.NewError(sbi.CodeWrongPurpose)) {
		t.Errorf("got %v, want no stream of a device that authenticates", err)
	}
}

func TestCaptureIsRefusedWithTheCodeOfTheInterface(t *testing.T) {
	s := running(t, nil)
	for name, c := range map[string]struct {
		code   string
		change func(*sbi.Request)
	}{
		"transaction too short":         {sbi.CodeBadTransaction, func(r *sbi.Request) { r.TransactionID = "abc" }},
		"transaction of other letters":  {sbi.CodeBadTransaction, func(r *sbi.Request) { r.TransactionID = "abc_def" }},
		"transaction too long":          {sbi.CodeBadTransaction, func(r *sbi.Request) { r.TransactionID = strings.Repeat("a", 51) }},
		"another device":                {sbi.CodeNotFound, func(r *sbi.Request) { r.Bio[0].DeviceID = "7" }},
		"another type":                  {sbi.CodeWrongTarget, func(r *sbi.Request) { r.Bio[0].Type = sbi.Iris }},
		"another environment":           {sbi.CodeWrongTarget, func(r *sbi.Request) { r.Env = sbi.Production }},
		"another version":               {sbi.CodeWrongVersion, func(r *sbi.Request) { r.SpecVersion = "7.0" }},
		"no such part":                  {sbi.CodeWrongPart, func(r *sbi.Request) { r.Bio[0].DeviceSubID = 0 }},
		"too many":                      {sbi.CodeCount, func(r *sbi.Request) { r.Bio[0].Count = 5 }},
		"none":                          {sbi.CodeCount, func(r *sbi.Request) { r.Bio[0].Count = 0 }},
		"an exception without its gap":  {sbi.CodeCount, func(r *sbi.Request) { r.Bio[0].Exception = []string{"Left IndexFinger"} }},
		"a finger of the other hand":    {sbi.CodeWrongSubType, func(r *sbi.Request) { r.Bio[0].BioSubType = []string{"Right IndexFinger"} }},
		"an exception of the other one": {sbi.CodeWrongSubType, func(r *sbi.Request) { r.Bio[0].Exception = []string{"Right IndexFinger"} }},
		"a hash that is none":           {sbi.CodeUnreadable, func(r *sbi.Request) { r.Bio[0].PreviousHash = "12" }},
		"nothing asked":                 {sbi.CodeUnreadable, func(r *sbi.Request) { r.Bio = nil }},
		"no finger in the picture":      {sbi.CodeNoObject, func(r *sbi.Request) { r.Bio[0].DeviceSubID, r.Bio[0].Count = 3, 2 }},
	} {
		r := leftSlap()
		c.change(&r)
		if _, err := s.RCapture(t.Context(), r); !errors.Is(err, sbi.NewError(c.code)) {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	if _, err := s.Capture(t.Context(), twoFingers()); !errors.Is(err, sbi.NewError(sbi.CodeWrongPurpose)) {
		t.Errorf("got %v: a device for registration authenticates", err)
	}
	if _, err := running(t, authenticates(t)).RCapture(t.Context(), leftSlap()); !errors.Is(err, sbi.NewError(sbi.CodeWrongPurpose)) {
		t.Errorf("got %v: a device for authentication gives clear samples", err)
	}
	keyless := running(t, func(c *simulator.Config) { c.Level, c.Purpose = sbi.L1, sbi.Authentication })
	if _, err := keyless.Capture(t.Context(), twoFingers()); !errors.Is(err, sbi.NewError(sbi.CodeNoDomainKey)) {
		t.Errorf("got %v, want that there is no key to seal to", err)
	}
}

func TestOneCaptureAtATime(t *testing.T) {
	s := running(t, func(c *simulator.Config) { c.Exposure = time.Hour })
	ctx, end := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := s.RCapture(ctx, leftSlap()); first <- err }()
	for {
		devices, err := s.Devices(t.Context(), sbi.Finger)
		if err != nil {
			t.Fatal(err)
		}
		if devices[0].DeviceStatus == sbi.Busy && devices[0].Error.Code == sbi.CodeBusy {
			break
		}
	}
	if _, err := s.RCapture(t.Context(), leftSlap()); !errors.Is(err, sbi.NewError(sbi.CodeBusy)) {
		t.Errorf("got %v, want that the device is busy", err)
	}
	end()
	if err := <-first; err == nil {
		t.Error("a capture that was broken off gave an answer")
	}
	late := running(t, func(c *simulator.Config) { c.Exposure = time.Hour })
	r := leftSlap()
	r.Timeout = 50
	if _, err := late.RCapture(t.Context(), r); !errors.Is(err, sbi.NewError(sbi.CodeNoObject)) {
		t.Errorf("got %v, want nothing detected in time", err)
	}
}

func TestWithoutPicturesTheDeviceIsNotReady(t *testing.T) {
	empty := running(t, func(c *simulator.Config) { c.Pictures = nothing{} })
	devices := must(empty.Devices(t.Context(), sbi.AnyKind))(t)
	if devices[0].DeviceStatus != sbi.NotReady || devices[0].Error.Code != sbi.CodeNotReady {
		t.Errorf("got %s, %v; want Not Ready", devices[0].DeviceStatus, devices[0].Error)
	}
	expired := running(t, func(c *simulator.Config) { c.Now = func() time.Time { return time.Now().AddDate(5, 0, 0) } })
	if _, err := expired.RCapture(t.Context(), leftSlap()); !errors.Is(err, sbi.NewError(sbi.CodeKeyExpired)) {
		t.Errorf("got %v, want that the device's key has expired", err)
	}
}

// The forms that the specification, its schemas and its test kit prescribe.
func TestAnswersHaveTheirExactForm(t *testing.T) {
	s := running(t, nil)
	answer, raw := asking(t, s, sbi.VerbDiscover, sbi.PathDiscover, `{"type":"Finger"}`)
	var discovered []map[string]any
	if err := json.Unmarshal([]byte(raw), &discovered); err != nil || len(discovered) != 1 {
		t.Fatalf("got %s", raw)
	}
	for _, field := range []string{"deviceId", "deviceStatus", "certification", "serviceVersion", "deviceSubId", "callbackId", "digitalId", "deviceCode", "specVersion", "purpose", "error"} {
		if _, there := discovered[0][field]; !there {
			t.Errorf("discovery lacks %s", field)
		}
	}
	if len(discovered[0]) != 11 || !strings.Contains(raw, `"deviceSubId":["1","2","3"]`) || !strings.Contains(raw, `"error":{"errorCode":"0","errorInfo":"Success"}`) {
		t.Errorf("got %s", raw)
	}
	if answer.Header.Get("Cache-Control") != "no-store" || answer.Header.Get("Location") != s.Base || answer.ContentLength != int64(len(raw)) || answer.Header.Get("Content-Type") != "application/json" || !answer.Close {
		t.Errorf("got %v", answer.Header)
	}
	request := string(must(json.Marshal(leftSlap()))(t))
	if !strings.Contains(request, `"timeout":"10000"`) || !strings.Contains(request, `"deviceSubId":"1"`) || !strings.Contains(request, `"count":"4"`) {
		t.Errorf("got %s, want numbers as text", request)
	}
	numbers := strings.NewReplacer(`"10000"`, `10000`, `"count":"4"`, `"count":4`, `"deviceSubId":"1"`, `"deviceSubId":1`).Replace(request)
	_, captured := asking(t, s, sbi.VerbRCapture, sbi.PathCapture, numbers)
	var a sbi.Answer
	if err := json.Unmarshal([]byte(captured), &a); err != nil || len(a.Biometrics) != 4 || strings.Contains(captured, "sessionKey") {
		t.Fatalf("got %.200s", captured)
	}
	head := must(base64.RawURLEncoding.DecodeString(strings.Split(a.Biometrics[0].Data, ".")[0]))(t)
	if !bytes.Contains(head, []byte(`"alg":"RS256"`)) || !bytes.Contains(head, []byte(`"typ":"JWT"`)) || !bytes.Contains(head, []byte(`"x5c":["`)) {
		t.Errorf("got %s", head)
	}
	record := must(base64.RawURLEncoding.DecodeString(payloadOf(t, a.Biometrics[0].Data).BioValue))(t)
	nothing, own := sha256.Sum256(nil), sha256.Sum256(record)
	joined := sha256.Sum256(append(nothing[:], own[:]...))
	if want := strings.ToUpper(hex.EncodeToString(joined[:])); a.Biometrics[0].Hash != want {
		t.Errorf("got the hash %s, want %s", a.Biometrics[0].Hash, want)
	}
	if _, unknown := asking(t, s, "GET", "/device", ""); !strings.Contains(unknown, `"errorCode":"500"`) {
		t.Errorf("got %s", unknown)
	}
}

func TestPagesAreLetIn(t *testing.T) {
	s := running(t, func(c *simulator.Config) { c.Origin = "https://office.example" })
	r := must(http.NewRequestWithContext(t.Context(), http.MethodOptions, s.Base+sbi.PathCapture, nil))(t)
	r.Header.Set("Access-Control-Request-Private-Network", "true")
	answer := must(s.HTTP.Do(r))(t)
	answer.Body.Close()
	h := answer.Header
	if answer.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://office.example" || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "RCAPTURE") || h.Get("Access-Control-Allow-Private-Network") != "true" {
		t.Errorf("got %d, %v", answer.StatusCode, h)
	}
	r = must(http.NewRequestWithContext(t.Context(), sbi.VerbInfo, s.Base+sbi.PathInfo, nil))(t)
	r.Host = "rebound.example"
	answer = must(s.HTTP.Do(r))(t)
	answer.Body.Close()
	if answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("got %d for a foreign name, want that it is refused", answer.StatusCode)
	}
}

func TestSimulatorRefusesToPassForADevice(t *testing.T) {
	good := simulator.Config{Pictures: pictures(t), Kinds: []string{sbi.Finger}, Level: sbi.L0, Purpose: sbi.Registration, Env: sbi.Developer, Identity: must(keys())(t)}
	for name, change := range map[string]func(*simulator.Config){
		"production":                   func(c *simulator.Config) { c.Env = sbi.Production },
		"L0 that authenticates":        func(c *simulator.Config) { c.Purpose = sbi.Authentication },
		"L1 without a module":          func(c *simulator.Config) { c.Level, c.Identity.ChipKey = sbi.L1, nil },
		"a certificate of another key": func(c *simulator.Config) { c.Identity.Key = c.Identity.ChipKey },
		"a provider of another name": func(c *simulator.Config) {
			by := must(server())(t)
			c.Identity.Chain, c.Identity.Key = []*x509.Certificate{by.Certificate}, by.Key.(crypto.Signer)
		},
	} {
		c := good
		change(&c)
		if _, err := simulator.New(c); err == nil {
			t.Errorf("%s: got a simulator", name)
		}
	}
}
