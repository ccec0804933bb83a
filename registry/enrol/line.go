package enrol

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/gallery"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/keys"
)

// line is how much of the line of applicants this process has in its gallery.
type line struct {
	mu   sync.Mutex
	last int64 // every place up to here has been loaded
}

// galleryEntry is a row of enrol_gallery.
type galleryEntry struct {
	Ref         uuid.UUID
	Application uuid.UUID
	Place       int64
	Sealed      []byte   // nil: removed
	Tokens      [][]byte // of name, birth date and gender
	Images      [][]byte // tokens of the images
}

// join gives an application its place in line. The place is drawn under one lock
// that is held to the commit, so that places become visible in their order: who
// sees place n sees all before it.
func (o *Office) join(_ context.Context, a Application) outcome {
	return passed{to: Compared, event: audit.ApplicationCompared, also: func(ctx context.Context, tx pgx.Tx) error {
		if err := lockLine(ctx, tx); err != nil {
			return fmt.Errorf("drawing a place: %w", err)
		}
		return drawPlace(ctx, tx, a.ID)
	}}
}

// batch is how many entries are loaded at once.
const batch = 500

// catchUp loads the gallery up to a place. A place that is missing stops it:
// somebody took an applicant out of the line, and with a gap nothing may pass.
func (o *Office) catchUp(ctx context.Context, upTo int64) error {
	o.line.mu.Lock()
	defer o.line.mu.Unlock()
	for o.line.last < upTo {
		entries, err := galleryAfter(ctx, o.Pool, o.line.last, min(upTo, o.line.last+batch))
		if err != nil {
			return fmt.Errorf("loading the gallery: %w", err)
		}
		for i, e := range entries {
			if missing := o.line.last + 1 + int64(i); e.Place != missing {
				return fmt.Errorf("loading the gallery: place %d is missing", missing)
			}
		}
		if err := o.load(entries); err != nil {
			return err
		}
		o.line.last += int64(len(entries))
		if len(entries) == 0 {
			return fmt.Errorf("loading the gallery: place %d is missing", o.line.last+1)
		}
	}
	return nil
}

// load puts applicants into the gallery. Opening and coding a million takes one
// processor an hour, so all of them do it.
func (o *Office) load(entries []galleryEntry) error {
	var all errgroup.Group
	all.SetLimit(runtime.GOMAXPROCS(0))
	for _, e := range entries {
		if e.Sealed == nil {
			continue // removed: the place is all that is left
		}
		all.Go(func() error {
			prints, err := o.openPrints(e)
			if err == nil {
				o.Gallery.Insert(e.Ref, e.Place, prints)
			}
			return err
		})
	}
	return all.Wait()
}

// sealPrints seals an applicant's templates for their row.
func (o *Office) sealPrints(e galleryEntry, p gallery.Person) ([]byte, error) {
	raw := make(map[string][]byte, len(p.Fingers)+len(p.Eyes))
	for position, template := range p.Fingers {
		raw[string(position)] = template.Marshal()
	}
	for position, code := range p.Eyes {
		raw[string(position)] = code.Marshal()
	}
	plain, err := encoder.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("sealing templates: %w", err)
	}
	return o.Ring.Seal(keys.Biometrics, plain, e.at())
}

// openTemplates opens an applicant's templates.
func (o *Office) openTemplates(e galleryEntry) (map[biometrics.Position][]byte, error) {
	plain, err := o.Ring.Open(keys.Biometrics, e.Sealed, e.at())
	if err != nil {
		return nil, fmt.Errorf("opening templates of place %d: %w", e.Place, err)
	}
	var raw map[string][]byte
	if err := decoder.Unmarshal(plain, &raw); err != nil {
		return nil, fmt.Errorf("opening templates of place %d: %w", e.Place, err)
	}
	templates := make(map[biometrics.Position][]byte, len(raw))
	for position, template := range raw {
		templates[biometrics.Position(position)] = template
	}
	return templates, nil
}

// openPrints opens what is compared of an applicant.
func (o *Office) openPrints(e galleryEntry) (gallery.Person, error) {
	p := gallery.Person{Fingers: make(map[biometrics.Position]finger.Template), Eyes: make(map[biometrics.Position]iris.Code)}
	templates, err := o.openTemplates(e)
	if err != nil {
		return p, err
	}
	for position, template := range templates {
		if position.Modality() == biometrics.Iris {
			p.Eyes[position], err = iris.ParseCode(template)
		} else {
			p.Fingers[position], err = finger.ParseTemplate(template)
		}
		if err != nil {
			return p, fmt.Errorf("opening templates of place %d: %w", e.Place, err)
		}
	}
	return p, nil
}

// at is what sealed templates are bound to.
func (e galleryEntry) at() []byte {
	return append(append([]byte("enrol_gallery\x00"), e.Ref[:]...), e.Application[:]...)
}
