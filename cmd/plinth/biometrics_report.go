package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/evaluation"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

type reportCommand struct {
	Pairs  string `required:"" type:"existingfile" help:"CSV with the columns a,b,mated (paths; mated is 1 or 0), and person_a,person_b to leave persons out."`
	Scores string `type:"existingfile" help:"CSV a,b,score of another engine, in the same order, to measure instead of ours."`
	Out    string `short:"o" required:"" type:"path" help:"Directory for report.json, det.svg and quality.svg."`
}

func (c *reportCommand) Run() error {
	engine := "plinth " + version()
	if c.Scores != "" {
		engine = filepath.Base(c.Scores)
	}
	trials, err := trialsOf(c.Pairs, c.Scores)
	if err != nil {
		return err
	}
	report, err := evaluation.Measure(trials)
	if err != nil {
		return unreadable(c.Pairs, err)
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return wrongUse{err}
	}
	if err := os.WriteFile(filepath.Join(c.Out, "det.svg"), report.SVG(engine), 0o644); err != nil {
		return wrongUse{err}
	}
	said := map[string]any{"engine": engine, "pairs": filepath.Base(c.Pairs), "report": report}
	if owners, err := owned(c.Pairs, trials); err != nil {
		return unreadable(c.Pairs, err)
	} else if owners != nil {
		if said["leave_persons_out"], err = evaluation.LeavePersonsOut(owners); err != nil {
			return unreadable(c.Pairs, err)
		}
	}
	if c.Scores == "" {
		histogram, err := qualities(c.Pairs)
		if err != nil {
			return unreadable(c.Pairs, err)
		}
		said["quality"] = histogram
		if err := os.WriteFile(filepath.Join(c.Out, "quality.svg"), histogram.SVG(engine), 0o644); err != nil {
			return wrongUse{err}
		}
	}
	raw, err := json.MarshalIndent(said, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Out, "report.json"), append(raw, '\n'), 0o644); err != nil {
		return wrongUse{err}
	}
	return printJSON(report)
}

// qualities are those of all images that a file of pairs names; templates have none.
func qualities(file string) (evaluation.Histogram, error) {
	pairs, err := readPairs(file)
	if err != nil {
		return evaluation.Histogram{}, err
	}
	var files []string
	for _, p := range pairs {
		files = append(files, p[0], p[1])
	}
	slices.Sort(files)
	files = slices.Compact(files)
	all, failed := make([]*biometrics.Quality, len(files)), make([]error, len(files))
	each(len(files), func(i int) {
		if raw, err := os.ReadFile(files[i]); err == nil && !isTemplate(raw) {
			var q biometrics.Quality
			_, q, failed[i] = extract(files[i])
			all[i] = &q
		}
	})
	var found []biometrics.Quality
	unusable := 0
	for i, q := range all {
		if q != nil {
			found = append(found, *q)
			if failed[i] != nil {
				unusable++
			}
		}
	}
	return evaluation.Qualities(found, unusable), nil
}

func isTemplate(raw []byte) bool {
	_, native := finger.ParseTemplate(raw)
	_, standard := iso.ReadFMR(raw)
	return native == nil || standard == nil
}

// trialsOf compares the pairs of a file, or takes the scores that another engine gave.
func trialsOf(file, theirs string) ([]evaluation.Trial, error) {
	pairs, err := readPairs(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	truth, err := column(file, "mated", len(pairs))
	if err != nil {
		return nil, unreadable(file, err)
	}
	var scores []string
	if theirs == "" {
		scores = scored(pairs)
	} else if scores, err = column(theirs, "score", len(pairs)); err != nil {
		return nil, unreadable(theirs, err)
	}
	trials := make([]evaluation.Trial, len(pairs))
	for i := range trials {
		if trials[i].Score, err = strconv.ParseFloat(scores[i], 64); err != nil {
			return nil, unreadable(theirs, fmt.Errorf("line %d: %q is no score", i+2, scores[i]))
		}
		if trials[i].Mated, err = strconv.ParseBool(truth[i]); err != nil {
			return nil, unreadable(file, fmt.Errorf("line %d: mated must be 1 or 0", i+2))
		}
	}
	return trials, nil
}

// owned adds whose the samples are, where the CSV says it: person_a, person_b.
func owned(file string, trials []evaluation.Trial) ([]evaluation.Person, error) {
	a, err := column(file, "person_a", len(trials))
	if errors.Is(err, errNoColumn) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := column(file, "person_b", len(trials))
	if err != nil {
		return nil, err
	}
	persons := make([]evaluation.Person, len(trials))
	for i, t := range trials {
		persons[i] = evaluation.Person{Trial: t, A: a[i], B: b[i]}
	}
	return persons, nil
}

var errNoColumn = errors.New("its header lacks a column")

// column reads one named column of a CSV with a header.
func column(file, name string, rows int) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(all) != rows+1 {
		return nil, fmt.Errorf("it has %d rows under its header, want %d", max(0, len(all)-1), rows)
	}
	at := slices.Index(all[0], name)
	if at < 0 {
		return nil, fmt.Errorf("%w: %s", errNoColumn, name)
	}
	values := make([]string, rows)
	for i, row := range all[1:] {
		values[i] = row[at]
	}
	return values, nil
}

type identifyCommand struct {
	Gallery string   `required:"" type:"existingdir" help:"Directory of fingerprints: images or templates."`
	Probes  []string `arg:"" type:"existingfile"`
	Limit   int      `default:"10" help:"How many candidates of each probe are printed."`
}

// found is one candidate of an evaluation on files.
type found struct {
	File  string  `json:"file"`
	Score float64 `json:"score"`
}

// Run compares files with files. It sees no deployment and nobody's data: a search
// of the population exists in enrolment only.
func (c *identifyCommand) Run() error {
	files, templates, err := readGallery(c.Gallery)
	if err != nil {
		return err
	}
	for _, probe := range c.Probes {
		p, err := readPrint(probe)
		if err != nil {
			return unreadable(probe, err)
		}
		begun := time.Now()
		candidates := make([]found, len(files))
		each(len(files), func(i int) { candidates[i] = found{files[i], float64(finger.Compare(p, templates[i]))} })
		slices.SortFunc(candidates, func(a, b found) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.File, b.File))
		})
		took := time.Since(begun)
		line := map[string]any{"probe": probe, "candidates": candidates[:min(max(c.Limit, 0), len(candidates))], "ms": float64(took.Microseconds()) / 1000}
		if err := printJSON(line); err != nil {
			return err
		}
	}
	return nil
}

// readGallery reads every fingerprint of a directory; what is none is named and
// left out.
func readGallery(dir string) (files []string, templates []finger.Template, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return nil, nil, unreadable(dir, err)
	}
	all := make([]finger.Template, len(files))
	failed := make([]error, len(files))
	each(len(files), func(i int) { all[i], failed[i] = readPrint(files[i]) })
	var good []string
	for i, err := range failed {
		if err != nil {
			fmt.Fprintf(os.Stderr, "plinth: %s: %v\n", files[i], err)
			continue
		}
		good, templates = append(good, files[i]), append(templates, all[i])
	}
	if len(good) == 0 {
		return nil, nil, unreadable(dir, errors.New("it holds no fingerprint that can be read"))
	}
	return good, templates, nil
}

// each runs do for 0 to n−1 on all cores.
func each(n int, do func(i int)) {
	work := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				do(i)
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
}

type synthCommand struct {
	Seed        int64  `required:"" help:"Which finger; the same seed is the same finger."`
	Count       int    `default:"1" help:"How many fingers, of the seeds that follow."`
	Impressions int    `default:"2" help:"How many impressions of each."`
	Level       int    `default:"2" help:"1 a careful capture, 2 an ordinary one, 3 a poor one."`
	Out         string `short:"o" required:"" type:"path" help:"Directory for the images and for pairs.csv."`
}

// Run makes prints of nobody, and the list of all pairs among them.
func (c *synthCommand) Run() error {
	switch {
	case c.Level < 1 || c.Level > 3:
		return wrongUse{errors.New("--level is 1, 2 or 3")}
	case c.Count < 1 || c.Impressions < 1 || c.Count > math.MaxInt32 || c.Impressions > 100:
		return wrongUse{errors.New("--count is at least 1, --impressions 1 to 100")}
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return wrongUse{err}
	}
	name := func(f, i int) string { return fmt.Sprintf("f%d_%d.png", c.Seed+int64(f), i) }
	failed := make([]error, c.Count*c.Impressions)
	each(len(failed), func(n int) {
		f, i := n/c.Impressions, n%c.Impressions
		png := synth.PNG(synth.Print(c.Seed+int64(f), i, c.Level))
		failed[n] = os.WriteFile(filepath.Join(c.Out, name(f, i)), png, 0o644)
	})
	if err := errors.Join(failed...); err != nil {
		return wrongUse{err}
	}
	pairs, err := os.Create(filepath.Join(c.Out, "pairs.csv"))
	if err != nil {
		return wrongUse{err}
	}
	defer pairs.Close()
	out := csv.NewWriter(pairs)
	_ = out.Write([]string{"a", "b", "mated"}) // Error tells
	for f := range c.Count {
		for i := range c.Impressions {
			for g := f; g < c.Count; g++ {
				for j := range c.Impressions {
					if g > f || j > i {
						_ = out.Write([]string{name(f, i), name(g, j), strconv.Itoa(mated(f == g))})
					}
				}
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return wrongUse{err}
	}
	return printJSON(map[string]any{"directory": c.Out, "images": len(failed), "pairs": "pairs.csv"})
}

func mated(same bool) int {
	if same {
		return 1
	}
	return 0
}
