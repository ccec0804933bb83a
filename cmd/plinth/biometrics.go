package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iso"
)

type biometricsCommand struct {
	Extract   extractCommand   `cmd:"" help:"Make a template of a fingerprint image."`
	Match     matchCommand     `cmd:"" help:"Compare two fingerprints: images or templates."`
	Score     scoreCommand     `cmd:"" help:"Score a CSV of pairs of files, on all cores, in order."`
	Identify  identifyCommand  `cmd:"" help:"Compare files with all files of a directory, to evaluate the engine."`
	Report    reportCommand    `cmd:"" help:"Measure our engine, or the scores of another, on pairs whose truth is known."`
	Calibrate calibrateCommand `cmd:"" help:"Remake the table of scores by strangers' prints."`
	Synth     synthCommand     `cmd:"" help:"Make fingerprints of nobody, for tests and load."`
}

type extractCommand struct {
	Image  string `arg:"" type:"existingfile"`
	Format string `enum:"iso19794-2,native" default:"iso19794-2" help:"iso19794-2 or native."`
	Out    string `short:"o" required:"" help:"File to write the template to."`
}

func (c *extractCommand) Run() error {
	template, quality, err := extract(c.Image)
	if err != nil {
		return unreadable(c.Image, err)
	}
	raw := template.Marshal()
	if c.Format == "iso19794-2" {
		if raw, err = iso.WriteFMR(template); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.Out, raw, 0o600); err != nil {
		return err
	}
	return printJSON(map[string]any{"template": c.Out, "format": c.Format, "minutiae": template.Len(), "quality": quality.Value, "reasons": quality.Reasons})
}

// extract reads a fingerprint image.
func extract(file string) (finger.Template, biometrics.Quality, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return finger.Template{}, biometrics.Quality{}, err
	}
	img, err := iso.DecodeFinger(raw)
	if err != nil {
		return finger.Template{}, biometrics.Quality{}, err
	}
	t, quality, err := finger.Extract(img)
	if err != nil && len(quality.Reasons) > 0 && quality.Reasons[0] != "no finger" {
		err = fmt.Errorf("%w (%s)", err, strings.Join(quality.Reasons, ", "))
	}
	return t, quality, err
}

// readPrint reads a fingerprint from an image or a template of either form.
func readPrint(file string) (finger.Template, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return finger.Template{}, err
	}
	if t, err := finger.ParseTemplate(raw); err == nil {
		return t, nil
	}
	if t, err := iso.ReadFMR(raw); err == nil {
		return t, nil
	}
	t, _, err := extract(file)
	return t, err
}

// unreadable says which file cannot be used and why.
func unreadable(file string, err error) error {
	return wrongUse{fmt.Errorf("%s: %w", file, err)}
}

type matchCommand struct {
	A string `arg:"" type:"existingfile"`
	B string `arg:"" type:"existingfile"`
}

func (c *matchCommand) Run() error {
	a, err := readPrint(c.A)
	if err != nil {
		return unreadable(c.A, err)
	}
	b, err := readPrint(c.B)
	if err != nil {
		return unreadable(c.B, err)
	}
	score := finger.Compare(a, b)
	match := score >= finger.Threshold
	if err := printJSON(map[string]any{"score": float64(score), "match": match, "threshold": float64(finger.Threshold)}); err != nil {
		return err
	}
	if !match {
		return exit(exitNo)
	}
	return nil
}

type scoreCommand struct {
	Pairs string `required:"" type:"existingfile" help:"CSV with the columns a,b (paths)."`
}

// prints reads each file once, whoever asks first.
type prints struct{ all sync.Map }

func (p *prints) of(file string) (finger.Template, error) {
	read, _ := p.all.LoadOrStore(file, sync.OnceValues(func() (finger.Template, error) {
		t, err := readPrint(file)
		if err != nil {
			fmt.Fprintf(os.Stderr, "plinth: %s: %v\n", file, err)
		}
		return t, err
	}))
	return read.(func() (finger.Template, error))()
}

func (c *scoreCommand) Run() error {
	pairs, err := readPairs(c.Pairs)
	if err != nil {
		return unreadable(c.Pairs, err)
	}
	scores := scored(pairs)
	out := csv.NewWriter(os.Stdout)
	if err := out.Write([]string{"a", "b", "score"}); err != nil {
		return err
	}
	for i, p := range pairs {
		if err := out.Write([]string{p[0], p[1], scores[i]}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// scored compares all pairs, in their order.
func scored(pairs [][2]string) []string {
	var read prints
	scores := make([]string, len(pairs))
	each(len(pairs), func(i int) { scores[i] = score(&read, pairs[i]) })
	return scores
}

func score(read *prints, pair [2]string) string {
	a, errA := read.of(pair[0])
	b, errB := read.of(pair[1])
	if errA != nil || errB != nil {
		return "nan"
	}
	return strconv.FormatFloat(float64(finger.Compare(a, b)), 'f', 4, 64)
}

// readPairs reads a CSV of pairs; relative paths are seen from the working
// directory, or else from where the CSV stands.
func readPairs(file string) ([][2]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows := csv.NewReader(f)
	var pairs [][2]string
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF):
			return pairs, nil
		case err != nil:
			return nil, err
		case len(row) < 2:
			return nil, fmt.Errorf("line %d: want two columns, a and b", len(pairs)+1)
		case len(pairs) == 0 && row[0] == "a" && row[1] == "b":
			continue
		}
		pairs = append(pairs, [2]string{beside(file, row[0]), beside(file, row[1])})
	}
}

func beside(list, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	return filepath.Join(filepath.Dir(list), path)
}
