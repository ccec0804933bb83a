package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// sample is a segment of a record, and what was seen in it.
type sample struct {
	at       int // in the record
	kind     biosdk.Modality
	name     string              // for people: "Left IndexFinger"
	position biometrics.Position // empty: may be any
	data     []byte

	print   finger.Template
	eye     iris.Code
	face    []byte // a template of the engine
	quality *biometrics.Quality
	err     error // why there is nothing to compare
}

// samplesOf are the segments of a record that are asked for; those that were declared
// missing are left out. No modality asked for means every one.
func samplesOf(r *biosdk.Record, asked []biosdk.Modality) ([]*sample, error) {
	switch {
	case r == nil || len(r.Segments) == 0:
		return nil, fmt.Errorf("%w: sample", biosdk.ErrMissingInput)
	case len(r.Segments) > mostSegments:
		return nil, fmt.Errorf("%w: sample, which has more than %d segments", biosdk.ErrInvalidInput, mostSegments)
	}
	var all []*sample
	for i, b := range r.Segments {
		kind := b.Modality()
		if b.Exception() || len(asked) > 0 && !slices.Contains(asked, kind) {
			continue
		}
		all = append(all, sampleOf(b, kind, i))
	}
	if len(all) == 0 {
		return nil, biosdk.ErrNotFound
	}
	return all, nil
}

func sampleOf(b biosdk.BIR, kind biosdk.Modality, at int) *sample {
	s := &sample{at: at, kind: kind, name: string(kind), data: b.BDB}
	p, told := b.Position()
	s.position = p
	switch {
	case kind != biosdk.Finger && kind != biosdk.Iris && kind != biosdk.Face:
		s.name = fmt.Sprintf("segment %d", at)
		s.err = fmt.Errorf("%w: this modality is not supported", biosdk.ErrInvalidInput)
	case !told:
		s.err = fmt.Errorf("%w: the subtype names no finger and no eye", biosdk.ErrInvalidInput)
	case len(s.data) == 0:
		s.err = fmt.Errorf("%w: there is no data", biosdk.ErrNotFound)
	}
	if words := biosdk.SubtypeOf(p); len(words) > 0 {
		s.name = strings.Join(words, " ")
	}
	return s
}

// said is what is wrong with a sample, or could be better.
func (m *sample) said() (all []string) {
	if m.quality != nil {
		for _, reason := range m.quality.Reasons {
			all = append(all, m.name+": "+reason)
		}
	}
	if m.err != nil && len(all) == 0 {
		all = append(all, m.name+": "+m.err.Error())
	}
	return all
}

// look reads samples, all cores at once.
func (s *Server) look(ctx context.Context, samples []*sample, read func(context.Context, *sample) error) error {
	if len(samples) > mostSamples {
		return fmt.Errorf("%w: gallery, which has more than %d segments", biosdk.ErrInvalidInput, mostSamples)
	}
	return s.each(ctx, len(samples), func(i int) error {
		if samples[i].err != nil {
			return nil
		}
		samples[i].err = safely(func() error { return read(ctx, samples[i]) })
		return nil
	})
}

// template makes what can be compared of a sample: of an image, of a record of
// minutiae, of a template of ours.
func (s *Server) template(ctx context.Context, m *sample) error {
	switch m.kind {
	case biosdk.Finger:
		return m.readPrint()
	case biosdk.Iris:
		return m.readEye()
	}
	return s.readFace(ctx, m)
}

// isMinutiae tells whether data are minutiae already: ISO/IEC 19794-2, ANSI 378 or our
// own form.
func isMinutiae(data []byte) bool {
	return len(data) >= 4 && (string(data[:4]) == "FMR\x00" || string(data[:3]) == "PFT")
}

func (m *sample) readPrint() (err error) {
	if isMinutiae(m.data) {
		if m.print, err = finger.ParseTemplate(m.data); err != nil {
			m.print, err = iso.ReadFMR(m.data)
		}
		return because(err)
	}
	img, err := iso.DecodeFinger(m.data)
	if err != nil {
		return because(err)
	}
	t, q, err := finger.Extract(img)
	m.quality = &q
	if m.print = t; err == nil && t.Len() == 0 {
		err = biometrics.ErrNoFinger
	}
	return because(err)
}

func (m *sample) readEye() (err error) {
	if m.eye, err = iris.ParseCode(m.data); err == nil {
		if m.eye.Empty() {
			err = iris.ErrNoEye
		}
		return because(err)
	}
	img, err := iris.Decode(m.data)
	if err != nil {
		return because(err)
	}
	c, q, err := iris.Extract(img)
	m.eye, m.quality = c, &q
	return because(err)
}

// errNoEngine says that faces are only judged.
var errNoEngine = fmt.Errorf("%w: faces are not compared here, there is no engine for them", biosdk.ErrNotFound)

func (s *Server) readFace(ctx context.Context, m *sample) error {
	if s.config.Faces == nil {
		return errNoEngine
	}
	img, err := face.Decode(m.data)
	if err != nil {
		if m.face = m.data; iso.IsImage(m.data) {
			return because(err)
		}
		return nil // a template of the engine, which will tell
	}
	q, err := face.Check(img)
	m.quality = &q
	if err != nil {
		return because(err)
	}
	if m.face, err = s.config.Faces.Extract(ctx, img); err != nil {
		return fmt.Errorf("%w: the engine for faces failed", biosdk.ErrMatchFailed)
	}
	return nil
}

// because is an error of the engines as one of the SDK, in a fixed sentence.
func because(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, biometrics.ErrNoFinger), errors.Is(err, iris.ErrNoEye), errors.Is(err, face.ErrNoFace):
		return fmt.Errorf("%w: there is no finger, eye or face to be seen", biosdk.ErrPoorData)
	case errors.Is(err, biometrics.ErrTooLarge):
		return fmt.Errorf("%w: the image is too large", biosdk.ErrInvalidInput)
	case errors.Is(err, biometrics.ErrBadTemplate):
		return fmt.Errorf("%w: the template cannot be read", biosdk.ErrInvalidInput)
	}
	return fmt.Errorf("%w: the record or its image cannot be read", biosdk.ErrInvalidInput)
}

// useless is the error of samples of which not one can be used; nil if one can.
func useless(samples []*sample) error {
	for _, m := range samples {
		if m.err == nil {
			return nil
		}
	}
	// The one that got furthest says most.
	for _, kind := range []error{biosdk.ErrUnknown, biosdk.ErrMatchFailed, biosdk.ErrPoorData, biosdk.ErrQualityFailed, biosdk.ErrInvalidInput} {
		for _, m := range samples {
			if errors.Is(m.err, kind) {
				return m.err
			}
		}
	}
	return samples[0].err
}
