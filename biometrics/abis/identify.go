package abis

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/gallery"
)

// search is an identify that has its place: who was inserted later is not seen.
type search struct {
	Request
	before int64
}

// identify finds who is like somebody.
func (a *ABIS) identify(ctx context.Context, s search, answer *Answer) Failure {
	var probe gallery.Person
	var failure Failure
	if s.ReferenceID != "" {
		probe, _, failure = a.person(s.ReferenceID, s.before)
	} else {
		probe, failure = a.samples(ctx, s.ReferenceURL)
	}
	if failure != 0 {
		return failure
	}
	found, size, failure := a.alike(ctx, s, probe)
	if failure != 0 {
		return failure
	}
	policy := gallery.Policy{Bother: s.fpir(a.FPIR)}
	list := &CandidateList{Candidates: []Candidate{}}
	for _, hit := range found {
		if policy.Decide(hit.Score, size) == gallery.Unique || len(list.Candidates) == s.most() {
			break
		}
		a.mu.Lock()
		reference, ok := a.refs[hit.Ref]
		a.mu.Unlock()
		if ok && reference != s.ReferenceID {
			list.Candidates = append(list.Candidates, candidateOf(reference, hit, size))
		}
	}
	list.Count = strconv.Itoa(len(list.Candidates))
	answer.CandidateList = list
	return 0
}

// alike are those of the gallery of the request, or of all, who are most like the
// probe, and among how many.
func (a *ABIS) alike(ctx context.Context, s search, probe gallery.Person) ([]gallery.Candidate, int, Failure) {
	among := s.among()
	if len(among) == 0 {
		return a.gallery.Search(probe, s.before, mostResults+1), a.gallery.Len(), 0
	}
	found := make([]gallery.Candidate, 0, len(among))
	for _, reference := range among {
		if ctx.Err() != nil {
			return nil, 0, Aborted
		}
		person, ref, failure := a.person(reference, s.before)
		if failure != 0 {
			return nil, 0, failure
		}
		c := gallery.Compare(probe, person)
		c.Ref = ref
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b gallery.Candidate) int { return cmp.Compare(b.Score, a.Score) })
	return found, len(found), 0
}

// candidateOf tells of a candidate as MOSIP wants it: texts, by modality.
func candidateOf(reference string, hit gallery.Candidate, size int) Candidate {
	c := Candidate{ReferenceID: reference, Analytics: analyticsOf(hit.Score, size)}
	for _, part := range []struct {
		kind   string
		scores []gallery.PositionScore
	}{{"FIR", hit.Fingers}, {"IIR", hit.Eyes}} {
		if len(part.scores) == 0 {
			continue
		}
		var scores []biometrics.Score
		for _, s := range part.scores {
			scores = append(scores, s.Score)
		}
		c.Modalities = append(c.Modalities, Modality{part.kind, analyticsOf(biometrics.Together(scores...), size)})
	}
	return c
}

// analyticsOf gives the score, −log10 of the chance of such a likeness between two
// people, and in per cent how likely nobody of so many would be so alike by chance.
func analyticsOf(score biometrics.Score, size int) Analytics {
	chance := min(1, float64(max(1, size))*math.Pow(10, -float64(score)))
	return Analytics{InternalScore: text(strconv.FormatFloat(float64(score), 'f', 2, 64)), Confidence: text(strconv.Itoa(min(99, int(100*(1-chance)))))} // nothing is certain
}

// person reads somebody back from the file who was inserted before a place.
func (a *ABIS) person(reference string, before int64) (gallery.Person, uuid.UUID, Failure) {
	a.mu.Lock()
	m, ok := a.known[reference]
	a.mu.Unlock()
	if !ok || m.place >= before {
		return gallery.Person{}, uuid.Nil, ReferenceUnknown
	}
	e, err := a.file.read(m.at)
	if err == nil {
		var person gallery.Person
		if person, err = e.person(); err == nil {
			return person, m.ref, 0
		}
	}
	slog.Error("abis: reading failed", "error", err)
	return gallery.Person{}, uuid.Nil, Internal
}
