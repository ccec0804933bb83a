package present

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/web"
)

// Request is a request that waits for a wallet. Secret is for whoever asked: with it
// alone the answer can be fetched.
type Request struct {
	ID         uuid.UUID      `json:"id"`
	Secret     string         `json:"secret,omitempty"`
	ClientID   string         `json:"client_id,omitempty"`
	RequestURI string         `json:"request_uri,omitempty"`
	Link       string         `json:"link,omitempty"`   // opens a wallet
	QR         string         `json:"qr,omitempty"`     // the same, drawn for a wallet on another device (a data: URL)
	Browser    map[string]any `json:"dc_api,omitempty"` // what a page gives to navigator.credentials.get
	Answer     string         `json:"answer_uri"`       // where a page sends what the browser gave
	Expires    time.Time      `json:"expires_at"`
}

// What callers can tell apart.
var (
	errTooMany = fault.New(fault.Busy, "Too many requests from your network wait for a wallet. Wait until some have expired.").Named(web.RateLimited)
	errGone    = fault.New(fault.NotFound, "This request is unknown, answered, or has expired. Make a new one.").Named("presentation-request-gone")
)

// binds names what a request is sealed for.
func binds(id uuid.UUID) []byte { return []byte("vp request " + id.String()) }

// Ask makes a request. binding is a secret that whoever asks has already, as a login
// has its own; without one the request gets its own. from is the network that the
// caller came from, which may have some requests open, or empty.
func (k *Counter) Ask(ctx context.Context, t Terms, binding, from string) (Request, error) {
	r := Request{ID: uuid.New(), Secret: binding}
	if binding == "" {
		r.Secret = secret()
	}
	r.Answer = k.Public.JoinPath("vp/responses", r.ID.String()).String()
	a, err := k.settle(t, r.Answer)
	if err != nil {
		return Request{}, err
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return Request{}, fmt.Errorf("asking for a presentation: %w", err)
	}
	sealed, err := k.Ring.Seal(keys.Sessions, raw, binds(r.ID))
	if err != nil {
		return Request{}, fmt.Errorf("asking for a presentation: %w", err)
	}
	row := requestRow{ID: r.ID, Secret: hashed(r.Secret), Sealed: sealed, Expires: a.Expires}
	if from != "" {
		row.Network = k.Ring.Lookup("vp network", from)
	}
	made, err := insertRequest(ctx, k.Pool, row, k.Now(), maxOpen)
	if err != nil {
		return Request{}, err
	}
	if !made {
		return Request{}, errTooMany
	}
	method := t.Method
	if method == "" {
		method = methodPost
	}
	reached, err := k.reach(r.ID, a, method)
	reached.Secret = r.Secret
	return reached, err
}

// reach says how a wallet gets to a request.
func (k *Counter) reach(id uuid.UUID, a asked, method string) (r Request, err error) {
	r = Request{ID: id, ClientID: a.ClientID, Answer: a.ResponseURI, Expires: a.Expires}
	if a.overAPI() {
		r.Browser, err = k.forBrowser(a)
		return r, err
	}
	uri := k.Public.JoinPath("vp/requests", id.String(), "object").String()
	if a.Prefix != byRedirect {
		r.RequestURI = uri
	}
	if r.Link, err = k.link(a, uri, method); err != nil {
		return Request{}, err
	}
	if picture, err := qr.PNG(r.Link, qr.Low); err == nil { // a request without a reference may be too long
		r.QR = "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
	}
	return r, nil
}

// open reads a request that waits.
func (k *Counter) open(ctx context.Context, id uuid.UUID) (asked, error) {
	sealed, err := waiting(ctx, k.Pool, id, k.Now())
	if err != nil {
		return asked{}, errGone.Because(err)
	}
	raw, err := k.Ring.Open(keys.Sessions, sealed, binds(id))
	if err != nil {
		return asked{}, fmt.Errorf("opening request %s: %w", id, err)
	}
	var a asked
	if err := json.Unmarshal(raw, &a); err != nil {
		return asked{}, fmt.Errorf("opening request %s: %w", id, err)
	}
	return a, nil
}

// Object gives a wallet the request that a link refers to.
func (k *Counter) Object(ctx context.Context, id uuid.UUID, walletNonce string) (string, error) {
	a, err := k.open(ctx, id)
	if err != nil {
		return "", err
	}
	if a.overAPI() || a.Prefix == byRedirect {
		return "", errGone
	}
	if err := noteFetched(ctx, k.Pool, id, k.Now()); err != nil {
		return "", err
	}
	return k.object(a, walletNonce)
}
