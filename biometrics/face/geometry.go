package face

import "math"

// apart is the distance of the eyes in pixels.
func (e Eyes) apart() float64 { return math.Hypot(e.Left.X-e.Right.X, e.Left.Y-e.Right.Y) }

// middle is the point between the eyes.
func (e Eyes) middle() Point {
	return Point{(e.Left.X + e.Right.X) / 2, (e.Left.Y + e.Right.Y) / 2}
}

// roll is by how many degrees the head is tilted; upside down is 180.
func (e Eyes) roll() float64 {
	return math.Abs(math.Atan2(e.Left.Y-e.Right.Y, e.Left.X-e.Right.X)) * 180 / math.Pi
}

// What ISO/IEC 19794-5 asks of a full frontal image.
const (
	leastWidth  = 480
	leastHeight = 640
	leastApart  = 90  // pixels between the eyes
	mostRoll    = 8   // degrees
	mostAside   = .05 // of the width, from the middle
	leastDown   = .3  // of the height, from the top to the eyes
	mostDown    = .5
	leastShare  = .18 // of the width, between the eyes: the head takes half to three quarters
	mostShare   = .375
)

// posed are the reasons why eyes at these places do not make a full frontal image.
func (e Eyes) posed(width, height int) (reasons []string) {
	m, w, h := e.middle(), float64(width), float64(height)
	switch share := e.apart() / w; {
	case e.apart() < leastApart || share < leastShare:
		reasons = append(reasons, "too far away")
	case share > mostShare:
		reasons = append(reasons, "too close")
	}
	if e.roll() > mostRoll {
		reasons = append(reasons, "head tilted")
	}
	if math.Abs(m.X/w-.5) > mostAside || m.Y/h < leastDown || m.Y/h > mostDown {
		reasons = append(reasons, "off centre")
	}
	return reasons
}
