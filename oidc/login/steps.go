package login

import (
	"cmp"
	"crypto/rand"
	"errors"
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

// chosen takes how the person wants to prove who they are.
func (f *Flow) chosen(c *gin.Context, v visit) error {
	method := auth.Method(c.Request.PostForm.Get("method"))
	if !slices.Contains(f.methods(v), method) {
		var wrong shown
		wrong.add("method-"+string(f.methods(v)[0]), "login.method.missing")
		v.Method = ""
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	v.Method, v.Sent, v.Again = method, nil, false
	if v.Identifier != "" && method == auth.ByCode {
		return f.send(c, v)
	}
	return f.onward(c, v.state)
}

// identified takes who it is.
func (f *Flow) identified(c *gin.Context, v visit) error {
	if f.missing(v) != identify && f.missing(v) != show {
		return f.onward(c, v.state)
	}
	entered := tidy(c.Request.PostForm.Get("identifier"))
	if entered == "" || len(entered) > maxIdentifier {
		var wrong shown
		wrong.add("identifier", "login.identifier.missing")
		v.Identifier = ""
		return f.page(c, http.StatusUnprocessableEntity, v, wrong)
	}
	work, worked, err := f.worked(c, v, entered)
	if err != nil {
		return err
	}
	if v.Work = work; !worked {
		return f.toWork(c, v, entered)
	}
	if v.Identifier = entered; v.Method == auth.ByCode {
		return f.send(c, v)
	}
	return f.onward(c, v.state)
}

// worked tells whether somebody may go on with a number: where much was tried with it, or
// from their address range, their browser must have worked, and the work gets a name. A
// puzzle that people would have to solve shuts some of them out (WCAG 3.3.8); arithmetic
// shuts out nobody.
func (f *Flow) worked(c *gin.Context, v visit, number string) (work string, ok bool, err error) {
	pressed, err := f.pressed(c, v, number)
	if err != nil || !pressed {
		return "", err == nil, err
	}
	err = f.Desk.SpendWork(c, f.Pool, c.Request.PostForm.Get("work"))
	if refusal(err) || fault.Is(err, fault.Conflict) {
		return "", false, nil
	}
	return rand.Text(), err == nil, err
}

func (f *Flow) pressed(c *gin.Context, v visit, number string) (bool, error) {
	return f.Desk.Pressed(c, f.Pool, auth.Attempt{Identifier: number, Client: v.asked.Client, Device: f.device(c.Request), From: web.From(c)}, v.Method)
}

// toWork asks for a number again, with work for the browser.
func (f *Flow) toWork(c *gin.Context, v visit, number string) error {
	v.Hint, v.Identifier, v.Work = number, "", ""
	var wrong shown
	wrong.add("identifier", "login.work")
	return f.page(c, http.StatusTooManyRequests, v, wrong)
}

// send has a code sent. For an unknown identifier the Desk answers just the same.
func (f *Flow) send(c *gin.Context, v visit) error {
	sent, err := f.Desk.SendCode(c.Request.Context(), auth.CodeRequest{Identifier: v.Identifier, Transaction: v.Visit.ID,
		Client: v.asked.Client, Device: f.device(c.Request), From: web.From(c), Work: v.Work})
	if refusal(err) {
		if !v.Again {
			v.Hint, v.Identifier = v.Identifier, "" // no code is on its way, so nothing can be entered yet
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
	if f.missing(v) != show || v.Method != auth.ByCode {
		return f.onward(c, v.state)
	}
	v.Again = true
	return f.send(c, v)
}

// back forgets the last choice: what was entered stays.
func (f *Flow) back(c *gin.Context, v visit) error {
	if f.missing(v) == consent {
		v.Proof, v.Stayed = nil, false // somebody else wants to log in
	}
	if v.Identifier != "" {
		v.Hint = v.Identifier
	}
	v.Method, v.Identifier, v.Sent, v.Again, v.Challenge = "", "", nil, false, nil
	return f.onward(c, v.state)
}

// longer gives more time (WCAG 2.2.1), but not for ever.
func (f *Flow) longer(c *gin.Context, v visit) error {
	if v.Expires = f.Now().Add(life); v.Expires.After(v.Began.Add(longest)) {
		v.Expires = v.Began.Add(longest)
	}
	return f.onward(c, v.state)
}

func (f *Flow) cancel(c *gin.Context, v visit) error { return f.end(c, v, Decision{}) }

// prove takes the evidence to the Desk.
func (f *Flow) prove(c *gin.Context, v visit, a auth.Attempt) error {
	a.Identifier, a.Transaction, a.Client = v.Identifier, v.Visit.ID, v.asked.Client
	a.Device, a.From, a.Work = f.device(c.Request), web.From(c), v.Work
	proof, err := f.Desk.Verify(c.Request.Context(), a)
	if refusal(err) {
		return f.refused(c, v, err)
	}
	if err != nil {
		return err
	}
	f.setCookie(c, deviceCookie, f.Desk.Remember(proof), deviceLife)
	if len(v.Proof) > 0 {
		before, err := f.proof(v.state)
		if err != nil {
			return err
		}
		if proof, err = f.Desk.Combine(before, proof); err != nil {
			return f.refused(c, v, err) // somebody else than the first method proved
		}
	}
	return f.proven(c, v, proof)
}

// proven goes on with somebody who is known: back to the client when all was
// answered before.
func (f *Flow) proven(c *gin.Context, v visit, proof auth.Proof) (err error) {
	seal := f.Desk.SealProof
	if v.Stayed {
		seal = f.Desk.Stay
	}
	if v.Proof, err = seal(proof, []byte(v.Visit.ID)); err != nil {
		return err
	}
	// Who it is, is in the proof now; the number has done its work.
	v.Hint, v.Identifier, v.Work, v.Sent, v.Method, v.Challenge = "", "", "", nil, "", nil
	if f.missing(v) == consent {
		claims, answered, err := f.Remembers(c.Request.Context(), v.Visit, proof)
		if err != nil {
			return err
		}
		if answered {
			return f.end(c, v, Decision{Allowed: true, Proof: proof, Claims: claims, Remembered: true})
		}
	}
	return f.onward(c, v.state)
}

// refusal tells what the Desk has against the attempt from what went wrong with us.
func refusal(err error) bool {
	return fault.Is(err, fault.Denied) || fault.Is(err, fault.Busy) || fault.Is(err, fault.Invalid)
}

// fields are the inputs by which each method's evidence is entered.
var fields = map[auth.Method]string{auth.ByCode: "code", auth.ByPIN: "secret", auth.ByPassword: "secret", auth.ByFinger: "image", auth.ByIris: "image",
	auth.ByFace: "image", auth.ByPasskey: "passkey", auth.ByWallet: "wallet", auth.ByCredential: "credential"}

// refused shows the page again with what the Desk said, in the reader's language.
func (f *Flow) refused(c *gin.Context, v visit, err error) error {
	if number := cmp.Or(v.Identifier, v.Hint); number != "" && fault.Of(err).Code == auth.WorkNeeded {
		return f.toWork(c, v, number)
	}
	wrong := shown{position: c.Request.PostForm.Get("position")}
	field := "identifier"
	if f.missing(v) == show {
		field = fields[v.Method]
	}
	image := field == "image"
	if image && c.Request.PostForm.Has("answer") {
		field = "device"
	}
	switch {
	case fault.Is(err, fault.Busy):
		wrong.add(field, "login.busy")
		return f.page(c, http.StatusTooManyRequests, v, wrong)
	case fault.Is(err, fault.Invalid) && strings.HasSuffix(fault.Of(err).Code, "-unproven"):
		wrong.add(field, "login.device.unproven")
	case fault.Is(err, fault.Invalid) && field == "device":
		wrong.add(field, "login.device.failed")
	case fault.Is(err, fault.Invalid) && image:
		wrong.add(field, "login.image.unreadable")
	case fault.Is(err, fault.Invalid) && v.Method == auth.ByCode:
		wrong.add(field, "login.code.missing")
	default:
		wrong.add(field, "login.denied")
	}
	return f.page(c, http.StatusUnprocessableEntity, v, wrong)
}

func (f *Flow) consented(c *gin.Context, v visit) error {
	if f.missing(v) != consent {
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
