package face

import "encoding/binary"

// Where ISO/IEC 19794-5:2011 has what: the record's header, in each representation its
// length, date and device, then blocks of quality, then 17 bytes of what is known of
// the face, the first two of which count the landmarks.
const (
	recordHeader   = 17
	aboutCapture   = 4 + 9 + 5
	qualityBlock   = 5
	aboutFace      = 17
	landmarkLength = 8
	// MPEG-4 feature points, major and minor number in a half byte each.
	mpeg4    = 1
	leftEye  = 0xc1 // 12.1
	rightEye = 0xc2 // 12.2
)

// landmarks finds the eyes in the first representation of a record that iso.ReadImages
// has read; nil where it does not say, or says what cannot be.
func landmarks(raw []byte, width, height int) *Eyes {
	at := recordHeader + aboutCapture
	if len(raw) <= at {
		return nil
	}
	at += 1 + qualityBlock*int(raw[at])
	if len(raw) < at+aboutFace {
		return nil
	}
	n := int(binary.BigEndian.Uint16(raw[at:]))
	at += aboutFace
	var eyes Eyes
	found := 0
	for range n {
		if len(raw) < at+landmarkLength {
			return nil
		}
		p := Point{float64(binary.BigEndian.Uint16(raw[at+2:])), float64(binary.BigEndian.Uint16(raw[at+4:]))}
		switch kind, code := raw[at], raw[at+1]; {
		case kind != mpeg4 || p.X >= float64(width) || p.Y >= float64(height):
		case code == leftEye:
			eyes.Left = p
			found |= 1
		case code == rightEye:
			eyes.Right = p
			found |= 2
		}
		at += landmarkLength
	}
	if found != 3 || eyes.apart() < 1 {
		return nil
	}
	return &eyes
}
