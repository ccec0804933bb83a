package finger

import (
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
)

// calibration.csv holds points (similarity, score): what share of strangers reaches
// a similarity, measured up to one in 10,000 on the worse of several sets of prints;
// above that, where nobody has measured, the line is flatter. plinth biometrics
// calibrate makes it.
//
//go:embed calibration.csv
var calibrationFile string

var calibration = func() (points [][2]float64) {
	rows, err := csv.NewReader(strings.NewReader(calibrationFile)).ReadAll()
	if err != nil || len(rows) < 3 {
		panic("finger: calibration.csv is broken")
	}
	for _, row := range rows[1:] {
		var p [2]float64
		for i := range p {
			if p[i], err = strconv.ParseFloat(row[i], 64); err != nil {
				panic("finger: calibration.csv is broken: " + err.Error())
			}
		}
		points = append(points, p)
	}
	return points
}()

// MaxScore is the most that two prints can score: beyond it nothing is known.
const MaxScore biometrics.Score = 12

// calibrated turns a similarity into −log10 of the false match rate, by lines
// between the points.
func calibrated(similarity float32) biometrics.Score {
	raw, last := float64(similarity), len(calibration)-1
	i := 1
	for i < last && raw > calibration[i][0] {
		i++
	}
	low, high := calibration[i-1], calibration[i]
	score := low[1] + float64((raw-low[0])*(high[1]-low[1]))/(high[0]-low[0])
	return min(MaxScore, max(0, biometrics.Score(score)))
}

// Similarity is what a score is made of, before calibration: to remake the table.
func Similarity(a, b Template) float64 {
	if len(a.points) < fewest || len(b.points) < fewest {
		return 0
	}
	s := spaces.Get().(*scratch)
	defer spaces.Put(s)
	return float64(s.raw(&a, &b))
}
