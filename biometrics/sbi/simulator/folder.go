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

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/picture"
	"github.com/plinth-id/plinth/biometrics/sbi"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

const (
	maxPicture = 16 << 20
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
		img, err = portrait(raw)
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
	grey := print.Gray()
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
	img, err := iris.Decode(raw)
	if err != nil {
		return iso.Image{}, err
	}
	_, quality, err := iris.Extract(img)
	if err != nil {
		return iso.Image{}, err
	}
	out := iso.Image{Width: img.Width, Height: img.Height, Quality: quality.Value, Codec: iso.JP2, Data: raw}
	if !isJP2(raw) {
		out.Codec = iso.PNG
		out.Data, err = pngOf(&image.Gray{Pix: img.Pix, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)})
	}
	return out, err
}

var portraits = map[string]iso.Codec{"png": iso.PNG, "jpeg": iso.JPEG}

// portrait packs a photograph. One in which no face is found has no quality, and is
// given all the same: the check may be wrong.
func portrait(raw []byte) (iso.Image, error) {
	decoded, err := picture.Decode(raw)
	if err != nil {
		return iso.Image{}, err
	}
	b := decoded.Bounds()
	quality, _ := face.Check(face.FromImage(decoded))
	img := iso.Image{Width: b.Dx(), Height: b.Dy(), Quality: quality.Value, Codec: iso.JP2, Data: raw}
	if isJP2(raw) {
		return img, nil
	}
	_, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return iso.Image{}, biometrics.ErrNotAnImage
	}
	if codec, ok := portraits[format]; ok {
		img.Codec = codec
		return img, nil
	}
	img.Codec = iso.JPEG
	img.Data, err = jpegOf(decoded, 92)
	return img, err
}

func isJP2(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte{0xff, 0x4f, 0xff, 0x51}) || len(raw) >= 8 && string(raw[4:8]) == "jP  "
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
