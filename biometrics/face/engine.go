package face

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/plinth-id/plinth/biometrics"
)

// Engine recognises faces. None is shipped: Remote speaks to an SDK over HTTP, Network
// runs a model that the deployer gives (OpenModel, in a build with the tag onnx).
type Engine interface {
	// Extract makes the template of a face.
	Extract(ctx context.Context, img *Image) ([]byte, error)
	// Compare tells how unlikely it is that templates of two different people are so
	// alike.
	Compare(ctx context.Context, a, b []byte) (biometrics.Score, error)
}

// Calibration is what was measured of an engine: which share of comparisons of
// different people reaches a similarity. The zero one is refused everywhere.
type Calibration struct {
	points    []Measured
	impostors int
}

// Measured is a similarity and −log10 of the share of comparisons of different people
// that reach it.
type Measured struct {
	Similarity float64          `json:"similarity"`
	Score      biometrics.Score `json:"score"`
}

// leastImpostors is the least number of comparisons of different people from which a
// false match rate of one in a thousand can be told at all.
const leastImpostors = 3000

const mostPoints = 1000

// NewCalibration takes the points of a table, similarities rising, and the number of
// comparisons of different people they were measured on.
func NewCalibration(points []Measured, impostors int) (Calibration, error) {
	if len(points) < 2 || len(points) > mostPoints {
		return Calibration{}, fmt.Errorf("%w: it needs from 2 to %d points, not %d", ErrUncalibrated, mostPoints, len(points))
	}
	if impostors < leastImpostors {
		return Calibration{}, fmt.Errorf("%w: measure at least %d comparisons of different people, not %d", ErrUncalibrated, leastImpostors, impostors)
	}
	for i, p := range points {
		if !finite(p.Similarity) || !finite(float64(p.Score)) || p.Score < 0 {
			return Calibration{}, fmt.Errorf("%w: point %d is no similarity and −log10 of a share", ErrUncalibrated, i+1)
		}
		if i > 0 && (p.Similarity <= points[i-1].Similarity || p.Score < points[i-1].Score) {
			return Calibration{}, fmt.Errorf("%w: point %d does not rise above the one before", ErrUncalibrated, i+1)
		}
	}
	if points[0].Score == points[len(points)-1].Score {
		return Calibration{}, fmt.Errorf("%w: every similarity has the same score", ErrUncalibrated)
	}
	return Calibration{append([]Measured{}, points...), impostors}, nil
}

// ParseCalibration reads a table: {"impostors": 100000, "points": [{"similarity": 0.21,
// "score": 1}, …]}.
func ParseCalibration(raw []byte) (Calibration, error) {
	var table struct {
		Impostors int        `json:"impostors"`
		Points    []Measured `json:"points"`
	}
	if len(raw) > 1<<20 {
		return Calibration{}, fmt.Errorf("%w: the table is too long", ErrUncalibrated)
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		return Calibration{}, fmt.Errorf("%w: %w", ErrUncalibrated, err)
	}
	return NewCalibration(table.Points, table.Impostors)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Most is the highest score: what n comparisons have shown is at best one in n.
func (c Calibration) Most() biometrics.Score {
	if c.impostors < 1 {
		return 0
	}
	return min(c.points[len(c.points)-1].Score, biometrics.Score(math.Log10(float64(c.impostors))))
}

// Score is what a similarity says, by lines between the points.
func (c Calibration) Score(similarity float64) biometrics.Score {
	if len(c.points) < 2 || math.IsNaN(similarity) || similarity < c.points[0].Similarity {
		return 0
	}
	for i := 1; i < len(c.points); i++ {
		low, high := c.points[i-1], c.points[i]
		if similarity < high.Similarity {
			share := (similarity - low.Similarity) / (high.Similarity - low.Similarity)
			return min(c.Most(), low.Score+biometrics.Score(share)*(high.Score-low.Score))
		}
	}
	return c.Most()
}
