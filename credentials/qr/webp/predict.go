package webp

// The ways to predict, as the tables count them. Macroblocks and chroma have the
// first four.
const (
	byMean   = iota
	byMotion // "true motion": the slopes of both edges together
	fromAbove
	fromLeft
	rightDown
	verticalRight
	leftDown
	verticalLeft
	horizontalDown
	horizontalUp
	modes
)

// What stands beyond the edges of the picture.
const beyondTop, beyondLeft = 127, 129

// edge is what a square is predicted from.
type edge struct {
	above  [20]uint8 // with four to the right of a block
	left   [16]uint8
	corner uint8
	top    bool // at the top of the picture
	start  bool // at its left
}

// edgeAt reads the edge of a square of a plane.
func (p plane) edgeAt(x, y, side int) (e edge) {
	e.top, e.start, e.corner = y == 0, x == 0, beyondTop
	for i := range side {
		e.above[i], e.left[i] = beyondTop, beyondLeft
		if y > 0 {
			e.above[i] = p.pix[(y-1)*p.stride+x+i]
		}
		if x > 0 {
			e.left[i] = p.pix[(y+i)*p.stride+x-1]
		}
	}
	if y > 0 && x > 0 {
		e.corner = p.pix[(y-1)*p.stride+x-1]
	} else if y > 0 {
		e.corner = beyondLeft
	}
	return e
}

// square predicts a macroblock or a square of chroma: section 12.2.
func (e *edge) square(mode, side int, into []uint8) {
	mean := e.mean(side)
	for y := range side {
		for x := range side {
			at := y*side + x
			switch mode {
			case byMean:
				into[at] = mean
			case byMotion:
				into[at] = clamp(int32(e.left[y]) + int32(e.above[x]) - int32(e.corner))
			case fromAbove:
				into[at] = e.above[x]
			default:
				into[at] = e.left[y]
			}
		}
	}
}

// mean leaves out what is beyond the picture.
func (e *edge) mean(side int) uint8 {
	sum, n := 0, 0
	for i := range side {
		if !e.top {
			sum, n = sum+int(e.above[i]), n+1
		}
		if !e.start {
			sum, n = sum+int(e.left[i]), n+1
		}
	}
	if n == 0 {
		return 128
	}
	return uint8((sum + n/2) / n)
}

// block predicts four by four: section 12.3. There, the picture's own edges count
// like any others.
func (e *edge) block(mode int, into *[16]uint8) {
	switch mode {
	case byMean:
		sum := 4
		for i := range 4 {
			sum += int(e.above[i]) + int(e.left[i])
		}
		fill(into, func(_, _ int) uint8 { return uint8(sum / 8) })
	case byMotion:
		fill(into, func(x, y int) uint8 { return clamp(int32(e.left[y]) + int32(e.above[x]) - int32(e.corner)) })
	case fromAbove:
		line := [6]uint8{e.corner, e.above[0], e.above[1], e.above[2], e.above[3], e.above[4]}
		fill(into, func(x, _ int) uint8 { return three(line[x], line[x+1], line[x+2]) })
	case fromLeft:
		line := [6]uint8{e.corner, e.left[0], e.left[1], e.left[2], e.left[3], e.left[3]}
		fill(into, func(_, y int) uint8 { return three(line[y], line[y+1], line[y+2]) })
	case leftDown:
		fill(into, func(x, y int) uint8 {
			return three(e.above[x+y], e.above[x+y+1], e.above[min(x+y+2, 7)])
		})
	case verticalLeft:
		e.verticalLeft(into)
	case horizontalUp:
		e.horizontalUp(into)
	default:
		e.fromCorner(mode, into)
	}
}

// fromCorner follows the whole edge, from the left's foot round the corner to the right.
func (e *edge) fromCorner(mode int, into *[16]uint8) {
	line := [9]uint8{e.left[3], e.left[2], e.left[1], e.left[0], e.corner, e.above[0], e.above[1], e.above[2], e.above[3]}
	at := func(i int) uint8 { return three(line[i-1], line[i], line[i+1]) }
	fill(into, func(x, y int) uint8 {
		switch mode {
		case rightDown:
			return at(4 + x - y)
		case verticalRight:
			switch along := 2*x - y; {
			case along == -3:
				return at(2)
			case along == -2:
				return at(3)
			case along%2 == 0:
				return two(line[4+along/2], line[5+along/2])
			default:
				return at(5 + (along-1)/2)
			}
		}
		switch along := 2*y - x; { // horizontalDown
		case along < -1:
			return at(3 - along)
		case along%2 == 0:
			return two(line[4-along/2], line[3-along/2])
		default:
			return at(4 - (along+1)/2)
		}
	})
}

func (e *edge) verticalLeft(into *[16]uint8) {
	fill(into, func(x, y int) uint8 {
		i := x + y/2
		switch {
		case x == 3 && y == 2:
			return three(e.above[4], e.above[5], e.above[6])
		case x == 3 && y == 3:
			return three(e.above[5], e.above[6], e.above[7])
		case y%2 == 0:
			return two(e.above[i], e.above[i+1])
		default:
			return three(e.above[i], e.above[i+1], e.above[i+2])
		}
	})
}

func (e *edge) horizontalUp(into *[16]uint8) {
	fill(into, func(x, y int) uint8 {
		along := x + 2*y
		i := along / 2
		switch {
		case along > 5:
			return e.left[3]
		case along%2 == 0:
			return two(e.left[i], e.left[i+1])
		default:
			return three(e.left[i], e.left[i+1], e.left[min(i+2, 3)])
		}
	})
}

func fill(into *[16]uint8, of func(x, y int) uint8) {
	for i := range into {
		into[i] = of(i%4, i/4)
	}
}

func two(a, b uint8) uint8      { return uint8((int(a) + int(b) + 1) / 2) }
func three(a, b, c uint8) uint8 { return uint8((int(a) + 2*int(b) + int(c) + 2) / 4) }

func clamp(v int32) uint8 { return uint8(min(255, max(0, v))) }
