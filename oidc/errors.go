package oidc

import (
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/internal/fault"
)

// ofGrant are the errors by which a redeemed offer may be refused (OpenID4VCI 1.0, 6.3).
var ofGrant = map[string]*fosite.RFC6749Error{
	"invalid_grant":   fosite.ErrInvalidGrant,
	"invalid_request": fosite.ErrInvalidRequest,
	"invalid_client":  fosite.ErrInvalidClient,
}

// errDetails is the error of RFC 9396 section 5.
var errDetails = &fosite.RFC6749Error{ErrorField: "invalid_authorization_details", CodeField: http.StatusBadRequest,
	DescriptionField: "The authorization_details are not supported, or the client may not ask for them."}

// refusal tells an answer of the protocol from a failure of ours.
func refusal(err error) (*fosite.RFC6749Error, bool) {
	var known *fosite.RFC6749Error
	return known, errors.As(err, &known) && known.CodeField < http.StatusInternalServerError
}

// refuse writes an error as RFC 6749 section 5.2 prescribes. What is no error of
// the protocol goes to the router, which logs it and shows nothing of it.
func refuse(c *gin.Context, err error) error {
	known, ok := refusal(err)
	if !ok {
		return err
	}
	raw, err := json.Marshal(map[string]string{"error": known.ErrorField, "error_description": ascii(known.GetDescription())})
	if err != nil {
		return err
	}
	slog.InfoContext(c, "client refused", "error", known.ErrorField, "route", c.FullPath())
	unstored(c)
	if challenge := wwwAuthenticate(c.Request); challenge != "" && known.CodeField == http.StatusUnauthorized {
		c.Header("WWW-Authenticate", challenge)
	}
	c.Data(known.CodeField, "application/json", raw)
	return nil
}

func unstored(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Pragma", "no-cache")
}

// ascii keeps to the characters that RFC 6749 allows in an error_description.
func ascii(s string) string {
	kept := []rune(s)
	for i, r := range kept {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			kept[i] = '\''
		}
	}
	return string(kept)
}

// body reads the form of a client's request: each parameter once (RFC 6749 section 3.2).
func (p *Provider) body(c *gin.Context) (url.Values, error) {
	form, err := readBody(c)
	if err == nil {
		p.readKeys(c, form)
	}
	return form, err
}

func readBody(c *gin.Context) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fosite.ErrInvalidRequest.WithHint("Send the parameters as application/x-www-form-urlencoded.")
	}
	if err := c.Request.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, fosite.ErrInvalidRequest.WithHint("The body cannot be read.")
	}
	if len(c.Request.URL.RawQuery) > 0 {
		return nil, fosite.ErrInvalidRequest.WithHint("Send the parameters in the body; what is in the address is logged on the way.")
	}
	if name := repeated(c.Request.PostForm); name != "" {
		return nil, fosite.ErrInvalidRequest.WithHintf("Send %s once.", name)
	}
	return c.Request.PostForm, nil
}

// repeated names a parameter that comes more than once. Two parties that read
// different ones of the two would judge different requests.
func repeated(form url.Values) string {
	for name, values := range form {
		if len(values) > 1 && name != "resource" && name != "audience" { // RFC 8707 and RFC 8693 let these repeat
			return name
		}
	}
	return ""
}

var errEnded = fault.New(fault.Conflict, "This login was already completed. Go back to the website that you came from and begin again.").Named("login-completed")
