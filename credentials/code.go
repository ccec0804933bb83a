package credentials

import (
	"bytes"
	"image"
	"image/draw"
	_ "image/jpeg" // portraits are JPEG or PNG
	_ "image/png"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/qr/webp"
	scale "golang.org/x/image/draw"
)

// A face in a code must still be known by those who look at it, and the code still
// be read by a cheap phone.
const (
	faceWidth, faceHeight = 48, 64
	leastFace, mostFace   = 260, 600 // bytes
	faceFrame             = 24       // bytes around it
	maxPortrait           = 40_000_000
	webpSubFormat         = 4
)

// signCode writes claim 169: with the face, when there is room for it.
func (h *hand) signCode(k Kind, s statement, facts kind.Facts) ([]byte, error) {
	identity, portrait, err := k.Definition.Printed(facts)
	if err != nil {
		return nil, err
	}
	claims := qr.Claims{Issuer: h.id, IssuedAt: s.from, NotBefore: s.from, ExpiresAt: s.until}
	if len(k.Definition.Status) > 0 {
		claims.Status = &qr.Status{Index: s.entry.Index, URI: s.entry.URL}
	}
	encode := func() (string, error) { return qr.Encode(identity, claims, h.issuing.Signer, []byte(h.issuing.ID)) }
	bare, err := encode()
	if err != nil {
		return nil, err
	}
	room := k.Definition.Formats.Code
	if len(bare) > room.Capacity() {
		return nil, &kind.TooLong{Have: len(bare), Room: room.Capacity(), Version: room.Version}
	}
	face := fitted(portrait, room.Left(len(bare))-faceFrame)
	if face == nil {
		return []byte(bare), nil
	}
	identity.Biometrics = map[int64][]qr.Biometric{qr.KeyFace: {{Data: face, Format: 0, SubFormat: webpSubFormat}}}
	whole, err := encode()
	if err != nil || len(whole) > room.Capacity() {
		return []byte(bare), err
	}
	return []byte(whole), nil
}

// fitted is the portrait in so many bytes; nil when nobody could be known by it, or
// when there is none that can be read.
func fitted(portrait []byte, budget int) []byte {
	if budget < leastFace {
		return nil
	}
	small := thumbnail(portrait)
	if small == nil {
		return nil
	}
	face, err := webp.Fit(small, min(budget, mostFace))
	if err != nil {
		return nil
	}
	return face
}

// thumbnail is the middle of a portrait, small and grey.
func thumbnail(portrait []byte) image.Image {
	size, _, err := image.DecodeConfig(bytes.NewReader(portrait))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPortrait/size.Height {
		return nil
	}
	full, _, err := image.Decode(bytes.NewReader(portrait))
	if err != nil {
		return nil
	}
	small := image.NewGray(image.Rect(0, 0, faceWidth, faceHeight))
	scale.CatmullRom.Scale(small, small.Bounds(), full, middle(full.Bounds()), draw.Src, nil)
	return small
}

// middle is the largest part of a picture, in its middle, of three to four.
func middle(r image.Rectangle) image.Rectangle {
	width, height := r.Dx(), r.Dy()
	if width*faceHeight > height*faceWidth {
		width = height * faceWidth / faceHeight
	} else {
		height = width * faceHeight / faceWidth
	}
	x, y := r.Min.X+(r.Dx()-width)/2, r.Min.Y+(r.Dy()-height)/2
	return image.Rect(x, y, x+width, y+height)
}

// drawn is a code as a picture.
func drawn(k Kind, text []byte) ([]byte, error) {
	level := qr.Low
	if k.Definition.Formats.Code.For(len(text)) == "M" {
		level = qr.Medium // paper is worn
	}
	return qr.PNG(string(text), level)
}
