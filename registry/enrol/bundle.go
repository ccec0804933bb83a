package enrol

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/jp2"
)

var bundleFormats = map[iso.Codec]string{iso.WSQ: "wsq", iso.JP2: "jp2", iso.JPEG: "jpg", iso.PNG: "png", iso.Raw: "png"}

// unbundle takes the images out of a CBEFF document, as if each were a file of the
// directory.
func unbundle(raw []byte) ([]sample, error) {
	records, err := cbeff.Read(raw)
	if err != nil {
		return nil, errDirectory.At(bundleFile, "must be a CBEFF document (ISO/IEC 19785-3, XML)").Because(err)
	}
	var all []sample
	for _, r := range records {
		if r.Exception || len(r.Data) == 0 {
			continue // person.json declares exceptions
		}
		if r.Position == "" {
			return nil, errDirectory.At(bundleFile, "holds a sample without a position")
		}
		images, err := iso.ReadImages(r.Data)
		if err != nil {
			return nil, errDirectory.At(bundleFile, "must hold image records (ISO/IEC 19794-4, -5 or -6); that of "+string(r.Position)+" is none").Because(err)
		}
		s, err := taken(r.Position, images[0])
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// taken is one image as a file would hold it. Raw pixels become PNG, and a portrait
// becomes a JPEG, which every page can show.
func taken(position biometrics.Position, img iso.Image) (sample, error) {
	s := sample{Position: position, Format: bundleFormats[img.Codec], Data: img.Data}
	var out bytes.Buffer
	switch {
	case img.Codec == iso.Raw:
		if len(img.Data) != img.Width*img.Height {
			return s, errDirectory.At(bundleFile, "holds raw pixels of "+string(position)+" that are not as many as it says")
		}
		grey := &image.Gray{Pix: img.Data, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}
		if err := png.Encode(&out, grey); err != nil {
			return s, errDirectory.At(bundleFile, "cannot be converted").Because(err)
		}
		s.Data = out.Bytes()
	case img.Codec == iso.JP2 && position.Modality() == biometrics.Face:
		face, err := jp2.Decode(img.Data)
		if err == nil {
			err = jpeg.Encode(&out, face, &jpeg.Options{Quality: 92})
		}
		if err != nil {
			return s, errDirectory.At(bundleFile, "holds a portrait that cannot be read").Because(err)
		}
		s.Format, s.Data = "jpg", out.Bytes()
	}
	return s, nil
}
