package oidc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/plinth-id/plinth/registry/auth"
)

// prompted judges how the person may be asked (OpenID Connect Core 3.1.2.1).
func (a *asked) prompted(c client, form url.Values) error {
	a.Prompt = strings.Fields(form.Get("prompt"))
	for _, value := range a.Prompt {
		switch value {
		case "none":
			if len(a.Prompt) > 1 {
				return fosite.ErrInvalidRequest.WithHint("prompt=none goes with no other value.")
			}
		case "login", "consent", "select_account":
		default:
			return fosite.ErrInvalidRequest.WithHint("This value of prompt is not supported.")
		}
	}
	if a.MaxAge = c.MaxAge; form.Get("max_age") != "" {
		age, err := strconv.Atoi(form.Get("max_age"))
		if err != nil || age < 0 {
			return fosite.ErrInvalidRequest.WithHint("max_age must be a number of seconds.")
		}
		a.MaxAge = &age
	}
	return nil
}

func (a asked) prompts(value string) bool { return slices.Contains(a.Prompt, value) }

// silent tells that no page may be shown.
func (a asked) silent() bool { return a.prompts("none") }

// fresh tells whether a login of some time ago is recent enough for this request.
func (a asked) fresh(proof auth.Proof, now time.Time) bool {
	if proof.Zero() || a.prompts("login") || a.prompts("select_account") {
		return false
	}
	return a.MaxAge == nil || now.Sub(proof.At()) <= time.Duration(*a.MaxAge)*time.Second
}

// strong tells whether methods are what the request wishes for.
func (a asked) strong(methods []auth.Method) bool {
	return len(a.ACR) == 0 && !a.MustACR || slices.ContainsFunc(a.ACR, func(acr string) bool { return auth.Meets(acr, methods) })
}
