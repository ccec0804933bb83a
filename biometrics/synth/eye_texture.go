package synth

import (
	"math"
	"math/rand/v2"
)

// Size of the texture of an iris: about the pupil, and from it to the white.
const (
	weaveTurn  = 1024
	weaveDepth = 96
)

// weave makes the texture of an iris, with mean 0 and deviation near 1: fibres that
// run outwards, finer ones across, crypts, the collarette, and furrows about it.
func weave(seed int64) []float32 {
	r := rand.New(rand.NewPCG(uint64(seed), 0x69726973))
	out := make([]float32, weaveTurn*weaveDepth)
	for _, layer := range []struct{ wide, deep, weight float64 }{
		{3, 9, .55}, {6, 12, .75}, {11, 9, .8}, {22, 14, .7}, {40, 22, .4},
	} {
		noise := make([]float32, len(out))
		for i := range noise {
			noise[i] = float32(r.NormFloat64())
		}
		ring(noise, layer.wide, layer.deep)
		for i, v := range noise {
			out[i] += v * float32(layer.weight)
		}
	}
	collarette(out, r)
	for range 26 + r.IntN(16) {
		crypt(out, r)
	}
	standardise(out)
	return out
}

// ring smooths noise about the pupil and outwards, and makes its deviation 1.
func ring(noise []float32, wide, deep float64) {
	line := make([]float32, weaveTurn)
	half := int(math.Round((math.Sqrt(4*wide*wide+1) - 1) / 2))
	for y := range weaveDepth {
		row := noise[y*weaveTurn:][:weaveTurn]
		for range 3 { // three boxes are nearly a bell
			var sum float32
			for d := -half; d <= half; d++ {
				sum += row[(d+weaveTurn)%weaveTurn]
			}
			for x := range line {
				line[x] = sum
				sum += row[(x+half+1)%weaveTurn] - row[(x-half+weaveTurn)%weaveTurn]
			}
			copy(row, line)
		}
	}
	was := append([]float32{}, noise...)
	clear(noise)
	kernel := bell(deep)
	for y := range weaveDepth {
		to := noise[y*weaveTurn:][:weaveTurn]
		for i, k := range kernel {
			at := max(y+i-len(kernel)/2, len(kernel)/2-y-i) // it is mirrored at its edges
			if at >= weaveDepth {
				at = 2*weaveDepth - 2 - at
			}
			for x, v := range was[at*weaveTurn:][:weaveTurn] {
				to[x] += k * v
			}
		}
	}
	standardise(noise)
}

func standardise(v []float32) {
	var sum, square float64
	for _, x := range v {
		sum += float64(x)
		square += float64(x) * float64(x)
	}
	n := float64(len(v))
	mean := sum / n
	deviation := math.Sqrt(square/n - mean*mean)
	for i := range v {
		v[i] = float32((float64(v[i]) - mean) / deviation)
	}
}

// bell is a Gaussian kernel.
func bell(sigma float64) []float32 {
	reach := int(math.Ceil(2.5 * sigma))
	out := make([]float32, 2*reach+1)
	sum := 0.
	for i := range out {
		d := float64(i-reach) / sigma
		out[i] = float32(math.Exp(-d * d / 2))
		sum += float64(out[i])
	}
	for i := range out {
		out[i] /= float32(sum)
	}
	return out
}

// collarette is the jagged ring about a third of the way out, brighter inside.
func collarette(out []float32, r *rand.Rand) {
	base := .28 + r.NormFloat64()*.04
	var waves [9][2]float64
	for i := range waves {
		waves[i] = [2]float64{r.NormFloat64() * .03 / math.Sqrt(float64(i+1)), r.Float64() * 2 * math.Pi}
	}
	for x := range weaveTurn {
		at := base
		for i, wave := range waves {
			at += wave[0] * math.Sin(float64((i+1)*(i+2)/2)*2*math.Pi*float64(x)/weaveTurn+wave[1])
		}
		for y := range weaveDepth {
			d := float64(y)/weaveDepth - at
			out[y*weaveTurn+x] += float32(1.1*math.Exp(-d*d/.0018) - .35*smooth(d*12) + .25*math.Sin(max(0, d)*55)*smooth(d*4))
		}
	}
}

// crypt is a dark hollow with a light rim.
func crypt(out []float32, r *rand.Rand) {
	cx, cy := r.Float64()*weaveTurn, (.12+r.Float64()*.6)*weaveDepth
	rx, ry := 6+r.Float64()*14, 3+r.Float64()*7
	deep := 1.2 + r.Float64()*1.4
	for y := max(0, int(cy-2*ry)); y < min(weaveDepth, int(cy+2*ry)); y++ {
		for dx := int(-2 * rx); dx <= int(2*rx); dx++ {
			d := math.Hypot(float64(dx)/rx, (float64(y)-cy)/ry)
			x := (int(cx) + dx + weaveTurn) % weaveTurn
			out[y*weaveTurn+x] += float32(.5*math.Exp(-(d-1.25)*(d-1.25)*12) - deep*smooth(1.5-1.2*d))
		}
	}
}

// bilinear reads a texture between its points; it closes upon itself.
func bilinear(v []float32, x, y float64) float32 {
	i, j := int(x)%weaveTurn, min(int(y), weaveDepth-2)
	fx, fy := float32(x-math.Floor(x)), float32(y-float64(j))
	next := (i + 1) % weaveTurn
	top := v[j*weaveTurn+i]*(1-fx) + v[j*weaveTurn+next]*fx
	low := v[(j+1)*weaveTurn+i]*(1-fx) + v[(j+1)*weaveTurn+next]*fx
	return top*(1-fy) + low*fy
}

// blur is what a lens out of focus does, nearly.
func blur(v []float32, width, height int, sigma float64) {
	kernel := bell(sigma)
	reach := len(kernel) / 2
	line := make([]float32, max(width, height))
	pass := func(n, step, from int) {
		for i := range n {
			line[i] = 0
			for k, weight := range kernel {
				line[i] += weight * v[from+step*max(0, min(n-1, i+k-reach))]
			}
		}
		for i := range n {
			v[from+step*i] = line[i]
		}
	}
	for y := range height {
		pass(width, 1, y*width)
	}
	for x := range width {
		pass(height, width, x)
	}
}
