package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evaluation"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
	"github.com/plinth-id/plinth/biometrics/wsq"
)

type benchBiometrics struct {
	Out     string            `short:"o" required:"" type:"path" help:"Directory for report.md, report.json and the curves."`
	Set     map[string]string `help:"Sets of your own, by name: pairs.csv as plinth biometrics report takes it."`
	Records string            `type:"existingdir" help:"ISO/IEC 19794 image records, to time their codecs."`
	Fingers int               `default:"60" help:"How many synthetic fingers of each level, two impressions each; of eyes half as many."`
}

// engineReport is what report.json holds.
type engineReport struct {
	Made   time.Time  `json:"made"`
	Engine string     `json:"engine"`
	Cores  int        `json:"cores"`
	Sets   []measured `json:"sets"`
	Speeds []speed    `json:"speeds"`
}

// measured is one set of pairs.
type measured struct {
	Name            string             `json:"name"`
	Curve           string             `json:"curve"`
	Report          evaluation.Report  `json:"report"`
	LeavePersonsOut []evaluation.Point `json:"leave_persons_out,omitempty"`
}

// speed is how long one piece of work takes on one core, in microseconds: the middle
// of many times, and the quarters on its sides, which are the noise.
type speed struct {
	What   string  `json:"what"`
	Times  int     `json:"times"`
	Low    float64 `json:"p25_us"`
	Median float64 `json:"p50_us"`
	High   float64 `json:"p75_us"`
	// Ratio is the median in units of the reference, measured in turns with it.
	Ratio float64 `json:"sha256_of_1_mib"`
}

// Run measures accuracy first, while nothing depends on time, then speed.
func (c *benchBiometrics) Run(ctx context.Context) error {
	if c.Fingers < 2 {
		return wrongUse{errors.New("--fingers is at least 2")}
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return wrongUse{err}
	}
	r := engineReport{Made: time.Now().UTC().Truncate(time.Second), Engine: "plinth " + version(), Cores: runtime.GOMAXPROCS(0)}
	for _, name := range sortedKeys(c.Set) {
		m, err := measuredSet(name, c.Set[name])
		if err != nil {
			return err
		}
		r.Sets = append(r.Sets, m)
	}
	var made samples
	for level := 1; level <= 3; level++ {
		prints, eyes, err := made.add(ctx, c.Fingers, level)
		if err != nil {
			return err
		}
		for what, trials := range map[string][]evaluation.Trial{"fingers": prints, "eyes": eyes} {
			m := measured{Name: fmt.Sprintf("synthetic %s, level %d", what, level)}
			if m.Report, err = evaluation.Measure(trials); err != nil {
				return err
			}
			r.Sets = append(r.Sets, m)
		}
	}
	slices.SortFunc(r.Sets[len(c.Set):], func(a, b measured) int { return cmp.Compare(a.Name, b.Name) })
	var err error
	if r.Speeds, err = c.speeds(made); err != nil {
		return err
	}
	return c.write(r)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// measuredSet measures a set of the user's own.
func measuredSet(name, file string) (measured, error) {
	m := measured{Name: name}
	trials, err := trialsOf(file, "")
	if err != nil {
		return m, err
	}
	if m.Report, err = evaluation.Measure(trials); err != nil {
		return m, err
	}
	owners, err := owned(file, trials)
	if err != nil || owners == nil {
		return m, err
	}
	m.LeavePersonsOut, err = evaluation.LeavePersonsOut(owners)
	return m, err
}

// samples are prints and eyes of nobody.
type samples struct {
	prints []*finger.Image
	eyes   []*iris.Image
}

// add makes samples of a level and compares all first ones with all second ones.
func (s *samples) add(ctx context.Context, fingers, level int) (prints, eyes []evaluation.Trial, err error) {
	images, templates := make([]*finger.Image, 2*fingers), make([]finger.Template, 2*fingers)
	irises, codes := make([]*iris.Image, fingers), make([]iris.Code, fingers)
	failed := make([]error, 2*fingers)
	each(2*fingers, func(i int) {
		if failed[i] = ctx.Err(); failed[i] != nil {
			return
		}
		// One that cannot be used matches nothing.
		if images[i], failed[i] = finger.FromImage(synth.Print(int64(500_000+i/2), i%2, level), 500); failed[i] == nil {
			templates[i], _, _ = finger.Extract(images[i])
		}
		if i < fingers {
			irises[i] = iris.FromImage(synth.Eye(int64(500_000+i/2), i%2, level))
			codes[i], _, _ = iris.Extract(irises[i])
		}
	})
	s.prints, s.eyes = append(s.prints, images...), append(s.eyes, irises...)
	return among(templates, finger.Compare), among(codes, iris.Compare), errors.Join(failed...)
}

// among compares every first sample with every second one; they stand in turns.
func among[T any](all []T, compare func(a, b T) biometrics.Score) []evaluation.Trial {
	n := len(all) / 2
	trials := make([]evaluation.Trial, n*n)
	each(len(trials), func(i int) {
		a, b := i/n, i%n
		trials[i] = evaluation.Trial{Score: float64(compare(all[2*a], all[2*b+1])), Mated: a == b}
	})
	return trials
}

// work is one thing to be timed: do(i) for any i.
type work struct {
	what  string
	times int
	do    func(i int)
}

func (c *benchBiometrics) speeds(made samples) ([]speed, error) {
	images, eyes := made.prints, made.eyes
	var codes []iris.Code
	for _, eye := range eyes[:min(len(eyes), 40)] {
		if code, _, err := iris.Extract(eye); err == nil {
			codes = append(codes, code)
		}
	}
	var prints []finger.Template
	var squeezed [][]byte
	for _, img := range images[:min(len(images), 80)] {
		if t, _, err := finger.Extract(img); err == nil {
			prints = append(prints, t)
		}
		raw, err := wsq.Encode(img.Gray(), 2.25)
		if err != nil {
			return nil, err
		}
		squeezed = append(squeezed, raw)
	}
	if len(prints) < 2 || len(codes) < 2 {
		return nil, errors.New("no synthetic print or eye could be used")
	}
	all := []work{
		{"finger: extract, 288 × 352", 300, func(i int) { _, _, _ = finger.Extract(images[i%len(images)]) }},
		comparing("synthetic", prints),
		{"iris: extract, 640 × 480", 100, func(i int) { _, _, _ = iris.Extract(eyes[i%len(eyes)]) }},
		{"iris: compare 1:1", 100_000, func(i int) { iris.Compare(codes[i%len(codes)], codes[(i/7)%len(codes)]) }},
		{"wsq: decode, 288 × 352", 200, func(i int) { _, _ = wsq.Decode(squeezed[i%len(squeezed)]) }},
	}
	for _, name := range sortedKeys(c.Set) {
		prints, err := somePrints(c.Set[name])
		if err != nil {
			return nil, err
		}
		if len(prints) > 1 {
			all = append(all, comparing(name, prints))
		}
	}
	records, err := c.codecs()
	if err != nil {
		return nil, err
	}
	var speeds []speed
	for _, w := range append(all, records...) {
		speeds = append(speeds, timed(w))
	}
	return speeds, nil
}

// comparing is the comparison of any two prints; it costs more the more minutiae they
// have.
func comparing(name string, prints []finger.Template) work {
	minutiae := 0
	for _, t := range prints {
		minutiae += t.Len()
	}
	return work{fmt.Sprintf("finger: compare 1:1, %s, %d minutiae", name, minutiae/len(prints)), 20_000,
		func(i int) { finger.Compare(prints[i%len(prints)], prints[(i/7)%len(prints)]) }}
}

// somePrints are the first of a set that can be used.
func somePrints(file string) ([]finger.Template, error) {
	pairs, err := readPairs(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	seen := make(map[string]bool)
	var prints []finger.Template
	for _, pair := range pairs {
		if len(prints) == 80 {
			break
		}
		for _, print := range pair {
			if seen[print] {
				continue
			}
			seen[print] = true
			if t, err := readPrint(print); err == nil {
				prints = append(prints, t)
			}
		}
	}
	return prints, nil
}

// codecs are the images of records, by codec.
func (c *benchBiometrics) codecs() ([]work, error) {
	if c.Records == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(c.Records, "*.iso"))
	if err != nil {
		return nil, err
	}
	byCodec := make(map[string][][]byte)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, wrongUse{err}
		}
		images, err := iso.ReadImages(raw)
		if err != nil {
			return nil, unreadable(file, err)
		}
		byCodec[string(images[0].Codec)] = append(byCodec[string(images[0].Codec)], images[0].Data)
	}
	var all []work
	for _, codec := range []iso.Codec{iso.WSQ, iso.JP2} {
		if raw := byCodec[string(codec)]; len(raw) > 0 {
			all = append(all, work{string(codec) + ": decode, records", 10 * len(raw), func(i int) { _, _ = finger.Decode(raw[i%len(raw)]) }})
		}
	}
	return all, nil
}

// timed times one thing in turns with the reference.
func timed(w work) speed {
	block := make([]byte, 1<<20)
	took := make([]float64, w.times)
	var reference []float64
	for i := range w.times {
		if i%max(1, w.times/50) == 0 {
			begun := time.Now()
			sum := sha256.Sum256(block)
			block[0] = sum[0]
			reference = append(reference, float64(time.Since(begun).Nanoseconds())/1000)
		}
		begun := time.Now()
		w.do(i)
		took[i] = float64(time.Since(begun).Nanoseconds()) / 1000
	}
	slices.Sort(took)
	slices.Sort(reference)
	at := func(v []float64, q float64) float64 { return v[int(q*float64(len(v)-1))] }
	return speed{What: w.what, Times: w.times, Low: at(took, .25), Median: at(took, .5), High: at(took, .75), Ratio: at(took, .5) / at(reference, .5)}
}

// write writes the report as people and as programs read it.
func (c *benchBiometrics) write(r engineReport) error {
	var page bytes.Buffer
	fmt.Fprintf(&page, "# What the engine does, measured\n\nMade by `%s` on %s, %d cores. Repeat: `make biometrics`.\n\n", r.Engine, r.Made.Format(time.DateOnly), r.Cores)
	page.WriteString("## Errors\n\nPer cent, with 95 % intervals (Wilson). A pair of which a sample could not be used counts as missed.\n\n" +
		"| set | mated | non-mated | EER | FNMR at FMR 1e-2 | 1e-3 | 1e-4 |\n|---|---|---|---|---|---|---|\n")
	for i, m := range r.Sets {
		r.Sets[i].Curve = strings.Map(plainLetter, m.Name) + ".svg"
		if err := os.WriteFile(filepath.Join(c.Out, r.Sets[i].Curve), m.Report.SVG(m.Name), 0o644); err != nil {
			return wrongUse{err}
		}
		fmt.Fprintf(&page, "| [%s](%s) | %d | %d | %.1f |%s\n", m.Name, r.Sets[i].Curve, m.Report.Mated, m.Report.NonMated, 100*m.Report.EER, cells(m.Report.Points))
		if m.LeavePersonsOut != nil {
			fmt.Fprintf(&page, "| %s, persons left out | %d | | |%s\n", m.Name, m.Report.Mated, cells(m.LeavePersonsOut))
		}
	}
	page.WriteString("\n*: rests on less than one false match.\n\n## Speed\n\nOne core; the median, and in brackets the quarters around it, which are the noise of the machine.\n\n" +
		"| work | times | median | in SHA-256 of 1 MiB |\n|---|---|---|---|\n")
	for _, s := range r.Speeds {
		fmt.Fprintf(&page, "| %s | %d | %s (%s–%s) | %.3f |\n", s.What, s.Times, span(s.Median), span(s.Low), span(s.High), s.Ratio)
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"report.md": page.Bytes(), "report.json": append(raw, '\n')} {
		if err := os.WriteFile(filepath.Join(c.Out, name), content, 0o644); err != nil {
			return wrongUse{err}
		}
	}
	return printJSON(r.Speeds)
}

func plainLetter(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		return r
	case r >= 'A' && r <= 'Z':
		return r - 'A' + 'a'
	}
	return '-'
}

func cells(points []evaluation.Point) (row string) {
	for _, p := range points {
		star := ""
		if !p.Resolved {
			star = "*"
		}
		row += fmt.Sprintf(" %.1f (%.1f–%.1f)%s |", 100*p.FNMR.Value, 100*p.FNMR.Low, 100*p.FNMR.High, star)
	}
	return row
}

func span(us float64) string {
	if us >= 1000 {
		return fmt.Sprintf("%.1f ms", us/1000)
	}
	return fmt.Sprintf("%.1f µs", us)
}
