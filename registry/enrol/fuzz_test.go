package enrol

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry"
)

// seedEnvelope is a packet whose seal is no real one.
func seedEnvelope(f *testing.F) envelope {
	f.Helper()
	e := envelope{header: header{Packet: uuid.MustParse("0b8c2a4e-7f1d-4c3b-9a5e-6d7f8091a2b3"), Station: uuid.MustParse("1b8c2a4e-7f1d-4c3b-9a5e-6d7f8091a2b3"),
		Officer: uuid.MustParse("2b8c2a4e-7f1d-4c3b-9a5e-6d7f8091a2b3"), Created: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC).Unix(), KeyID: "packets-1"}, sealed: []byte("sealed")}
	var err error
	if e.raw, err = encoder.Marshal(e.header); err != nil {
		f.Fatal(err)
	}
	e.signature = make([]byte, ed25519.SignatureSize)
	return e
}

// FuzzPacket holds the parser of packets to: a fault that may be shown, or a
// packet that has this one form.
func FuzzPacket(f *testing.F) {
	whole := seedEnvelope(f).pack()
	for _, n := range []int{0, 3, len(magic), frame, frame + 20, len(whole) - 1, len(whole)} {
		f.Add(whole[:n])
	}
	f.Add(append(bytes.Clone(whole), 0))
	f.Add([]byte(magic + "2aaaabbbb"))
	f.Add([]byte(magic + "1\x00\x00\x00\x01\x00\x00\x00\x00\xa0" + strings.Repeat("\x00", ed25519.SignatureSize)))
	f.Add([]byte(magic + "1\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		e, err := unpack(packet)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want a fault that the sender can read", err)
			}
			return
		}
		if !bytes.Equal(e.pack(), packet) {
			t.Fatal("one packet has two forms")
		}
	})
}

// FuzzContents holds the parser of opened packets to the same, and to its bounds.
func FuzzContents(f *testing.F) {
	for _, c := range []contents{{}, {Person: []byte("{}")},
		{Person: []byte("{}"), Documents: []document{{Name: "proofOfAddress", Format: "pdf", Data: []byte("%PDF")}}, Samples: []sample{{Position: biometrics.RightIndex, Format: "png", Data: []byte("x")}}},
		{Samples: []sample{{Position: biometrics.RightIndex, Format: "png"}, {Position: biometrics.LeftIndex, Format: "bmp"}}},
		{Person: []byte("{}"), Samples: []sample{{Position: biometrics.RightIndex, Format: isoRecord, Data: []byte("FIR\x00020\x00")}}, Signed: []signed{{Position: biometrics.RightIndex, Signature: []byte("a..b"), Payload: []byte("{}")}}}} {
		raw, err := encoder.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	f.Add([]byte("\xa1\x03\x9b\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Add([]byte("\xbf\xff"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := parseContents(plain)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("got %v, want a fault that the sender can read", err)
			}
			return
		}
		again, err := encoder.Marshal(c)
		if err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("the same contents have two forms (%v)", err)
		}
		if len(c.Samples) > maxSamples || len(c.Documents) > maxDocuments || len(c.Person) > maxPerson {
			t.Fatalf("got %d images, %d documents, %d bytes of person.json; want them bounded", len(c.Samples), len(c.Documents), len(c.Person))
		}
		for _, s := range c.Samples {
			if picture, err := s.picture(); err != nil && !fault.Is(err, fault.Invalid) || err == nil && picture.Format == isoRecord {
				t.Fatalf("got %v of %s, want a picture or a fault", err, s.file())
			}
		}
		for _, s := range c.Signed {
			if e, _ := (evidence.Policy{}).Enrolled(c.record(sample{Position: s.Position, Data: []byte("x")}), time.Unix(0, 0)); e != nil {
				t.Fatal("a device is believed although none is trusted")
			}
		}
	})
}

// FuzzPerson holds person.json to: whatever it holds, we pass it, or can say what
// is wrong in a text that a table and a screen can take.
func FuzzPerson(f *testing.F) {
	good, err := json.Marshal(newApplicant(1, 0).person)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-9])
	for _, seed := range []string{`{}`, `[]`, `null`, `1`, `{"identity":null,"fullName":"x"}`, `{"identity":{"a\u0000b":1}}`, `{"consent":1}`, `{"process":[]}`,
		`{"identity":{"fullName":[{"language":"ara","value":"\u0645\u0631\u064a\u0645"}],"dateOfBirth":"1984/04/18"},"process":"NEW","consent":{"given":true,"version":"1"}}`,
		`{"exceptions":[{"position":"leftThumb","kind":"permanent","reason":"x"},{"position":"leftThumb"}]}`, strings.Repeat(`{"identity":`, 300)} {
		f.Add([]byte(seed))
	}
	schema := registry.DefaultSchema()
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parsePerson(raw)
		if err == nil {
			err = p.admissible()
		}
		if err == nil {
			err = schema.Check(p.Fields)
		}
		if err != nil {
			failure, ok := refused(err).(failed)
			if !ok {
				t.Fatalf("got %v, want a fault that the sender can read", err)
			}
			if !utf8.ValidString(failure.reason) || len(failure.reason) > longestReason+4 || strings.ContainsFunc(failure.reason, unicode.IsControl) {
				t.Fatalf("got %q, want a reason that can be kept and shown", failure.reason)
			}
			return
		}
		for _, saying := range p.sayings() {
			if saying == "" || !utf8.ValidString(saying) {
				t.Fatalf("got a saying %q", saying)
			}
		}
		p.excepted()
	})
}
