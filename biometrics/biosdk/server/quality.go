package server

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/face"
)

// checkQuality judges samples. The quality of a modality is the mean of its samples; one
// that cannot be used counts as 0.
func (s *Server) checkQuality(ctx context.Context, raw []byte) (any, error) {
	request, err := parsed[biosdk.QualityRequest](raw)
	if err != nil {
		return nil, err
	}
	samples, err := samplesOf(request.Sample, request.Modalities)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx, samples, judge); err != nil {
		return nil, err
	}
	if err := unjudged(samples); err != nil {
		return nil, err
	}
	scores := make(map[biosdk.Modality]biosdk.QualityScore)
	for kind, of := range byKind(samples) {
		scores[kind] = qualityOf(of)
	}
	return biosdk.Result{Response: biosdk.Qualities{Scores: scores}}, nil
}

// judge tells the quality of a sample. One that shows nothing has the quality 0, with
// its reasons.
func judge(_ context.Context, m *sample) error {
	var err error
	switch m.kind {
	case biosdk.Finger:
		if isMinutiae(m.data) {
			return fmt.Errorf("%w: a template shows too little of it", biosdk.ErrQualityFailed)
		}
		err = m.readPrint()
	case biosdk.Iris:
		err = m.readEye()
		if err == nil && m.quality == nil {
			return fmt.Errorf("%w: a template shows too little of it", biosdk.ErrQualityFailed)
		}
	case biosdk.Face:
		img, decoding := face.Decode(m.data)
		if decoding != nil {
			return because(decoding)
		}
		q, checking := face.Check(img)
		m.quality, err = &q, because(checking)
	}
	if errors.Is(err, biosdk.ErrPoorData) {
		if m.quality == nil {
			m.quality = &biometrics.Quality{Reasons: []string{"too small"}}
		}
		m.quality.Value = 0
		return nil
	}
	return err
}

// unjudged is the error of samples of which none has a quality.
func unjudged(samples []*sample) error {
	for _, m := range samples {
		if m.quality != nil {
			return nil
		}
	}
	return useless(samples)
}

func byKind(samples []*sample) map[biosdk.Modality][]*sample {
	kinds := make(map[biosdk.Modality][]*sample)
	for _, m := range samples {
		kinds[m.kind] = append(kinds[m.kind], m)
	}
	return kinds
}

func qualityOf(samples []*sample) biosdk.QualityScore {
	q := biosdk.QualityScore{Analytics: biosdk.Info{"algorithm": product}}
	sum := 0
	for _, m := range samples {
		q.Errors = append(q.Errors, m.said()...)
		value := 0
		if m.quality != nil {
			value = m.quality.Value
		}
		key := m.name
		for n := 2; q.Analytics[key] != ""; n++ {
			key = fmt.Sprintf("%s %d", m.name, n)
		}
		q.Analytics[key] = fmt.Sprint(value)
		sum += value
	}
	q.Score = math.Round(10*float64(sum)/float64(len(samples))) / 10
	return q
}
