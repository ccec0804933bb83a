package sbi_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

// taken is one left slap, captured once for all attacks on it.
var taken = struct {
	sync.Once
	asked  sbi.Request
	answer sbi.Answer
}{}

func slap(t *testing.T) (sbi.Request, sbi.Answer) {
	t.Helper()
	taken.Do(func() {
		taken.asked = leftSlap()
		taken.answer = must(running(t, nil).RCapture(t.Context(), taken.asked))(t)
	})
	return taken.asked, sbi.Answer{Biometrics: append([]sbi.Biometric{}, taken.answer.Biometrics...)}
}

// attack changes what was asked, what is answered, or who is trusted.
type attack struct {
	want   error
	change func(r *sbi.Request, b []sbi.Biometric, trust *sbi.Trust)
}

func refused(t *testing.T, attacks map[string]attack) {
	t.Helper()
	for name, c := range attacks {
		asked, a := slap(t)
		asked.Bio = append([]sbi.Ask{}, asked.Bio...)
		trust := trusting(t)
		c.change(&asked, a.Biometrics, &trust)
		if all, err := trust.CheckAnswer(asked, a, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %d samples, %v; want %v", name, len(all), err, c.want)
		}
	}
}

func TestAttacksOnAnAnswerAreRefused(t *testing.T) {
	refused(t, map[string]attack{
		"a payload that was changed": {sbi.ErrSignature, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			p := payloadOf(t, b[0].Data)
			p.QualityScore = 12
			b[0].Data = withPayload(t, b[0].Data, p)
		}},
		"samples in another order": {sbi.ErrHash, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) { b[0], b[1] = b[1], b[0] }},
		"one sample left out":      {sbi.ErrHash, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) { b[1].Error = sbi.NewError(sbi.CodeNoObject) }},
		"a hash that was changed":  {sbi.ErrHash, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) { b[0].Hash = sbi.FirstHash() }},
		"a hash that is none":      {sbi.ErrHash, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) { b[0].Hash = "12" }},
		"another chain before it":  {sbi.ErrHash, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.Bio[0].PreviousHash = strings.Repeat("A", 64) }},
		"another transaction":      {sbi.ErrReplay, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.TransactionID = "transaction-2" }},
		"one finger twice":         {sbi.ErrReplay, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) { b[1] = b[0] }},
		"another environment":      {sbi.ErrPurpose, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.Env = sbi.Production }},
		"another purpose":          {sbi.ErrPurpose, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.Purpose = sbi.Authentication }},
		"another server":           {sbi.ErrPurpose, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.DomainURI = "https://other.example" }},
		"fingers not asked for":    {sbi.ErrProtocol, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) { r.Bio[0].DeviceSubID = 2 }},
		"an exception after all": {sbi.ErrProtocol, func(r *sbi.Request, _ []sbi.Biometric, _ *sbi.Trust) {
			r.Bio[0].Exception = []string{"Left LittleFinger"}
		}},
	})
}

func TestDevicesThatAreNotBelievedAreRefused(t *testing.T) {
	i := must(keys())(t)
	refused(t, map[string]attack{
		"a provider who is not trusted": {sbi.ErrUntrusted, func(_ *sbi.Request, _ []sbi.Biometric, trust *sbi.Trust) { trust.Roots = x509.NewCertPool() }},
		"trust in nobody":               {sbi.ErrUntrusted, func(_ *sbi.Request, _ []sbi.Biometric, trust *sbi.Trust) { trust.Roots = nil }},
		"the trust module's authority alone": {sbi.ErrUntrusted, func(_ *sbi.Request, _ []sbi.Biometric, trust *sbi.Trust) {
			trust.Roots = trust.Chips
		}},
		"signed by the module": {sbi.ErrUntrusted, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = signs(t, payloadOf(t, b[0].Data), i.ChipKey, i.ChipChain...)
		}},
		"nothing": {sbi.ErrProtocol, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) { p.BioValue = "" })
		}},
		"the digital id of another type": {sbi.ErrIdentity, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) { p.DigitalID = identityOf(t, func(id *sbi.DigitalID) { id.Type = sbi.Iris }) })
		}},
		"the digital id of another provider": {sbi.ErrIdentity, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) {
				p.DigitalID = identityOf(t, func(id *sbi.DigitalID) { id.DeviceProvider = "Other" })
			})
		}},
		"the digital id of another device": {sbi.ErrIdentity, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) {
				p.DigitalID = identityOf(t, func(id *sbi.DigitalID) { id.SerialNo = "OTHER1234567" })
			})
		}},
		"an old digital id": {sbi.ErrStale, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) {
				p.DigitalID = identityOf(t, func(id *sbi.DigitalID) { id.DateTime = sbi.Stamp(time.Now().Add(-30 * time.Minute)) })
			})
		}},
		"an unsigned digital id": {sbi.ErrIdentity, func(_ *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) { p.DigitalID = strings.Split(p.DigitalID, ".")[1] })
		}},
		"a simulator in production": {sbi.ErrSimulator, func(r *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			r.Env = sbi.Production
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) { p.Env = sbi.Production })
		}},
		"L0 that authenticates": {sbi.ErrPurpose, func(r *sbi.Request, b []sbi.Biometric, _ *sbi.Trust) {
			r.Purpose = sbi.Authentication
			b[0].Data = resigned(t, b[0].Data, func(p *sbi.Payload) { p.Purpose = sbi.Authentication })
		}},
	})
}

// withPayload puts another payload under a signature.
func withPayload(t *testing.T, jws string, p sbi.Payload) string {
	t.Helper()
	i := must(keys())(t)
	parts, other := strings.Split(jws, "."), strings.Split(signs(t, p, i.Key, i.Chain...), ".")
	return parts[0] + "." + other[1] + "." + parts[2]
}

// resigned is what a device itself would sign, changed.
func resigned(t *testing.T, jws string, change func(*sbi.Payload)) string {
	t.Helper()
	i, p := must(keys())(t), payloadOf(t, jws)
	change(&p)
	return signs(t, p, i.Key, i.Chain...)
}

func identityOf(t *testing.T, change func(*sbi.DigitalID)) string {
	t.Helper()
	i := must(keys())(t)
	id := sbi.DigitalID{SerialNo: i.Serial(), Make: "m", Model: "m", Type: sbi.Finger, DeviceSubType: "Slap", DeviceProvider: sbi.Simulator, DateTime: sbi.Stamp(time.Now())}
	change(&id)
	return signs(t, id, i.Key, i.Chain...)
}

func TestSignaturesEndWithTime(t *testing.T) {
	r, a := slap(t)
	trust := trusting(t)
	for _, away := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		if _, err := trust.CheckAnswer(r, a, time.Now().Add(away)); !errors.Is(err, sbi.ErrStale) {
			t.Errorf("%s away: got %v, want stale", away, err)
		}
	}
	trust.MaxAge = time.Hour
	if _, err := trust.CheckAnswer(r, a, time.Now().Add(10*time.Minute)); err != nil {
		t.Errorf("got %v within the age that is allowed", err)
	}
	// The certificate counts at the moment of signing, not at that of the check.
	trust.MaxAge = 365 * 24 * time.Hour
	if _, err := trust.CheckAnswer(r, a, time.Now().AddDate(0, 6, 0)); err != nil {
		t.Errorf("got %v after the certificate has ended", err)
	}
	late := time.Now().AddDate(0, 6, 0)
	a.Biometrics[0].Data = resigned(t, a.Biometrics[0].Data, func(p *sbi.Payload) { p.Timestamp = sbi.Stamp(late) })
	if _, err := trust.CheckAnswer(r, a, late); !errors.Is(err, sbi.ErrUntrusted) {
		t.Errorf("got %v, want that the certificate had ended", err)
	}
}

func TestATransactionIsUsedOnce(t *testing.T) {
	r, a := slap(t)
	now := time.Now()
	used := sbi.Used{Now: func() time.Time { return now }}
	trust := trusting(t)
	trust.Once = used.Once
	if _, err := trust.CheckAnswer(r, a, now); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.CheckAnswer(r, a, now); !errors.Is(err, sbi.ErrReplay) {
		t.Errorf("got %v the second time", err)
	}
	now = now.Add(time.Hour)
	if !used.Once("new", now.Add(time.Minute)) || used.Once("new", now.Add(time.Minute)) {
		t.Error("what is new is new once")
	}
}

// The specification's text can be read as joining the two hashes as text.
func TestHashesMayBeJoinedAsText(t *testing.T) {
	r, a := slap(t)
	previous := sbi.FirstHash()
	for i, b := range a.Biometrics {
		own := sha256.Sum256(must(base64.RawURLEncoding.DecodeString(payloadOf(t, b.Data).BioValue))(t))
		sum := sha256.Sum256([]byte(previous + strings.ToUpper(hex.EncodeToString(own[:]))))
		previous = strings.ToUpper(hex.EncodeToString(sum[:]))
		a.Biometrics[i].Hash = previous
	}
	if all, err := trusting(t).CheckAnswer(r, a, time.Now()); err != nil || len(all) != 4 {
		t.Errorf("got %d, %v", len(all), err)
	}
}

// Verifying with a key of a million bits takes minutes.
func TestHugeKeysAreNotTried(t *testing.T) {
	i := must(keys())(t)
	_, a := slap(t)
	huge := &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 20_000), big.NewInt(1)), E: 65537}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	certificate := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, i.Chain[0], huge, i.Key))(t)))(t)
	jws := signs(t, payloadOf(t, a.Biometrics[0].Data), i.Key, certificate)
	if _, err := trusting(t).Check(jws, []byte("x"), time.Now()); !errors.Is(err, sbi.ErrSignature) || !strings.Contains(err.Error(), "length") {
		t.Errorf("got %v, want that its length is refused", err)
	}
}

func TestOnlySignaturesOfKeysAreTaken(t *testing.T) {
	_, a := slap(t)
	i := must(keys())(t)
	parts := strings.Split(a.Biometrics[0].Data, ".")
	x5c := base64.StdEncoding.EncodeToString(i.Chain[0].Raw)
	head := func(algorithm string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + algorithm + `","x5c":["` + x5c + `"]}`))
	}
	mac := hmac.New(sha256.New, i.Chain[0].RawSubjectPublicKeyInfo)
	mac.Write([]byte(head("HS256") + "." + parts[1]))
	for name, jws := range map[string]string{
		"none":            head("none") + "." + parts[1] + ".",
		"a shared secret": head("HS256") + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"no certificate":  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + parts[1] + "." + parts[2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"two parts":       parts[0] + "." + parts[1],
		"unsigned":        parts[1],
		"an empty text":   "",
	} {
		if _, err := trusting(t).Check(jws, []byte("x"), time.Now()); !errors.Is(err, sbi.ErrSignature) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A key for signatures must have a certificate for signatures.
func TestAnAuthorityIsNoDevice(t *testing.T) {
	_, a := slap(t)
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{sbi.Simulator}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	certificate := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)))(t)
	trust := trusting(t)
	trust.Roots.AddCert(certificate)
	jws := signs(t, payloadOf(t, a.Biometrics[0].Data), crypto.Signer(key), certificate)
	if _, err := trust.Check(jws, []byte("x"), time.Now()); !errors.Is(err, sbi.ErrUntrusted) {
		t.Errorf("got %v", err)
	}
}

func TestCheckWantsTheSampleThatWasSigned(t *testing.T) {
	_, a := slap(t)
	jws, trust := a.Biometrics[0].Data, trusting(t)
	sample := must(base64.RawURLEncoding.DecodeString(payloadOf(t, jws).BioValue))(t)
	evidence, err := trust.Check(jws, sample, time.Now())
	if err != nil || evidence.Level != sbi.L0 || evidence.TransactionID != "transaction-1" || evidence.Purpose != sbi.Registration || evidence.Quality <= 0 || evidence.PAD != nil {
		t.Errorf("got %+v, %v", evidence, err)
	}
	digest := sha256.Sum256(sample)
	hashed := resigned(t, jws, func(p *sbi.Payload) {
		p.BioValue, p.PAD = base64.RawURLEncoding.EncodeToString(digest[:]), &biometrics.PAD{Score: .9, Mechanism: "pores", Vendor: "v", Level: 1}
	})
	if evidence, err := trust.Check(hashed, sample, time.Now()); err != nil || evidence.PAD == nil || evidence.PAD.Score != .9 {
		t.Errorf("got %+v, %v of a digest", evidence, err)
	}
	for _, other := range [][]byte{nil, sample[1:], append([]byte("x"), sample...)} {
		if _, err := trust.Check(jws, other, time.Now()); !errors.Is(err, sbi.ErrSample) {
			t.Errorf("got %v for another sample", err)
		}
	}
}

func TestRecordsCarryTheSignature(t *testing.T) {
	r, a := slap(t)
	trust := trusting(t)
	all := must(trust.CheckAnswer(r, a, time.Now()))(t)
	var records []cbeff.Record
	for _, c := range all {
		records = append(records, must(c.Record())(t))
	}
	read := must(cbeff.Read(must(cbeff.Write(records))(t)))(t)
	if len(read) != 4 {
		t.Fatalf("got %d records", len(read))
	}
	for i, one := range read {
		evidence, err := trust.CheckRecord(one, time.Now())
		if err != nil || evidence.Device.SerialNo != all[i].Evidence.Device.SerialNo || one.Quality != int(evidence.Quality) || one.Format != cbeff.FingerImage || strings.Contains(one.Others["PAYLOAD"], base64.RawURLEncoding.EncodeToString(one.Data)) {
			t.Errorf("got %+v, %v", evidence, err)
		}
	}
	value := base64.RawURLEncoding.EncodeToString(read[0].Data)
	for name, c := range map[string]struct {
		want   error
		change func(*cbeff.Record)
	}{
		"a part of the sample": {sbi.ErrSample, func(r *cbeff.Record) {
			r.Data = read[0].Data[300:600]
			r.Others = map[string]string{"PAYLOAD": strings.Replace(r.Others["PAYLOAD"], "<bioValue>", value[:400]+"<bioValue>"+value[800:], 1)}
		}},
		"another text of the payload": {sbi.ErrSample, func(r *cbeff.Record) {
			text := strings.Replace(r.Others["PAYLOAD"], "<bioValue>", value, 1)
			r.Others = map[string]string{"PAYLOAD": strings.Replace(text, `"Registration"`, `"<bioValue>"`, 1)}
			r.Data = must(base64.RawURLEncoding.DecodeString("Registration"))(t)
		}},
		"another sample":   {sbi.ErrSignature, func(r *cbeff.Record) { r.Data = read[1].Data }},
		"another position": {sbi.ErrSample, func(r *cbeff.Record) { r.Position = biometrics.RightIndex }},
		"no signature":     {sbi.ErrSignature, func(r *cbeff.Record) { r.Signature = nil }},
		"no payload":       {sbi.ErrSignature, func(r *cbeff.Record) { r.Others = nil }},
		"a better quality": {sbi.ErrSignature, func(r *cbeff.Record) {
			r.Others = map[string]string{"PAYLOAD": strings.Replace(r.Others["PAYLOAD"], `"qualityScore":"`, `"qualityScore":"1`, 1)}
		}},
		"no sample":          {sbi.ErrSignature, func(r *cbeff.Record) { r.Data = nil }},
		"a signature around": {sbi.ErrSignature, func(r *cbeff.Record) { r.Signature = append([]byte("x"), r.Signature...) }},
	} {
		changed := read[0]
		c.change(&changed)
		if _, err := trust.CheckRecord(changed, time.Now()); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSealedValuesOpenForTheirServerAndMomentOnly(t *testing.T) {
	by := must(server())(t)
	const stamp, transaction = "2026-01-02T03:04:05Z", "a-transaction-that-is-longer-than-the-timestamp"
	sample := []byte("a record")
	for _, transaction := range []string{transaction, "abcd", "exactly-twenty-chars"} {
		sealed := must(sbi.Seal(sample, by.Certificate, stamp, transaction))(t)
		if got, err := sealed.Open(by.Key, stamp, transaction); err != nil || string(got) != string(sample) {
			t.Errorf("got %q, %v", got, err)
		}
	}
	sealed := must(sbi.Seal(sample, by.Certificate, stamp, transaction))(t)
	changed := sealed
	changed.Value = append([]byte{sealed.Value[0] ^ 1}, sealed.Value[1:]...)
	other := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	for name, open := range map[string]func() ([]byte, error){
		"a changed value":     func() ([]byte, error) { return changed.Open(by.Key, stamp, transaction) },
		"another moment":      func() ([]byte, error) { return sealed.Open(by.Key, "2026-01-02T03:04:06Z", transaction) },
		"another transaction": func() ([]byte, error) { return sealed.Open(by.Key, stamp, "b"+transaction[1:len(transaction)-1]+"x") },
		"another key":         func() ([]byte, error) { return sealed.Open(other, stamp, transaction) },
	} {
		if _, err := open(); !errors.Is(err, sbi.ErrSealed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if want := sha256.Sum256(by.Certificate.Raw); sealed.Thumbprint != strings.ToUpper(hex.EncodeToString(want[:])) {
		t.Errorf("got the thumbprint %s", sealed.Thumbprint)
	}
}
