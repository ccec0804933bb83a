package evaluation

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/plinth-id/plinth/biometrics"
)

// Histogram is how good the samples of a set are, without a word about whose they are.
type Histogram struct {
	Samples int            `json:"samples"`
	Failed  int            `json:"failed"` // could not be used; they count as 0
	Median  int            `json:"median"`
	Bins    [10]int        `json:"bins"`    // 0–9, 10–19 … 90–100
	Reasons map[string]int `json:"reasons"` // how many samples have each
}

// Qualities counts samples; of those that could not be used the value is 0, and failed
// says how many they are.
func Qualities(of []biometrics.Quality, failed int) Histogram {
	h := Histogram{Samples: len(of), Failed: failed, Reasons: make(map[string]int)}
	values := make([]int, 0, len(of))
	for _, q := range of {
		value := min(100, max(0, q.Value))
		values = append(values, value)
		h.Bins[min(9, value/10)]++
		for _, reason := range q.Reasons {
			h.Reasons[reason]++
		}
	}
	if len(values) > 0 {
		slices.Sort(values)
		h.Median = values[len(values)/2]
	}
	return h
}

// SVG draws the histogram, and lists the reasons below it.
func (h Histogram) SVG(title string) []byte {
	const (
		barWide, barHigh = 52, 240
		line             = 18
	)
	reasons := make([]string, 0, len(h.Reasons))
	for r := range h.Reasons {
		reasons = append(reasons, r)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		if h.Reasons[a] != h.Reasons[b] {
			return h.Reasons[b] - h.Reasons[a]
		}
		return bytes.Compare([]byte(a), []byte(b))
	})
	tall := top + barHigh + 50 + line*len(reasons)
	said := fmt.Sprintf("%s: %d samples, median quality %d, %d unusable", title, h.Samples, h.Median, h.Failed)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="13">`+"\n<title>%s</title>\n", width, tall, escaped(said))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="18">%s</text>`+"\n", width, tall, left, escaped(said))
	most := max(1, slices.Max(h.Bins[:]))
	for i, n := range h.Bins {
		high := n * barHigh / most
		x := left + i*barWide
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#0b4f6c"/><text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n",
			x+3, top+20+barHigh-high, barWide-6, high, x+barWide/2, top+15+barHigh-high, n)
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%d</text>`+"\n", x+barWide/2, top+barHigh+38, i*10)
	}
	for i, r := range reasons {
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s: %d</text>`+"\n", left, top+barHigh+60+line*i, escaped(r), h.Reasons[r])
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
