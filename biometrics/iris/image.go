package iris

import (
	"fmt"
	"image"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/picture"
)

// Image is an eye in near-infrared light, grey: 0 is black.
type Image struct {
	Width, Height int
	Pix           []uint8
}

// Decode reads a PNG, JPEG, BMP, TIFF or JPEG 2000, or the first representation of
// an ISO/IEC 19794-6 record. Its size is checked before its pixels are read.
func Decode(raw []byte) (*Image, error) {
	if !iso.IsImage(raw) {
		return decode(raw)
	}
	all, err := iso.ReadImages(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	if string(raw[:3]) != "IIR" {
		return nil, fmt.Errorf("%w: this record is not of an iris", biometrics.ErrNotAnImage)
	}
	if one := all[0]; one.Codec == iso.Raw {
		return FromRaw(one.Width, one.Height, one.Data)
	}
	return decode(all[0].Data)
}

func decode(raw []byte) (*Image, error) {
	img, err := picture.Decode(raw)
	if err != nil {
		return nil, err
	}
	return FromImage(img), nil
}

// FromRaw takes pixels as they are, one byte each, row by row.
func FromRaw(width, height int, pix []byte) (*Image, error) {
	if width < 1 || height < 1 {
		return nil, biometrics.ErrNotAnImage
	}
	if !picture.Fits(width, height) {
		return nil, biometrics.ErrTooLarge
	}
	if width*height != len(pix) {
		return nil, biometrics.ErrNotAnImage
	}
	return &Image{Width: width, Height: height, Pix: pix}, nil
}

// FromImage takes any image of an eye.
func FromImage(src image.Image) *Image {
	grey := picture.Grey(src)
	return &Image{Width: grey.Rect.Dx(), Height: grey.Rect.Dy(), Pix: grey.Pix}
}
