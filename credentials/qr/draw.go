package qr

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync"
)

// pixelsPerModule is the scale of PNG: sharp on paper at 300 dpi.
const pixelsPerModule = 4

const maxDrawn = 4096 // pixels a side

// PNG draws a text as a QR code with its quiet zone.
func PNG(text string, level Level) ([]byte, error) {
	s, err := NewSymbol(text, level)
	if err != nil {
		return nil, err
	}
	return s.PNG((s.Side() + 2*Quiet) * pixelsPerModule)
}

// SVG draws a text as a QR code with its quiet zone, of no fixed size.
func SVG(text string, level Level) ([]byte, error) {
	s, err := NewSymbol(text, level)
	if err != nil {
		return nil, err
	}
	return s.SVG(), nil
}

var pngDeflaters = sync.Pool{New: func() any { return mustDeflate(zlib.BestSpeed) }}

// PNG draws the code so many pixels wide. Modules have whole pixels, and what is left
// over widens the quiet zone.
func (s Symbol) PNG(pixels int) ([]byte, error) {
	scale := pixels / (s.Side() + 2*Quiet)
	if scale < 1 || pixels > maxDrawn {
		return nil, fmt.Errorf("%w: a code of %d modules in %d pixels", ErrTooLarge, s.Side()+2*Quiet, pixels)
	}
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(pixels)), uint32(pixels))
	chunk(&b, "IHDR", append(header, 1, 0, 0, 0, 0)) // one bit of grey
	chunk(&b, "IDAT", s.deflated(pixels, scale))
	chunk(&b, "IEND", nil)
	return b.Bytes(), nil
}

func chunk(b *bytes.Buffer, kind string, data []byte) {
	body := append([]byte(kind), data...)
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
	b.Write(body)
	b.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// deflated are the rows of pixels: of each row of modules the first as it is, the
// others as no different from the one above.
func (s Symbol) deflated(pixels, scale int) []byte {
	const plain, likeAbove = 0, 2
	var out bytes.Buffer
	w := pngDeflaters.Get().(*zlib.Writer)
	defer pngDeflaters.Put(w)
	w.Reset(&out)
	start := (pixels - s.Side()*scale) / 2
	row, same := make([]byte, 1+(pixels+7)/8), make([]byte, 1+(pixels+7)/8)
	same[0] = likeAbove
	light := bytes.Repeat([]byte{0xff}, len(row))
	light[0] = plain
	put := func(row []byte, times int) {
		// Writing into memory cannot fail.
		_, _ = w.Write(row)
		for range times - 1 {
			_, _ = w.Write(same)
		}
	}
	put(light, start)
	for y := range s.rows {
		copy(row, light)
		for x := range s.rows {
			if s.rows[y].has(x) {
				for at := start + x*scale; at < start+(x+1)*scale; at++ {
					row[1+at>>3] &^= 0x80 >> (at & 7)
				}
			}
		}
		put(row, scale)
	}
	put(light, pixels-start-s.Side()*scale)
	_ = w.Close()
	return out.Bytes()
}

// SVG draws the code with its quiet zone, of no fixed size: one module is one unit.
func (s Symbol) SVG() []byte {
	side := strconv.Itoa(s.Side() + 2*Quiet)
	b := make([]byte, 0, 16<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `+side+" "+side+`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`+side+"v"+side+`H0z"/><path d="`...)
	b = s.Path(b, Quiet, Quiet)
	return append(b, `"/></svg>`...)
}

// Path appends the dark modules as the data of an SVG path, with the code's corner at
// a place. One module is one unit.
func (s Symbol) Path(b []byte, left, top int) []byte {
	s.Runs(func(x, y, width int) {
		b = strconv.AppendInt(append(b, 'M'), int64(x+left), 10)
		b = strconv.AppendInt(append(b, ' '), int64(y+top), 10)
		b = strconv.AppendInt(append(b, 'h'), int64(width), 10)
		b = strconv.AppendInt(append(b, "v1h-"...), int64(width), 10)
		b = append(b, 'z')
	})
	return b
}
