package auth

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/internal/fault"
)

// imageLife is how long it is remembered that somebody logged in with an image.
const imageLife = 90 * 24 * time.Hour

// part is a part of the body of which an image is shown, and the words for it.
type part struct {
	name     string
	modality biometrics.Modality
	method   Method
	device   string           // by which it is captured
	readable string           // what images of it must be
	same     biometrics.Score // from which two are taken for one
}

var (
	aFinger = part{"finger", biometrics.Finger, ByFinger, "scanner", "Send a PNG, JPEG, BMP or TIFF image of one finger.", finger.Threshold}
	anEye   = part{"eye", biometrics.Iris, ByIris, "camera", "Send a PNG, JPEG, BMP or TIFF image of one eye in near-infrared light.", iris.Threshold}
	aFace   = part{"face", biometrics.Face, ByFace, "camera", "Send a PNG, JPEG, BMP or TIFF image of one face.", faceThreshold}
)

// shownBefore says that somebody has logged in with this very image.
func (p part) shownBefore() *fault.Fault {
	return fault.New(fault.Invalid, "This image of a "+p.name+" was used before. Capture the "+p.name+" again.").Named(p.name + "-shown-before")
}

// unproven says that nobody vouches for how the image was captured.
func (p part) unproven(rule string) *fault.Fault {
	return fault.New(fault.Invalid, "This "+p.name+" was not captured as it must be. Use a "+p.device+" that this service accepts, or log in another way.").
		Named(p.name+"-unproven").At(p.name, rule)
}

// unusable says what is wrong with an image, which tells nothing of the person.
func (p part) unusable(sentence string, err error) error {
	return fault.New(fault.Invalid, sentence).Named(p.name + "-unusable").Because(err)
}

// sight is an image that can be used, and by what it is known again.
type sight[T any] struct {
	found  T
	digest []byte
}

// look reads the image that was shown, when its turn comes and if it may count at all.
func look[T any](ctx context.Context, d *Desk, a Attempt, p part, read func() (sight[T], error)) (s sight[T], err error) {
	if err := d.Policy.Rule(evidence.Login, p.modality).Admit(a.Captured); err != nil {
		return s, p.unproven(err.Error())
	}
	turn, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if d.images.Acquire(turn, 1) != nil {
		return s, errCrowd
	}
	defer d.images.Release(1)
	return read()
}

// errCrowd says that the processor has too much to do.
var errCrowd = fault.New(fault.Busy, "Too many people are logging in at this moment. Try again in a minute.").Named("too-many-at-once")

// likeness is what a comparison says.
type likeness struct {
	score  biometrics.Score
	copied bool // they are one image: who has the image of enrolment does not have the body
}

// bodyFits compares what is shown with the person's own, one to one. Without a
// position every enrolled one is tried, and so the score must be higher by the
// logarithm of how many there are.
func (d *Desk) bodyFits(a Attempt, p part, digest []byte, compare func(template []byte) (likeness, error)) factor {
	trial := d.Policy.Rule(evidence.Login, p.modality).Trial
	f := d.imageFactor(p, digest, trial)
	f.unfit = func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
		if !who.exists {
			return string(p.method), nil
		}
		enrolled, err := d.Registry.Templates(ctx, tx, who.person)
		if fault.Is(err, fault.NotFound) {
			return string(p.method), nil // erased since: as somebody who never was
		}
		if err != nil {
			return "", err
		}
		if a.Position != "" {
			enrolled = map[biometrics.Position][]byte{a.Position: enrolled[a.Position]}
		}
		maps.DeleteFunc(enrolled, func(at biometrics.Position, raw []byte) bool { return raw == nil || at.Modality() != p.modality })
		needed := p.same + chances(len(enrolled))
		for position, raw := range enrolled {
			like, err := compare(raw)
			if err != nil {
				return "", fmt.Errorf("reading the template of %s: %w", position, err)
			}
			switch {
			case like.score < needed:
			case !trial && like.copied:
				return "copied", nil
			default:
				return "", nil
			}
		}
		return string(p.method), nil
	}
	return f
}

// imageFactor is a factor by an image, which passes once.
func (d *Desk) imageFactor(p part, digest []byte, trial bool) factor {
	if trial {
		return factor{}
	}
	return factor{once: d.Ring.Lookup("login image", hex.EncodeToString(digest)), shown: p.shownBefore()}
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
