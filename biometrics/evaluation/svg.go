package evaluation

import (
	"bytes"
	"fmt"
	"math"
)

// The drawing: both errors on logarithmic axes.
const (
	width, height = 640, 520
	left, top     = 70, 30
	right, bottom = 20, 60
	leastFMR      = 1e-5
	leastFNMR     = 1e-3
)

// SVG draws the curve of a report.
func (r Report) SVG(title string) []byte {
	var b bytes.Buffer
	x := func(fmr float64) float64 {
		return left + (1-math.Log10(max(fmr, leastFMR))/math.Log10(leastFMR))*(width-left-right)
	}
	y := func(fnmr float64) float64 {
		return top + math.Log10(max(fnmr, leastFNMR))/math.Log10(leastFNMR)*(height-top-bottom)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/><text x="%d" y="18">%s: %d mated and %d non-mated pairs, EER %.2f %%</text>`+"\n",
		width, height, left, escaped(title), r.Mated, r.NonMated, 100*r.EER)
	for v := leastFMR; v <= 1.001; v *= 10 {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ccd"/><text x="%.1f" y="%d" text-anchor="middle">%g</text>`+"\n", x(v), top, height-bottom, x(v), height-bottom+18, round(v))
	}
	for v := leastFNMR; v <= 1.001; v *= 10 {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ccd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n", left, y(v), width-right, left-6, y(v)+4, round(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">FMR</text><text x="16" y="%d" transform="rotate(-90 16 %d)" text-anchor="middle">FNMR</text>`+"\n",
		(left+width-right)/2, height-18, (top+height-bottom)/2, (top+height-bottom)/2)
	b.WriteString(`<polyline fill="none" stroke="#0b4f6c" stroke-width="2" points="`)
	last := ""
	for _, s := range r.Curve {
		if p := fmt.Sprintf("%.1f,%.1f ", x(s.FMR), y(s.FNMR)); p != last {
			b.WriteString(p)
			last = p
		}
	}
	b.WriteString("\"/>\n")
	for _, p := range r.Points {
		fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="#a3211c" stroke-width="2"/><circle cx="%.1f" cy="%.1f" r="4" fill="#a3211c"/>`+"\n",
			x(p.FMR), y(p.FNMR.Low), y(p.FNMR.High), x(p.FMR), y(p.FNMR.Value))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// round takes away what repeated multiplication adds.
func round(v float64) float64 { return math.Pow(10, math.Round(math.Log10(v))) }

func escaped(text string) string {
	var b bytes.Buffer
	for _, c := range text {
		switch c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
