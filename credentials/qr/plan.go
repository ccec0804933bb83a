package qr

import "fmt"

// Level is how much of a code may be damaged before it cannot be read.
type Level int

// The levels: 7, 15, 25 and 30 per cent. Low is for screens and laminated cards,
// Medium for paper.
const (
	Low Level = iota
	Medium
	Quartile
	High
)

// What a QR code of version 40 holds at each level.
var (
	alphanumeric = [...]int{4296, 3391, 2420, 1852}
	octets       = [...]int{2953, 2331, 1663, 1273}
)

// Reading tells how well phones read a code of some size, as Inji found with its
// verifier.
type Reading string

// The classes of reading.
const (
	Good     Reading = "good"     // up to version 22
	Variable Reading = "variable" // 23 to 27: a good camera, or a second try
	Poor     Reading = "poor"     // more
)

// DefaultModule is the smallest edge of a module, in millimetres, that an office
// printer and a phone agree on.
const DefaultModule = 0.33

// Target is what a code has to fit. What is zero is not bounded.
type Target struct {
	Level       Level
	Version     int     // at most
	Module      float64 // millimetres; zero means DefaultModule
	Millimetres float64 // of the edge, with the quiet zone, at most
}

// FullCard is the target of a full bilingual code with a face: the largest that a
// cheap phone still reads, on a card that is laminated.
var FullCard = Target{Level: Low, Version: 23}

// Plan is what a text becomes on paper.
type Plan struct {
	Version     int
	Level       Level
	Modules     int     // along an edge, with the quiet zone
	Millimetres float64 // of an edge, with the quiet zone
	Length      int     // of the text, in characters or bytes
	Capacity    int     // of this version and level, in the same
	Reading     Reading
}

// largest is the largest version that a target allows.
func (t Target) largest() int {
	version := maxVersion
	if t.Version > 0 {
		version = min(version, t.Version)
	}
	for ; t.Millimetres > 0 && version > 0 && t.millimetres(version) > t.Millimetres; version-- {
	}
	return version
}

func (t Target) millimetres(version int) float64 {
	module := t.Module
	if module <= 0 {
		module = DefaultModule
	}
	return float64(sideOf(version)+2*Quiet) * module
}

// Characters is how many characters of base45 a target holds, and Bytes how many bytes
// these stand for.
func (t Target) Characters() int {
	version := t.largest()
	if version < 1 {
		return 0
	}
	left := dataWords(version, t.Level)*8 - 4 - countBits(version, letters)
	return left/11*2 + left%11/6
}

// Bytes is how many deflated bytes a target holds.
func (t Target) Bytes() int { return t.Characters() / 3 * 2 }

func countBits(version int, m mode) int {
	for _, w := range widths {
		if version <= w.to {
			return w.count[m]
		}
	}
	return 0
}

// Plan says what a text becomes. What does not fit is ErrTooLong, with what is needed
// and what there is.
func (t Target) Plan(text string) (Plan, error) {
	if text == "" || t.Level < Low || t.Level > High {
		return Plan{}, fmt.Errorf("%w: nothing to draw", ErrMalformed)
	}
	version, capacity := versionOf(text, t.Level)
	if version == 0 {
		return Plan{}, tooLong(text, t.Level)
	}
	if largest := t.largest(); version > largest {
		return Plan{}, fmt.Errorf("%w: %d characters (%d bytes) make version %d, and version %d is the largest here: %d characters (%d bytes)",
			ErrTooLong, len(text), len(text)*2/3, version, largest, t.Characters(), t.Bytes())
	}
	p := Plan{Version: version, Level: t.Level, Modules: sideOf(version) + 2*Quiet, Millimetres: t.millimetres(version),
		Length: len(text), Capacity: capacity, Reading: Poor}
	switch {
	case version <= 22:
		p.Reading = Good
	case version <= 27:
		p.Reading = Variable
	}
	return p, nil
}

// versionOf is the smallest version that holds a text, and how much it would hold of
// the same kind.
func versionOf(text string, level Level) (version, capacity int) {
	for _, w := range widths {
		length := w.length(w.split(text))
		for version := w.from; version <= w.to && length > 0; version++ {
			if bits := dataWords(version, level) * 8; length <= bits {
				if !isAlphanumeric(text) {
					return version, (bits - 4 - w.count[bytewise]) / 8
				}
				left := bits - 4 - w.count[letters]
				return version, left/11*2 + left%11/6
			}
		}
	}
	return 0, 0
}
