package iso

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/plinth-id/plinth/biometrics"
)

// WriteImage writes a record of one representation, by its position: a finger
// record (19794-4:2011), an iris record (19794-6:2011) or a face record
// (19794-5:2011).
func WriteImage(img Image) ([]byte, error) {
	if img.Width < 1 || img.Height < 1 || img.Width > 0xffff || img.Height > 0xffff || len(img.Data) == 0 || len(img.Data) > maxRecord-256 {
		return nil, ErrRecord
	}
	var magic string
	var about, body []byte
	var err error
	switch img.Position.Modality() {
	case biometrics.Iris:
		magic, about = irisMagic, []byte{1}
		body, err = irisBody(img)
	case biometrics.Face:
		magic, about = faceMagic, []byte{0xff, 0xff} // no order in time
		body, err = faceBody(img)
	default:
		magic, about = fingerMagic, []byte{1}
		body, err = fingerBody(img)
	}
	if err != nil {
		return nil, err
	}
	representation := append(capture(img), body...)
	representation = binary.BigEndian.AppendUint32(representation, uint32(len(img.Data)))
	representation = append(representation, img.Data...)
	out := []byte(magic)
	out = binary.BigEndian.AppendUint32(out, uint32(len(magic)+4+2+1+len(about)+4+len(representation)))
	out = append(out, 0, 1, 0) // one representation, not certified
	out = append(out, about...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(representation)+4))
	return append(out, representation...), nil
}

// capture is the date, an unknown device, and the quality where it is known.
func capture(img Image) []byte {
	var out []byte
	at := img.Captured.UTC()
	if img.Captured.IsZero() {
		out = slices.Repeat([]byte{0xff}, 9)
	} else {
		out = binary.BigEndian.AppendUint16(out, uint16(at.Year()))
		out = append(out, byte(at.Month()), byte(at.Day()), byte(at.Hour()), byte(at.Minute()), byte(at.Second()))
		out = binary.BigEndian.AppendUint16(out, uint16(at.Nanosecond()/int(time.Millisecond)))
	}
	out = append(out, 0, 0, 0, 0, 0)
	if img.Quality < 0 || img.Quality > 100 {
		return append(out, 0)
	}
	return append(out, 1, byte(img.Quality), 0, 0, 0, 0)
}

// numberOf is the number of a codec in a table of the standard, the lowest one; of
// JPEG 2000 without loss, the next.
func numberOf(codecs map[byte]Codec, img Image) (byte, error) {
	for _, number := range slices.Sorted(maps.Keys(codecs)) {
		if codecs[number] != img.Codec {
			continue
		}
		if img.Codec == JP2 && codecs[number+1] == JP2 && lossFree(img.Data) {
			number++
		}
		return number, nil
	}
	return 0, ErrRecord
}

// lossFree tells whether a JPEG 2000 codestream says that its wavelet is the
// reversible one: the last byte of the coding style's parameters (ISO/IEC 15444-1,
// A.6.1).
func lossFree(raw []byte) bool {
	at := bytes.Index(raw[:min(len(raw), 4096)], []byte{0xff, 0x52, 0x00})
	const transformation = 13
	return at >= 0 && at+transformation < len(raw) && raw[at+transformation] == 1
}

func fingerBody(img Image) ([]byte, error) {
	codec, err := numberOf(fingerCodecs, img)
	if err != nil {
		return nil, err
	}
	ppi := uint16(500)
	if img.PPI > 0 && img.PPI < 0xffff {
		ppi = uint16(img.PPI)
	}
	out := []byte{byte(img.Position.Code()), 1, 1} // 0: unknown; the first; per inch
	for range 4 {
		out = binary.BigEndian.AppendUint16(out, ppi)
	}
	out = append(out, 8, codec, 0) // live-scan plain
	out = binary.BigEndian.AppendUint16(out, uint16(img.Width))
	return binary.BigEndian.AppendUint16(out, uint16(img.Height)), nil
}

func irisBody(img Image) ([]byte, error) {
	codec, err := numberOf(irisCodecs, img)
	if err != nil {
		return nil, err
	}
	eye := byte(1)
	if img.Position == biometrics.LeftEye {
		eye = 2
	}
	out := []byte{0, 1, eye, 1, codec, 0}
	out = binary.BigEndian.AppendUint16(out, uint16(img.Width))
	out = binary.BigEndian.AppendUint16(out, uint16(img.Height))
	out = append(out, 8)
	out = append(out, 0, 0)                         // range: not said
	out = append(out, 0xff, 0xff, 0xff, 0xff)       // roll and its uncertainty: not said
	return append(out, make([]byte, 2*2*3)...), nil // centre and diameter: not said
}

func faceBody(img Image) ([]byte, error) {
	codec, err := numberOf(faceCodecs, img)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 17)     // no landmarks, nothing said of the person
	out = append(out, 1, codec) // full frontal
	out = binary.BigEndian.AppendUint16(out, uint16(img.Width))
	out = binary.BigEndian.AppendUint16(out, uint16(img.Height))
	return append(out, 0, 0, 0, 0, 1), nil // 24-bit RGB
}
