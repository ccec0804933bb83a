package sdjwt

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// TypeMetadata describes a type of credentials (draft -19, section 4). Where it comes
// from is for the caller: nothing is fetched here.
type TypeMetadata struct {
	VCT              string          `json:"vct"`
	Name             string          `json:"name,omitempty"`
	Description      string          `json:"description,omitempty"`
	Extends          string          `json:"extends,omitempty"`
	ExtendsIntegrity string          `json:"extends#integrity,omitempty"`
	Display          []TypeDisplay   `json:"display,omitempty"`
	Claims           []ClaimMetadata `json:"claims,omitempty"`
}

// TypeDisplay is how a type is shown to people of one language.
type TypeDisplay struct {
	Locale      string     `json:"locale"`
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Rendering   *Rendering `json:"rendering,omitempty"`
}

// Rendering is how a credential of the type is drawn.
type Rendering struct {
	Simple       *SimpleRendering `json:"simple,omitempty"`
	SVGTemplates []SVGTemplate    `json:"svg_templates,omitempty"`
}

// SimpleRendering is a card with colours and pictures.
type SimpleRendering struct {
	Logo            *Picture `json:"logo,omitempty"`
	BackgroundImage *Picture `json:"background_image,omitempty"`
	BackgroundColor string   `json:"background_color,omitempty"`
	TextColor       string   `json:"text_color,omitempty"`
}

// Picture is an https or data: URI with the hash of what is there.
type Picture struct {
	URI       string `json:"uri"`
	Integrity string `json:"uri#integrity,omitempty"`
	AltText   string `json:"alt_text,omitempty"`
}

// SVGTemplate is a drawing with places for claims.
type SVGTemplate struct {
	URI        string `json:"uri"`
	Integrity  string `json:"uri#integrity,omitempty"`
	Properties *struct {
		Orientation string `json:"orientation,omitempty"`
		ColorScheme string `json:"color_scheme,omitempty"`
		Contrast    string `json:"contrast,omitempty"`
	} `json:"properties,omitempty"`
}

// ClaimMetadata describes the claims at a path, whose steps are as in a Draft.
type ClaimMetadata struct {
	Path      []any          `json:"path"`
	Display   []ClaimDisplay `json:"display,omitempty"`
	Mandatory bool           `json:"mandatory,omitempty"`
	Selective string         `json:"sd,omitempty"` // always, allowed or never; empty means allowed
	SVGID     string         `json:"svg_id,omitempty"`
}

// ClaimDisplay is what a claim is called in one language.
type ClaimDisplay struct {
	Locale      string `json:"locale"`
	Label       string `json:"label"`
	Description string `json:"description,omitempty"`
}

const (
	always  = "always"
	allowed = "allowed"
	never   = "never"

	maxTypeClaims = 1024
	maxExtended   = 8
)

var svgID = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseTypeMetadata reads one document. What it does not know it passes over.
func ParseTypeMetadata(raw []byte) (TypeMetadata, error) {
	if _, err := jws.Object(raw); err != nil { // bounds, and no key twice
		return TypeMetadata{}, err
	}
	var m TypeMetadata
	if err := json.Unmarshal(raw, &m); err != nil {
		return TypeMetadata{}, fmt.Errorf("%w: not metadata of a type", ErrMalformed)
	}
	if m.VCT == "" {
		return TypeMetadata{}, fmt.Errorf("%w: it names no type", ErrMalformed)
	}
	if len(m.Claims) > maxTypeClaims {
		return TypeMetadata{}, fmt.Errorf("%w: more than %d claims", ErrTooLarge, maxTypeClaims)
	}
	for _, d := range m.Display {
		if d.Locale == "" || d.Name == "" {
			return TypeMetadata{}, fmt.Errorf("%w: a display without language or name", ErrMalformed)
		}
	}
	return m, m.checkClaims()
}

func (m TypeMetadata) checkClaims() error {
	for i, c := range m.Claims {
		if err := checkPath(c.Path); err != nil {
			return err
		}
		if slices.ContainsFunc(m.Claims[:i], func(o ClaimMetadata) bool { return slices.Equal(o.Path, c.Path) }) {
			return fmt.Errorf("%w: a path is described twice", ErrMalformed)
		}
		if !slices.Contains([]string{"", always, allowed, never}, c.Selective) {
			return fmt.Errorf("%w: sd is neither always, allowed nor never", ErrMalformed)
		}
		for _, d := range c.Display {
			if d.Locale == "" || d.Label == "" {
				return fmt.Errorf("%w: a claim's display without language or label", ErrMalformed)
			}
		}
	}
	return m.checkIDs()
}

// checkPath makes the numbers of JSON the places that they mean.
func checkPath(path []any) error {
	if len(path) == 0 || len(path) > maxDepth {
		return fmt.Errorf("%w: the length of a path", ErrMalformed)
	}
	for i, step := range path {
		switch step := step.(type) {
		case string, nil:
		case float64:
			if step < 0 || step != float64(int32(step)) {
				return fmt.Errorf("%w: a step of a path", ErrMalformed)
			}
			path[i] = int(step)
		default:
			return fmt.Errorf("%w: a step of a path", ErrMalformed)
		}
	}
	return nil
}

// ResolveType reads the metadata of a type from the documents of it and of what it
// extends, the most special one first, each as it was fetched. Integrity is the
// vct#integrity of a credential; it may be empty.
func ResolveType(vct, integrity string, documents [][]byte) (TypeMetadata, error) {
	if len(documents) == 0 || len(documents) > maxExtended {
		return TypeMetadata{}, fmt.Errorf("%w: %d documents of a type, at most %d", ErrTooLarge, len(documents), maxExtended)
	}
	var chain []TypeMetadata
	for _, raw := range documents {
		if integrity != "" {
			if err := CheckIntegrity(raw, integrity); err != nil {
				return TypeMetadata{}, err
			}
		}
		m, err := ParseTypeMetadata(raw)
		if err != nil {
			return TypeMetadata{}, err
		}
		if vct == "" || m.VCT != vct || slices.ContainsFunc(chain, func(o TypeMetadata) bool { return o.VCT == vct }) {
			return TypeMetadata{}, fmt.Errorf("%w: a document of another type, or a circle", ErrMalformed)
		}
		chain = append(chain, m)
		vct, integrity = m.Extends, m.ExtendsIntegrity
	}
	if vct != "" {
		return TypeMetadata{}, fmt.Errorf("%w: what the type extends is missing", ErrMalformed)
	}
	whole := chain[len(chain)-1]
	for _, child := range slices.Backward(chain[:len(chain)-1]) {
		var err error
		if whole, err = child.extend(whole); err != nil {
			return TypeMetadata{}, err
		}
	}
	return whole, nil
}

// extend lays a type over the one that it extends (sections 4.6.4 and 4.7.5).
func (m TypeMetadata) extend(base TypeMetadata) (TypeMetadata, error) {
	if m.Display == nil {
		m.Display = base.Display
	}
	claims := slices.Clone(base.Claims)
	for _, c := range m.Claims {
		at := slices.IndexFunc(claims, func(o ClaimMetadata) bool { return slices.Equal(o.Path, c.Path) })
		if at < 0 {
			claims = append(claims, c)
			continue
		}
		was := claims[at].Selective
		if c.Selective == "" {
			c.Selective = was
		}
		if (was == always || was == never) && c.Selective != was {
			return TypeMetadata{}, fmt.Errorf("%w: a type loosens what it extends", ErrMalformed)
		}
		c.Mandatory = c.Mandatory || claims[at].Mandatory
		if c.Display == nil {
			c.Display = claims[at].Display
		}
		if c.SVGID == "" {
			c.SVGID = claims[at].SVGID
		}
		claims[at] = c
	}
	m.Claims = claims
	return m, m.checkIDs()
}

func (m TypeMetadata) checkIDs() error {
	ids := map[string]bool{}
	for _, c := range m.Claims {
		if c.SVGID != "" && (ids[c.SVGID] || !svgID.MatchString(c.SVGID)) {
			return fmt.Errorf("%w: an svg_id that is malformed or not the only one", ErrMalformed)
		}
		ids[c.SVGID] = true
	}
	return nil
}
