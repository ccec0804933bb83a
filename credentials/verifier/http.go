package verifier

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

// maxForm is the largest upload with the form around it.
const maxForm = MaxInput + 64<<10

// Routes opens the page on which anybody can check a credential.
func (v *Verifier) Routes(r *web.Router) {
	r.Handle(http.MethodGet, "/verify", web.Anyone, v.getForm)
	r.Handle(http.MethodPost, "/verify", web.Anyone, v.postForm, web.MaxBody(maxForm))
}

func (v *Verifier) getForm(c *gin.Context) error {
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Verify{})
}

func (v *Verifier) postForm(c *gin.Context) error {
	sent, field, key := sentBy(c)
	if key == "" {
		verdict, err := v.Check(c, sent)
		if err == nil {
			return templates.Render(c.Writer, c.Request, http.StatusOK, page(verdict))
		}
		switch {
		case errors.Is(err, ErrTooLarge):
			key = "verify.error.large"
		case fault.Of(err).Code == ErrPDF.Code:
			key = "verify.error.pdf"
		case fault.Of(err).Code == ErrUnreadable.Code:
			key = "verify.error.unreadable"
		default:
			return err
		}
	}
	message := templates.For(c.Request).Must(key)
	return templates.Render(c.Writer, c.Request, http.StatusBadRequest, templates.Verify{Errors: []templates.FieldError{{Field: field, Message: message}}})
}

// sentBy reads the form into memory, never to a file. key names what is wrong with it.
func sentBy(c *gin.Context) (sent []byte, field, key string) {
	form, err := c.Request.MultipartReader()
	if err != nil {
		return nil, "file", "verify.error.empty"
	}
	var file, text []byte
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "file", "verify.error.large"
		}
		into := &file
		if part.FormName() == "text" {
			into = &text
		} else if part.FormName() != "file" {
			continue
		}
		if *into, err = readPart(part); err != nil {
			return nil, part.FormName(), "verify.error.large"
		}
	}
	text = []byte(strings.TrimSpace(string(text)))
	switch {
	case len(file) > 0 && len(text) > 0:
		return nil, "text", "verify.error.both"
	case len(file) > 0:
		return file, "file", ""
	case len(text) > 0:
		return text, "text", ""
	}
	return nil, "file", "verify.error.empty"
}

func readPart(part *multipart.Part) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(part, MaxInput+1))
	if err == nil && len(raw) > MaxInput {
		err = ErrTooLarge
	}
	return raw, err
}

// labelled are the claims that have a label in every language, in the order in
// which they are shown.
var labelled = []string{"fullName", "secondFullName", "givenName", "middleName", "familyName", "birthDate", "birthPlace", "gender", "nationality", "address", "email", "phone", "maritalStatus", "guardian", "uinMasked", "language", "holder"}

// page is a verdict as it is shown.
func page(v Verdict) templates.VerifyResult {
	result := templates.VerifyResult{Verdict: v.Verdict, Issuer: v.Issuer}
	for _, r := range v.Reasons {
		result.Checks = append(result.Checks, templates.VerifyCheck{Name: r.Name, Result: r.Result, Code: r.Code})
	}
	if v.ValidUntil != nil {
		result.Expires = v.ValidUntil.UTC().Format("2006-01-02")
	}
	for _, name := range labelled {
		if value, ok := v.Claims[name]; ok {
			result.Claims = append(result.Claims, templates.VerifiedLine{Key: "verify.claim." + name, Value: plain(value)})
		}
	}
	var others []string
	for name := range v.Claims {
		if !slices.Contains(labelled, name) && name != "portrait" {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		result.Claims = append(result.Claims, templates.VerifiedLine{Name: name, Value: plain(v.Claims[name])})
	}
	return result
}

// plain is a value in words: of a language-tagged one the text, of a list each.
func plain(value any) string {
	switch v := value.(type) {
	case []any:
		var all []string
		for _, each := range v {
			all = append(all, plain(each))
		}
		return strings.Join(all, " · ")
	case map[string]any:
		if text, ok := v["@value"]; ok {
			return plain(text)
		}
		var names, all []string
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all = append(all, name+": "+plain(v[name]))
		}
		return strings.Join(all, ", ")
	}
	return fmt.Sprint(value)
}
