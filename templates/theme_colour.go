package templates

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// colour is red, green and blue.
type colour [3]byte

func (c colour) String() string { return "#" + hex.EncodeToString(c[:]) }

func parseColour(text string) (c colour, err error) {
	digits, ok := strings.CutPrefix(text, "#")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != len(c) {
		return c, fmt.Errorf("%q is no colour; write it like #0b4f6c", text)
	}
	return colour(raw), nil
}

// luminance and contrast are those of WCAG 2.2.
func (c colour) luminance() float64 {
	sum := 0.0
	for i, weight := range [3]float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// leastContrast is that of text (WCAG 2.2, 1.4.3).
const leastContrast = 4.5

// beside are the colours of plinth.css that the accent meets. Whatever has enough
// contrast with both, has a focus ring of 3:1 too: yellow, or the ink around it.
var beside = []struct {
	what   string
	colour colour
}{
	{"white letters on it, in the header and on buttons", colour{0xff, 0xff, 0xff}},
	{"links in it on the ground of the page", colour{0xf3, 0xf6, 0xf8}},
}

// parseAccent reads the colour of header, buttons and links, and refuses one that
// not everybody could read.
func parseAccent(text string) (*colour, error) {
	c, err := parseColour(text)
	if err != nil {
		return nil, err
	}
	for _, b := range beside {
		if got := contrast(c, b.colour); got < leastContrast {
			// Rounded down, so that nobody reads of 4.50:1 that it is too little.
			return nil, fmt.Errorf("%s with %s (%s) has a contrast of %.2f:1, and %.1f:1 is needed (WCAG 2.2, 1.4.3); take a darker one",
				c, b.colour, b.what, math.Floor(got*100)/100, leastContrast)
		}
	}
	return &c, nil
}

// darker is for what the pointer is on: it has still more contrast.
func (c colour) darker() colour {
	for i, v := range c {
		c[i] = byte(int(v) * 3 / 4)
	}
	return c
}

func (c colour) sheet() string {
	return fmt.Sprintf(":root { --brand: %s; --brand-dark: %s; }\n", c, c.darker())
}
