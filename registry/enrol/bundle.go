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

// isoRecord is the format of a sample that is an image record of ISO/IEC 19794-4, -5
// or -6, as devices sign it.
const isoRecord = "iso"

var formats = map[iso.Codec]string{iso.WSQ: "wsq", iso.JP2: "jp2", iso.JPEG: "jpg", iso.PNG: "png", iso.Raw: "png"}

// unbundle takes the samples out of a CBEFF document, with what their devices have
// signed.
func (c *contents) unbundle(raw []byte) error {
	records, err := cbeff.Read(raw)
	if err != nil {
		return errDirectory.At(bundleFile, "must be a CBEFF document (ISO/IEC 19785-3, XML)").Because(err)
	}
	for _, r := range records {
		if r.Exception || len(r.Data) == 0 {
			continue // person.json declares exceptions
		}
		if r.Position == "" {
			return errDirectory.At(bundleFile, "holds a sample without a position")
		}
		if len(r.Data) > maxSample {
			return errTooLarge.At(bundleFile, "must hold samples of at most 5 MB")
		}
		c.Samples = append(c.Samples, sample{Position: r.Position, Format: isoRecord, Data: r.Data})
		if payload := r.Others["PAYLOAD"]; len(r.Signature) > 0 && payload != "" {
			c.Signed = append(c.Signed, signed{Position: r.Position, Signature: r.Signature, Payload: []byte(payload)})
		}
	}
	return nil
}

// record is a sample as a CBEFF document would hold it.
func (c contents) record(s sample) cbeff.Record {
	r := cbeff.Record{Position: s.Position, Data: s.Data}
	for _, by := range c.Signed {
		if by.Position == s.Position {
			r.Signature, r.Others = by.Signature, map[string]string{"PAYLOAD": string(by.Payload)}
		}
	}
	return r
}

// picture is the sample as a file of an image holds it: of a record its first image.
// Raw pixels become PNG, and a portrait becomes a JPEG, which every page can show.
func (s sample) picture() (sample, error) {
	if s.Format != isoRecord {
		return s, nil
	}
	images, err := iso.ReadImages(s.Data)
	if err != nil {
		return s, errSample.At(s.file(), "must be an image record (ISO/IEC 19794-4, -5 or -6)").Because(err)
	}
	img := images[0]
	seen := sample{Position: s.Position, Format: formats[img.Codec], Data: img.Data}
	var out bytes.Buffer
	switch {
	case img.Codec == iso.Raw:
		if len(img.Data) != img.Width*img.Height {
			return s, errSample.At(s.file(), "has another number of pixels than it says")
		}
		grey := &image.Gray{Pix: img.Data, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}
		if err := png.Encode(&out, grey); err != nil {
			return s, errSample.At(s.file(), "cannot be converted").Because(err)
		}
		seen.Data = out.Bytes()
	case img.Codec == iso.JP2 && s.Position.Modality() == biometrics.Face:
		face, err := jp2.Decode(img.Data)
		if err == nil {
			err = jpeg.Encode(&out, face, &jpeg.Options{Quality: 92})
		}
		if err != nil {
			return s, errSample.At(s.file(), "holds a portrait that cannot be read").Because(err)
		}
		seen.Format, seen.Data = "jpg", out.Bytes()
	}
	return seen, nil
}
