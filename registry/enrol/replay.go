package enrol

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
)

// sameImage adds those before us in line who came with one of the same images, and
// marks those of whom ours are copies. Whose application was rejected is not in line
// any more: they may come again with what they have.
func (o *Office) sameImage(ctx context.Context, mine galleryEntry, prints gallery.Person, found []candidate) ([]candidate, error) {
	_, images, err := o.tokens(ctx, mine)
	if err != nil {
		return nil, err
	}
	others, err := sameImages(ctx, o.Pool, images, mine.Place)
	if err != nil {
		return nil, fmt.Errorf("reading candidates: %w", err)
	}
	for _, other := range others {
		if at := slices.IndexFunc(found, func(c candidate) bool { return c.Application == other.Application }); at >= 0 {
			found[at].SameImage = true
			continue
		}
		found = append(found, candidate{Application: other.Application, SameImage: true, Verdict: gallery.Doubtful, state: other.State, place: other.Place})
	}
	return found, o.markCopies(ctx, prints, found)
}

// markCopies marks the candidates of whom a finger of ours is a copy.
func (o *Office) markCopies(ctx context.Context, prints gallery.Person, found []candidate) error {
	var alike []uuid.UUID
	for _, c := range found {
		if c.Fingers > 0 && !c.SameImage {
			alike = append(alike, c.Application)
		}
	}
	if len(alike) == 0 || o.Policy.Rule(evidence.Enrolment, "finger").Trial {
		return nil
	}
	standing, err := standingIn(ctx, o.Pool, alike)
	if err != nil {
		return fmt.Errorf("reading candidates: %w", err)
	}
	for _, other := range standing {
		theirs, err := o.openPrints(other.galleryEntry)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(found, func(c candidate) bool { return c.Application == other.Application })
		for _, p := range prints.Fingers {
			for _, q := range theirs.Fingers {
				found[at].SameImage = found[at].SameImage || finger.Copied(p, q)
			}
		}
	}
	return nil
}

// tokens are those of the row, of the person's data and of the images, and while keys
// change, those by every key: a retired one made the tokens of those who came before
// its end.
func (o *Office) tokens(ctx context.Context, mine galleryEntry) (data, images [][]byte, err error) {
	if len(o.Ring.LookupAll("demographic", "")) == 1 {
		return mine.Tokens, mine.Images, nil
	}
	a, err := readApplication(ctx, o.Pool, mine.Application)
	if err != nil {
		return nil, nil, err
	}
	c, err := o.stored(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	p, err := parsePerson(c.Person)
	if err != nil {
		return nil, nil, err
	}
	data, images = slices.Clone(mine.Tokens), slices.Clone(mine.Images)
	for _, saying := range p.sayings() {
		data = append(data, o.Ring.LookupAll("demographic", saying)...)
	}
	k, err := o.openShots(a)
	if err != nil {
		return nil, nil, err
	}
	for _, digest := range k.Images {
		images = append(images, o.Ring.LookupAll("image", hex.EncodeToString(digest))...)
	}
	return distinct(data), distinct(images), nil
}

func distinct(tokens [][]byte) [][]byte {
	slices.SortFunc(tokens, bytes.Compare)
	return slices.CompactFunc(tokens, bytes.Equal)
}
