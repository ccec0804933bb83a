package iso

import (
	"fmt"
	"image"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/picture"
)

// DecodeFinger reads the image of a finger: the first one of an ISO/IEC 19794-4
// record, at the resolution that the record says, or what finger.Decode reads.
func DecodeFinger(raw []byte) (*finger.Image, error) {
	if !IsImage(raw) {
		return finger.Decode(raw)
	}
	all, err := ReadImages(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	if string(raw[:8]) != fingerMagic {
		return nil, fmt.Errorf("%w: this record is not of a finger", biometrics.ErrNotAnImage)
	}
	one := all[0]
	if one.Codec != Raw {
		return finger.DecodeAt(one.Data, float64(one.PPI))
	}
	if !picture.Fits(one.Width, one.Height) {
		return nil, biometrics.ErrTooLarge
	}
	if one.Width*one.Height != len(one.Data) {
		return nil, fmt.Errorf("%w: it has another number of pixels than it says", biometrics.ErrNotAnImage)
	}
	return finger.FromImage(&image.Gray{Pix: one.Data, Stride: one.Width, Rect: image.Rect(0, 0, one.Width, one.Height)}, float64(one.PPI))
}
