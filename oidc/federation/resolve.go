package federation

import (
	"context"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxHints = 8  // superiors of one entity that are asked
	maxSteps = 64 // from an entity to a superior, over all ways that are tried
)

// Resolve follows an entity up to an anchor that we believe.
func (f *Federation) Resolve(ctx context.Context, entityID string) (Chain, error) {
	return f.resolve(ctx, f.trip(), entityID, f.anchors())
}

// resolve does so for some of the anchors, in bounded time.
func (f *Federation) resolve(ctx context.Context, t *trip, entityID string, anchors map[string]jose.JSONWebKeySet) (Chain, error) {
	if len(anchors) == 0 {
		return Chain{}, errNoAnchor
	}
	if !isEntity(entityID) {
		return Chain{}, errNoEntity
	}
	ctx, done, err := f.enter(ctx)
	if err != nil {
		return Chain{}, err
	}
	defer done()
	subject, err := t.configuration(ctx, entityID)
	if err != nil {
		return Chain{}, err
	}
	return t.climb(ctx, subject, anchors)
}

// enter takes one of the places for resolutions, for a bounded time.
func (f *Federation) enter(ctx context.Context) (context.Context, func(), error) {
	select {
	case f.places <- struct{}{}:
	default:
		return ctx, nil, errFull
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	return ctx, func() { cancel(); <-f.places }, nil
}

// step is one to be taken: from the last of the entities on a way to a superior.
type step struct {
	links []statement // the way so far
	top   statement   // the configuration of the last entity on it
	to    string
}

// climb finds the shortest chain that holds. Ways that lead nowhere or round in a
// circle are left; the reason that is told is the last.
func (t *trip) climb(ctx context.Context, subject statement, anchors map[string]jose.JSONWebKeySet) (Chain, error) {
	why := mistrust("%s names no superior that leads to an anchor believed here", subject.subject)
	if known, ok := anchors[subject.subject]; ok {
		c, err := judge([]statement{subject}, subject.subject, known)
		if err == nil {
			return c, nil
		}
		why = err
	}
	queue := steps([]statement{subject}, subject, anchors)
	for taken := 0; len(queue) > 0 && taken < maxSteps; taken++ {
		s := queue[0]
		queue = queue[1:]
		superior, err := t.configuration(ctx, s.to)
		if err != nil {
			why = err
			continue
		}
		about, err := t.about(ctx, superior, s.top.subject)
		if err != nil {
			why = err
			continue
		}
		links := append(slices.Clone(s.links), about)
		if known, ok := anchors[s.to]; ok {
			c, err := judge(append(slices.Clone(links), superior), s.to, known)
			if err == nil {
				return c, nil
			}
			why = err
		}
		if len(links)+2 > maxDepth { // one more statement, and the anchor's configuration
			why = mistrust("no chain of at most %d statements leads to an anchor", maxDepth)
			continue
		}
		queue = append(queue, steps(links, superior, anchors)...)
	}
	return Chain{}, why
}

// steps are those that lead on, the ones to an anchor first.
func steps(links []statement, top statement, anchors map[string]jose.JSONWebKeySet) []step {
	var first, then []step
	for _, hint := range top.hints {
		passed := func(s statement) bool { return s.subject == hint }
		if hint == top.subject || slices.ContainsFunc(links, passed) {
			continue
		}
		one := step{links: links, top: top, to: hint}
		if _, ok := anchors[hint]; ok {
			first = append(first, one)
		} else {
			then = append(then, one)
		}
	}
	all := append(first, then...)
	return all[:min(len(all), maxHints)]
}
