package wsq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"math"
)

// Rates for Encode, in bits a pixel: what fingerprints are sent with (about 15:1)
// and what they are kept with (about 5:1).
const (
	RateSend = 0.75
	RateKeep = 2.25
)

// ErrSize says that an image is too small or too large for the format.
var ErrSize = errors.New("wsq: images have 32 to 65535 pixels a side")

// analysis are the 9/7 filters of the standard (table 1), from the middle outwards.
var (
	lowHalf  = []float64{0.85269867900940, 0.37740285561265, -0.11062440441842, -0.02384946501938, 0.03782845550699}
	highHalf = []float64{0.78848561640566, -0.41809227322221, -0.04068941760956, 0.06453888262894}
)

const binCentre = 0.44

// Encode writes an image with about the given number of bits a pixel.
func Encode(img *image.Gray, rate float64) ([]byte, error) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w < 32 || h < 32 || w > math.MaxUint16 || h > math.MaxUint16 || w*h > MaxPixels {
		return nil, ErrSize
	}
	var out bytes.Buffer
	word(&out, markerStart)
	var f filters
	f.low, f.high = writeFilters(&out)
	p, shift, unit := normalised(img)
	t := newTree(w, h)
	line := newScratch(max(w, h))
	for _, step := range t.steps {
		p.decompose(step, f, line)
	}
	quant := writeQuant(&out, binWidths(t, p, rate))
	writeFrame(&out, w, h, shift, unit)
	for i, block := range blocks {
		writeBlock(&out, i, places(t, p, quant, block))
	}
	word(&out, markerEnd)
	return out.Bytes(), nil
}

func word(out *bytes.Buffer, v int) { out.Write([]byte{byte(v >> 8), byte(v)}) }

func segmentOf(out *bytes.Buffer, marker int, body []byte) {
	word(out, marker)
	word(out, len(body)+2)
	out.Write(body)
}

func writeFilters(out *bytes.Buffer) (low, high []float32) {
	body := []byte{byte(2*len(lowHalf) - 1), byte(2*len(highHalf) - 1)}
	body = appendHalf(body, lowHalf)
	body = appendHalf(body, highHalf)
	segmentOf(out, markerFilters, body)
	// What is used is what was written, rounding included.
	s := segment{raw: body[2:]}
	return s.half(2*len(lowHalf) - 1), s.half(2*len(highHalf) - 1)
}

func appendHalf(body []byte, half []float64) []byte {
	for _, v := range half {
		negative := byte(0)
		if v < 0 {
			negative, v = 1, -v
		}
		const decimals = 9
		body = append(body, negative, decimals)
		body = binary.BigEndian.AppendUint32(body, uint32(math.Round(v*1e9)))
	}
	return body
}

// decimal writes a number as a count of decimals and 16 bits, as exactly as that
// can be, and gives what was written.
func decimal(body []byte, v float32) ([]byte, float32) {
	decimals, scaledUp := byte(0), float64(v)
	for scaledUp*10 < math.MaxUint16 && decimals < 9 && v != 0 {
		scaledUp *= 10
		decimals++
	}
	n := uint16(min(math.MaxUint16, math.Round(scaledUp)))
	body = binary.BigEndian.AppendUint16(append(body, decimals), n)
	return body, scaled(float32(n), decimals)
}

// normalised shifts an image to a mean of zero and scales it to ±128.
func normalised(img *image.Gray) (p plane, shift, unit float32) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	p = plane{w: w, h: h, data: make([]float32, w*h)}
	sum, low, high := 0, 255, 0
	for y := range h {
		for _, v := range img.Pix[y*img.Stride : y*img.Stride+w] {
			sum, low, high = sum+int(v), min(low, int(v)), max(high, int(v))
		}
	}
	_, shift = decimal(nil, float32(sum)/float32(w*h))
	_, unit = decimal(nil, max(float32(high)-shift, shift-float32(low), 1)/128)
	for y := range h {
		for x, v := range img.Pix[y*img.Stride : y*img.Stride+w] {
			p.data[y*w+x] = (float32(v) - shift) / unit
		}
	}
	return p, shift, unit
}

func writeFrame(out *bytes.Buffer, w, h int, shift, unit float32) {
	body := []byte{0, 255}
	body = binary.BigEndian.AppendUint16(body, uint16(h))
	body = binary.BigEndian.AppendUint16(body, uint16(w))
	body, _ = decimal(body, shift)
	body, _ = decimal(body, unit)
	segmentOf(out, markerFrame, append(body, 0, 0, 0)) // no registered encoder
}

func writeQuant(out *bytes.Buffer, widths [subbands]float32) (quant [subbands]bin) {
	body, _ := decimal(nil, binCentre)
	for i, v := range widths {
		body, quant[i].width = decimal(body, v)
		body, quant[i].zero = decimal(body, 1.2*v)
	}
	segmentOf(out, markerQuant, body)
	return quant
}

// weightOf is how much coarser the eye lets a subband be (table 4).
func weightOf(band int) float64 {
	switch band {
	case 52, 56:
		return 1.32
	case 53, 55, 58, 59:
		return 1.08
	case 54, 57:
		return 1.42
	}
	return 1
}

// binWidths chooses the quantisers so that the whole has about so many bits a
// pixel (section 3.3): by the variance of each subband, leaving out those that
// would be all zero, until none of these is left.
func binWidths(t tree, p plane, rate float64) (widths [subbands]float32) {
	variance := variances(t, p)
	relative := make(map[int]float64, coded) // width, up to one common factor
	for k := range coded {
		switch {
		case variance[k] < 1.01:
		case k < 4:
			relative[k] = 1
		default:
			relative[k] = 10 / (weightOf(k) * math.Log(variance[k]))
		}
	}
	for len(relative) > 0 {
		share, log := 0.0, 0.0
		for k := range coded {
			if q, ok := relative[k]; ok {
				m := float64(t.bands[k].w*t.bands[k].h) / float64(p.w*p.h)
				share += m
				log += m * math.Log(math.Sqrt(variance[k])/q)
			}
		}
		factor := math.Exp2(rate/share-1) / 2.5 / math.Exp(log/share)
		dropped := false
		for k := range coded {
			if q, ok := relative[k]; ok && q/factor >= 5*math.Sqrt(variance[k]) {
				delete(relative, k)
				dropped = true
			}
		}
		if !dropped {
			for k, q := range relative {
				widths[k] = float32(q / factor)
			}
			break
		}
	}
	return widths
}

// variances of the subbands, of their middle where most of the finger is.
func variances(t tree, p plane) (v [coded]float64) {
	low := 0.0
	for k := range coded {
		b := t.bands[k]
		v[k] = variance(p, region{x: b.x + b.w/8, y: b.y + 9*b.h/32, w: 3 * b.w / 4, h: 7 * b.h / 16})
		if k < 4 {
			low += v[k]
		}
	}
	if low >= 20000 {
		return v
	}
	for k := range coded {
		v[k] = variance(p, t.bands[k])
	}
	return v
}

func variance(p plane, r region) float64 {
	n := float64(r.w * r.h)
	if n < 2 {
		return 0
	}
	sum, squares := 0.0, 0.0
	for y := range r.h {
		for _, c := range p.data[(r.y+y)*p.w+r.x : (r.y+y)*p.w+r.x+r.w] {
			sum += float64(c)
			squares += float64(c) * float64(c)
		}
	}
	return (squares - sum*sum/n) / (n - 1)
}

// quantised is the number of the bin of a coefficient.
func (q bin) quantised(v float32) int {
	switch half := q.zero / 2; {
	case v > half:
		return min(math.MaxUint16, int((v-half)/q.width)+1)
	case v < -half:
		return max(-math.MaxUint16, int((v+half)/q.width)-1)
	}
	return 0
}

// code is a symbol and the bits behind it.
type code struct {
	symbol byte
	wide   int // how many bits
	extra  int
}

func writeBlock(out *bytes.Buffer, block int, rows []row) {
	codes := codesOf(rows)
	var used [huffmanSymbols]int
	for _, c := range codes {
		used[c.symbol]++
	}
	counts, symbols := lengths(used)
	table := append([]byte{byte(block)}, counts[:]...)
	segmentOf(out, markerHuffman, append(table, symbols...))
	segmentOf(out, markerBlock, []byte{byte(block)})
	words := canonical(counts, symbols)
	var b bitWriter
	for _, c := range codes {
		b.put(words[c.symbol].bits, words[c.symbol].n)
		b.put(c.extra, c.wide)
	}
	out.Write(b.end())
}

func codesOf(rows []row) []code {
	var codes []code
	run := 0
	flush := func() {
		for run > 0 {
			n := min(run, math.MaxUint16)
			switch {
			case n <= longestRun:
				codes = append(codes, code{symbol: byte(n)})
			case n <= math.MaxUint8:
				codes = append(codes, code{run8, 8, n})
			default:
				codes = append(codes, code{run16, 16, n})
			}
			run -= n
		}
	}
	for _, row := range rows {
		for _, v := range row.data {
			n := row.bin.quantised(v)
			if n == 0 {
				run++
				continue
			}
			flush()
			codes = append(codes, codeOf(n))
		}
	}
	flush()
	return codes
}

func codeOf(n int) code {
	switch {
	case n >= lowestValue && n <= highestValue:
		return code{symbol: byte(n + symbolOfZero)}
	case n > math.MaxUint8:
		return code{positive16, 16, n}
	case n > 0:
		return code{positive8, 8, n}
	case n < -math.MaxUint8:
		return code{negative16, 16, -n}
	}
	return code{negative8, 8, -n}
}
