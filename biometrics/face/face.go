// Package face reads photographs of faces, tells whether one can be used, and cuts
// portraits for cards and codes. It does not recognise anybody: that needs a trained
// model, which a deployer brings behind Engine, with a measured table of what its
// similarities mean.
package face

import (
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/draw"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/picture"
)

// Why a photograph, or an engine, cannot be used.
var (
	ErrNoFace       = errors.New("face: there is no face in this picture that can be seen")
	ErrBudget       = errors.New("face: no portrait fits into so few bytes")
	ErrUncalibrated = errors.New("face: this engine has no measured table of false matches and may not decide")
	ErrBadTemplate  = errors.New("face: this is no template of this engine")
)

// Point is a place in a picture, in pixels from its upper left corner.
type Point struct{ X, Y float64 }

// Eyes are the centres of the pupils. Left is the person's left, on the right of the
// picture.
type Eyes struct{ Left, Right Point }

// Image is a photograph of a face.
type Image struct {
	Width, Height int
	Eyes          *Eyes // where a record says where they are
	pixels        *image.RGBA
	grey          []uint8
}

// Grey are the pixels without their colours, row by row. They are not a copy.
func (img *Image) Grey() []uint8 { return img.grey }

// Decode reads a PNG, JPEG, BMP, TIFF or JPEG 2000, or the first representation of an
// ISO/IEC 19794-5 record with its landmarks. Its size is checked before its pixels are
// read.
func Decode(raw []byte) (*Image, error) {
	if !iso.IsImage(raw) {
		img, err := picture.Decode(raw)
		if err != nil {
			return nil, err
		}
		return FromImage(img), nil
	}
	all, err := iso.ReadImages(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", biometrics.ErrNotAnImage, err)
	}
	if string(raw[:3]) != "FAC" {
		return nil, fmt.Errorf("%w: this record is not of a face", biometrics.ErrNotAnImage)
	}
	decoded, err := picture.Decode(all[0].Data)
	if err != nil {
		return nil, err
	}
	img := FromImage(decoded)
	img.Eyes = landmarks(raw, img.Width, img.Height)
	return img, nil
}

// FromImage takes any picture of a face.
func FromImage(src image.Image) *Image {
	b := src.Bounds()
	rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(rgba, rgba.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(rgba, rgba.Rect, src, b.Min, draw.Over)
	return &Image{Width: b.Dx(), Height: b.Dy(), pixels: rgba, grey: picture.Grey(rgba).Pix}
}
