package templates

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// logo is a picture that was checked.
type logo struct {
	raw             []byte
	kind, extension string
	width           int // at logoHeight
}

const (
	maxLogo     = 20 << 10 // a page with all that it loads has 60
	maxPixels   = 1024
	logoHeight  = 32
	widestLogo  = 5 // times its height
	maxElements = 2000
	maxNesting  = 50
)

func readLogo(folder fs.FS, name string) (*logo, error) {
	if !fs.ValidPath(name) {
		return nil, errors.New("the logo is named as a file of the same folder")
	}
	raw, err := readBounded(folder, name, maxLogo)
	if err != nil {
		return nil, err
	}
	l := &logo{raw: raw}
	var width, height float64
	switch strings.ToLower(path.Ext(name)) {
	case ".svg":
		l.kind, l.extension = "image/svg+xml", "svg"
		width, height, err = measureSVG(raw)
	case ".png":
		l.kind, l.extension = "image/png", "png"
		width, height, err = measurePNG(raw)
	default:
		err = errors.New("a logo is an .svg or a .png")
	}
	if err != nil {
		return nil, err
	}
	if width > widestLogo*height || height > widestLogo*width {
		return nil, fmt.Errorf("it is %g by %g; neither side may be more than %d times the other", width, height, widestLogo)
	}
	l.width = max(1, int(width*logoHeight/height+0.5))
	return l, nil
}

func measurePNG(raw []byte) (width, height float64, err error) {
	size, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return 0, 0, fmt.Errorf("it is no PNG that can be read: %w", err)
	}
	if size.Width > maxPixels || size.Height > maxPixels || size.Width < 1 || size.Height < 1 {
		return 0, 0, fmt.Errorf("it has %d by %d pixels; at most %d a side are taken", size.Width, size.Height, maxPixels)
	}
	if _, err := png.Decode(bytes.NewReader(raw)); err != nil {
		return 0, 0, fmt.Errorf("it is no PNG that can be read: %w", err)
	}
	return float64(size.Width), float64(size.Height), nil
}

// drawing are the elements of SVG that only draw. Scripts, foreign content, links,
// animations and pictures from elsewhere are not among them.
var drawing = strings.Fields(`svg g defs symbol use title desc style path rect circle ellipse line polyline polygon text tspan
	linearGradient radialGradient stop clipPath mask pattern`)

const svgSpace = "http://www.w3.org/2000/svg"

// measureSVG checks that a drawing does nothing but draw, and tells its size. It is
// shown as an image, where nothing runs, and opened by itself it is in a sandbox; this
// is so that nobody has to rely on either.
func measureSVG(raw []byte) (width, height float64, err error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	depth, elements := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF && elements > 0 {
			return width, height, nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("it is no SVG that can be read: %w", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth, elements = depth+1, elements+1
			if depth > maxNesting || elements > maxElements {
				return 0, 0, fmt.Errorf("it has more than %d elements, or they nest deeper than %d; take a simpler drawing", maxElements, maxNesting)
			}
			if err := drawsOnly(e); err != nil {
				return 0, 0, err
			}
			if elements == 1 {
				if width, height, err = viewBox(e); err != nil {
					return 0, 0, err
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if reaches(string(e)) {
				return 0, 0, errors.New("its style loads something from elsewhere; a logo brings all that it needs")
			}
		case xml.Directive:
			if bytes.ContainsAny(e, "[") {
				return 0, 0, errors.New("its DOCTYPE declares something; remove it")
			}
		case xml.ProcInst:
			if e.Target != "xml" {
				return 0, 0, fmt.Errorf("it has a processing instruction (%s); remove it", e.Target)
			}
		}
	}
}

func drawsOnly(e xml.StartElement) error {
	if e.Name.Space != svgSpace || !slices.Contains(drawing, e.Name.Local) {
		return fmt.Errorf("it holds <%s>, which does not draw; save it as plain SVG, without scripts, links and pictures", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		switch {
		case a.Name.Space == "xmlns" || name == "xmlns":
		case strings.HasPrefix(name, "on"):
			return fmt.Errorf("it holds a script (%s); save it as plain SVG", name)
		case name == "href" && !strings.HasPrefix(a.Value, "#"), a.Name.Space == "http://www.w3.org/XML/1998/namespace" && name == "base", reaches(a.Value):
			return fmt.Errorf("its %s leads elsewhere; a logo brings all that it needs", name)
		}
	}
	return nil
}

var reachOut = regexp.MustCompile(`(?i)@import|url\(\s*['"]?\s*[^#'"\s]|image-set\(|\\`)

// reaches tells style that loads something. A backslash could hide it.
func reaches(style string) bool { return reachOut.MatchString(style) }

func viewBox(root xml.StartElement) (width, height float64, err error) {
	if root.Name.Local != "svg" {
		return 0, 0, fmt.Errorf("it begins with <%s>, not with <svg>", root.Name.Local)
	}
	for _, a := range root.Attr {
		if a.Name.Local != "viewBox" {
			continue
		}
		numbers := strings.FieldsFunc(a.Value, func(r rune) bool { return r == ' ' || r == ',' })
		if len(numbers) == 4 {
			width, err = strconv.ParseFloat(numbers[2], 64)
			if err == nil {
				height, err = strconv.ParseFloat(numbers[3], 64)
			}
			if err == nil && width > 0 && height > 0 && width < 1e6 && height < 1e6 {
				return width, height, nil
			}
		}
	}
	return 0, 0, errors.New(`it has no size; give <svg> a viewBox="0 0 width height"`)
}
