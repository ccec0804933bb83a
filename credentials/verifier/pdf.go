package verifier

import (
	"bytes"
	"compress/zlib"
	"image"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"strconv"

	"github.com/plinth-id/plinth/credentials/qr"
)

const (
	maxPictures = 4          // of one PDF are looked at
	maxPixels   = 10_000_000 // of each
)

var (
	pdfImage  = regexp.MustCompile(`/Subtype\s*/Image\b`)
	pdfWidth  = regexp.MustCompile(`/Width\s+(\d{1,5})\b`)
	pdfHeight = regexp.MustCompile(`/Height\s+(\d{1,5})\b`)
	pdfBits   = regexp.MustCompile(`/BitsPerComponent\s+(\d{1,2})\b`)
	pdfFilter = regexp.MustCompile(`/Filter\s*(?:\[\s*/(\w+)\s*\]|/(\w+))`) // one filter
	pdfSpace  = regexp.MustCompile(`/ColorSpace\s*/Device(Gray|RGB)\b`)
)

// readPDF looks for a QR code in the pictures that a PDF embeds plainly: JPEG, or
// deflated grey or RGB samples. It reads no other part of the format.
func readPDF(sent []byte) ([]byte, error) {
	rest := sent
	for n := 0; n < maxPictures; {
		at := bytes.Index(rest, []byte("stream"))
		if at < 0 {
			break
		}
		dictionary, data := rest[:at], rest[at+len("stream"):]
		if open := bytes.LastIndex(dictionary, []byte("obj")); open >= 0 {
			dictionary = dictionary[open:]
		}
		data = bytes.TrimPrefix(bytes.TrimPrefix(data, []byte("\r")), []byte("\n"))
		end := bytes.Index(data, []byte("endstream"))
		if end < 0 {
			break
		}
		rest = data[end+len("endstream"):]
		if !pdfImage.Match(dictionary) {
			continue
		}
		n++
		if text, err := readPDFPicture(dictionary, data[:end]); err == nil {
			return text, nil
		}
	}
	return nil, ErrPDF
}

func readPDFPicture(dictionary, data []byte) ([]byte, error) {
	filter := pdfFilter.FindSubmatch(dictionary)
	if filter == nil {
		return nil, ErrPDF
	}
	switch string(filter[1]) + string(filter[2]) {
	case "DCTDecode":
		return scan(data)
	case "FlateDecode":
		picture, err := rasterOf(dictionary, data)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := png.Encode(&b, picture); err != nil {
			return nil, err
		}
		return scan(b.Bytes())
	}
	return nil, ErrPDF
}

func scan(picture []byte) ([]byte, error) {
	text, err := qr.Read(picture)
	return []byte(text), err
}

// rasterOf unfolds deflated samples of 1 or 8 bits.
func rasterOf(dictionary, data []byte) (image.Image, error) {
	width, height, bits := number(pdfWidth, dictionary), number(pdfHeight, dictionary), number(pdfBits, dictionary)
	space := pdfSpace.FindSubmatch(dictionary)
	if width <= 0 || height <= 0 || width > maxPixels/height || space == nil || bytes.Contains(dictionary, []byte("/Predictor")) {
		return nil, ErrPDF
	}
	samples := 1
	if string(space[1]) == "RGB" {
		samples = 3
	}
	if bits != 8 && (bits != 1 || samples != 1) {
		return nil, ErrPDF
	}
	row := (width*samples*bits + 7) / 8
	inflate, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, ErrPDF.Because(err)
	}
	defer inflate.Close()
	raw := make([]byte, row*height)
	if _, err := io.ReadFull(inflate, raw); err != nil {
		return nil, ErrPDF.Because(err)
	}
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		line := raw[y*row : (y+1)*row]
		for x := range width {
			picture.SetGray(x, y, color.Gray{Y: sample(line, x, samples, bits)})
		}
	}
	return picture, nil
}

// sample is the brightness of one point.
func sample(line []byte, x, samples, bits int) byte {
	switch {
	case bits == 1:
		return 0xff * (line[x/8] >> (7 - x%8) & 1)
	case samples == 3:
		return byte((int(line[3*x]) + int(line[3*x+1]) + int(line[3*x+2])) / 3)
	}
	return line[x]
}

func number(pattern *regexp.Regexp, in []byte) int {
	found := pattern.FindSubmatch(in)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return 0
	}
	return n
}
