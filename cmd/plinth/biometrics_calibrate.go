package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/plinth-id/plinth/biometrics/finger"
)

type calibrateCommand struct {
	Pairs []string `required:"" type:"existingfile" help:"CSV with the columns a,b,mated; of several, the worse counts at each rate."`
	Out   string   `short:"o" required:"" type:"path" help:"The table: biometrics/finger/calibration.csv, then build again."`
}

// What the table has: points every half a decade as long as so many strangers are
// above, then lines that are flatter than the last decade measured.
const (
	decades     = .5
	leastAbove  = 8
	mostDecades = 12
	flatter     = 1.25
)

// Run measures which similarity strangers reach how often.
func (c *calibrateCommand) Run() error {
	var points [][2]float64 // similarity, score
	for _, file := range c.Pairs {
		strangers, err := similarities(file)
		if err != nil {
			return unreadable(file, err)
		}
		for i := 0; ; i++ {
			score := float64(i+1) * decades
			above := int(float64(len(strangers)) * math.Pow(10, -score))
			if above < leastAbove {
				break
			}
			at := strangers[len(strangers)-above]
			if i == len(points) {
				points = append(points, [2]float64{at, score})
			}
			points[i][0] = max(points[i][0], at)
		}
	}
	if len(points) < 4 {
		return wrongUse{fmt.Errorf("a table needs at least %d pairs of strangers", int(leastAbove*math.Pow(10, 4*decades)))}
	}
	last := points[len(points)-1]
	slope := (last[0] - points[len(points)-3][0]) / (2 * decades) * flatter
	points = append(points, [2]float64{last[0] + slope*(mostDecades-last[1]), mostDecades})
	points = slices.Insert(points, 0, [2]float64{2*points[0][0] - points[1][0], 0})
	f, err := os.Create(c.Out)
	if err != nil {
		return wrongUse{err}
	}
	defer f.Close()
	out := csv.NewWriter(f)
	_ = out.Write([]string{"similarity", "score"}) // Error tells
	for _, p := range points {
		_ = out.Write([]string{strconv.FormatFloat(p[0], 'f', 3, 64), strconv.FormatFloat(p[1], 'f', -1, 64)})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return wrongUse{err}
	}
	return printJSON(map[string]any{"table": c.Out, "measured_to": last[1], "points": points})
}

// similarities are those of the strangers among pairs, the least first. Prints that
// cannot be used are left out: they match nobody.
func similarities(file string) ([]float64, error) {
	pairs, err := readPairs(file)
	if err != nil {
		return nil, err
	}
	truth, err := column(file, "mated", len(pairs))
	if err != nil {
		return nil, err
	}
	var read prints
	all := make([]float64, len(pairs))
	each(len(pairs), func(i int) {
		a, errA := read.of(pairs[i][0])
		b, errB := read.of(pairs[i][1])
		all[i] = math.NaN()
		if same, err := strconv.ParseBool(truth[i]); errA == nil && errB == nil && err == nil && !same {
			all[i] = finger.Similarity(a, b)
		}
	})
	all = slices.DeleteFunc(all, math.IsNaN)
	if len(all) == 0 {
		return nil, errors.New("it has no pair of strangers that can be compared")
	}
	slices.Sort(all)
	return all, nil
}
