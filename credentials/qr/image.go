package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/plinth-id/plinth/credentials/qr/plane"
	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// kinds are the images that are read, by how their files begin.
var kinds = []struct {
	begins string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}{
	{"\x89PNG", png.DecodeConfig, png.Decode},
	{"\xff\xd8", jpeg.DecodeConfig, jpeg.Decode},
	{"RIFF", webp.DecodeConfig, webp.Decode},
	{"GIF8", gif.DecodeConfig, gif.Decode},
}

// The sides to which a picture is brought, in turn: the detector loses itself in many
// pixels and in few.
const (
	largeSide, middleSide, smallSide = 2000, 1200, 640
	tinySide                         = 400
)

// Read finds a QR code in a PNG, JPEG, WebP or GIF image and reads its text. It tries
// what costs little and succeeds often first, and gives up after some ten attempts.
func Read(file []byte) (string, error) {
	picture, err := decode(file)
	if err != nil {
		return "", err
	}
	if text, ok := scan(gozxing.NewHybridBinarizer, picture, drawn); ok {
		return text, nil
	}
	sizes := sizesOf(picture)
	for _, size := range sizes {
		if text, ok := scan(gozxing.NewHybridBinarizer, size, photographed); ok {
			return text, nil
		}
	}
	last := sizes[len(sizes)-1]
	for _, attempt := range []func() (string, bool){
		func() (string, bool) { return scan(gozxing.NewGlobalHistgramBinarizer, last, photographed) },
		func() (string, bool) { return scan(gozxing.NewHybridBinarizer, inverted(sizes[0]), photographed) },
		func() (string, bool) { return scan(gozxing.NewHybridBinarizer, inverted(last), photographed) },
		// Of the few that are missed, most are found among slightly fewer pixels.
		func() (string, bool) {
			side := max(last.Bounds().Dx(), last.Bounds().Dy()) * 3 / 4
			return scan(gozxing.NewHybridBinarizer, scaled(last, max(1, side)), photographed)
		},
	} {
		if text, ok := attempt(); ok {
			return text, nil
		}
	}
	return "", ErrNoQR
}

// sizesOf gives a picture without its grain, as it is, and smaller; a tiny one larger.
func sizesOf(picture *image.Gray) []*image.Gray {
	side := max(picture.Bounds().Dx(), picture.Bounds().Dy())
	if side > largeSide {
		picture, side = scaled(picture, largeSide), largeSide
	}
	if side < tinySide {
		return []*image.Gray{picture, scaled(picture, 3*side)}
	}
	sizes := []*image.Gray{softened(picture), picture}
	for _, smaller := range []int{middleSide, smallSide} {
		if side > smaller*4/3 {
			sizes = append(sizes, scaled(picture, smaller))
		}
	}
	return sizes
}

var (
	drawn        = map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true}
	photographed = map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
)

// scaled brings the longer side of a picture to a length.
func scaled(picture *image.Gray, side int) *image.Gray {
	size := picture.Bounds().Size()
	longer := max(size.X, size.Y)
	small := image.NewGray(image.Rect(0, 0, max(1, size.X*side/longer), max(1, size.Y*side/longer)))
	// Bilinear at half and less leaves pixels out; only then does it matter.
	var by draw.Scaler = draw.ApproxBiLinear
	if 2*side < longer {
		by = draw.BiLinear
	}
	by.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	return small
}

// inverted is light on dark made dark on light.
func inverted(picture *image.Gray) *image.Gray {
	other := image.NewGray(picture.Bounds())
	for i, v := range picture.Pix {
		other.Pix[i] = 255 - v
	}
	return other
}

// decode gives the picture in grey on white, for a transparent ground would be
// read as black.
func decode(file []byte) (*image.Gray, error) {
	source, err := Picture(file)
	if err != nil {
		return nil, err
	}
	grey := image.NewGray(image.Rectangle{Max: source.Bounds().Size()})
	draw.Draw(grey, grey.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(grey, grey.Bounds(), source, source.Bounds().Min, draw.Over)
	return grey, nil
}

// Picture decodes a PNG, JPEG, WebP or GIF image whose size is bounded; of one that
// moves, the first picture.
func Picture(file []byte) (image.Image, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(file), maxFile)
	}
	for _, kind := range kinds {
		if !bytes.HasPrefix(file, []byte(kind.begins)) {
			continue
		}
		size, err := kind.config(bytes.NewReader(file))
		if err != nil {
			return nil, ErrNotAnImage
		}
		if size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height {
			return nil, fmt.Errorf("%w: %d × %d pixels, at most %d", ErrTooLarge, size.Width, size.Height, maxPixels)
		}
		picture, err := kind.decode(bytes.NewReader(file))
		if err != nil {
			return nil, ErrNotAnImage
		}
		return picture, nil
	}
	return nil, ErrNotAnImage
}

func scan(binarize func(gozxing.LuminanceSource) gozxing.Binarizer, picture *image.Gray, hints map[gozxing.DecodeHintType]any) (text string, ok bool) {
	// gozxing has panicked on pictures that its authors did not foresee.
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	bitmap, err := gozxing.NewBinaryBitmap(binarize(gozxing.NewLuminanceSourceFromImage(picture)))
	if err != nil {
		return "", false
	}
	if result, err := zxing.NewQRCodeReader().Decode(bitmap, hints); err == nil {
		return result.GetText(), true
	}
	matrix, err := bitmap.GetBlackMatrix()
	if err != nil || hints[gozxing.DecodeHintType_PURE_BARCODE] != nil {
		return "", false
	}
	return plane.Read(matrix, alignmentCentres)
}

// softened averages each pixel with its neighbours: in the grain of an even ground,
// detectors see finders.
func softened(picture *image.Gray) *image.Gray {
	size := picture.Bounds().Size()
	soft := image.NewGray(image.Rectangle{Max: size})
	copy(soft.Pix, picture.Pix)
	for y := 1; y < size.Y-1; y++ {
		above, here, below := picture.Pix[(y-1)*picture.Stride:], picture.Pix[y*picture.Stride:], picture.Pix[(y+1)*picture.Stride:]
		for x := 1; x < size.X-1; x++ {
			sum := 0
			for i := x - 1; i <= x+1; i++ {
				sum += int(above[i]) + int(here[i]) + int(below[i])
			}
			soft.Pix[y*soft.Stride+x] = uint8(sum / 9)
		}
	}
	return soft
}
