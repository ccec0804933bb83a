package auth

import (
	"context"
	"errors"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/iris"
)

func (d *Desk) eyeFits(ctx context.Context, a Attempt) (factor, error) {
	if _, err := d.welcome(ctx, a, ByIris); err != nil {
		return factor{}, err
	}
	probe, err := look(ctx, d, a, anEye, func() (sight[iris.Code], error) { return readEye(a.Eye) })
	if err != nil {
		return factor{}, err
	}
	return d.bodyFits(a, anEye, probe.digest, func(raw []byte) (likeness, error) {
		c, err := iris.ParseCode(raw)
		if err != nil {
			return likeness{}, err
		}
		// No two looks give the same 2,048 bits. An image of enrolment that was
		// compressed anew cannot be told from a good look by its code alone.
		return likeness{iris.Compare(probe.found, c), probe.found == c}, nil
	}), nil
}

func readEye(image []byte) (sight[iris.Code], error) {
	img, err := iris.Decode(image)
	if err != nil {
		return sight[iris.Code]{}, unusableEye(err)
	}
	code, _, err := iris.Extract(img)
	if err != nil {
		return sight[iris.Code]{}, unusableEye(err)
	}
	return sight[iris.Code]{code, evidence.Digest(img.Width, img.Height, img.Pix)}, nil
}

func unusableEye(err error) error {
	sentence := "This image cannot be read. " + anEye.readable
	switch {
	case errors.Is(err, iris.ErrNoEye):
		sentence = "There is no eye in this image whose iris can be seen. Take off glasses, open the eye wide and try again."
	case errors.Is(err, biometrics.ErrTooLarge):
		sentence = "This image is too large. Send one eye, 640 by 480 pixels."
	}
	return anEye.unusable(sentence, err)
}
