package iris

import "github.com/plinth-id/plinth/biometrics"

// Extract finds the iris and writes its code, with a quality from 0 to 100 and the
// reasons for what it lacks. ErrNoEye says that there is no iris to be found, or too
// little of it to be compared; the reasons tell which.
func Extract(img *Image) (Code, biometrics.Quality, error) {
	if img == nil || len(img.Pix) != img.Width*img.Height || img.Width < minSide || img.Height < minSide {
		return Code{}, biometrics.Quality{Reasons: []string{"no eye"}}, ErrNoEye
	}
	p := working(img)
	e, ok := find(p)
	if !ok {
		return Code{}, biometrics.Quality{Reasons: []string{"no eye"}}, ErrNoEye
	}
	s := unroll(p, &e)
	code, quality := s.code(), judge(p, &e, s, img.reduction())
	if code.seen() < leastBits || quality.Value < leastQuality {
		return Code{}, quality, ErrNoEye
	}
	return code, quality, nil
}

// leastQuality is that of things which are no eyes after all.
const leastQuality = 8

// minSide is the least side of an image: in less there is no iris of leastLimbus.
const minSide = 2 * leastLimbus
