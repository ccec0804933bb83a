package login

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// evidencePage asks for the evidence of the method that was chosen.
func (f *Flow) evidencePage(c *gin.Context, v *visit, step templates.LoginStep, s shown) (templates.Page, error) {
	switch v.Method {
	case auth.ByPIN, auth.ByPassword:
		return templates.LoginSecret{LoginStep: step, Identifier: v.Identifier, Kind: string(v.Method)}, nil
	case auth.ByKnowledge:
		return templates.LoginKnowledge{LoginStep: step, Fields: f.Desk.KnowledgeFields()}, nil
	case auth.ByFinger, auth.ByIris, auth.ByFace:
		return f.bodyPage(c, v, step, s)
	case auth.ByWallet:
		return f.walletPage(c, v, step)
	case auth.ByCredential:
		return f.credentialPage(c, v, step)
	case auth.ByPasskey:
		options, challenge, err := f.Desk.AskPasskey(v.Visit.ID)
		if err != nil {
			return nil, err
		}
		v.Challenge = challenge
		return templates.LoginPasskey{LoginStep: step, Options: string(options)}, f.save(c, v.state)
	}
	return templates.LoginCode{LoginStep: step, Sent: v.Sent, Again: v.Again}, nil
}

// shows tells whether a visit waits for evidence of one of these kinds.
func (f *Flow) shows(v visit, methods ...auth.Method) bool {
	return f.missing(v) == show && slices.Contains(methods, v.Method)
}

func (f *Flow) coded(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByCode) {
		return f.onward(c, v.state)
	}
	v.Again = false
	entered := tidy(c.Request.PostForm.Get("code"))
	if entered == "" || len(entered) > maxCode {
		return f.lacking(c, v, "code", "login.code.missing")
	}
	return f.prove(c, v, auth.Attempt{Code: entered})
}

// lacking shows the page again with one field that is not as it must be.
func (f *Flow) lacking(c *gin.Context, v visit, field, key string) error {
	wrong := shown{position: c.Request.PostForm.Get("position")}
	wrong.add(field, key)
	return f.page(c, http.StatusUnprocessableEntity, v, wrong)
}

// maxSecret bounds a PIN or a password.
const maxSecret = 256

func (f *Flow) secret(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByPIN, auth.ByPassword) {
		return f.onward(c, v.state)
	}
	entered := c.Request.PostForm.Get("secret")
	if entered == "" || len(entered) > maxSecret {
		return f.lacking(c, v, "secret", "login."+string(v.Method)+".missing")
	}
	if v.Method == auth.ByPIN {
		return f.prove(c, v, auth.Attempt{PIN: tidy(entered)})
	}
	return f.prove(c, v, auth.Attempt{Password: entered})
}

// maxKnown bounds one thing that somebody knows about themselves.
const maxKnown = 256

func (f *Flow) known(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByKnowledge) {
		return f.onward(c, v.state)
	}
	said := make(map[string]string)
	for _, field := range f.Desk.KnowledgeFields() {
		said[field] = strings.TrimSpace(c.Request.PostForm.Get("known-" + field))
		if said[field] == "" || len(said[field]) > maxKnown {
			return f.lacking(c, v, "known-"+field, "login.knowledge.missing")
		}
	}
	return f.prove(c, v, auth.Attempt{Knowledge: said})
}

// maxAssertion bounds what a browser says of a passkey.
const maxAssertion = 16 << 10

func (f *Flow) passkey(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByPasskey) {
		return f.onward(c, v.state)
	}
	said := c.Request.PostForm.Get("passkey")
	if said == "" || len(said) > maxAssertion || v.Challenge == nil {
		return f.lacking(c, v, "passkey", "login.passkey.missing")
	}
	return f.prove(c, v, auth.Attempt{Passkey: []byte(said), PasskeyState: v.Challenge})
}
