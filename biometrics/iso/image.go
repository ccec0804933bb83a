package iso

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// ErrRecord says that bytes are no image record, or a broken one.
var ErrRecord = errors.New("iso: not a readable ISO/IEC 19794 image record")

// Codec is how the pixels of a record are packed.
type Codec string

// The codecs of the field. Raw is one byte a pixel, row by row.
const (
	Raw  Codec = "raw"
	WSQ  Codec = "wsq"
	JPEG Codec = "jpeg"
	JP2  Codec = "jp2"
	PNG  Codec = "png"
)

// Image is one representation of an image record: a finger (ISO/IEC
// 19794-4:2011), an eye (19794-6:2011) or a face (19794-5:2011).
type Image struct {
	Position      biometrics.Position // empty where the record does not say
	Codec         Codec
	Width, Height int
	PPI           int       // of fingers; 0: not said
	Quality       int       // 0 to 100; −1: not said
	Captured      time.Time // zero: not said
	Data          []byte
}

const (
	maxRecord          = 32 << 20
	maxRepresentations = 64
)

// The beginnings of the three records.
const (
	fingerMagic = "FIR\x00020\x00"
	irisMagic   = "IIR\x00020\x00"
	faceMagic   = "FAC\x00030\x00"
)

// IsImage tells whether bytes begin as an image record does.
func IsImage(raw []byte) bool {
	if len(raw) < 8 {
		return false
	}
	switch string(raw[:8]) {
	case fingerMagic, irisMagic, faceMagic:
		return true
	}
	return false
}

// ReadImages reads every representation of a record.
func ReadImages(raw []byte) ([]Image, error) {
	if !IsImage(raw) || len(raw) > maxRecord {
		return nil, ErrRecord
	}
	r := &reader{raw: raw, at: 8}
	total, n, certified := r.uint32(), r.uint16(), r.byte() != 0
	body := readFinger
	switch string(raw[:8]) {
	case fingerMagic:
		r.skip(1) // how many different fingers
	case irisMagic:
		r.skip(1)
		body = readIris
	default:
		r.skip(2) // how the representations follow one another in time
		body = readFace
	}
	if r.short || total > len(raw) || n < 1 || n > maxRepresentations {
		return nil, ErrRecord
	}
	var all []Image
	for range n {
		begin := r.at
		one := &reader{raw: r.take(r.peek32())}
		one.skip(4)
		img := readCapture(one, certified && string(raw[:4]) == fingerMagic[:4])
		body(one, &img)
		img.Data = one.take(one.uint32())
		if r.short || one.short || r.at == begin || len(img.Data) == 0 || img.Width == 0 || img.Height == 0 {
			return nil, ErrRecord
		}
		all = append(all, img)
	}
	return all, nil
}

// readCapture reads what all representations begin with: when, by what device, how well.
func readCapture(r *reader, certified bool) Image {
	img := Image{Quality: -1, Captured: r.time()}
	r.skip(5) // technology, vendor and type of the device
	for range int(r.byte()) {
		if q := r.byte(); q <= 100 && img.Quality < 0 {
			img.Quality = int(q)
		}
		r.skip(4)
	}
	if certified {
		r.skip(3 * int(r.byte()))
	}
	return img
}

var fingerCodecs = map[byte]Codec{0: Raw, 2: WSQ, 3: JPEG, 4: JP2, 5: JP2, 6: PNG}

func readFinger(r *reader, img *Image) {
	img.Position, _ = biometrics.FingerOf(int(r.byte()))
	r.skip(1) // number of the representation
	unit := r.byte()
	r.skip(4) // rate of capture
	rate := r.uint16()
	r.skip(2)
	if img.PPI = rate; unit == 2 { // per centimetre
		img.PPI = (rate*254 + 50) / 100
	}
	r.skip(1) // bit depth
	img.Codec = fingerCodecs[r.byte()]
	r.skip(1) // kind of impression
	img.Width, img.Height = r.uint16(), r.uint16()
	r.fail(img.Codec == "")
}

var irisCodecs = map[byte]Codec{2: Raw, 10: JP2, 14: PNG}

func readIris(r *reader, img *Image) {
	r.skip(2)
	img.Position = map[byte]biometrics.Position{1: biometrics.RightEye, 2: biometrics.LeftEye}[r.byte()]
	r.skip(1) // cropped or not
	img.Codec = irisCodecs[r.byte()]
	r.skip(1)
	img.Width, img.Height = r.uint16(), r.uint16()
	r.skip(1 + 2 + 2 + 2 + 12) // depth, range, roll and its uncertainty, centre and diameter
	r.fail(img.Codec == "")
}

var faceCodecs = map[byte]Codec{0: JPEG, 1: JP2, 2: JP2, 3: PNG}

func readFace(r *reader, img *Image) {
	img.Position = biometrics.FullFace
	landmarks := r.uint16()
	r.skip(15 + 8*landmarks)
	r.skip(1) // kind of image
	codec, known := faceCodecs[r.byte()]
	img.Codec = codec
	img.Width, img.Height = r.uint16(), r.uint16()
	r.skip(5)
	r.fail(!known)
}

// reader reads numbers; short says that there were not enough bytes, or wrong ones.
type reader struct {
	raw   []byte
	at    int
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.raw)-r.at < n {
		r.short = true
		r.at = len(r.raw)
		return nil
	}
	r.at += n
	return r.raw[r.at-n : r.at]
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) fail(is bool) { r.short = r.short || is }

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() int {
	if b := r.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) uint32() int {
	if b := r.take(4); b != nil {
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

// peek32 is the next number, which is a length that counts itself.
func (r *reader) peek32() int {
	n := r.uint32()
	if !r.short {
		r.at -= 4
	}
	return n
}

// time reads a date; what is no date is not said.
func (r *reader) time() time.Time {
	year := r.uint16()
	month, day, hour, minute, second := int(r.byte()), int(r.byte()), int(r.byte()), int(r.byte()), int(r.byte())
	ms := r.uint16()
	if year < 1900 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60 || ms > 999 {
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, ms*int(time.Millisecond), time.UTC)
}
