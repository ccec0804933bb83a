package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/slap"
)

// hands are what is laid on a scanner together, by finger positions of ISO/IEC 19794-4.
var hands = map[byte]slap.Kind{13: slap.RightFour, 14: slap.LeftFour, 15: slap.Thumbs}

// onHand are the fingers of each.
var onHand = map[slap.Kind][]biometrics.Position{
	slap.RightFour: {biometrics.RightIndex, biometrics.RightMiddle, biometrics.RightRing, biometrics.RightLittle},
	slap.LeftFour:  {biometrics.LeftIndex, biometrics.LeftMiddle, biometrics.LeftRing, biometrics.LeftLittle},
	slap.Thumbs:    {biometrics.LeftThumb, biometrics.RightThumb},
}

// segment takes images of several fingers apart. Other segments stay as they are.
func (s *Server) segment(ctx context.Context, raw []byte) (any, error) {
	request, err := parsed[biosdk.SegmentRequest](raw)
	if err != nil {
		return nil, err
	}
	if len(request.Modalities) > 0 && !slices.Contains(request.Modalities, biosdk.Finger) {
		return nil, fmt.Errorf("%w: modalitiesToSegment, only fingers can be", biosdk.ErrInvalidInput)
	}
	if _, err := samplesOf(request.Sample, []biosdk.Modality{biosdk.Finger}); err != nil {
		return nil, err
	}
	all := request.Sample.Segments
	cut, failed := make([][]biosdk.BIR, len(all)), make([]error, len(all))
	err = s.each(ctx, len(all), func(i int) error {
		cut[i], failed[i] = s.cut(all[i], all)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(failed, func(err error) bool { return err != nil }); i >= 0 {
		return nil, fmt.Errorf("%w (segment %d)", failed[i], i)
	}
	out := *request.Sample
	if out.Segments = slices.Concat(cut...); len(out.Segments) > biosdk.MostItems {
		return nil, fmt.Errorf("%w: sample, which has too many fingers", biosdk.ErrInvalidInput)
	}
	return biosdk.Result{Response: out}, nil
}

// cut takes one segment apart; one that is no image of several fingers stays whole.
func (s *Server) cut(b biosdk.BIR, all []biosdk.BIR) ([]biosdk.BIR, error) {
	kind, ok := handOf(b)
	if b.Modality() != biosdk.Finger || b.Exception() || !ok {
		return []biosdk.BIR{b}, nil
	}
	img, err := iso.DecodeFinger(b.BDB)
	if err != nil {
		return nil, because(err)
	}
	hand := slap.Hand{Kind: kind}
	for _, other := range all {
		if p, _ := other.Position(); other.Exception() && slices.Contains(onHand[kind], p) && !slices.Contains(hand.Missing, p) {
			hand.Missing = append(hand.Missing, p)
		}
	}
	cuts, err := slap.Segment(img, hand)
	if err != nil {
		return nil, notCut(err)
	}
	var fingers []biosdk.BIR
	for _, c := range cuts {
		record, err := recordOf(c)
		if err != nil {
			return nil, err
		}
		one := s.made(b, record, biosdk.RegistryID{Organization: organization(b), Type: formatFinger})
		one.BDBInfo.Subtype, one.BDBInfo.Quality = biosdk.SubtypeOf(c.Position), qualityIn(c.Quality)
		fingers = append(fingers, one)
	}
	return fingers, nil
}

// notCut says why a picture was refused.
func notCut(err error) error {
	var refused *slap.Refused
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %s", biosdk.ErrPoorData, strings.TrimPrefix(refused.Error(), "slap: "))
	}
	if errors.Is(err, slap.ErrHand) {
		return fmt.Errorf("%w: all fingers of a hand are declared missing, and there is an image of it", biosdk.ErrInvalidInput)
	}
	return fmt.Errorf("%w: the image cannot be taken apart", biosdk.ErrPoorData)
}

// recordOf is a finger that was cut out, as a record.
func recordOf(c slap.Cut) ([]byte, error) {
	var out bytes.Buffer
	if err := png.Encode(&out, c.Image.Gray()); err != nil {
		return nil, fmt.Errorf("%w: the image cannot be written", biosdk.ErrUnknown)
	}
	return iso.WriteImage(iso.Image{Position: c.Position, Codec: iso.PNG, Width: c.Image.Width, Height: c.Image.Height, PPI: ppi, Quality: c.Quality.Value, Data: out.Bytes()})
}

// ppi is the resolution to which images of fingers are brought when they are read.
const ppi = 500

// handOf tells what several fingers are in a segment: by the position in its record, or
// where that is not said, by a subtype that names a hand and no finger.
func handOf(b biosdk.BIR) (slap.Kind, bool) {
	position, ok := positionIn(b.BDB)
	if kind, several := hands[position]; ok && several {
		return kind, true
	}
	if ok && position != 0 {
		return "", false
	}
	kind, several := map[string]slap.Kind{"right": slap.RightFour, "left": slap.LeftFour, "thumb": slap.Thumbs, "thumbs": slap.Thumbs}[strings.ToLower(b.Subtype())]
	return kind, several
}

// positionIn is the position in the first representation of a finger image record
// (ISO/IEC 19794-4:2011, 8.2 and 8.3).
func positionIn(record []byte) (position byte, ok bool) {
	const certified, quality = 14, 16 + 4 + 9 + 5
	if !iso.IsImage(record) || string(record[:3]) != "FIR" || len(record) <= quality {
		return 0, false
	}
	at := quality + 1 + 5*int(record[quality])
	if record[certified] != 0 && at < len(record) {
		at += 1 + 3*int(record[at])
	}
	if at >= len(record) {
		return 0, false
	}
	return record[at], true
}
