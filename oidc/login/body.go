package login

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// positions are what there is to choose from, each as the attempt that it begins.
var positions = map[auth.Method][]auth.Attempt{
	auth.ByFinger: {{Position: "rightThumb"}, {Position: "rightIndex"}, {Position: "rightMiddle"}, {Position: "rightRing"}, {Position: "rightLittle"},
		{Position: "leftThumb"}, {Position: "leftIndex"}, {Position: "leftMiddle"}, {Position: "leftRing"}, {Position: "leftLittle"}},
	auth.ByIris: {{Position: "rightEye"}, {Position: "leftEye"}},
	auth.ByFace: {{Position: "face"}},
}

// usual is the position that most people show.
var usual = map[auth.Method]string{auth.ByFinger: "rightIndex", auth.ByIris: "rightEye", auth.ByFace: "face"}

// devices is where capture devices are found: on the computer of the browser.
const devices = "http://127.0.0.1:*"

// bodyPage asks for a finger, an eye or a face: by a capture device, or as a picture
// where that will do.
func (f *Flow) bodyPage(c *gin.Context, v *visit, step templates.LoginStep, s shown) (templates.Page, error) {
	page := templates.LoginImage{LoginStep: step, Kind: string(v.Method), Position: s.position}
	if page.Position == "" {
		page.Position = usual[v.Method]
	}
	for _, a := range positions[v.Method] {
		page.Positions = append(page.Positions, templates.LoginPosition{Name: string(a.Position), Device: auth.DevicePart(a.Position)})
	}
	device, plain := f.Desk.Captures(v.Method)
	page.Plain = plain
	if !device {
		return page, nil
	}
	request, transaction, err := f.Desk.AskDevice(v.Method)
	if err != nil {
		return nil, err
	}
	page.Request, v.Challenge = string(request), []byte(transaction)
	web.AllowConnect(c, devices)
	return page, f.save(c, v.state)
}

func (f *Flow) imaged(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByFinger, auth.ByIris, auth.ByFace) {
		return f.onward(c, v.state)
	}
	raw, err := uploaded(c, "image")
	if err != nil {
		return err
	}
	chosen := slices.IndexFunc(positions[v.Method], func(a auth.Attempt) bool { return string(a.Position) == c.Request.PostForm.Get("position") })
	if chosen < 0 || len(raw) == 0 {
		return f.lacking(c, v, "image", "login.image.missing")
	}
	attempt := positions[v.Method][chosen]
	switch v.Method {
	case auth.ByFinger:
		attempt.Finger = raw
	case auth.ByIris:
		attempt.Eye = raw
	default:
		attempt.Face, attempt.Position = raw, ""
	}
	return f.prove(c, v, attempt)
}

// uploaded reads a file of the form; nil: there is none.
func uploaded(c *gin.Context, field string) ([]byte, error) {
	file, _, err := c.Request.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// captured takes what a capture device has answered.
func (f *Flow) captured(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByFinger, auth.ByIris, auth.ByFace) {
		return f.onward(c, v.state)
	}
	answer := c.Request.PostForm.Get("answer")
	if answer == "" || v.Challenge == nil {
		return f.lacking(c, v, "device", "login.device.missing")
	}
	attempt, err := f.Desk.FromDevice(c.Request.Context(), auth.Attempt{}, v.Method, auth.DeviceAnswer{JSON: []byte(answer), Transaction: string(v.Challenge)})
	if err != nil {
		return f.refused(c, v, err)
	}
	return f.prove(c, v, attempt)
}

// deviceHelp says what to do when no device is found.
func (f *Flow) deviceHelp(c *gin.Context) error {
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.DeviceHelp{})
}

// certificate is what devices seal to.
func (f *Flow) certificate(c *gin.Context) error {
	raw, err := f.Desk.DeviceCertificate(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "application/x-pem-file", raw)
	return nil
}
