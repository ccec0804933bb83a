package card

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"

	"github.com/plinth-id/plinth/credentials/card/pdf"
)

//go:embed templates/*.json
var templates embed.FS

// Template lays out a card or a letter. It holds places, sizes and paths, never values.
type Template struct {
	Name   string  `json:"name"`
	Width  float64 `json:"width"` // millimetres
	Height float64 `json:"height"`
	// Mirrored lays it out from right to left for languages that are written so.
	Mirrored bool   `json:"mirrored,omitempty"`
	Pages    []Side `json:"pages"`
	// Labels are what is printed beside values, by key and language (ISO 639-2).
	Labels map[string]map[string]string `json:"labels"`
}

// Side is one page, or one side of a card.
type Side struct {
	Colour Colour `json:"colour,omitempty"` // of the ground; empty: white
	Items  []Item `json:"items"`
}

// Item is one thing on a page.
type Item struct {
	Kind   Kind    `json:"kind"`
	X      float64 `json:"x"` // millimetres, from the upper left corner
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	// Of text.
	Path   string  `json:"path,omitempty"`  // of the value
	Nth    int     `json:"nth,omitempty"`   // which of several languages, from 0
	Label  string  `json:"label,omitempty"` // a key of Labels
	Size   float64 `json:"size,omitempty"`  // points
	Bold   bool    `json:"bold,omitempty"`
	Align  Align   `json:"align,omitempty"`
	Colour Colour  `json:"colour,omitempty"`
	// Of a picture that is the same on every card, such as a logo: a JPEG.
	Picture []byte `json:"picture,omitempty"`
}

// Kind is what an item is.
type Kind string

// The kinds of items. A field is a value with its label above it, and is left out with
// the value.
const (
	Field    Kind = "field"
	Text     Kind = "text" // a value, or else a label
	Portrait Kind = "portrait"
	Code     Kind = "code"
	Picture  Kind = "picture"
	Box      Kind = "box"
)

// Align is where text stands in its place; start is where its language begins to read.
type Align string

// The ways to align.
const (
	Start  Align = "start"
	Centre Align = "centre"
	End    Align = "end"
)

// Colour is #rrggbb.
type Colour string

var colourForm = regexp.MustCompile(`^#[0-9a-f]{6}$`)

func (c Colour) rgb(otherwise pdf.Colour) pdf.Colour {
	n, err := strconv.ParseUint(string(c[min(1, len(c)):]), 16, 32)
	if c == "" || err != nil {
		return otherwise
	}
	return pdf.Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}
}

// The bounds of a template.
const (
	maxTemplate  = 1 << 20
	maxMeasure   = 420 // A3, in millimetres
	maxItems     = 100
	maxPages     = 4
	minSize      = 4 // points
	maxSize      = 72
	maxLabelText = 2000
)

// The templates that come along.
const (
	ID1    = "card"   // 85.6 × 54.0 mm, front and back
	Letter = "letter" // A4
)

// Default gives a template that comes along, by its name.
func Default(name string) (Template, error) {
	raw, err := templates.ReadFile("templates/" + name + ".json")
	if err != nil {
		return Template{}, fmt.Errorf("%w: there is none of this name", ErrTemplate)
	}
	return ParseTemplate(raw)
}

// ParseTemplate reads a template, and says what is wrong with it and where.
func ParseTemplate(raw []byte) (Template, error) {
	var t Template
	if len(raw) > maxTemplate {
		return t, fmt.Errorf("%w: %d bytes, at most %d", ErrTemplate, len(raw), maxTemplate)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil || d.More() {
		return Template{}, fmt.Errorf("%w: not JSON of a template: %w", ErrTemplate, err)
	}
	if err := t.check(); err != nil {
		return Template{}, err
	}
	return t, nil
}

func (t Template) check() error {
	if !measures(t.Width, t.Height) || len(t.Pages) == 0 || len(t.Pages) > maxPages {
		return fmt.Errorf("%w: it takes 1 to %d pages of up to %d mm", ErrTemplate, maxPages, maxMeasure)
	}
	for key, label := range t.Labels {
		for language, text := range label {
			if len(text) > maxLabelText {
				return fmt.Errorf("%w: label %s in %s is longer than %d bytes", ErrTemplate, key, language, maxLabelText)
			}
		}
	}
	for n, page := range t.Pages {
		if len(page.Items) > maxItems || !page.Colour.valid() {
			return fmt.Errorf("%w: page %d: more than %d items or a colour that is not #rrggbb", ErrTemplate, n+1, maxItems)
		}
		for i, item := range page.Items {
			if err := t.checkItem(item); err != nil {
				return fmt.Errorf("%w: page %d, item %d (%s): %w", ErrTemplate, n+1, i+1, item.Kind, err)
			}
		}
	}
	return nil
}

func measures(of ...float64) bool {
	for _, v := range of {
		if !(v > 0 && v <= maxMeasure) { // NaN is neither
			return false
		}
	}
	return true
}

func (c Colour) valid() bool { return c == "" || colourForm.MatchString(string(c)) }

func (t Template) checkItem(i Item) error {
	switch {
	case !measures(i.Width, i.Height) || i.X < 0 || i.Y < 0 || i.X+i.Width > t.Width+0.001 || i.Y+i.Height > t.Height+0.001:
		return complaint("it reaches over the edge")
	case !i.Colour.valid():
		return complaint("the colour is not #rrggbb")
	case i.Nth < 0 || i.Nth > 9:
		return complaint("nth is from 0 to 9")
	case i.Align != "" && i.Align != Start && i.Align != Centre && i.Align != End:
		return complaint("align is start, centre or end")
	case i.Label != "" && t.Labels[i.Label] == nil:
		return complaint("there is no label " + strconv.Quote(i.Label))
	}
	switch i.Kind {
	case Text, Field:
		if i.Size < minSize || i.Size > maxSize || i.Path == "" && (i.Label == "" || i.Kind == Field) {
			return complaint(fmt.Sprintf("text takes a size of %d to %d points, and a path or a label", minSize, maxSize))
		}
	case Picture:
		if len(i.Picture) == 0 {
			return complaint("there is no picture")
		}
	case Portrait, Code, Box:
	default:
		return complaint("there is no such kind")
	}
	return nil
}

// complaint is what is wrong with an item.
type complaint string

func (c complaint) Error() string { return string(c) }
