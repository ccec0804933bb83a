package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
)

// match compares a sample with each record of a small gallery.
func (s *Server) match(ctx context.Context, raw []byte) (any, error) {
	request, err := parsed[biosdk.MatchRequest](raw)
	if err != nil {
		return nil, err
	}
	if len(request.Gallery) == 0 {
		return nil, fmt.Errorf("%w: gallery", biosdk.ErrMissingInput)
	}
	probe, err := samplesOf(request.Sample, request.Modalities)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(probe)
	gallery := make([]record, len(request.Gallery))
	for i := range request.Gallery {
		gallery[i].samples, gallery[i].err = samplesOf(&request.Gallery[i], request.Modalities)
		all = append(all, gallery[i].samples...)
	}
	if err := s.look(ctx, all, s.template); err != nil {
		return nil, err
	}
	if err := useless(probe); err != nil && !errors.Is(err, errNoEngine) {
		return nil, err
	}
	decisions := make(biosdk.List[biosdk.MatchDecision], len(gallery))
	err = s.each(ctx, len(gallery), func(i int) error {
		decisions[i] = s.decide(ctx, i, byKind(probe), gallery[i])
		return nil
	})
	if err != nil {
		return nil, err
	}
	return biosdk.Result{Response: decisions}, nil
}

// record is one of a gallery.
type record struct {
	samples []*sample
	err     error // why it has none
}

// decide compares a sample with a record, each modality by itself.
func (s *Server) decide(ctx context.Context, index int, probe map[biosdk.Modality][]*sample, r record) biosdk.MatchDecision {
	d := biosdk.MatchDecision{GalleryIndex: index, Decisions: make(map[biosdk.Modality]biosdk.Decision)}
	theirs := byKind(r.samples)
	for kind, ours := range probe {
		d.Decisions[kind] = s.decideOf(ctx, kind, ours, theirs[kind], r.err)
	}
	return d
}

// decideOf compares what there is of one modality. What is missing does not match; what
// cannot be used is an error.
func (s *Server) decideOf(ctx context.Context, kind biosdk.Modality, ours, theirs []*sample, missing error) biosdk.Decision {
	d := biosdk.Decision{Match: biosdk.Failed, Analytics: biosdk.Info{}}
	for side, samples := range map[string][]*sample{"sample": ours, "gallery": theirs} {
		for _, m := range samples {
			if m.err != nil {
				d.Errors = append(d.Errors, side+", "+m.name+": "+m.err.Error())
			}
		}
	}
	slices.Sort(d.Errors)
	ours, theirs = usable(ours), usable(theirs)
	switch {
	case len(ours) == 0:
		return d
	case len(theirs) == 0 && len(d.Errors) > 0:
		return d
	case len(theirs) == 0:
		d.Match = biosdk.NotMatched
		if missing == nil || errors.Is(missing, biosdk.ErrMissingInput) {
			missing = biosdk.ErrNotFound
		}
		if !errors.Is(missing, biosdk.ErrNotFound) {
			d.Match = biosdk.Failed
		}
		d.Errors = append(d.Errors, "gallery: "+missing.Error())
		return d
	}
	var scores []biometrics.Score
	err := safely(func() (err error) {
		scores, err = s.compare(ctx, kind, ours, theirs)
		return err
	})
	if err != nil {
		d.Errors = append(d.Errors, sentence(message(err)))
		return d
	}
	d.Match = biosdk.NotMatched
	together := biometrics.Together(scores...)
	if len(scores) == 0 {
		together = 0
		d.Errors = append(d.Errors, "the sample and the gallery have no finger or eye in common")
	} else if together >= s.config.Threshold {
		d.Match = biosdk.Matched
	}
	d.Analytics["score"], d.Analytics["threshold"], d.Analytics["compared"] = number(together), number(s.config.Threshold), fmt.Sprint(len(scores))
	return d
}

func usable(samples []*sample) (all []*sample) {
	for _, m := range samples {
		if m.err == nil {
			all = append(all, m)
		}
	}
	return all
}

// alike is how surely two samples show one finger, eye or face.
func (s *Server) alike(ctx context.Context, a, b *sample) (biometrics.Score, error) {
	switch a.kind {
	case biosdk.Finger:
		return finger.Compare(a.print, b.print), nil
	case biosdk.Iris:
		return iris.Compare(a.eye, b.eye), nil
	}
	score, err := s.config.Faces.Compare(ctx, a.face, b.face)
	if err != nil {
		return 0, fmt.Errorf("%w: the engine for faces failed", biosdk.ErrMatchFailed)
	}
	return score, nil
}

// oneFinger is the score from which two samples are taken for one finger or eye given
// twice: it counts once.
const oneFinger = finger.Threshold + 2

// distinct puts samples of one finger or eye together: of the same name, or, where a
// name is not known, alike. Whoever sends one finger ten times has not ten fingers.
func (s *Server) distinct(ctx context.Context, samples []*sample, compare bool) (groups [][]*sample, err error) {
next:
	for _, m := range inNames(samples) {
		for i, g := range groups {
			same := m.position != "" && g[0].position == m.position
			for _, other := range g {
				if same || !compare || m.position != "" {
					break
				}
				score, err := s.alike(ctx, m, other)
				if err != nil {
					return nil, err
				}
				same = score >= oneFinger
			}
			if same {
				groups[i] = append(g, m)
				continue next
			}
		}
		groups = append(groups, []*sample{m})
	}
	return groups, nil
}

// inNames has those without a name last.
func inNames(samples []*sample) []*sample {
	return slices.SortedStableFunc(slices.Values(samples), func(a, b *sample) int {
		return cmp.Compare(boolean(a.position == ""), boolean(b.position == ""))
	})
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compare gives a score to each finger or eye of the sample that has one to be compared
// with in the record: of the same name, or any where a name is not known. Each pays for
// the number of its tries, and none is compared with what another has taken.
func (s *Server) compare(ctx context.Context, kind biosdk.Modality, ours, theirs []*sample) ([]biometrics.Score, error) {
	probes, err := s.distinct(ctx, ours, kind != biosdk.Face)
	if err != nil {
		return nil, err
	}
	stored, err := s.distinct(ctx, theirs, false)
	if err != nil {
		return nil, err
	}
	type pair struct {
		ours, theirs int
		score        biometrics.Score
	}
	var pairs []pair
	var tried []int
	for i, p := range probes {
		tries, from := 0, len(pairs)
		for j, t := range stored {
			if !mayBeOne(p, t) {
				continue
			}
			best, err := s.best(ctx, p, t)
			if err != nil {
				return nil, err
			}
			tries += len(p) * len(t)
			pairs = append(pairs, pair{i, j, best})
		}
		if tries > 0 {
			tried = append(tried, i)
		}
		for k := range pairs[from:] {
			pairs[from+k].score -= biometrics.Score(math.Log10(float64(tries)))
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.score, a.score) })
	found, taken, given := make([]biometrics.Score, len(probes)), make([]bool, len(probes)), make([]bool, len(stored))
	for _, p := range pairs {
		if !taken[p.ours] && !given[p.theirs] {
			found[p.ours], taken[p.ours], given[p.theirs] = max(0, p.score), true, true
		}
	}
	// One that found nothing was tried as well: the best of many is not chosen.
	var scores []biometrics.Score
	for _, i := range tried {
		scores = append(scores, found[i])
	}
	return scores, nil
}

// mayBeOne tells whether two groups may show the same finger or eye.
func mayBeOne(a, b []*sample) bool {
	return a[0].position == b[0].position || a[0].position == "" || b[0].position == ""
}

// best is the score of the two samples that are most alike.
func (s *Server) best(ctx context.Context, a, b []*sample) (best biometrics.Score, err error) {
	for _, x := range a {
		for _, y := range b {
			score, err := s.alike(ctx, x, y)
			if err != nil {
				return 0, err
			}
			best = max(best, score)
		}
	}
	return best, nil
}
