// Package qr carries identity in QR codes: the signed claim 169 (a CWT) and
// credentials in the manner of PixelPass, as texts; and these texts as images. What
// it reads comes from strangers, so every layer is bounded before it is opened.
package qr

import "errors"

// What a text or an image can be refused for. The errors of this package wrap one
// of them and never repeat what the code says.
var (
	ErrNotAnImage  = errors.New("qr: not a PNG, JPEG, WebP or GIF image")
	ErrNoQR        = errors.New("qr: no QR code can be read in the image")
	ErrTooLarge    = errors.New("qr: larger than is taken")
	ErrTooLong     = errors.New("qr: does not fit into a QR code")
	ErrMalformed   = errors.New("qr: not a well-formed code of this kind")
	ErrEncrypted   = errors.New("qr: encrypted for somebody else")
	ErrUnsupported = errors.New("qr: uses a feature that is not supported")
	ErrUnsigned    = errors.New("qr: not signed")
	ErrUnknownKey  = errors.New("qr: the signing key is unknown")
	ErrSignature   = errors.New("qr: the signature does not fit")
	ErrNotYetValid = errors.New("qr: not valid yet")
	ErrExpired     = errors.New("qr: expired")
)

// The bounds of what is read.
const (
	maxText     = 4296     // the most that a QR code of version 40 holds
	maxInflated = 64 << 10 // as the reference reader has it
	maxDepth    = 16
	maxFile     = 10 << 20
	maxPixels   = 16 << 20
)
