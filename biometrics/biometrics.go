// Package biometrics holds the words of the field: modalities, positions on the
// body, quality and scores. The engines below it take bytes and give numbers,
// and never know whose they are.
package biometrics

import (
	"errors"
	"fmt"
	"math"
)

// Modality is a kind of biometric.
type Modality string

// The modalities.
const (
	Finger Modality = "finger"
	Iris   Modality = "iris"
	Face   Modality = "face"
)

// Position is where on the body a sample is from, as enrolment names it.
type Position string

// The positions.
const (
	RightThumb  Position = "rightThumb"
	RightIndex  Position = "rightIndex"
	RightMiddle Position = "rightMiddle"
	RightRing   Position = "rightRing"
	RightLittle Position = "rightLittle"
	LeftThumb   Position = "leftThumb"
	LeftIndex   Position = "leftIndex"
	LeftMiddle  Position = "leftMiddle"
	LeftRing    Position = "leftRing"
	LeftLittle  Position = "leftLittle"
	LeftEye     Position = "leftEye"
	RightEye    Position = "rightEye"
	FullFace    Position = "face"
)

// fingers are in the order of ISO/IEC 19794-2 finger positions 1 to 10.
var fingers = []Position{RightThumb, RightIndex, RightMiddle, RightRing, RightLittle,
	LeftThumb, LeftIndex, LeftMiddle, LeftRing, LeftLittle}

// ParsePosition reads a position.
func ParsePosition(s string) (Position, error) {
	p := Position(s)
	if p.Code() == 0 && p != LeftEye && p != RightEye && p != FullFace {
		return "", fmt.Errorf("%q is no position on the body", s)
	}
	return p, nil
}

// Modality is what kind of sample is taken there.
func (p Position) Modality() Modality {
	switch p {
	case LeftEye, RightEye:
		return Iris
	case FullFace:
		return Face
	}
	return Finger
}

// Code is the ISO/IEC 19794-2 finger position, 1 to 10; 0 for what is no finger.
func (p Position) Code() int {
	for i, f := range fingers {
		if f == p {
			return i + 1
		}
	}
	return 0
}

// Score is how unlikely it is that two samples of different sources are so
// alike: −log10 of the false match rate.
type Score float64

// Together is what the scores of several fingers and eyes say of one person: each is
// the −log10 of a chance, and so is the result (Fisher's method: the sum of k such
// logarithms follows the gamma distribution of shape k). A plain sum would make
// four fingers that are each a little alike look like a proof.
func Together(scores ...Score) Score {
	var sum float64
	for _, s := range scores {
		sum += float64(max(0, s))
	}
	x := sum * math.Ln10
	term, tail := 1.0, 1.0
	for i := 1; i < len(scores); i++ {
		term *= x / float64(i)
		tail += term
	}
	return Score(sum - math.Log10(tail))
}

// Quality predicts how well a sample will match, from 0 to 100, with reasons
// that a person can act on.
type Quality struct {
	Value   int      `json:"value"`
	Reasons []string `json:"reasons,omitempty"` // of fingers "dry", "wet", "partial", "moved" and so on
}

// PAD is what a device or an outside engine says of a presentation attack
// (ISO/IEC 30107-2): whether a living part of a body was presented.
type PAD struct {
	Score     float64 `json:"score"` // 0 an attack, 1 living
	Mechanism string  `json:"mechanism"`
	Vendor    string  `json:"vendor"`
	Level     int     `json:"level,omitempty"` // of ISO/IEC 30107-3 that it was evaluated at; 0: none
}

// Why a sample cannot be used.
var (
	ErrNotAnImage  = errors.New("this is no image that can be read (PNG, JPEG, BMP, TIFF, WSQ or JPEG 2000)")
	ErrTooLarge    = errors.New("this image is too large")
	ErrNoFinger    = errors.New("there is no fingerprint in this image")
	ErrBadTemplate = errors.New("this is no template that can be read")
)

// FingerOf is the finger of an ISO/IEC 19794-2 position, 1 to 10.
func FingerOf(code int) (Position, bool) {
	if code < 1 || code > len(fingers) {
		return "", false
	}
	return fingers[code-1], true
}
