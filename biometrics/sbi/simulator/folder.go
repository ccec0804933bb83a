package simulator

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"

	_ "golang.org/x/image/bmp" // registers its decoder
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff" // registers its decoder

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/jp2"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

const (
	maxPicture = 16 << 20
	maxPixels  = 16 << 20
	wsqRate    = .75 // bits a pixel: about 15:1, which authentication allows
)

var extensions = []string{"png", "jpg", "jpeg", "wsq", "jp2", "bmp", "tif", "tiff"}

// picture is the file of a position.
func (s *Simulator) picture(p biometrics.Position) (raw []byte, extension string, err error) {
	for _, extension := range extensions {
		f, err := s.Pictures.Open(string(p) + "." + extension)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		raw, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, "", err
		}
		if len(raw) > maxPicture {
			return nil, "", biometrics.ErrTooLarge
		}
		return raw, extension, nil
	}
	return nil, "", fs.ErrNotExist
}

// sample makes the record of what was picked, with its quality. A finger that goes
// by no name has none in its record either.
func (s *Simulator) sample(k pick) ([]byte, float64, error) {
	p := k.position
	raw, extension, err := s.picture(p)
	if err != nil {
		return nil, 0, err
	}
	var img iso.Image
	switch p.Modality() {
	case biometrics.Finger:
		img, err = s.finger(raw, extension)
	case biometrics.Iris:
		img, err = eye(raw)
	default:
		img, err = face(raw)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", p, err)
	}
	img.Captured = s.Now()
	if img.Position = p; k.subType == sbi.Unknown && p.Modality() == biometrics.Finger {
		img.Position = ""
	}
	record, err := iso.WriteImage(img)
	return record, float64(img.Quality), err
}

// finger packs a print: for registration without loss, for authentication as WSQ.
func (s *Simulator) finger(raw []byte, extension string) (iso.Image, error) {
	print, err := finger.Decode(raw)
	if err != nil {
		return iso.Image{}, err
	}
	_, quality, err := finger.Extract(print)
	if err != nil {
		return iso.Image{}, err
	}
	img := iso.Image{Width: print.Width, Height: print.Height, PPI: 500, Quality: quality.Value}
	grey := &image.Gray{Pix: print.Pix, Stride: print.Width, Rect: image.Rect(0, 0, print.Width, print.Height)}
	switch {
	case s.Purpose == sbi.Registration && extension == "jp2":
		img.Codec, img.Data = iso.JP2, raw
	case s.Purpose == sbi.Registration:
		img.Codec = iso.PNG
		img.Data, err = pngOf(grey)
	case extension == "wsq":
		img.Codec, img.Data = iso.WSQ, raw
	default:
		img.Codec = iso.WSQ
		img.Data, err = wsq.Encode(grey, wsqRate)
	}
	return img, err
}

func eye(raw []byte) (iso.Image, error) {
	decoded, format, err := decoded(raw)
	if err != nil {
		return iso.Image{}, err
	}
	grey := image.NewGray(decoded.Bounds())
	draw.Draw(grey, grey.Rect, decoded, grey.Rect.Min, draw.Src)
	img := iso.Image{Width: grey.Rect.Dx(), Height: grey.Rect.Dy(), Quality: contrast(grey), Codec: iso.JP2, Data: raw}
	if format != "jp2" {
		img.Codec = iso.PNG
		img.Data, err = pngOf(grey)
	}
	return img, err
}

func face(raw []byte) (iso.Image, error) {
	decoded, format, err := decoded(raw)
	if err != nil {
		return iso.Image{}, err
	}
	b := decoded.Bounds()
	grey := image.NewGray(b)
	draw.Draw(grey, b, decoded, b.Min, draw.Src)
	img := iso.Image{Width: b.Dx(), Height: b.Dy(), Quality: contrast(grey), Data: raw}
	switch format {
	case "jp2":
		img.Codec = iso.JP2
	case "png":
		img.Codec = iso.PNG
	case "jpeg":
		img.Codec = iso.JPEG
	default:
		img.Codec = iso.JPEG
		img.Data, err = jpegOf(decoded, 92)
	}
	return img, err
}

// decoded reads a picture whose size it checks first.
func decoded(raw []byte) (image.Image, string, error) {
	if bytes.HasPrefix(raw, []byte{0xff, 0x4f, 0xff, 0x51}) || len(raw) >= 8 && string(raw[4:8]) == "jP  " {
		img, err := jp2.Decode(raw)
		return img, "jp2", err
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, "", biometrics.ErrNotAnImage
	}
	if config.Width < 1 || config.Height < 1 || config.Width > math.MaxUint16 || config.Height > math.MaxUint16 || config.Width*config.Height > maxPixels {
		return nil, "", biometrics.ErrTooLarge
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, "", biometrics.ErrNotAnImage
	}
	return img, format, nil
}

// contrast is how much of the range of grey a picture uses, from 0 to 100, its
// darkest and brightest twentieths left out: all that is said of the quality of an
// eye or a face here.
func contrast(grey *image.Gray) int {
	var histogram [256]int
	for _, v := range grey.Pix {
		histogram[v]++
	}
	at := func(rank int) int {
		for v, n := range histogram {
			if rank -= n; rank < 0 {
				return v
			}
		}
		return 255
	}
	n := len(grey.Pix)
	return (at(n*95/100) - at(n*5/100)) * 100 / 255
}

func pngOf(img image.Image) ([]byte, error) {
	var out bytes.Buffer
	err := png.Encode(&out, img)
	return out.Bytes(), err
}

func jpegOf(img image.Image, quality int) ([]byte, error) {
	var out bytes.Buffer
	err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
	return out.Bytes(), err
}
