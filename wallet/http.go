package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
)

// maxAnswer bounds what an issuer may send us.
const maxAnswer = 2 << 20

var errAnswer = fault.New(fault.Invalid, "The issuer's answer does not follow OpenID4VCI. Tell the issuer.").Named("issuer-answer")

// refused is an error that an issuer answered with.
type refused struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (r refused) Error() string { return fmt.Sprintf("answer %d %s", r.Status, r.Code) }

// address reads a URL to which the wallet may speak: TLS, save on this machine.
func address(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "This is no address of an issuer or offer. Copy the whole link.").Named("bad-address").Because(err)
	}
	if u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname()) {
		return u, nil
	}
	return nil, fault.New(fault.Invalid, "An issuer must be reached over https. Do not use this link.").Named("bad-address")
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// wellKnown inserts a well-known path between host and path of an identifier.
func wellKnown(identifier *url.URL, name string) string {
	u := *identifier
	u.Path, u.RawPath, u.RawQuery = "/.well-known/"+name+strings.TrimSuffix(identifier.Path, "/"), "", ""
	return u.String()
}

// get reads a JSON document.
func (w *Wallet) get(ctx context.Context, from string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return errAnswer.Because(err)
	}
	return w.ask(r, "", into)
}

// postForm sends a form, as OAuth does.
func (w *Wallet) postForm(ctx context.Context, to string, form url.Values, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return errAnswer.Because(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.ask(r, "", into)
}

// postJSON sends a JSON document with an access token; body nil sends nothing.
func (w *Wallet) postJSON(ctx context.Context, to, token string, body, into any) error {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("writing a request: %w", err)
		}
		payload = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, payload)
	if err != nil {
		return errAnswer.Because(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return w.ask(r, token, into)
}

func (w *Wallet) ask(r *http.Request, token string, into any) error {
	if _, err := address(r.URL.String()); err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := w.client.Do(r)
	if err != nil {
		// The error of the client names the address, which may hold a secret.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fault.New(fault.Busy, "The issuer cannot be reached. Check the network and try again.").Named("issuer-unreachable").Because(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil || len(raw) > maxAnswer {
		return errAnswer.Because(errors.Join(err, errors.New("the answer broke off or is too long")))
	}
	if answer.StatusCode/100 != 2 {
		no := refused{Status: answer.StatusCode}
		_ = json.Unmarshal(raw, &no) // a proxy on the way may have answered in HTML
		return no
	}
	if into == nil {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type")); err != nil || kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return errAnswer.Because(fmt.Errorf("the answer of %s is no JSON", r.URL.Host))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errAnswer.Because(err)
	}
	return nil
}
