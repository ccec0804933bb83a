package qr

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// The examples of RFC 9285, 4.3 and 4.4.
func TestBase45OfTheRFC(t *testing.T) {
	for text, want := range map[string]string{"AB": "BB8", "Hello!!": "%69 VD92EX0", "base-45": "UJCLQE7W581", "ietf!": "QED8WEX0", "": ""} {
		if got := encode45([]byte(text)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, err := decode45(want); err != nil || string(got) != text {
			t.Errorf("got %q (%v), want %q", got, err, text)
		}
	}
	for _, bad := range []string{"GGW", "::", "A", "ABCD", "aaa", "A^A", ":::", "Ä0"} {
		if _, err := decode45(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: got %v, want %v", bad, err, ErrMalformed)
		}
	}
}

func TestTextSurvivesItsImage(t *testing.T) {
	for name, text := range map[string]string{
		"a code of ours": encode(t), "a link": "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fid.example.org%2Fvci%2Foffer%2Fabc",
		"other scripts": "أمينة يوسف 阿米娜", "full": strings.Repeat("A", alphanumeric[Low]),
	} {
		file, err := PNG(text, Low)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Read(file); err != nil || got != text {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, text)
		}
	}
}

// snapshot puts a code off-centre on grey paper with noise, as a JPEG.
func snapshot(t *testing.T, text string) []byte {
	t.Helper()
	file, err := PNG(text, Medium)
	if err != nil {
		t.Fatal(err)
	}
	code, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b := code.Bounds()
	paper := image.NewGray(image.Rect(0, 0, b.Dx()+300, b.Dy()+200))
	draw.Draw(paper, paper.Bounds(), image.NewUniform(color.Gray{Y: 190}), image.Point{}, draw.Src)
	draw.Draw(paper, b.Add(image.Pt(170, 60)), code, b.Min, draw.Src)
	random := rand.New(rand.NewPCG(1, 2))
	for i, v := range paper.Pix {
		paper.Pix[i] = uint8(min(255, max(0, int(v)*3/4+20+random.IntN(30))))
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, paper, &jpeg.Options{Quality: 70}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPhotographIsRead(t *testing.T) {
	text := encode(t)
	if got, err := Read(snapshot(t, text)); err != nil || got != text {
		t.Errorf("got %q (%v), want %q", got, err, text)
	}
}

// turned draws a code askew, as a hand holds it.
func turned(t *testing.T, text string, size int, degrees float64) []byte {
	t.Helper()
	file, err := PNG(text, Medium)
	if err != nil {
		t.Fatal(err)
	}
	code, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	picture := image.NewGray(image.Rect(0, 0, size, size))
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	width := float64(code.Bounds().Dx())
	for y := range size {
		for x := range size {
			dx, dy := float64(x-size/2)/float64(size)*width/0.6, float64(y-size/2)/float64(size)*width/0.6
			u, v := int(dx*cos+dy*sin+width/2), int(-dx*sin+dy*cos+width/2)
			picture.Set(x, y, color.Gray{Y: 200})
			if image.Pt(u, v).In(code.Bounds()) {
				picture.Set(x, y, code.At(u, v))
			}
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestCodeIsReadAskew(t *testing.T) {
	text := encode(t)
	for _, degrees := range []float64{3, 30, 45, 90, 180} {
		if got, err := Read(turned(t, text, 800, degrees)); err != nil || got != text {
			t.Errorf("%v degrees: got %q (%v), want %q", degrees, got, err, text)
		}
	}
}

func TestTransparentGroundIsPaper(t *testing.T) {
	file, err := PNG("HELLO", Low)
	if err != nil {
		t.Fatal(err)
	}
	code, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	clear := image.NewNRGBA(code.Bounds())
	for y := range code.Bounds().Dy() {
		for x := range code.Bounds().Dx() {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				clear.Set(x, y, color.Black)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, clear); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(out.Bytes()); err != nil || got != "HELLO" {
		t.Errorf("got %q (%v), want HELLO", got, err)
	}
}

// TestSVGDrawsTheSameModules reads the path back into an image.
func TestSVGDrawsTheSameModules(t *testing.T) {
	text := encode(t)
	raw, err := SVG(text, Medium)
	if err != nil {
		t.Fatal(err)
	}
	var svg struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(raw, &svg); err != nil || len(svg.Paths) != 2 {
		t.Fatalf("got %d paths (%v), want 2", len(svg.Paths), err)
	}
	const scale = 3
	side, err := strconv.Atoi(strings.Fields(svg.ViewBox)[3])
	if err != nil {
		t.Fatal(err)
	}
	drawn := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	draw.Draw(drawn, drawn.Bounds(), image.White, image.Point{}, draw.Src)
	for run := range strings.SplitSeq(strings.Trim(svg.Paths[1].D, "Mz"), "zM") {
		fields := strings.FieldsFunc(run, func(r rune) bool { return r == ' ' || r == 'h' || r == 'v' })
		x, _ := strconv.Atoi(fields[0])
		y, _ := strconv.Atoi(fields[1])
		width, _ := strconv.Atoi(fields[2])
		draw.Draw(drawn, image.Rect(x*scale, y*scale, (x+width)*scale, (y+1)*scale), image.Black, image.Point{}, draw.Src)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, drawn); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(out.Bytes()); err != nil || got != text {
		t.Errorf("got %q (%v), want %q", got, err, text)
	}
}

func TestCapacityIsNamed(t *testing.T) {
	for _, c := range []struct {
		text  string
		level Level
		holds string
	}{
		{strings.Repeat("A", 4297), Low, "4296"}, {strings.Repeat("A", 3392), Medium, "3391"},
		{strings.Repeat("a", 1664), Quartile, "1663"}, {strings.Repeat("a", 1274), High, "1273"},
	} {
		_, err := PNG(c.text, c.level)
		if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), c.holds) {
			t.Errorf("got %v, want %v with %s", err, ErrTooLong, c.holds)
		}
		if _, err := SVG(c.text[1:], c.level); err != nil {
			t.Errorf("one less: got %v, want nil", err)
		}
	}
	if _, err := PNG("", Low); !errors.Is(err, ErrMalformed) {
		t.Errorf("nothing: got %v, want %v", err, ErrMalformed)
	}
}

// bomb is a PNG whose header promises many pixels.
func bomb(width, height uint32) []byte {
	header := make([]byte, 17)
	copy(header, "IHDR")
	binary.BigEndian.PutUint32(header[4:], width)
	binary.BigEndian.PutUint32(header[8:], height)
	header[12] = 8
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
}

func TestWhatIsNoQRIsToldApart(t *testing.T) {
	var blank bytes.Buffer
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, 200, 200))); err != nil {
		t.Fatal(err)
	}
	file, err := PNG("HELLO", Low)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":   {nil, ErrNotAnImage},
		"text":      {[]byte("HELLO"), ErrNotAnImage},
		"cut short": {file[:len(file)/2], ErrNotAnImage},
		"blank":     {blank.Bytes(), ErrNoQR},
		"wide":      {bomb(1<<20, 1<<10), ErrTooLarge},
		"vast":      {bomb(1<<16, 1<<16), ErrTooLarge},
		"long":      {make([]byte, maxFile+1), ErrTooLarge},
	} {
		if _, err := Read(c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestJSONSurvivesTheWayOfPixelPass(t *testing.T) {
	const document = `{"a":[1,-2,2.5,true,false,null,"é\"<"],"b":{"c":[],"d":{}}}`
	text, err := EncodeJSON([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{text, sharePrefix + text, " " + text + "\n"} {
		if kind, got := Detect(s); kind != KindPacked || string(got) != document {
			t.Errorf("got %s %s, want %s", kind, got, document)
		}
	}
	if kind, got := Detect(document); kind != KindJSON || string(got) != document {
		t.Errorf("got %s %s, want %s", kind, got, document)
	}
	if kind, _ := Detect(encode(t)); kind != KindClaim169 {
		t.Errorf("got %s, want %s", kind, KindClaim169)
	}
	if kind, got := Detect("NCFKVPV0QSIP600GP5L0"); kind != KindText || string(got) != "hello" {
		t.Errorf("got %s %s, want %s", kind, got, KindText)
	}
	for _, s := range []string{"", "{", "https://example.org", deflate(t, []byte{1, 2, 3}, 6), deflate(t, nil, 6)} {
		if kind, got := Detect(s); kind != KindUnknown || got != nil {
			t.Errorf("%q: got %s, want %s", s, kind, KindUnknown)
		}
	}
}

func TestJSONThatDoesNotFitIsRefused(t *testing.T) {
	noise := make([]byte, 4000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte('A' + random.IntN(50))
	}
	for name, c := range map[string]struct {
		document string
		want     error
	}{
		"not JSON":       {"{", ErrMalformed},
		"two documents":  {"{}{}", ErrMalformed},
		"a large number": {`{"a":1e30}`, ErrMalformed},
		"too deep":       {strings.Repeat("[", 40) + strings.Repeat("]", 40), ErrTooLarge},
		"too long":       {strconv.Quote(string(noise)), ErrTooLong},
	} {
		if _, err := EncodeJSON([]byte(c.document)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzBase45(f *testing.F) {
	f.Add("%69 VD92EX0")
	f.Add(":::")
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := decode45(text)
		if err == nil && encode45(raw) != text {
			t.Errorf("got %q, want %q", encode45(raw), text)
		}
	})
}

func FuzzRead(f *testing.F) {
	file, err := PNG("HELLO", Low)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(bomb(3000, 3000))
	code, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		f.Fatal(err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, code, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		text, err := Read(file)
		if err != nil && text != "" {
			t.Errorf("got %q with %v", text, err)
		}
	})
}
