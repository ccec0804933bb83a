package server

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/iso"
)

// Formats as CBEFF numbers them in MOSIP.
const (
	formatMinutiae = "2"
	formatFinger   = "7"
	formatFace     = "8"
	formatIris     = "9"
)

// extract makes templates: ISO/IEC 19794-2:2005 of fingers, which every verifier reads,
// codes of our own of eyes. Samples of which none can be made are left out and named.
func (s *Server) extract(ctx context.Context, raw []byte) (any, error) {
	request, err := parsed[biosdk.ExtractRequest](raw)
	if err != nil {
		return nil, err
	}
	samples, err := samplesOf(request.Sample, request.Modalities)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx, samples, s.template); err != nil {
		return nil, err
	}
	if err := useless(samples); err != nil {
		return nil, err
	}
	out := *request.Sample
	out.Segments = nil
	var left []string
	for _, m := range samples {
		if m.err != nil {
			left = append(left, m.name+": "+m.err.Error())
			continue
		}
		b, err := s.templateOf(m, request.Sample.Segments[m.at])
		if err != nil {
			return nil, err
		}
		out.Segments = append(out.Segments, b)
	}
	return biosdk.Result{Message: remark("Left out", left), Response: out}, nil
}

// remark is what is said beside OK.
func remark(what string, of []string) string {
	if len(of) == 0 {
		return ""
	}
	return "OK. " + what + ": " + strings.Join(of, "; ")
}

// templateOf is a segment with the template in place of the sample.
func (s *Server) templateOf(m *sample, b biosdk.BIR) (biosdk.BIR, error) {
	data, format := m.face, biosdk.RegistryID{Organization: product, Type: formatFace}
	switch m.kind {
	case biosdk.Finger:
		record, err := minutiae(m)
		if err != nil {
			return b, fmt.Errorf("%w: the template cannot be written", biosdk.ErrPoorData)
		}
		data, format = record, biosdk.RegistryID{Organization: organization(b), Type: formatMinutiae}
	case biosdk.Iris:
		// MOSIP takes no other number for an eye: whose form it is, the organization says.
		data, format = m.eye.Marshal(), biosdk.RegistryID{Organization: product, Type: formatIris}
	}
	b = s.made(b, data, format)
	b.BDBInfo.Level = biosdk.Processed
	b.BDBInfo.Extraction = &biosdk.RegistryID{Organization: product, Type: product}
	if m.quality != nil {
		b.BDBInfo.Quality = qualityIn(*m.quality)
	}
	return b, nil
}

func organization(b biosdk.BIR) biosdk.Text {
	if f := b.BDBInfo.Format; f != nil && f.Organization != "" {
		return f.Organization
	}
	return "Mosip"
}

func qualityIn(q biometrics.Quality) *biosdk.Quality {
	score := float64(q.Value)
	return &biosdk.Quality{Algorithm: &biosdk.RegistryID{Organization: product, Type: product}, Score: &score}
}

// made is a segment with other data: what the device signed is gone from it.
func (s *Server) made(b biosdk.BIR, data []byte, format biosdk.RegistryID) biosdk.BIR {
	info := *b.BDBInfo
	info.Format, info.Created = &format, biosdk.Date{Time: s.config.Now().UTC()}
	b.BDBInfo, b.BDB, b.SB, b.SBInfo = &info, data, nil, nil
	b.Others = maps.Clone(b.Others)
	delete(b.Others, "PAYLOAD")
	return b
}

// Where a record of minutiae says which finger it is of, and how good its image was
// (ISO/IEC 19794-2:2005, the header of a view).
const (
	atPosition = 24
	atQuality  = 26
)

// minutiae is the record of a print.
func minutiae(m *sample) ([]byte, error) {
	record, err := iso.WriteFMR(m.print)
	if err != nil || len(record) <= atQuality {
		return nil, biometrics.ErrBadTemplate
	}
	record[atPosition] = byte(m.position.Code())
	if m.quality != nil {
		record[atQuality] = byte(m.quality.Value)
	}
	return record, nil
}
