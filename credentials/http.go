package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
)

// maxRequest bounds a credential request: a proof, and some more.
const maxRequest = 64 << 10

// Routes opens the doors of the issuer.
func (i *Issuer) Routes(r *web.Router) {
	r.Handle(http.MethodGet, "/.well-known/openid-credential-issuer"+strings.TrimSuffix(i.Config.Issuer.Path, "/"), web.Anyone, i.getMetadata, web.CORS())
	r.Handle(http.MethodGet, "/.well-known/did.json", web.Anyone, i.getDID, web.CORS())
	r.Handle(http.MethodGet, "/.well-known/plinth-trust.json", web.Anyone, i.getTrust, web.CORS())
	r.Handle(http.MethodGet, "/contexts/identity/v1", web.Anyone, i.getContext, web.CORS())
	r.Handle(http.MethodGet, "/vci/offer/:secret", web.Anyone, i.getOffer, web.CORS())
	r.Handle(http.MethodPost, "/vci/nonce", web.Anyone, i.postNonce, web.CORS(), web.MaxBody(maxRequest))
	r.Handle(http.MethodPost, "/vci/credential", web.Bearer, i.postCredential, web.CORS(), web.MaxBody(maxRequest))
	r.Handle(http.MethodPost, "/vci/notification", web.Bearer, i.postNotification, web.CORS(), web.MaxBody(maxRequest))
}

// answer sends JSON of the protocol.
func answer(c *gin.Context, status int, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.Data(status, "application/json", raw)
	return nil
}

// cached marks an answer that is the same for everybody.
func cached(c *gin.Context) { c.Header("Cache-Control", "public, max-age=300") }

func (i *Issuer) getMetadata(c *gin.Context) error {
	cached(c)
	return answer(c, http.StatusOK, i.Metadata())
}

func (i *Issuer) getDID(c *gin.Context) error {
	document, err := i.DIDDocument()
	if err != nil {
		return err
	}
	cached(c)
	c.Data(http.StatusOK, "application/did+json", document)
	return nil
}

func (i *Issuer) getTrust(c *gin.Context) error {
	list, err := i.TrustList()
	if err != nil {
		return err
	}
	cached(c)
	return answer(c, http.StatusOK, list)
}

func (i *Issuer) getContext(c *gin.Context) error {
	_, document := vc.IdentityContext(i.ID())
	cached(c)
	c.Data(http.StatusOK, "application/ld+json", document)
	return nil
}

// getOffer gives an offer to a wallet, and a page about it to a browser.
func (i *Issuer) getOffer(c *gin.Context) error {
	shown, err := i.showOffer(c, c.Param("secret"))
	if err != nil {
		return err
	}
	if prefersPage(c.GetHeader("Accept")) {
		return templates.Render(c.Writer, c.Request, http.StatusOK, templates.Offer{Link: shown.link, Page: shown.page, TxCode: shown.txCode})
	}
	return answer(c, http.StatusOK, shown.offer)
}

// prefersPage tells a browser from a wallet: it asks for HTML before anything else.
func prefersPage(accept string) bool {
	first, _, _ := strings.Cut(accept, ",")
	kind, _, err := mime.ParseMediaType(first)
	return err == nil && kind == "text/html"
}

func (i *Issuer) postNonce(c *gin.Context) error {
	nonce, err := i.Nonce()
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, map[string]string{"c_nonce": nonce})
}

func (i *Issuer) postCredential(c *gin.Context) error {
	grant, err := i.Config.Grant(c, c.Request)
	if err != nil {
		return refuse(c, unauthorized(c.Request, err))
	}
	var request CredentialRequest
	if err := readJSON(c, &request, errRequest); err != nil {
		return refuse(c, err)
	}
	issued, err := i.Issue(c, grant, request)
	if err != nil {
		return refuse(c, err)
	}
	return answer(c, http.StatusOK, map[string]any{
		"credentials":     []map[string]json.RawMessage{{"credential": issued.Document}},
		"notification_id": issued.Notification,
	})
}

func (i *Issuer) postNotification(c *gin.Context) error {
	grant, err := i.Config.Grant(c, c.Request)
	if err != nil {
		return refuse(c, unauthorized(c.Request, err))
	}
	var n struct {
		ID    string `json:"notification_id"`
		Event string `json:"event"`
	}
	if err := readJSON(c, &n, errNotification); err != nil {
		return refuse(c, err)
	}
	if err := i.Notified(c, grant, n.ID, n.Event); err != nil {
		return refuse(c, err)
	}
	c.Status(http.StatusNoContent)
	return nil
}

// readJSON reads one JSON object.
func readJSON(c *gin.Context, into any, otherwise *fault.Fault) error {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "application/json" {
		return otherwise.Because(errors.New("the body is not declared as application/json"))
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	if repeats(raw) {
		return otherwise.Because(errors.New("a parameter is repeated"))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return otherwise.Because(err)
	}
	return nil
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

// unauthorized is the answer of RFC 6750 to a request without a good token. One
// that has none at all is told no error code (3.1).
func unauthorized(r *http.Request, err error) error {
	if fault.Of(err).Kind == fault.Internal || fault.Of(err).Kind == fault.Busy {
		return err
	}
	f := fault.New(fault.Unauthenticated, "The access token is missing, expired or unknown. Get a new one.").Because(err)
	if r.Header.Get("Authorization") == "" {
		return f.Named("")
	}
	return f.Named("invalid_token")
}

// refuse answers with an error in the form of OAuth and OpenID4VCI. What is
// nobody's fault but ours is left to the router.
func refuse(c *gin.Context, err error) error {
	f := fault.Of(err)
	status := http.StatusBadRequest
	switch f.Kind {
	case fault.Unauthenticated, fault.Denied:
		if f.Code == errDenied.Code {
			break
		}
		status = web.Status(f)
		challenge := "Bearer"
		if f.Code != "" {
			challenge += ` error="` + f.Code + `"`
		}
		c.Header("WWW-Authenticate", challenge)
		if f.Code == "" {
			c.Status(status)
			return nil
		}
	case fault.Invalid:
	default:
		return err
	}
	return answer(c, status, map[string]string{"error": f.Code, "error_description": f.Sentence})
}
