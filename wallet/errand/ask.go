package errand

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

// maxAnswer bounds what an issuer or a verifier may send us.
const maxAnswer = 2 << 20

var (
	errAnswer      = fault.New(fault.Invalid, "The issuer's answer does not follow OpenID4VCI. Tell the issuer.").Named("issuer-answer")
	errUnreachable = fault.New(fault.Busy, "The other side cannot be reached. Check the network and try again.").Named("issuer-unreachable")
	errAddress     = fault.New(fault.Invalid, "This is no address that a wallet may go to: it must be a whole link over https.").Named("bad-address")
)

// refused is an error that the other side answered with.
type refused struct {
	Status int    `json:"-"`
	Code   string `json:"error"`
	Nonce  string `json:"c_nonce"` // of an issuer of draft 13
}

func (r refused) Error() string {
	if len(r.Code) > 64 {
		r.Code = "" // whatever it is, it is no error code
	}
	return fmt.Sprintf("answer %d %s", r.Status, r.Code)
}

// Address reads a URL to which the wallet may speak: TLS, save on this machine.
func Address(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || len(raw) > 8<<10 {
		return nil, errAddress.Because(errors.New("no such URL"))
	}
	if u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname()) {
		return u, nil
	}
	return nil, errAddress
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Message is one request that an errand sends.
type Message struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Type   string            `json:"type,omitempty"`
	Body   []byte            `json:"body,omitempty"`
	Header map[string]string `json:"header,omitempty"`
}

// FormTo is a form, as OAuth sends it.
func FormTo(to string, form url.Values) Message {
	return Message{Method: http.MethodPost, URL: to, Type: "application/x-www-form-urlencoded", Body: []byte(form.Encode())}
}

func jsonTo(to string, body any) (Message, error) {
	raw, err := json.Marshal(body)
	return Message{Method: http.MethodPost, URL: to, Type: "application/json", Body: raw}, err
}

// Reply is what came back.
type Reply struct {
	Status int
	Type   string
	Body   []byte
	Nonce  string // DPoP-Nonce
	Wants  string // WWW-Authenticate
}

// Send sends a message and reads the answer, whatever its status.
func (r *Runner) Send(ctx context.Context, m Message) (Reply, error) {
	if _, err := Address(m.URL); err != nil {
		return Reply{}, err
	}
	request, err := http.NewRequestWithContext(ctx, m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Reply{}, errAddress.Because(err)
	}
	request.Header.Set("Accept", "application/json")
	if m.Type != "" {
		request.Header.Set("Content-Type", m.Type)
	}
	for name, value := range m.Header {
		request.Header.Set(name, value)
	}
	answer, err := r.HTTP.Do(request)
	if err != nil {
		// The error of the client names the address, which may hold a secret.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return Reply{}, errUnreachable.Because(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil || len(raw) > maxAnswer {
		return Reply{}, errAnswer.Because(errors.Join(err, errors.New("the answer broke off or is too long")))
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // empty for what is none
	return Reply{Status: answer.StatusCode, Type: kind, Body: raw, Nonce: answer.Header.Get("DPoP-Nonce"), Wants: answer.Header.Get("WWW-Authenticate")}, nil
}

// OK is the body of a good answer; others are refused.
func (a Reply) OK() ([]byte, error) {
	if a.Status/100 == 2 {
		return a.Body, nil
	}
	no := refused{Status: a.Status}
	_ = json.Unmarshal(a.Body, &no) // a proxy on the way may have answered in HTML
	no.Status = a.Status
	return nil, no
}

// read takes a good answer apart.
func (a Reply) read(into any) error {
	raw, err := a.OK()
	if err != nil {
		return err
	}
	if a.Type != "application/json" && !strings.HasSuffix(a.Type, "+json") {
		return errAnswer.Because(errors.New("the answer is no JSON"))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errAnswer.Because(errors.New("the answer is not the JSON that it should be"))
	}
	return nil
}

// get reads a JSON document.
func (r *Runner) get(ctx context.Context, from string, into any) error {
	a, err := r.Send(ctx, Message{Method: http.MethodGet, URL: from})
	if err != nil {
		return err
	}
	return a.read(into)
}

// Text reads a document of any kind.
func (r *Runner) Text(ctx context.Context, from, accept string) ([]byte, error) {
	a, err := r.Send(ctx, Message{Method: http.MethodGet, URL: from, Header: map[string]string{"Accept": accept}})
	if err != nil {
		return nil, err
	}
	return a.OK()
}
