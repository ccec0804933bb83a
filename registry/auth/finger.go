package auth

import (
	"context"
	"errors"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// mostPixels of one finger: two inches by two at 500 ppi.
const mostPixels = 1000 * 1000

func (d *Desk) fingerFits(ctx context.Context, a Attempt) (factor, error) {
	if _, err := d.welcome(ctx, a, ByFinger); err != nil {
		return factor{}, err
	}
	probe, err := look(ctx, d, a, aFinger, func() (sight[finger.Template], error) { return readFinger(a.Finger) })
	if err != nil {
		return factor{}, err
	}
	return d.bodyFits(a, aFinger, probe.digest, func(raw []byte) (likeness, error) {
		t, err := finger.ParseTemplate(raw)
		if err != nil {
			return likeness{}, err
		}
		return likeness{finger.Compare(probe.found, t), finger.Copied(probe.found, t)}, nil
	}), nil
}

func readFinger(image []byte) (sight[finger.Template], error) {
	img, err := iso.DecodeFinger(image)
	if err == nil && img.Width*img.Height > mostPixels {
		err = biometrics.ErrTooLarge
	}
	if err != nil {
		return sight[finger.Template]{}, unusableFinger(err)
	}
	probe, _, err := finger.Extract(img)
	if err != nil {
		return sight[finger.Template]{}, unusableFinger(err)
	}
	return sight[finger.Template]{probe, evidence.Digest(img.Width, img.Height, img.Pix)}, nil
}

func unusableFinger(err error) error {
	sentence := "This image cannot be read. " + aFinger.readable
	switch {
	case errors.Is(err, biometrics.ErrNoFinger):
		sentence = "There is no fingerprint in this image. Wipe the finger and the scanner, and try again."
	case errors.Is(err, biometrics.ErrTooLarge):
		sentence = "This image is too large. Send one finger at 500 pixels per inch."
	}
	return aFinger.unusable(sentence, err)
}
