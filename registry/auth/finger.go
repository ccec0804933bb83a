package auth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/internal/fault"
)

// imageLife is how long it is remembered that somebody logged in with an image.
const imageLife = 90 * 24 * time.Hour

// mostPixels of one finger: two inches by two at 500 ppi.
const mostPixels = 1000 * 1000

// readInTurn reads the image of a finger when its turn comes.
func (d *Desk) readInTurn(ctx context.Context, image []byte) (shownFinger, error) {
	turn, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if d.images.Acquire(turn, 1) != nil {
		return shownFinger{}, fault.New(fault.Busy, "Too many fingers are being read at this moment. Try again in a minute.").Named("too-many-at-once")
	}
	defer d.images.Release(1)
	return readFinger(image)
}

// shownFinger is a finger that somebody shows, and by what its image is known again.
type shownFinger struct {
	finger.Template
	digest []byte
}

// readFinger reads the image of a finger; what cannot be used is said plainly,
// since it tells nothing of the person.
func readFinger(image []byte) (shownFinger, error) {
	img, err := finger.Decode(image)
	if err == nil && img.Width*img.Height > mostPixels {
		err = biometrics.ErrTooLarge
	}
	if err != nil {
		return shownFinger{}, unusable(err)
	}
	probe, _, err := finger.Extract(img)
	if err != nil {
		return shownFinger{}, unusable(err)
	}
	return shownFinger{probe, evidence.Digest(img.Width, img.Height, img.Pix)}, nil
}

func unusable(err error) error {
	sentence := "This image cannot be read. Send a PNG, JPEG, BMP or TIFF image of one finger."
	switch {
	case errors.Is(err, biometrics.ErrNoFinger):
		sentence = "There is no fingerprint in this image. Wipe the finger and the scanner, and try again."
	case errors.Is(err, biometrics.ErrTooLarge):
		sentence = "This image is too large. Send one finger at 500 pixels per inch."
	}
	return fault.New(fault.Invalid, sentence).Named("finger-unusable").Because(err)
}

// fingerFits compares the finger with the person's own, one to one. Without a
// position every enrolled finger is tried, and so the score must be higher by
// the logarithm of how many there are.
func (d *Desk) fingerFits(a Attempt, probe shownFinger) factor {
	f := factor{method: ByFinger}
	trial := d.Policy.Rule(evidence.Login, biometrics.Finger).Trial
	if !trial {
		f.once = d.Ring.Lookup("login image", hex.EncodeToString(probe.digest))
	}
	f.unfit = func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
		if !who.exists {
			return string(ByFinger), nil
		}
		enrolled, err := d.Registry.Templates(ctx, tx, who.person)
		if fault.Is(err, fault.NotFound) {
			return string(ByFinger), nil // erased since: as somebody who never was
		}
		if err != nil {
			return "", err
		}
		if a.Position != "" {
			enrolled = map[biometrics.Position][]byte{a.Position: enrolled[a.Position]}
		}
		maps.DeleteFunc(enrolled, func(p biometrics.Position, raw []byte) bool { return raw == nil || p.Modality() != biometrics.Finger })
		needed := finger.Threshold + chances(len(enrolled))
		for position, raw := range enrolled {
			t, err := finger.ParseTemplate(raw)
			if err != nil {
				return "", fmt.Errorf("reading the template of %s: %w", position, err)
			}
			switch {
			case finger.Compare(probe.Template, t) < needed:
			case !trial && finger.Copied(probe.Template, t):
				return "copied", nil // somebody has the image of enrolment, which is not to have the finger
			default:
				return "", nil
			}
		}
		return string(ByFinger), nil
	}
	return f
}

// chances is what several comparisons cost: log10 of their number.
func chances(n int) biometrics.Score {
	switch {
	case n <= 1:
		return 0
	case n <= 3:
		return .5
	}
	return 1
}
