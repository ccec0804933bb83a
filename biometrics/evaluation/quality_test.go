package evaluation

import (
	"bytes"
	"encoding/xml"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
)

func TestQualitiesAreCounted(t *testing.T) {
	h := Qualities([]biometrics.Quality{{Value: 0, Reasons: []string{"no finger"}}, {Value: 9}, {Value: 10, Reasons: []string{"dry", "partial"}}, {Value: 100}, {Value: 94, Reasons: []string{"dry"}}}, 1)
	if h.Samples != 5 || h.Failed != 1 || h.Median != 10 || h.Bins != [10]int{2, 1, 0, 0, 0, 0, 0, 0, 0, 2} || h.Reasons["dry"] != 2 || len(h.Reasons) != 3 {
		t.Errorf("got %+v", h)
	}
	svg := h.SVG("site <7>")
	if err := xml.Unmarshal(svg, new(struct{})); err != nil || !bytes.Contains(svg, []byte("dry: 2")) || !bytes.Equal(svg, h.SVG("site <7>")) {
		t.Errorf("got %v and %s", err, svg)
	}
	if empty := Qualities(nil, 0); empty.Median != 0 || xml.Unmarshal(empty.SVG(""), new(struct{})) != nil {
		t.Errorf("got %+v of nothing", empty)
	}
}
