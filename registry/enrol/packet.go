package enrol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// A packet is
//
//	"PLNTHPK" "1" ‖ length of the header (4 bytes) ‖ length of the contents (4)
//	‖ header (CBOR) ‖ signature (64) ‖ contents (CBOR, sealed by HPKE)
//
// The station signs the header and the SHA-256 of the sealed contents; the
// contents are sealed for this header and no other. Both CBOR documents are in
// the core deterministic form, so that one packet has one form.
const (
	magic     = "PLNTHPK"
	version   = '1'
	frame     = len(magic) + 1 + 4 + 4
	maxHeader = 512
)

// MaxPacket is how many bytes a packet may have.
const MaxPacket = 20 << 20

const (
	maxSamples   = 20
	maxDocuments = 20
	maxPerson    = 256 << 10
	maxDocument  = 5 << 20
	maxSample    = 5 << 20
	maxWords     = 64 << 10            // of a device, to one sample
	maxAhead     = 24 * time.Hour      // of a station's clock
	maxAge       = 90 * 24 * time.Hour // of a packet from a place without a network
)

// Why a packet is refused at the door.
var (
	errNoPacket  = fault.New(fault.Invalid, "This is no enrolment packet. Send a file that plinth enrol made.").Named("packet-unrecognised")
	errVersion   = fault.New(fault.Invalid, "This packet has a form that this server does not know. Make it again with the version of plinth that the server has.").Named("packet-version")
	errTruncated = fault.New(fault.Invalid, "This packet ends too early. Send it again, whole.").Named("packet-truncated")
	errTooLarge  = fault.New(fault.Invalid, "This packet is too large: at most 20 MB, 20 images and 20 documents are taken. Use smaller images or documents.").Named("packet-too-large")
	errTampered  = fault.New(fault.Invalid, "This packet was changed after the station signed it. Fetch it from the station again.").Named("packet-tampered")
	errStranger  = fault.New(fault.Denied, "This packet was signed by a station that is not registered here. Register the station, then send the packet again.").Named("station-unknown")
	errDisabled  = fault.New(fault.Denied, "The station that signed this packet is shut out. Enrol the person at another station.").Named("station-disabled")
	errForeign   = fault.New(fault.Invalid, "This packet was sealed for another server. Send it there, or build it again with this server's packet key.").Named("packet-foreign-key")
	errUnopened  = fault.New(fault.Invalid, "The contents of this packet cannot be opened. Build it again at the station.").Named("packet-unreadable")
	errFuture    = fault.New(fault.Invalid, "This packet says that it was made more than a day from now. Set the station's clock and build it again.").Named("packet-from-future")
	errStale     = fault.New(fault.Invalid, "This packet was made more than 90 days ago. Enrol the person again.").Named("packet-too-old")
	errOfficer   = fault.New(fault.Denied, "This packet was made by another officer than the one who is signed in. Let that officer sign in and send it.").Named("packet-officer")
	errReplayed  = fault.New(fault.Conflict, "A different packet with this id was received before. Build the packet again at the station.").Named("packet-replayed")
)

// header is what a packet says of itself in the open.
type header struct {
	Packet  uuid.UUID `cbor:"1,keyasint"`
	Station uuid.UUID `cbor:"2,keyasint"`
	Officer uuid.UUID `cbor:"3,keyasint"`
	Created int64     `cbor:"4,keyasint"` // Unix seconds
	KeyID   string    `cbor:"5,keyasint"`
}

// contents is what a packet holds, sealed.
type contents struct {
	Person    []byte     `cbor:"1,keyasint"`
	Documents []document `cbor:"2,keyasint"`
	Samples   []sample   `cbor:"3,keyasint"`
	Signed    []signed   `cbor:"4,keyasint,omitempty"`

	closed time.Time // when the station made the packet
}

type document struct {
	_      struct{} `cbor:",toarray"`
	Name   string   // the category
	Format string
	Data   []byte
}

type sample struct {
	_        struct{} `cbor:",toarray"`
	Position biometrics.Position
	Format   string
	Data     []byte
}

// signed is what a device has signed of a sample that is an ISO record, as
// sbi.Captured.Record gives it.
type signed struct {
	_         struct{} `cbor:",toarray"`
	Position  biometrics.Position
	Signature []byte // header and signature of a JWS
	Payload   []byte // with a placeholder for the sample
}

// file is how the sample was named at the station.
func (s sample) file() string { return string(s.Position) + "." + s.Format }

// Only the deterministic form is read, and nothing that is large for its bytes.
var (
	decoder = must(cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 32, MaxMapPairs: 16, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
	encoder = must(cbor.CoreDetEncOptions().EncMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // fixed options
	}
	return v
}

// decode reads v, and refuses every form of it but one.
func decode(raw []byte, v any) error {
	if err := decoder.Unmarshal(raw, v); err != nil {
		return err
	}
	again, err := encoder.Marshal(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, raw) {
		return fmt.Errorf("not in the deterministic form")
	}
	return nil
}

// envelope is a packet taken apart, not yet trusted.
type envelope struct {
	header
	raw       []byte // the header as it was signed
	signature []byte
	sealed    []byte
}

// unpack takes a packet apart.
func unpack(packet []byte) (e envelope, err error) {
	if len(packet) > MaxPacket {
		return e, errTooLarge
	}
	if len(packet) < frame {
		if strings.HasPrefix(magic, string(packet[:min(len(packet), len(magic))])) {
			return e, errTruncated
		}
		return e, errNoPacket
	}
	if string(packet[:len(magic)]) != magic {
		return e, errNoPacket
	}
	if packet[len(magic)] != version {
		return e, errVersion
	}
	lengths := packet[len(magic)+1:]
	head, body := uint64(binary.BigEndian.Uint32(lengths)), uint64(binary.BigEndian.Uint32(lengths[4:]))
	if head > maxHeader {
		return e, errNoPacket
	}
	rest := packet[frame:]
	switch want := head + ed25519.SignatureSize + body; {
	case want > MaxPacket:
		return e, errTooLarge
	case uint64(len(rest)) < want:
		return e, errTruncated
	case uint64(len(rest)) > want:
		return e, errTampered
	}
	e.raw, rest = rest[:head], rest[head:]
	e.signature, e.sealed = rest[:ed25519.SignatureSize], rest[ed25519.SignatureSize:]
	if err := decode(e.raw, &e.header); err != nil {
		return e, errNoPacket.Because(err)
	}
	if e.Packet == uuid.Nil || e.Officer == uuid.Nil || len(e.KeyID) > 64 {
		return e, errNoPacket
	}
	return e, nil
}

// signed is what the station signs.
func (e envelope) signed() []byte {
	digest := sha256.Sum256(e.sealed)
	return append(append([]byte("plinth enrolment packet 1\x00"), e.raw...), digest[:]...)
}

// info binds the sealed contents to the header.
func (e envelope) info() []byte { return append([]byte("plinth packet contents 1\x00"), e.raw...) }

// pack puts a packet together.
func (e envelope) pack() []byte {
	out := append([]byte(magic), version)
	out = binary.BigEndian.AppendUint32(out, uint32(len(e.raw)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(e.sealed)))
	return append(append(append(out, e.raw...), e.signature...), e.sealed...)
}

// Seal says who makes a packet and for which server.
type Seal struct {
	Station     uuid.UUID
	Key         ed25519.PrivateKey // of the station
	Officer     uuid.UUID
	PacketKeyID string
	PacketKey   []byte // the server's public packet key
	Created     time.Time
}

// close seals and signs the contents.
func (s Seal) close(c contents) ([]byte, error) {
	plain, err := encoder.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("building a packet: %w", err)
	}
	e := envelope{header: header{Packet: uuid.New(), Station: s.Station, Officer: s.Officer, Created: s.Created.Unix(), KeyID: s.PacketKeyID}}
	if e.raw, err = encoder.Marshal(e.header); err != nil {
		return nil, fmt.Errorf("building a packet: %w", err)
	}
	if e.sealed, err = keys.SealTo(s.PacketKey, plain, e.info()); err != nil {
		return nil, fmt.Errorf("building a packet: %w", err)
	}
	e.signature = ed25519.Sign(s.Key, e.signed())
	packet := e.pack()
	if len(packet) > MaxPacket {
		return nil, errTooLarge
	}
	return packet, nil
}

// parseContents reads the contents of an opened packet.
func parseContents(plain []byte) (c contents, err error) {
	if err := decode(plain, &c); err != nil {
		return c, errUnopened.Because(err)
	}
	if len(c.Person) > maxPerson || len(c.Documents) > maxDocuments || len(c.Samples) > maxSamples {
		return c, errTooLarge
	}
	previous := ""
	for _, d := range c.Documents {
		if !documentForm.MatchString(d.Name) || !documentFormats[d.Format] || d.Name <= previous {
			return c, errUnopened.At("documents", "must be known, in order, one of a category")
		}
		if len(d.Data) > maxDocument {
			return c, errTooLarge.At(d.Name, "must be at most 5 MB")
		}
		previous = d.Name
	}
	previous = ""
	for _, s := range c.Samples {
		if _, err := biometrics.ParsePosition(string(s.Position)); err != nil || !sampleFormats[s.Format] || string(s.Position) <= previous {
			return c, errUnopened.At("biometrics", "must be known, in order, one of a position")
		}
		if len(s.Data) > maxSample {
			return c, errTooLarge.At(s.file(), "must be at most 5 MB")
		}
		previous = string(s.Position)
	}
	return c, c.checkSigned()
}

// checkSigned holds what devices have signed to the form of a packet.
func (c contents) checkSigned() error {
	if len(c.Signed) > maxSamples {
		return errTooLarge
	}
	previous := biometrics.Position("")
	for _, s := range c.Signed {
		of := slices.ContainsFunc(c.Samples, func(of sample) bool { return of.Position == s.Position && of.Format == isoRecord })
		if !of || s.Position <= previous || len(s.Signature) == 0 {
			return errUnopened.At("biometrics", "must be signed in order, each an ISO record")
		}
		if len(s.Signature) > maxWords || len(s.Payload) > maxWords {
			return errTooLarge.At(string(s.Position), "must be signed with at most 64 KiB")
		}
		previous = s.Position
	}
	return nil
}
