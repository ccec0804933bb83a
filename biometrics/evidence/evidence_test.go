package evidence_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/sbi/simulator"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// captured is a right index finger as a simulated device of level L1 signs it, and the
// certificates that make it believed.
func captured(t *testing.T) (cbeff.Record, fstest.MapFS) {
	t.Helper()
	keys, err := simulator.Own(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	device, err := simulator.New(simulator.Config{Pictures: fstest.MapFS{"rightIndex.png": {Data: synth.PNG(synth.Print(3, 0, 1))}},
		Kinds: []string{sbi.Finger}, Level: sbi.L1, Purpose: sbi.Registration, Env: sbi.Developer, Identity: keys})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(device)
	t.Cleanup(listening.Close)
	files := fstest.MapFS{"providers.pem": {Data: coded(keys.Chain)}, "chips.pem": {Data: coded(keys.ChipChain)}}
	trust := sbi.Trust{Roots: roots(keys.Chain), Chips: roots(keys.ChipChain)}
	act := sbi.Act{HTTP: listening.Client(), Trust: trust, Timeout: 10 * time.Second}
	all, err := act.Register(t.Context(), sbi.Device{Base: listening.URL}, sbi.Developer, sbi.Ask{Type: sbi.Finger, Count: 1, DeviceID: "1", DeviceSubID: 2,
		BioSubType: []string{"Right IndexFinger"}, Exception: []string{"Right MiddleFinger", "Right RingFinger", "Right LittleFinger"}})
	if err != nil {
		t.Fatal(err)
	}
	record, err := all[0].Record()
	if err != nil {
		t.Fatal(err)
	}
	return record, files
}

func coded(chain []*x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw})
}

func roots(chain []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(chain[len(chain)-1])
	return pool
}

const trusting = `"trust": {"providers": "providers.pem", "trust_modules": "chips.pem"}`

func TestASampleOfAnEnrolmentMustBeSignedAsThePolicySays(t *testing.T) {
	record, files := captured(t)
	unsigned := record
	unsigned.Signature = nil
	foreign := record // signed in a way that only its maker knows
	foreign.Signature, foreign.Others = []byte("a seal of wax"), nil
	other := record
	other.Data = append([]byte{}, record.Data...)
	other.Data[len(other.Data)/2] ^= 1
	elsewhere := record
	elsewhere.Position = biometrics.LeftIndex
	for what, c := range map[string]struct {
		policy string
		record cbeff.Record
		late   time.Duration
		want   error
		vouch  bool
	}{
		"nothing asked":                      {"", record, 0, nil, true},
		"nothing asked, unsigned":            {"", unsigned, 0, nil, false},
		"nothing asked, of another signing":  {"", foreign, 0, nil, false},
		"nothing asked, changed":             {"", other, 0, evidence.ErrTampered, false},
		"nothing asked, as another finger":   {"", elsewhere, 0, evidence.ErrTampered, false},
		"nothing asked, long ago":            {"", record, 24 * time.Hour, nil, false},
		"a device, unsigned":                 {`"any": {"device": "L0", "trial": true}`, unsigned, 0, evidence.ErrUnsigned, false},
		"a device, of another signing":       {`"any": {"device": "L0", "trial": true}`, foreign, 0, evidence.ErrUnsigned, false},
		"a device, of a simulator":           {`"any": {"device": "L0"}`, record, 0, evidence.ErrTrial, true},
		"a device, in a trial":               {`"any": {"device": "L1", "trial": true}`, record, 0, nil, true},
		"a device for fingers":               {`"finger": {"device": "L1", "trial": true}, "any": {"device": "L0"}`, record, 0, nil, true},
		"a device for faces only":            {`"face": {"device": "L0"}`, unsigned, 0, nil, false},
		"a device, too late":                 {`"any": {"device": "L0", "max_age": "1h", "trial": true}`, record, 2 * time.Hour, evidence.ErrStale, false},
		"a device, in time":                  {`"any": {"device": "L0", "max_age": "3h", "trial": true}`, record, 2 * time.Hour, nil, true},
		"a device, before it was captured":   {`"any": {"device": "L0", "trial": true}`, record, -time.Hour, evidence.ErrStale, false},
		"another provider":                   {`"any": {"device": "L0", "providers": ["ACME"], "trial": true}`, record, 0, evidence.ErrProvider, true},
		"its provider":                       {`"any": {"device": "L0", "providers": ["acme", "plinth-simulator"], "trial": true}`, record, 0, nil, true},
		"attack detection, of which is none": {`"any": {"device": "L0", "pad": {"score": 0.5}, "trial": true}`, record, 0, evidence.ErrNoPAD, true},
	} {
		p, err := evidence.Parse([]byte(`{`+trusting+`, "enrolment": {`+c.policy+`}}`), files)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		e, err := p.Enrolled(c.record, time.Now().Add(c.late))
		if !errors.Is(err, c.want) || (e != nil) != c.vouch {
			t.Errorf("%s: got %v, %v; want %v", what, e, err, c.want)
		}
	}
	// Nobody is trusted: a signature proves nothing, but a broken one proves something.
	if e, err := (evidence.Policy{}).Enrolled(record, time.Now()); e != nil || err != nil {
		t.Errorf("got %v, %v; want nothing believed and nothing refused", e, err)
	}
	if _, err := (evidence.Policy{}).Enrolled(other, time.Now()); !errors.Is(err, evidence.ErrTampered) {
		t.Errorf("got %v, want it refused", err)
	}
}

func TestPresentationAttacksAreRefusedAsThePolicySays(t *testing.T) {
	good := sbi.Evidence{Env: sbi.Production, Level: sbi.L1, Device: sbi.DigitalID{DeviceProvider: "ACME"}, PAD: &biometrics.PAD{Score: .7, Level: 1}}
	rule := evidence.Rule{Device: sbi.L1, PAD: &evidence.PAD{Score: .6, Level: 1}}
	for what, c := range map[string]struct {
		change func(*sbi.Evidence)
		want   error
	}{
		"good":           {func(*sbi.Evidence) {}, nil},
		"of level L0":    {func(e *sbi.Evidence) { e.Level = sbi.L0 }, evidence.ErrLevel},
		"in a test":      {func(e *sbi.Evidence) { e.Env = sbi.Staging }, evidence.ErrTrial},
		"no result":      {func(e *sbi.Evidence) { e.PAD = nil }, evidence.ErrNoPAD},
		"not evaluated":  {func(e *sbi.Evidence) { e.PAD = &biometrics.PAD{Score: 1} }, evidence.ErrNoPAD},
		"a rubber thumb": {func(e *sbi.Evidence) { e.PAD = &biometrics.PAD{Score: .59, Level: 2} }, evidence.ErrAttack},
	} {
		e := good
		c.change(&e)
		if err := rule.Admit(&e); !errors.Is(err, c.want) || err == nil != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
}

func TestAPolicyThatWouldAskForNothingByMistakeIsRefused(t *testing.T) {
	_, files := captured(t)
	maps.Copy(files, fstest.MapFS{"text.pem": {Data: []byte("no certificate")}})
	for what, text := range map[string]string{
		"no JSON": "device: L0", "two": "{} {}", "a misspelt word": `{"enrollment": {}}`, "a misspelt rule": `{"enrolment": {"any": {"devise": "L0"}}}`,
		"an unknown modality": `{` + trusting + `, "login": {"fingers": {"device": "L1"}}}`,
		"an unknown level":    `{` + trusting + `, "login": {"any": {"device": "L2"}}}`,
		"nobody trusted":      `{"login": {"any": {"device": "L0"}}}`,
		"no trust modules":    `{"trust": {"providers": "providers.pem"}, "login": {"any": {"device": "L1"}}}`,
		"a file that is not":  `{"trust": {"providers": "nowhere.pem"}}`,
		"no certificate":      `{"trust": {"providers": "text.pem"}}`,
		"a path out of it":    `{"trust": {"providers": "../providers.pem"}}`,
		"attacks, unsigned":   `{"login": {"any": {"pad": {"score": 0.5}}}}`,
		"a score of two":      `{` + trusting + `, "login": {"any": {"device": "L0", "pad": {"score": 2}}}}`,
		"no time":             `{` + trusting + `, "login": {"any": {"device": "L0", "max_age": "soon"}}}`,
		"a year":              `{` + trusting + `, "login": {"any": {"device": "L0", "max_age": "8760h"}}}`,
		"a rate of one":       `{"deduplication": {"false_positive_rate": 1}}`,
		"a rate below zero":   `{"deduplication": {"officer_rate": -0.1}}`,
	} {
		if _, err := evidence.Parse([]byte(text), files); !errors.Is(err, evidence.ErrPolicy) {
			t.Errorf("%s: got %v, want it refused", what, err)
		} else if strings.Contains(err.Error(), "BEGIN CERT") {
			t.Errorf("%s: got %v, want no contents of files", what, err)
		}
	}
	p, err := evidence.Parse([]byte(`{"deduplication": {"false_positive_rate": 0.0001}, "login": {"finger": {"trial": true}}}`), files)
	if err != nil || p.Rates.FalsePositive != .0001 || !p.Rule(evidence.Login, biometrics.Finger).Trial || p.Rule(evidence.Login, biometrics.Iris).Trial {
		t.Errorf("got %+v, %v; want what was written", p, err)
	}
	if r := evidence.Trial().Rule(evidence.Enrolment, biometrics.Face); !r.Trial {
		t.Error("a demonstration takes everything")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"enrolment": {"any": {"device": "L0", "max_age": "8h", "pad": {"score": 0.5, "level": 1}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := evidence.Parse(raw, fstest.MapFS{}); err != nil && !errors.Is(err, evidence.ErrPolicy) {
			t.Errorf("got %v, want it named", err)
		}
	})
}
