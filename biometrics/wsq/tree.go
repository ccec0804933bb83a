package wsq

// region is a rectangle of the plane of coefficients. What a high-pass filter
// gave has its frequencies in reverse order: there the parts of a further split
// change sides, so that frequency grows to the right and downwards everywhere.
type region struct {
	x, y, w, h         int
	reverseX, reverseY bool
}

// split gives the four parts of one step of analysis: low-low, high-low (right),
// low-high (below), high-high.
func (r region) split() [4]region {
	left, top := (r.w+1)/2, (r.h+1)/2
	if r.reverseX {
		left = r.w / 2
	}
	if r.reverseY {
		top = r.h / 2
	}
	return [4]region{
		{r.x, r.y, left, top, false, false},
		{r.x + left, r.y, r.w - left, top, true, false},
		{r.x, r.y + top, left, r.h - top, false, true},
		{r.x + left, r.y + top, r.w - left, r.h - top, true, true},
	}
}

// tree is the decomposition of an image into 64 subbands (figure 2 of the
// specification): steps are the regions that are split, in the order of analysis.
type tree struct {
	steps []region
	bands [subbands]region
}

func newTree(w, h int) tree {
	var t tree
	split := func(r region) [4]region {
		t.steps = append(t.steps, r)
		return r.split()
	}
	// quarters puts the 16 parts of a region split twice into consecutive bands.
	quarters := func(r region, first int) {
		for i, part := range split(r) {
			for j, band := range split(part) {
				t.bands[first+4*i+j] = band
			}
		}
	}
	whole := split(region{w: w, h: h})
	low := split(whole[0])
	for i, part := range split(low[0]) {
		smaller := split(part)
		for j, band := range smaller {
			if i == 0 && j == 0 {
				for k, tiny := range split(band) {
					t.bands[k] = tiny
				}
				continue
			}
			t.bands[3+4*i+j] = band
		}
	}
	quarters(low[1], 19)
	quarters(low[2], 35)
	t.bands[51] = low[3]
	for j, band := range split(whole[1]) {
		t.bands[52+j] = band
	}
	for j, band := range split(whole[2]) {
		t.bands[56+j] = band
	}
	for j, band := range whole[3].split() {
		t.bands[60+j] = band // never sent, so never split
	}
	return t
}
