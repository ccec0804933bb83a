package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/internal/fault"
)

const (
	// faceThreshold asks for a false match in ten thousand, as of fingers and eyes; an
	// engine that was measured on fewer comparisons never reaches it.
	faceThreshold biometrics.Score = 4
	facePatience                   = 10 * time.Second
)

// errEngine says that the outside engine gave no answer.
var errEngine = fault.New(fault.Busy, "Faces cannot be compared at this moment. Log in another way, or try again in a minute.").Named("face-engine")

// faceFits compares the face with the portrait of the enrolment. The engine may
// stand outside, so it is asked before the transaction; for nobody it compares the
// face with itself, and the answer is thrown away.
func (d *Desk) faceFits(ctx context.Context, a Attempt) (factor, error) {
	if d.Face == nil {
		return factor{}, notOffered(ByFace)
	}
	who, err := d.welcome(ctx, a, ByFace)
	if err != nil {
		return factor{}, err
	}
	probe, err := look(ctx, d, a, aFace, func() (sight[*face.Image], error) { return readFace(a.Face) })
	if err != nil {
		return factor{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, facePatience)
	defer cancel()
	portrait, err := d.portrait(ctx, who)
	if err != nil {
		return factor{}, err
	}
	enrolled := portrait
	if portrait.found == nil {
		enrolled = probe
	}
	score, err := d.compareFaces(ctx, probe.found, enrolled.found)
	if err != nil {
		return factor{}, err
	}
	trial := d.Policy.Rule(evidence.Login, biometrics.Face).Trial
	f := d.imageFactor(aFace, probe.digest, trial)
	f.unfit = func(_ context.Context, _ pgx.Tx, now claimed) (string, error) {
		switch {
		case !now.exists || now != who || portrait.found == nil || !(score >= aFace.same):
			return string(ByFace), nil
		case !trial && bytes.Equal(probe.digest, portrait.digest):
			return "copied", nil
		}
		return "", nil
	}
	return f, nil
}

// portrait is the face that was enrolled; none for nobody, and for who has none.
func (d *Desk) portrait(ctx context.Context, who claimed) (s sight[*face.Image], err error) {
	i, err := d.Registry.Read(ctx, d.Pool, who.person)
	if fault.Is(err, fault.NotFound) || err == nil && len(i.Portrait) == 0 {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if s, err = readFace(i.Portrait); err != nil {
		return s, fmt.Errorf("reading a portrait: %w", errors.Unwrap(err))
	}
	return s, nil
}

// compareFaces has the engine compare; a portrait in which it finds no face fits nobody.
func (d *Desk) compareFaces(ctx context.Context, probe, enrolled *face.Image) (biometrics.Score, error) {
	a, err := d.Face.Extract(ctx, probe)
	if errors.Is(err, face.ErrNoFace) {
		return 0, aFace.unusable("There is no face in this image that can be seen. Look straight into the camera, in even light, and try again.", err)
	}
	if err != nil {
		return 0, errEngine.Because(err)
	}
	b, err := d.Face.Extract(ctx, enrolled)
	if errors.Is(err, face.ErrNoFace) {
		return 0, nil
	}
	if err != nil {
		return 0, errEngine.Because(err)
	}
	score, err := d.Face.Compare(ctx, a, b)
	if err != nil {
		return 0, errEngine.Because(err)
	}
	return score, nil
}

func readFace(image []byte) (sight[*face.Image], error) {
	img, err := face.Decode(image)
	if err != nil {
		sentence := "This image cannot be read. " + aFace.readable
		if errors.Is(err, biometrics.ErrTooLarge) {
			sentence = "This image is too large. Send one face, 640 by 480 pixels."
		}
		return sight[*face.Image]{}, aFace.unusable(sentence, err)
	}
	return sight[*face.Image]{img, evidence.Digest(img.Width, img.Height, img.Grey())}, nil
}
