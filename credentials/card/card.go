// Package card prints an identity: as a card of the size of a bank card and as a
// letter, in PDF and in SVG, from templates that a deployment can replace. It knows no
// database and no HTTP: what it prints is given to it. Values are never part of a
// template's language, so that none can be more than text.
package card

import (
	"errors"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
)

// What can be wrong with a template or with what it is to print.
var (
	ErrTemplate = errors.New("card: not a template")
	ErrGlyph    = errors.New("card: no font has a letter of this script")
	ErrPortrait = errors.New("card: the portrait is not a JPEG, PNG or WebP image")
	ErrNoRoom   = errors.New("card: does not fit into its place")
	ErrLong     = errors.New("card: a value is longer than is printed")
)

// Value is something to print, in a language (BCP 47 or ISO 639).
type Value struct {
	Text     string
	Language string
}

// Content is what is printed of one person.
type Content struct {
	Title string
	// Languages of the document, the first first. It is laid out from right to left
	// when that one is written so.
	Languages []string
	// Values by their paths: a name in several languages has several.
	Values   map[string][]Value
	Portrait []byte // JPEG, PNG or WebP; nil: none
	Code     string // the text of the QR code; empty: none
	Level    qr.Level
	Issued   time.Time
}

// The bounds of what is printed.
const (
	maxValue    = 1000 // characters
	maxPortrait = 8 << 20
)

// rightToLeft are the languages that are written so.
var rightToLeft = map[string]bool{"ar": true, "ara": true, "fa": true, "fas": true, "he": true, "heb": true, "ur": true, "urd": true, "ps": true, "pus": true, "ckb": true, "sd": true, "snd": true}

func (c *Content) language() string {
	if len(c.Languages) == 0 {
		return "eng"
	}
	return c.Languages[0]
}

// portrait is a face in the form that all documents can hold.
type portrait struct {
	jpeg          []byte
	width, height int
}
