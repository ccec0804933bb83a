package scribe

import (
	"bytes"
	"image"
	"image/draw"
	"image/jpeg"
	_ "image/png" // portraits are JPEG or PNG

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	scale "golang.org/x/image/draw"
)

const (
	maxPortrait = 40_000_000 // pixels

	// A face in a code must still be known by those who look at it, and the code still
	// be read by a cheap phone.
	faceWidth, faceHeight = 48, 64

	// A portrait in a document of a wallet is one that fills a phone's card.
	portraitWidth, portraitHeight = 300, 400
	portraitBytes                 = 24 << 10 // smaller ones stay as they are
	portraitQuality               = 80
)

// signCode writes claim 169: with the face, as finely as there is room for it.
func (h *Hand) signCode(k Kind, s Statement, facts kind.Facts) ([]byte, error) {
	text, _, err := h.writeCode(k, s, facts)
	return []byte(text), err
}

// writeCode is signCode, with what the text becomes on paper.
func (h *Hand) writeCode(k Kind, s Statement, facts kind.Facts) (string, qr.Plan, error) {
	identity, portrait, err := k.Definition.Printed(facts)
	if err != nil {
		return "", qr.Plan{}, err
	}
	paper := qr.Paper{Identity: identity, Target: k.Target(), Claims: qr.Claims{Issuer: h.Base, IssuedAt: s.From, NotBefore: s.From, ExpiresAt: s.Until}}
	if len(k.Definition.Status) > 0 {
		paper.Claims.Status = &qr.Status{Index: s.Entry.Index, URI: s.Entry.URL}
	}
	if full := readPortrait(portrait); full != nil {
		small := image.NewGray(image.Rect(0, 0, faceWidth, faceHeight))
		scale.CatmullRom.Scale(small, small.Bounds(), full, middle(full.Bounds()), draw.Src, nil)
		paper.Face = small
	}
	return paper.Encode(h.Ed25519.Signer, []byte(h.Ed25519.ID))
}

// Target is what a code of this kind has to fit.
func (k Kind) Target() qr.Target {
	t := qr.Target{Level: qr.Low, Version: k.Definition.Formats.Code.Version, Millimetres: k.Definition.Formats.Code.Millimetres}
	if k.Definition.Formats.Code.Level == "M" {
		t.Level = qr.Medium
	}
	return t
}

// fitting is a portrait for a document of a wallet: as it is when that is small.
func fitting(portrait []byte) []byte {
	if len(portrait) <= portraitBytes {
		return portrait
	}
	full := readPortrait(portrait)
	if full == nil {
		return nil
	}
	small := image.NewRGBA(image.Rect(0, 0, portraitWidth, portraitHeight))
	scale.ApproxBiLinear.Scale(small, small.Bounds(), full, middle(full.Bounds()), draw.Src, nil)
	var b bytes.Buffer
	if jpeg.Encode(&b, small, &jpeg.Options{Quality: portraitQuality}) != nil {
		return nil
	}
	return b.Bytes()
}

// readPortrait reads a portrait; nil when it cannot be read.
func readPortrait(portrait []byte) image.Image {
	size, _, err := image.DecodeConfig(bytes.NewReader(portrait))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPortrait/size.Height {
		return nil
	}
	full, _, err := image.Decode(bytes.NewReader(portrait))
	if err != nil {
		return nil
	}
	return full
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
