package sketch

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/synth"
)

func side(t *testing.T, name string, impression int) Print {
	t.Helper()
	img, err := finger.FromImage(synth.Print(50, impression, 2), 500)
	if err != nil {
		t.Fatal(err)
	}
	template, _, err := finger.Extract(img)
	if err != nil {
		t.Fatal(err)
	}
	return Print{name, template, img}
}

// elements counts what a drawing has, and finds what must not be in one.
func elements(t *testing.T, svg []byte) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			t.Fatalf("this is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			count[e.Name.Local]++
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "data:image/png;base64,") {
					t.Errorf("got the attribute %s=%.40q", a.Name.Local, a.Value)
				}
			}
		}
	}
}

func TestADrawingShowsEveryMinutia(t *testing.T) {
	a, b := side(t, "applicant", 0), side(t, "enrolled", 1)
	d := Pair(a, b)
	if len(d.Pairs) < 8 {
		t.Fatalf("got %d pairs of mates", len(d.Pairs))
	}
	svg := d.SVG()
	got := elements(t, svg)
	minutiae := a.Template.Len() + b.Template.Len()
	// Two frames, a ground; a path to each direction, and one between the pairs.
	if shapes := got["circle"] + got["rect"] - 3; shapes != minutiae || got["path"] != minutiae+len(d.Pairs) {
		t.Errorf("got %d marks and %d paths, want %d and %d", shapes, got["path"], minutiae, minutiae+len(d.Pairs))
	}
	if got["text"] != 2*len(d.Pairs)+3 || got["title"] != 1 || got["desc"] != 1 || got["image"] != 2 || got["script"] != 0 {
		t.Errorf("got %v, want a title, a description, both images, and the number of each pair twice", got)
	}
	if len(svg) > 1<<20 || !bytes.Equal(svg, d.SVG()) {
		t.Errorf("got %d bytes, or others the second time", len(svg))
	}
	a.Image, b.Image = nil, nil
	if bare := Pair(a, b).SVG(); elements(t, bare)["image"] != 0 || len(bare) > 1<<17 {
		t.Errorf("got %d bytes without images", len(bare))
	}
}

func TestWordsBecomeNoMarkup(t *testing.T) {
	hostile := `"/><script>alert(1)</script>&<![CDATA[` + "\x00\xff" + strings.Repeat("x", 5000)
	d := Drawing{A: Print{Name: hostile}, B: Print{Name: hostile}, Title: hostile, Description: hostile, Pairs: []finger.Match{{A: 3, B: -1}, {A: 1 << 40, B: 0}}}
	svg := d.SVG()
	if got := elements(t, svg); got["script"] != 0 || got["text"] != 3 || len(svg) > 8000 {
		t.Errorf("got %v in %d bytes, want words only", got, len(svg))
	}
}

func TestALargePictureIsMadeSmaller(t *testing.T) {
	large := &finger.Image{Width: 2000, Height: 1800, Pix: make([]uint8, 2000*1800)}
	for i := range large.Pix {
		large.Pix[i] = uint8((i * 7919) >> 7)
	}
	svg := Drawing{A: Print{Image: large}, B: Print{Image: large}}.SVG()
	if elements(t, svg)["image"] != 2 || len(svg) > 2*maxSide*maxSide*3/2 {
		t.Errorf("got %d bytes", len(svg))
	}
}
