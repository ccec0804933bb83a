package simulator

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"slices"
	"time"

	"golang.org/x/image/draw"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/finger"
	"github.com/plinth-id/plinth/biometrics/iris"
	"github.com/plinth-id/plinth/biometrics/picture"
	"github.com/plinth-id/plinth/biometrics/sbi"
)

// A live stream: the interface wants three pictures a second or more.
const (
	interval    = 200 * time.Millisecond
	usualStream = 5 * time.Minute
	boundary    = "--BoundaryString" // written so in the specification, hyphens and all
	frameHeight = 352
	frameMargin = 8
	goodQuality = 60
	poorQuality = 30
)

// stream answers STREAM.
func (s *Simulator) stream(w http.ResponseWriter, r *http.Request) {
	if s.Purpose != sbi.Registration {
		answer(w, http.StatusOK, failed(sbi.CodeWrongPurpose))
		return
	}
	var asked sbi.StreamRequest
	if !read(r, &asked) || asked.Timeout < 0 {
		answer(w, http.StatusOK, failed(sbi.CodeUnreadable))
		return
	}
	at := slices.IndexFunc(s.devices, func(d *device) bool { return d.id == asked.DeviceID })
	if at < 0 {
		answer(w, http.StatusOK, failed(sbi.CodeNoDevice))
		return
	}
	d := s.devices[at]
	if !slices.Contains(d.numbers(), asked.DeviceSubID) {
		answer(w, http.StatusOK, failed(sbi.CodeWrongPart))
		return
	}
	frame, err := s.frame(sbi.Parts(d.kind, int(asked.DeviceSubID)))
	if err != nil {
		answer(w, http.StatusOK, failed(sbi.CodeNoObject))
		return
	}
	patience := usualStream
	if asked.Timeout > 0 {
		patience = time.Duration(min(float64(asked.Timeout)*float64(time.Millisecond), float64(time.Hour)))
	}
	s.show(w, r, d, frame, patience)
}

// show sends the picture again and again. While the device captures it sends none.
func (s *Simulator) show(w http.ResponseWriter, r *http.Request, d *device, frame []byte, patience time.Duration) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	out := http.NewResponseController(w)
	var part bytes.Buffer
	fmt.Fprintf(&part, "%s\r\nAccess-Control-Allow-Origin:*\r\nContent-Type:image/jpeg\r\nContent-Length:%d\r\n\r\n", boundary, len(frame))
	part.Write(frame)
	part.WriteString("\r\n\r\n")
	end, tick := time.NewTimer(patience), time.NewTicker(interval)
	defer end.Stop()
	defer tick.Stop()
	for {
		if !d.busy.Load() {
			if _, err := w.Write(part.Bytes()); err != nil || out.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

// frame puts the pictures of a part of a device beside one another, each in a
// border that tells its quality: green, amber or red.
func (s *Simulator) frame(positions []biometrics.Position) ([]byte, error) {
	var strips []image.Image
	width := frameMargin
	for _, p := range positions {
		raw, _, err := s.picture(p)
		if err != nil {
			continue
		}
		img, quality, err := seen(p, raw)
		if err != nil {
			continue
		}
		b := img.Bounds()
		strip := image.NewRGBA(image.Rect(0, 0, max(1, b.Dx()*frameHeight/b.Dy()), frameHeight))
		draw.Draw(strip, strip.Rect, image.NewUniform(marked(quality)), image.Point{}, draw.Src)
		draw.BiLinear.Scale(strip, strip.Rect.Inset(3), img, b, draw.Src, nil)
		strips = append(strips, strip)
		width += strip.Rect.Dx() + frameMargin
	}
	if len(strips) == 0 {
		return nil, biometrics.ErrNotAnImage
	}
	whole := image.NewRGBA(image.Rect(0, 0, width, frameHeight+2*frameMargin))
	draw.Draw(whole, whole.Rect, image.White, image.Point{}, draw.Src)
	x := frameMargin
	for _, strip := range strips {
		at := strip.Bounds().Add(image.Pt(x, frameMargin))
		draw.Draw(whole, at, strip, image.Point{}, draw.Src)
		x = at.Max.X + frameMargin
	}
	return jpegOf(whole, 80)
}

// seen is the picture of a position with its quality: 0 where there is nothing yet,
// which a stream is there to show.
func seen(p biometrics.Position, raw []byte) (image.Image, int, error) {
	switch p.Modality() {
	case biometrics.Face:
		img, err := picture.Decode(raw)
		if err != nil {
			return nil, 0, err
		}
		quality, _ := face.Check(face.FromImage(img))
		return img, quality.Value, nil
	case biometrics.Iris:
		img, err := iris.Decode(raw)
		if err != nil {
			return nil, 0, err
		}
		_, quality, err := iris.Extract(img)
		if err != nil {
			quality.Value = 0
		}
		return &image.Gray{Pix: img.Pix, Stride: img.Width, Rect: image.Rect(0, 0, img.Width, img.Height)}, quality.Value, nil
	}
	print, err := finger.Decode(raw)
	if err != nil {
		return nil, 0, err
	}
	_, quality, err := finger.Extract(print)
	if err != nil {
		quality.Value = 0
	}
	return print.Gray(), quality.Value, nil
}

func marked(quality int) color.Color {
	switch {
	case quality >= goodQuality:
		return color.RGBA{0x1a, 0x7f, 0x37, 0xff}
	case quality >= poorQuality:
		return color.RGBA{0xd2, 0x99, 0x22, 0xff}
	}
	return color.RGBA{0xcf, 0x22, 0x2e, 0xff}
}
