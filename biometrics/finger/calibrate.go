package finger

import "github.com/plinth-id/plinth/biometrics"

// calibration are points (raw similarity, score). Up to score 4 they are what
// impostors reach, taken from the worse of two sets: 1,560 pairs of synthetic
// prints (0.39, 0.44 and 0.45 at false match rates of 1e-2, 1e-3 and 1e-4) and
// 9,120 pairs of real ink prints (0.30, 0.34, 0.41), with a margin; above it the
// line is flatter than its continuation, since nobody has measured there.
// TestImpostorsStayBelowTheirScore holds it to account.
var calibration = [...][2]float64{{.20, 0}, {.39, 2}, {.45, 3}, {.51, 4}, {.66, 6}, {1.2, 12}}

// calibrated turns a raw similarity into −log10 of the false match rate, by lines
// between measured points; beyond the last one the line goes on, to at most 12.
func calibrated(raw float64) biometrics.Score {
	last := len(calibration) - 1
	i := 1
	for i < last && raw > calibration[i][0] {
		i++
	}
	low, high := calibration[i-1], calibration[i]
	score := low[1] + (raw-low[0])*(high[1]-low[1])/(high[0]-low[0])
	return biometrics.Score(min(12, max(0, score)))
}
