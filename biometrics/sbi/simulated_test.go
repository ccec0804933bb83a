package sbi_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// keys are made once: RSA keys take their time.
var keys = sync.OnceValues(func() (simulator.Identity, error) {
	dir, err := os.MkdirTemp("", "sbi")
	if err != nil {
		return simulator.Identity{}, err
	}
	defer os.RemoveAll(dir)
	return simulator.Own(dir, time.Now())
})

var server = sync.OnceValues(func() (sbi.Server, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return sbi.Server{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return sbi.Server{}, err
	}
	certificate, err := x509.ParseCertificate(raw)
	return sbi.Server{Certificate: certificate, Key: key}, err
})

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func encoded(t *testing.T, img image.Image, format string) *fstest.MapFile {
	t.Helper()
	var out bytes.Buffer
	err := png.Encode(&out, img)
	if format == "jpg" {
		out.Reset()
		err = jpeg.Encode(&out, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: out.Bytes()}
}

// prints are eight fingers.
var prints = sync.OnceValue(func() (all [][]byte) {
	for i := range 8 {
		all = append(all, synth.PNG(synth.Print(int64(i+1), 1, 1)))
	}
	return all
})

var eyes = sync.OnceValue(func() [2][]byte { return [2][]byte{synth.PNG(synth.Eye(1, 0, 1)), synth.PNG(synth.Eye(2, 0, 1))} })

// pictures is a folder of eight fingers, a blank one, two eyes and a face.
func pictures(t *testing.T) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{"person.json": {Data: []byte(`{}`)}}
	for i, p := range append(sbi.Parts(sbi.Finger, 1), sbi.Parts(sbi.Finger, 2)...) {
		folder[string(p)+".png"] = &fstest.MapFile{Data: prints()[i]}
	}
	blank := image.NewGray(image.Rect(0, 0, 300, 400))
	for i := range blank.Pix {
		blank.Pix[i] = 0xff
	}
	folder["leftThumb.png"] = encoded(t, blank, "png")
	face := image.NewRGBA(image.Rect(0, 0, 120, 160))
	for y := range 160 {
		for x := range 120 {
			face.Set(x, y, color.RGBA{uint8(2 * x), uint8(y), 99, 0xff})
		}
	}
	folder["leftEye.png"], folder["rightEye.png"], folder["face.jpg"] = &fstest.MapFile{Data: eyes()[0]}, &fstest.MapFile{Data: eyes()[1]}, encoded(t, face, "jpg")
	return folder
}

// running starts a simulator and gives the service that it is.
func running(t *testing.T, change func(*simulator.Config)) sbi.Service {
	t.Helper()
	c := simulator.Config{Pictures: pictures(t), Kinds: []string{sbi.Finger, sbi.Iris, sbi.Face}, Level: sbi.L0,
		Purpose: sbi.Registration, Env: sbi.Developer, Identity: must(keys())(t)}
	if change != nil {
		change(&c)
	}
	s := must(simulator.New(c))(t)
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	return sbi.Service{Base: listening.URL, HTTP: listening.Client()}
}

func authenticates(t *testing.T) func(*simulator.Config) {
	return func(c *simulator.Config) {
		c.Level, c.Purpose, c.SealTo = sbi.L1, sbi.Authentication, must(server())(t).Certificate
	}
}

func levelOne(c *simulator.Config) { c.Level = sbi.L1 }

func trusting(t *testing.T) sbi.Trust {
	t.Helper()
	i := must(keys())(t)
	trust := sbi.Trust{Roots: x509.NewCertPool(), Chips: x509.NewCertPool()}
	trust.Roots.AddCert(i.Chain[len(i.Chain)-1])
	trust.Chips.AddCert(i.ChipChain[len(i.ChipChain)-1])
	return trust
}

func leftSlap() sbi.Request {
	return sbi.Request{Env: sbi.Developer, Purpose: sbi.Registration, SpecVersion: sbi.Version, Timeout: 10000, CaptureTime: sbi.Stamp(time.Now()),
		TransactionID: "transaction-1", Bio: []sbi.Ask{{Type: sbi.Finger, Count: 4, RequestedScore: 40, DeviceID: "1", DeviceSubID: 1, PreviousHash: sbi.FirstHash()}}}
}

func twoFingers() sbi.Request {
	r := leftSlap()
	r.Purpose, r.DomainURI = sbi.Authentication, "https://id.example"
	r.Bio = []sbi.Ask{{Type: sbi.Finger, Count: 2, BioSubType: []string{"Left IndexFinger", sbi.Unknown}, DeviceID: "1", PreviousHash: sbi.FirstHash()}}
	return r
}

// signs makes a JWS with any key and certificates.
func signs(t *testing.T, v any, key crypto.Signer, chain ...*x509.Certificate) string {
	t.Helper()
	var x5c []string
	for _, c := range chain {
		x5c = append(x5c, base64.StdEncoding.EncodeToString(c.Raw))
	}
	by := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("x5c", x5c)))(t)
	raw := must(json.Marshal(v))(t)
	jws := must(by.Sign(raw))(t)
	return must(jws.CompactSerialize())(t)
}

// payloadOf reads a JWS without asking who signed it.
func payloadOf(t *testing.T, jws string) sbi.Payload {
	t.Helper()
	var p sbi.Payload
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("got %d parts, want a JWS", len(parts))
	}
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1]))(t), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func positions(all []sbi.Captured) (list []biometrics.Position) {
	for _, c := range all {
		list = append(list, c.Position)
	}
	return list
}

func asking(t *testing.T, s sbi.Service, verb, path, body string) (*http.Response, string) {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), verb, s.Base+path, strings.NewReader(body)))(t)
	answer := must(s.HTTP.Do(r))(t)
	defer answer.Body.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer, out.String()
}

// nothing is a folder without files.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) { return nil, fs.ErrNotExist }
