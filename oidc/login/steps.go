package login

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
)

const (
	maxIdentifier = 64
	maxCode       = 32
	maxMemory     = 1 << 20 // of a form; the rest of a picture waits on disk
)

// parse reads a form of any kind that a browser sends.
func parse(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		err = r.ParseMultipartForm(maxMemory)
	} else {
		err = r.ParseForm()
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	if err != nil {
		return fault.New(fault.Invalid, "Your browser sent a form that cannot be read. Go back and send it again.").Because(err)
	}
	return nil
}

// tidy takes out what people put between digits, and turns the digits of every
// script into those that we store.
func tidy(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Pd, r):
		case unicode.IsDigit(r):
			b.WriteByte('0' + digit(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// digit is the value of a decimal digit: Unicode keeps the ten of a script
// together, beginning with zero.
func digit(r rune) byte {
	zero := r
	for unicode.IsDigit(zero-1) && r-zero < 9 {
		zero--
	}
	return byte(r - zero)
}

func (f *Flow) identified(c *gin.Context, v visit) error {
	v.state = state{Visit: v.Visit, Expires: v.Expires, Locales: v.Locales}
	v.Identifier = tidy(c.Request.PostForm.Get("identifier"))
	v.Factor = c.Request.PostForm.Get("factor")
	var wrong shown
	if v.Identifier == "" || len(v.Identifier) > maxIdentifier {
		v.Identifier = ""
		wrong.add("identifier", "login.identifier.missing")
	}
	if v.Factor != string(code) && v.Factor != string(finger) {
		v.Factor = ""
		wrong.add("factor-code", "login.factor.missing")
	}
	if wrong.any() {
		// What is chosen is shown again, and yet the step is not left.
		wrong.factor, v.Factor = v.Factor, ""
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	if v.Factor == string(code) {
		return f.send(c, v)
	}
	return f.onward(c, v.state)
}

// send has a code sent. For an unknown identifier the Desk answers just the same.
func (f *Flow) send(c *gin.Context, v visit) error {
	sent, err := f.Desk.SendCode(c.Request.Context(), auth.CodeRequest{Identifier: v.Identifier, Transaction: v.Visit.ID,
		Client: v.asked.Client, Device: f.device(c.Request), From: web.From(c)})
	if refusal(err) {
		if !v.Again {
			v.Factor = "" // no code is on its way, so nothing can be entered yet
		}
		return f.refused(c, v, err)
	}
	if err != nil {
		return err
	}
	v.Sent = sent.Masked
	return f.onward(c, v.state)
}

func (f *Flow) resend(c *gin.Context, v visit) error {
	if v.missing() != code {
		return f.onward(c, v.state)
	}
	v.Again = true
	return f.send(c, v)
}

func (f *Flow) back(c *gin.Context, v visit) error {
	v.state = state{Visit: v.Visit, Expires: v.Expires, Locales: v.Locales, Identifier: v.Identifier}
	return f.onward(c, v.state)
}

func (f *Flow) cancel(c *gin.Context, v visit) error { return f.end(c, v, Decision{}) }

func (f *Flow) coded(c *gin.Context, v visit) error {
	if v.missing() != code {
		return f.onward(c, v.state)
	}
	v.Again = false
	entered := tidy(c.Request.PostForm.Get("code"))
	if entered == "" || len(entered) > maxCode {
		var wrong shown
		wrong.add("code", "login.code.missing")
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	return f.prove(c, v, auth.Attempt{Code: entered})
}

func (f *Flow) fingered(c *gin.Context, v visit) error {
	if v.missing() != finger {
		return f.onward(c, v.state)
	}
	var wrong shown
	image, _, err := c.Request.FormFile("finger")
	if err != nil {
		wrong.add("finger", "login.finger.missing")
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	defer image.Close()
	raw, err := io.ReadAll(image)
	if err != nil {
		return err
	}
	chosen := slices.IndexFunc(fingers, func(a auth.Attempt) bool { return string(a.Position) == c.Request.PostForm.Get("position") })
	if chosen < 0 || len(raw) == 0 {
		wrong.add("finger", "login.finger.missing")
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	attempt := fingers[chosen]
	attempt.Finger = raw
	return f.prove(c, v, attempt)
}

// prove takes the evidence to the Desk.
func (f *Flow) prove(c *gin.Context, v visit, a auth.Attempt) error {
	a.Identifier, a.Transaction, a.Client = v.Identifier, v.Visit.ID, v.asked.Client
	a.Device, a.From = f.device(c.Request), web.From(c)
	proof, err := f.Desk.Verify(c.Request.Context(), a)
	if refusal(err) {
		return f.refused(c, v, err)
	}
	if err != nil {
		return err
	}
	if v.Proof, err = f.Desk.SealProof(proof, []byte(v.Visit.ID)); err != nil {
		return err
	}
	f.setCookie(c, deviceCookie, f.Desk.Remember(proof), deviceLife)
	// Who it is, is in the proof now; the number has done its work.
	v.Identifier, v.Sent, v.Factor = "", nil, ""
	return f.onward(c, v.state)
}

// refusal tells what the Desk has against the attempt from what went wrong with us.
func refusal(err error) bool {
	return fault.Is(err, fault.Denied) || fault.Is(err, fault.Busy) || fault.Is(err, fault.Invalid)
}

// refused shows the page again with what the Desk said, in the reader's language.
func (f *Flow) refused(c *gin.Context, v visit, err error) error {
	wrong := shown{factor: string(code), position: c.Request.PostForm.Get("position")}
	field := map[step]string{code: "code", finger: "finger", identify: "identifier"}[v.missing()]
	switch {
	case fault.Is(err, fault.Busy):
		wrong.add(field, "login.busy")
		return f.page(c, http.StatusTooManyRequests, v, wrong)
	case fault.Is(err, fault.Invalid) && v.missing() == finger:
		wrong.add(field, "login.finger.unreadable")
	case fault.Is(err, fault.Invalid) && v.missing() == code:
		wrong.add(field, "login.code.missing")
	default:
		wrong.add(field, "login.denied")
	}
	return f.page(c, http.StatusUnprocessableEntity, v, wrong)
}

func (f *Flow) consented(c *gin.Context, v visit) error {
	if v.missing() != consent {
		return f.onward(c, v.state)
	}
	if c.Request.PostForm.Get("decision") != "allow" {
		return f.end(c, v, Decision{})
	}
	proof, err := f.proof(v.state)
	if err != nil {
		return err
	}
	d := Decision{Allowed: true, Proof: proof}
	for _, claim := range v.asked.Claims { // what the page did not show is not in what it sent
		if claim.Essential || slices.Contains(c.Request.PostForm["claim"], claim.Name) {
			d.Claims = append(d.Claims, claim.Name)
		}
	}
	return f.end(c, v, d)
}
