package server

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/picture"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

// form is a format of MOSIP's converter, and of ours: what is written around the pixels,
// and how they are packed.
type form struct {
	kind  biosdk.Modality // empty: bare images, of any
	codec iso.Codec       // empty: of a source, any
}

// minutiaeForm is the one target that is no image.
const minutiaeForm = "ISO19794_2_2005"

var sources = map[string]form{
	"ISO19794_4_2011": {kind: biosdk.Finger}, "ISO19794_5_2011": {kind: biosdk.Face}, "ISO19794_6_2011": {kind: biosdk.Iris},
	"IMAGE/JPEG": {codec: iso.JPEG}, "IMAGE/PNG": {codec: iso.PNG}, "IMAGE/JP2": {codec: iso.JP2}, "IMAGE/WSQ": {codec: iso.WSQ},
}

var targets = map[string]form{
	"IMAGE/JPEG": {codec: iso.JPEG}, "IMAGE/PNG": {codec: iso.PNG}, "IMAGE/WSQ": {codec: iso.WSQ},
	"ISO19794_4_2011/JPEG": {biosdk.Finger, iso.JPEG}, "ISO19794_4_2011/PNG": {biosdk.Finger, iso.PNG}, "ISO19794_4_2011/WSQ": {biosdk.Finger, iso.WSQ},
	"ISO19794_5_2011/JPEG": {biosdk.Face, iso.JPEG}, "ISO19794_5_2011/PNG": {biosdk.Face, iso.PNG},
	"ISO19794_6_2011/PNG": {biosdk.Iris, iso.PNG},
	minutiaeForm:          {kind: biosdk.Finger},
}

// convert writes samples in another format. Segments that are not of the source's
// modality stay as they are.
func (s *Server) convert(ctx context.Context, raw []byte) (any, error) {
	request, err := parsed[biosdk.ConvertRequest](raw)
	if err != nil {
		return nil, err
	}
	source, known := sources[strings.ToUpper(request.SourceFormat)]
	if !known {
		return nil, named("sourceFormat", request.SourceFormat)
	}
	target, known := targets[strings.ToUpper(request.TargetFormat)]
	if !known || source.kind != "" && target.kind != "" && source.kind != target.kind {
		return nil, named("targetFormat", request.TargetFormat)
	}
	kinds := request.Modalities
	for _, f := range []form{source, target} {
		if f.kind != "" && len(kinds) > 0 && !slices.Contains(kinds, f.kind) {
			return nil, biosdk.ErrNotFound
		}
		if f.kind != "" {
			kinds = biosdk.List[biosdk.Modality]{f.kind}
		}
	}
	samples, err := samplesOf(request.Sample, kinds)
	if err != nil {
		return nil, err
	}
	out := *request.Sample
	out.Segments = slices.Clone(out.Segments)
	err = s.look(ctx, samples, func(_ context.Context, m *sample) error {
		dpi, _ := strconv.Atoi(request.SourceParams["dpi"])
		b, err := s.converted(m, out.Segments[m.at], source, conversion{target, dpi})
		out.Segments[m.at] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, m := range samples {
		if m.err != nil {
			return nil, fmt.Errorf("%w (segment %d)", m.err, m.at)
		}
	}
	return biosdk.Result{Response: out}, nil
}

func named(parameter, value string) error {
	if value == "" {
		return fmt.Errorf("%w: %s", biosdk.ErrMissingInput, parameter)
	}
	return fmt.Errorf("%w: %s, which is not one that can be converted", biosdk.ErrInvalidInput, parameter)
}

// conversion is what to write, and the resolution of bare images of fingers.
type conversion struct {
	to  form
	dpi int
}

// converted is a segment in another format.
func (s *Server) converted(m *sample, b biosdk.BIR, from form, c conversion) (biosdk.BIR, error) {
	if c.to.codec == "" {
		if isMinutiae(m.data) {
			return b, fmt.Errorf("%w: the sample is no image", biosdk.ErrInvalidInput)
		}
		if err := m.readPrint(); err != nil {
			return b, err
		}
		return s.templateOf(m, b)
	}
	img, pixels, err := m.pixels(from, c.dpi)
	if err != nil {
		return b, err
	}
	if img.Codec = c.to.codec; m.kind == biosdk.Face && img.Codec == iso.WSQ || m.kind == biosdk.Iris && img.Codec == iso.WSQ {
		return b, fmt.Errorf("%w: targetFormat, which is for fingers alone", biosdk.ErrInvalidInput)
	}
	if m.kind != biosdk.Face {
		pixels = picture.Grey(pixels)
	}
	if img.Data, err = packed(pixels, img.Codec); err != nil {
		return b, fmt.Errorf("%w: the image cannot be written in this format", biosdk.ErrInvalidInput)
	}
	data := img.Data
	if c.to.kind != "" {
		if m.kind == biosdk.Iris && img.Position.Modality() != biometrics.Iris {
			return b, fmt.Errorf("%w: the sample does not say which eye it is", biosdk.ErrInvalidInput)
		}
		if data, err = iso.WriteImage(img); err != nil {
			return b, fmt.Errorf("%w: the record cannot be written", biosdk.ErrInvalidInput)
		}
	}
	format := biosdk.RegistryID{Organization: organization(b), Type: map[biosdk.Modality]biosdk.Text{biosdk.Finger: formatFinger, biosdk.Face: formatFace, biosdk.Iris: formatIris}[m.kind]}
	return s.made(b, data, format), nil
}

// recordNames are the beginnings of the records of each modality.
var recordNames = map[biosdk.Modality]string{biosdk.Finger: "FIR", biosdk.Face: "FAC", biosdk.Iris: "IIR"}

// pixels opens a sample that is in a format, and tells what is known of it.
func (m *sample) pixels(from form, dpi int) (img iso.Image, pixels image.Image, err error) {
	if isRecord := iso.IsImage(m.data); isRecord != (from.kind != "") || isRecord && string(m.data[:3]) != recordNames[m.kind] {
		return img, nil, fmt.Errorf("%w: the sample is not in the source format", biosdk.ErrInvalidInput)
	}
	img = iso.Image{Codec: from.codec, PPI: dpi, Quality: -1, Data: m.data}
	if from.kind != "" {
		all, err := iso.ReadImages(m.data)
		if err != nil || len(all) != 1 {
			return img, nil, fmt.Errorf("%w: the sample is no record of one image", biosdk.ErrInvalidInput)
		}
		img = all[0]
	}
	if m.position != "" {
		img.Position = m.position
	}
	switch img.Codec {
	case iso.Raw:
		if !picture.Fits(img.Width, img.Height) || img.Width*img.Height != len(img.Data) {
			return img, nil, because(biometrics.ErrNotAnImage)
		}
		pixels = &image.Gray{Pix: img.Data, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}
	case iso.WSQ:
		var grey *image.Gray
		grey, err = wsq.Decode(img.Data)
		pixels = grey
	default:
		pixels, err = picture.Decode(img.Data)
	}
	if err != nil {
		return img, nil, because(err)
	}
	img.Width, img.Height = pixels.Bounds().Dx(), pixels.Bounds().Dy()
	return img, pixels, nil
}

// jpegQuality loses little.
const jpegQuality = 95

// packed writes pixels.
func packed(pixels image.Image, codec iso.Codec) ([]byte, error) {
	if codec == iso.WSQ {
		return wsq.Encode(picture.Grey(pixels), wsq.RateKeep)
	}
	var out bytes.Buffer
	if codec == iso.JPEG {
		err := jpeg.Encode(&out, pixels, &jpeg.Options{Quality: jpegQuality})
		return out.Bytes(), err
	}
	err := png.Encode(&out, pixels)
	return out.Bytes(), err
}
