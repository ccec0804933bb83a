package vcapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	base    = "/vc-api"
	maxBody = 256 << 10
)

// Routes opens the doors, if anybody may come in.
func (b *Bench) Routes(r *web.Router) {
	who := web.Administrator
	switch b.Access {
	case Open:
		who = web.Anyone
	case Administrators:
	default:
		return
	}
	r.Handle(http.MethodGet, base, who, b.getIssuers)
	for path, door := range map[string]func(*gin.Context) error{"/credentials/issue": b.postIssue, "/credentials/verify": b.postVerify,
		"/credentials/status": b.postStatus, "/presentations/verify": b.postPresentation} {
		r.Handle(http.MethodPost, base+path, who, door, web.MaxBody(maxBody), web.CORS())
	}
}

// problem is how the VC-API tells what is wrong (its section on errors; RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

const (
	problemsVC = "https://www.w3.org/TR/vc-data-model#"
	problemsDI = "https://w3id.org/security#"
)

// kinds are the problems by their errors; what is not among them is malformed.
var kinds = []struct {
	err         error
	kind, title string
}{
	{vc.ErrSignature, problemsDI + "PROOF_VERIFICATION_ERROR", "The proof does not hold."},
	{vc.ErrUnknownKey, problemsDI + "INVALID_VERIFICATION_METHOD", "The key of the proof is not known."},
	{vc.ErrForeignKey, problemsDI + "INVALID_VERIFICATION_METHOD", "The key of the proof is not the issuer's."},
	{vc.ErrAudience, problemsDI + "INVALID_CHALLENGE_ERROR", "The proof was made for another request."},
	{vc.ErrExpired, problemsVC + "VALIDITY_PERIOD_ERROR", "It is not valid any more."},
	{vc.ErrNotYetValid, problemsVC + "VALIDITY_PERIOD_ERROR", "It is not valid yet."},
	{ErrRequest, problemsVC + "PARSING_ERROR", "The request cannot be read."},
}

func problemOf(err error) problem {
	p := problem{Type: problemsVC + "MALFORMED_VALUE_ERROR", Status: http.StatusBadRequest, Title: "It is not a document that is taken here.", Detail: err.Error()}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			p.Type, p.Title = k.kind, k.title
			break
		}
	}
	return p
}

// refused answers with what is wrong. The errors of vc repeat nothing of the document.
func refused(c *gin.Context, err error) error {
	if f := fault.Of(err); f.Kind != fault.Internal {
		return err
	}
	p := problemOf(err)
	c.JSON(p.Status, struct {
		problem
		Verified bool      `json:"verified"`
		Errors   []problem `json:"problemDetails"`
	}{p, false, []problem{p}})
	return nil
}

// asked is the body of every request.
type asked struct {
	Credential   map[string]any    `json:"credential"`
	Verifiable   json.RawMessage   `json:"verifiableCredential"`
	Presentation json.RawMessage   `json:"verifiablePresentation"`
	Options      options           `json:"options"`
	ID           string            `json:"credentialId"`
	Entry        map[string]string `json:"credentialStatus"`
	Set          *bool             `json:"status"`
}

func read(c *gin.Context) (a asked, err error) {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, ErrRequest
	}
	return a, nil
}

func (b *Bench) getIssuers(c *gin.Context) error {
	all, err := b.Issuers()
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"issuers": all})
	return nil
}

func (b *Bench) postIssue(c *gin.Context) error {
	a, err := read(c)
	if err != nil {
		return refused(c, err)
	}
	signed, err := b.Issue(a.Credential, a.Options)
	if err != nil {
		return refused(c, err)
	}
	c.JSON(http.StatusCreated, gin.H{"verifiableCredential": json.RawMessage(signed)})
	return nil
}

func (b *Bench) postVerify(c *gin.Context) error {
	a, err := read(c)
	if err == nil && a.Verifiable == nil {
		err = ErrRequest
	}
	if err == nil {
		err = b.Verify(c, a.Verifiable, a.Options)
	}
	return verdict(c, err)
}

func (b *Bench) postPresentation(c *gin.Context) error {
	a, err := read(c)
	if err == nil && a.Presentation == nil {
		err = ErrRequest
	}
	if err == nil {
		err = b.VerifyPresentation(c, a.Presentation, a.Options)
	}
	return verdict(c, err)
}

func verdict(c *gin.Context, err error) error {
	if err != nil {
		return refused(c, err)
	}
	c.JSON(http.StatusOK, gin.H{"verified": true, "problemDetails": []problem{}})
	return nil
}

// postStatus changes a credential of the ledger: for administrators alone.
func (b *Bench) postStatus(c *gin.Context) error {
	a, err := read(c)
	if err != nil || a.ID == "" || a.Set == nil {
		return refused(c, ErrRequest)
	}
	if b.Access != Administrators || b.Status == nil {
		return fault.New(fault.Denied, "The status of credentials is changed by administrators alone.")
	}
	if err := b.Status(c, Change{Credential: a.ID, Purpose: a.Entry["statusPurpose"], Set: *a.Set}); err != nil {
		return refused(c, err)
	}
	c.Status(http.StatusOK)
	return nil
}
