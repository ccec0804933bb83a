package present

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	maxTerms          = 128 << 10
	maxWalletMetadata = 32 << 10
	maxWalletNonce    = 512
)

// Routes opens the doors of the counter.
func (k *Counter) Routes(r *web.Router) {
	r.Handle(http.MethodPost, "/vp/requests", web.Anyone, k.postRequest, web.MaxBody(maxTerms), web.CrossOrigin())
	r.Handle(http.MethodGet, "/vp/requests/:id", web.Anyone, k.getRequest)
	r.Handle(http.MethodGet, "/vp/requests/:id/presentation", web.Anyone, k.getPresentation)
	r.Handle(http.MethodGet, "/vp/requests/:id/object", web.Anyone, k.getObject, web.CORS())
	r.Handle(http.MethodPost, "/vp/requests/:id/object", web.Anyone, k.postObject, web.CORS(), web.CrossOrigin(), web.MaxBody(maxWalletMetadata+4<<10))
	r.Handle(http.MethodPost, "/vp/responses/:id", web.Anyone, k.postResponse, web.CORS(), web.CrossOrigin(), web.MaxBody(maxResponse))
	r.Handle(http.MethodPost, "/verify/ask", web.Anyone, k.postAsk, web.MaxBody(4<<10))
	r.Handle(http.MethodGet, "/verify/ask", web.Anyone, k.getAsk)
	r.Handle(http.MethodGet, "/verify/ask/state", web.Anyone, k.getAskState)
	r.Handle(http.MethodPost, "/verify/ask/answer", web.Anyone, k.postAskAnswer, web.MaxBody(maxResponse))
	r.Handle(http.MethodGet, "/vp/did.json", web.Anyone, k.getDID, web.CORS())
	r.Handle(http.MethodGet, "/vp/jwks", web.Anyone, k.getKeys, web.CORS())
}

func (k *Counter) getDID(c *gin.Context) error {
	document, err := k.DIDDocument()
	if err != nil {
		return errGone.Because(err)
	}
	c.Header("Cache-Control", "public, max-age=300")
	c.Data(http.StatusOK, "application/did+json", document)
	return nil
}

func (k *Counter) getKeys(c *gin.Context) error {
	c.Header("Cache-Control", "public, max-age=300")
	c.JSON(http.StatusOK, k.KeySet())
	return nil
}

// postRequest makes a request. Anybody may ask by a preset, from a page of ours or
// without one, and learns the verdict alone: wallets show their holders our name, which
// nobody else may collect claims under. Who wants more must be allowed to.
func (k *Counter) postRequest(c *gin.Context) error {
	var t Terms
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if kind, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); kind != "application/json" || repeats(raw) || d.Decode(&t) != nil {
		return invalid("body", "is not the JSON of a request.")
	}
	t.Bare = !t.own() && c.GetHeader("Authorization") == ""
	switch {
	case t.Bare:
		if err := k.own.Check(c.Request); err != nil {
			return errPresets.Because(err)
		}
	case k.Allowed == nil:
		return errPresets
	default:
		if err := k.Allowed(c, c.Request); err != nil {
			return errors.Join(err, errPresets)
		}
	}
	r, err := k.Ask(c, t, "", web.From(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, r)
	return nil
}

var errPresets = fault.New(fault.Denied, "Without an access token only the presets can be asked for, and not by pages of other sites.").Named("preset-only")

// number reads the id in the path.
func number(c *gin.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return uuid.Nil, errGone.Because(err)
	}
	return id, nil
}

// bearer is the secret of a request, which is the right to collect its answer.
func bearer(c *gin.Context) string {
	scheme, token, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	if token = strings.TrimSpace(token); strings.Contains(token, " ") {
		return "" // no token, but perhaps the secret of a page
	}
	return token
}

func (k *Counter) getRequest(c *gin.Context) error {
	id, err := number(c)
	if err != nil {
		return err
	}
	result, err := k.Collect(c, id, bearer(c), c.Query("response_code"))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, result)
	return nil
}

func (k *Counter) getPresentation(c *gin.Context) error {
	id, err := number(c)
	if err != nil {
		return err
	}
	token, err := k.Kept(c, id, bearer(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"vp_token": token})
	return nil
}

func (k *Counter) getObject(c *gin.Context) error { return k.giveObject(c, "") }

// postObject lets a wallet say what it can, and see its nonce again (5.10).
func (k *Counter) postObject(c *gin.Context) error {
	form, _, err := readForm(c)
	if err != nil {
		return refuse(c, err)
	}
	metadata := form.Get("wallet_metadata")
	if len(form["wallet_metadata"]) > 1 || len(form["wallet_nonce"]) > 1 || len(form.Get("wallet_nonce")) > maxWalletNonce || metadata != "" && !isObject([]byte(metadata)) {
		return refuse(c, errForm)
	}
	return k.giveObject(c, form.Get("wallet_nonce"))
}

func isObject(raw []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(raw, &object) == nil
}

func (k *Counter) giveObject(c *gin.Context, walletNonce string) error {
	id, err := number(c)
	if err != nil {
		return refuse(c, err)
	}
	signed, err := k.Object(c, id, walletNonce)
	if err != nil {
		return refuse(c, err)
	}
	c.Data(http.StatusOK, "application/"+typeRequest, []byte(signed))
	return nil
}

// postResponse takes an answer: a form from a wallet, or from our page the JSON that
// the browser gave it.
func (k *Counter) postResponse(c *gin.Context) error {
	id, err := number(c)
	if err != nil {
		return refuse(c, err)
	}
	a, err := k.open(c, id)
	if err != nil {
		return refuse(c, err)
	}
	var r response
	origin := ""
	if a.overAPI() {
		if _, err := find(c, k.Pool, id, hashed(bearer(c))); err != nil {
			return refuse(c, errGone.Because(err))
		}
		if r, origin, err = a.readBrowser(c); err != nil {
			return refuse(c, err)
		}
	} else {
		form, whole, err := readForm(c)
		if err != nil {
			return refuse(c, err)
		}
		if r, err = a.fromForm(form, whole); err != nil {
			return refuse(c, err)
		}
	}
	next, err := k.take(c, id, a, r, origin)
	if err != nil {
		return refuse(c, err)
	}
	answer := map[string]string{}
	if next != "" {
		answer["redirect_uri"] = next
	}
	c.JSON(http.StatusOK, answer)
	return nil
}

// readForm reads a form as OAuth has it, and only that.
func readForm(c *gin.Context) (url.Values, []byte, error) {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, nil, errForm
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, nil, errForm
	}
	return form, raw, nil
}

var errOrigin = refused("The answer comes from a page whose origin was not expected.")

// readBrowser reads what a page got from navigator.credentials.get. The page has
// proved by the secret that it is the one that asked; its origin must be one that we
// expect, and the holder's proof must name the same.
func (a asked) readBrowser(c *gin.Context) (response, string, error) {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return response{}, "", err
	}
	var sent struct {
		Protocol string                     `json:"protocol"`
		Data     map[string]json.RawMessage `json:"data"`
	}
	protocol := protocolSigned
	if a.Prefix == byRedirect {
		protocol = protocolUnsigned
	}
	if repeats(raw) || json.Unmarshal(raw, &sent) != nil || sent.Protocol != protocol {
		return response{}, "", errForm
	}
	origin := c.GetHeader("Origin")
	if origin == "" && len(a.Origins) == 1 {
		origin = a.Origins[0] // sent on by the page's own server, which has no origin
	}
	for _, expected := range a.Origins {
		if origin == expected {
			r, err := a.fromBrowser(sent.Data, raw)
			return r, origin, err
		}
	}
	return response{}, "", errOrigin
}

// repeats tells whether a JSON object names a member twice, of which one reader
// would take the first and another the last.
func repeats(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		key, ok := name.(string)
		if err != nil || !ok {
			return false
		}
		if seen[key] {
			return true
		}
		seen[key] = true
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
	}
	return false
}

// refuse answers a wallet in the form of OAuth; what is our own fault is left to the
// router.
func refuse(c *gin.Context, err error) error {
	f := fault.Of(err)
	switch f.Kind {
	case fault.Invalid, fault.NotFound:
		code := f.Code
		if f.Kind == fault.NotFound {
			code = "invalid_request"
		}
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		c.JSON(web.Status(f), gin.H{"error": code, "error_description": f.Sentence})
		return nil
	}
	return err
}
