package verifier

import (
	"cmp"
	"encoding/json"
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
	r.Handle(http.MethodPost, "/verify/check", web.Anyone, v.postCheck, web.MaxBody(maxForm*4/3), web.CORS(), web.CrossOrigin())
	r.Handle(http.MethodGet, "/verify/offline", web.Anyone, v.getOffline)
	r.Handle(http.MethodGet, "/verify/offline.json", web.Anyone, v.getEdition, web.CORS())
	r.Handle(http.MethodGet, "/verify/worker.js", web.Anyone, v.getWorker)
	r.Handle(http.MethodGet, "/verify/manifest.webmanifest", web.Anyone, v.getManifest)
	r.Handle(http.MethodGet, "/verify/embed.js", web.Anyone, v.getEmbed, web.CORS())
	r.Handle(http.MethodGet, "/verify/frame", web.Anyone, v.getFrame)
}

func (v *Verifier) getForm(c *gin.Context) error {
	web.AllowWASM(c)
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Verify{Asks: v.Asks})
}

func (v *Verifier) getOffline(c *gin.Context) error {
	web.AllowWASM(c)
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.VerifyOffline{})
}

// getFrame is the page for other sites, of the origins that are registered: what it asks
// wallets for, it asks in our name. It knows nobody and keeps nothing, so there is
// nothing that a click in it could be stolen for.
func (v *Verifier) getFrame(c *gin.Context) error {
	web.AllowWASM(c)
	web.AllowFraming(c, v.Embed...)
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.VerifyFrame{Hosts: v.Embed})
}

// getEdition gives what devices keep, to work without a network.
func (v *Verifier) getEdition(c *gin.Context) error {
	edition, key, err := v.Offline(c)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=60")
	c.JSON(http.StatusOK, gin.H{"edition": edition, "keys": []any{key}})
	return nil
}

func (v *Verifier) getWorker(c *gin.Context) error {
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", templates.VerifyWorker())
	return nil
}

func (v *Verifier) getManifest(c *gin.Context) error {
	manifest, err := templates.VerifyManifest(templates.For(c.Request))
	if err != nil {
		return err
	}
	c.Data(http.StatusOK, "application/manifest+json", manifest)
	return nil
}

func (v *Verifier) getEmbed(c *gin.Context) error {
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", templates.VerifyEmbed())
	return nil
}

// postCheck judges for programs: the credential as the whole body, or as JSON with a
// policy.
func (v *Verifier) postCheck(c *gin.Context) error {
	sent, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	policy := v.Policy
	if c.ContentType() == "application/json" {
		var request struct {
			Credential json.RawMessage `json:"credential"`
			Policy     json.RawMessage `json:"policy"`
		}
		if json.Unmarshal(sent, &request) == nil && len(request.Credential) > 0 {
			sent = request.Credential
			var text string
			if json.Unmarshal(sent, &text) == nil {
				sent = []byte(text)
			}
			if len(request.Policy) > 0 {
				if policy, err = ParsePolicy(request.Policy); err != nil {
					return err
				}
			}
		}
	}
	verdict, err := v.CheckBy(c, sent, policy)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, verdict)
	return nil
}

func (v *Verifier) postForm(c *gin.Context) error {
	sent, field, key := sentBy(c)
	if key == "" {
		verdict, err := v.Check(c, sent)
		if err == nil {
			return templates.Render(c.Writer, c.Request, http.StatusOK, Page(verdict))
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
	return templates.Render(c.Writer, c.Request, http.StatusBadRequest, templates.Verify{Asks: v.Asks, Errors: []templates.FieldError{{Field: field, Message: message}}})
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

// renamed are the same claims under the names of OpenID and ISO.
var renamed = map[string]string{"given_name": "givenName", "middle_name": "middleName", "family_name": "familyName", "name": "fullName", "full_name": "fullName", "birthdate": "birthDate",
	"birth_date": "birthDate", "place_of_birth": "birthPlace", "sex": "gender", "phone_number": "phone", "given_name_unicode": "givenName", "family_name_unicode": "familyName"}

// Page is a verdict as it is shown.
func Page(v Verdict) templates.VerifyResult {
	result := templates.VerifyResult{Verdict: v.Verdict, Issuer: v.Issuer}
	for _, r := range v.Reasons {
		result.Checks = append(result.Checks, templates.VerifyCheck{Name: r.Name, Result: r.Result, Code: r.Code})
	}
	if v.ValidUntil != nil {
		result.Expires = v.ValidUntil.UTC().Format("2006-01-02")
	}
	if v.StatusAt != nil {
		result.StatusAt = v.StatusAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	var names []string
	for name := range v.Claims {
		if name != "portrait" && name != "picture" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		line := templates.VerifiedLine{Name: name, Value: plain(v.Claims[name])}
		if rank(name) < len(labelled) {
			line.Key = "verify.claim." + labelled[rank(name)]
		}
		result.Claims = append(result.Claims, line)
	}
	return result
}

// rank is where a claim is shown: the ones with a label first.
func rank(name string) int {
	if known, ok := renamed[name]; ok {
		name = known
	}
	if at := slices.Index(labelled, name); at >= 0 {
		return at
	}
	return len(labelled)
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
