package finger

import "math"

// The same bits on every platform: products that are summed are rounded first, by
// float32(…), since some processors would add them unrounded; and the functions
// that processors compute each in their own way are tables, rounded coarsely
// enough to be alike, or polynomials.

// turn is how many directions a table of the circle has.
const circle = 256

// cosines and sines of the circle's directions.
var cosines, sines = func() (c, s [circle]float32) {
	for i := range circle {
		sin, cos := math.Sincos(float64(i) * 2 * math.Pi / circle)
		c[i], s[i] = rounded(cos), rounded(sin)
	}
	return c, s
}()

// rounded is a value of a table: the last bits of two processors' answers differ.
func rounded(v float64) float32 { return float32(math.Round(v*(1<<20)) / (1 << 20)) }

// arc is the angle of a vector, −π to π, to about a hundredth of a degree.
func arc(y, x float32) float32 {
	steep, flat := abs(y), abs(x)
	if steep > flat {
		steep, flat = flat, steep
	}
	if flat == 0 {
		return 0
	}
	q := steep / flat
	s := float32(q * q)
	a := float32(-.013480470*s) + .057477314
	a = float32(a*s) - .121239071
	a = float32(a*s) + .195635925
	a = float32(a*s) - .332994597
	a = float32(a*s) + .999995630
	a = float32(a * q)
	if abs(y) > abs(x) {
		a = math.Pi/2 - a
	}
	if x < 0 {
		a = math.Pi - a
	}
	if y < 0 {
		a = -a
	}
	return a
}

func abs(v float32) float32 { return max(v, -v) }

// root is exact, and so alike everywhere.
func root(v float32) float32 { return float32(math.Sqrt(float64(v))) }

// direction is the nearest of the circle's directions to an angle in radians.
func direction(angle float32) uint8 {
	return uint8(int32(math.Floor(float64(float32(angle*(circle/(2*math.Pi)))+.5))) & (circle - 1))
}

// half brings an angle into 0 to π.
func half(a float32) float32 {
	for a < 0 {
		a += math.Pi
	}
	for a >= math.Pi {
		a -= math.Pi
	}
	return a
}

// radians is the angle of a direction.
func radians(to uint8) float32 { return float32(to) * (2 * math.Pi / circle) }
