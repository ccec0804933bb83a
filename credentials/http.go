package credentials

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// maxRequest bounds a request: a batch of proofs, each with an attestation.
const maxRequest = 256 << 10

// Routes opens the doors of the issuer.
func (i *Issuer) Routes(r *web.Router) {
	i.describing(r)
	i.adminRoutes(r)
	// The well-known names come between host and path (12.2.2); wallets of draft 13
	// put them at the end too.
	path := strings.TrimSuffix(i.Config.Issuer.Path, "/")
	r.Handle(http.MethodGet, wellKnown+path, web.Anyone, i.getMetadata, web.CORS())
	if i.Draft13 {
		r.Handle(http.MethodGet, wellKnown+path+draft13Path, web.Anyone, i.getDraft13, web.CORS())
		r.Handle(http.MethodGet, path+draft13Path+wellKnown, web.Anyone, i.getDraft13, web.CORS())
		r.Handle(http.MethodGet, "/vci/draft13/offer/:secret", web.Anyone, i.getOfferDraft13, web.CORS())
	}
	r.Handle(http.MethodGet, "/.well-known/did.json", web.Anyone, i.getDID, web.CORS())
	r.Handle(http.MethodGet, "/.well-known/plinth-trust.json", web.Anyone, i.getTrust, web.CORS())
	r.Handle(http.MethodGet, "/contexts/identity/v1", web.Anyone, i.getContext, web.CORS())
	r.Handle(http.MethodGet, "/vci/offer/:secret", web.Anyone, i.getOffer, web.CORS())
	r.Handle(http.MethodGet, "/vci/offer/:secret/code.svg", web.Anyone, i.getOfferCode)
	r.Handle(http.MethodPost, "/vci/nonce", web.Anyone, i.postNonce, web.CORS(), web.MaxBody(maxRequest))
	for name, take := range map[string]func(*gin.Context, auth.Token) error{"credential": i.postCredential, "deferred": i.postDeferred, "notification": i.postNotification} {
		r.Handle(http.MethodPost, "/vci/"+name, web.Bearer, i.tokened(take), web.CORS(), web.MaxBody(maxRequest))
	}
	i.officeRoutes(r)
}

const wellKnown = "/.well-known/openid-credential-issuer"

// answer sends JSON of the protocol.
func answer(c *gin.Context, status int, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.Data(status, "application/json", raw)
	return nil
}

// unstored marks an answer that is for one wallet alone.
func unstored(c *gin.Context) { c.Header("Cache-Control", "no-store") }

// cached marks an answer that is the same for everybody.
func cached(c *gin.Context) { c.Header("Cache-Control", "public, max-age=300") }

// getMetadata describes the issuer, in a JWT for whoever would rather have that.
func (i *Issuer) getMetadata(c *gin.Context) error {
	cached(c)
	c.Header("Vary", "Accept")
	if wants(c.GetHeader("Accept"), "application/jwt", "application/json") {
		signed, err := i.signedMetadata()
		if err != nil {
			return err
		}
		c.Data(http.StatusOK, "application/jwt", signed)
		return nil
	}
	m, err := i.Metadata()
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, m)
}

func (i *Issuer) getDraft13(c *gin.Context) error {
	cached(c)
	return answer(c, http.StatusOK, i.metadataDraft13())
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
	unstored(c)
	if wants(c.GetHeader("Accept"), "text/html", "application/json") {
		return templates.Render(c.Writer, c.Request, http.StatusOK, shown.page(i.Draft13))
	}
	return answer(c, http.StatusOK, shown.offer(i.ID()))
}

// getOfferDraft13 gives the same offer under the name that draft 13 knows us by.
func (i *Issuer) getOfferDraft13(c *gin.Context) error {
	shown, err := i.showOffer(c, c.Param("secret"))
	if err != nil {
		return err
	}
	unstored(c)
	return answer(c, http.StatusOK, shown.offer(i.at(draft13Path)))
}

// getOfferCode draws the offer for the camera of a wallet on another device.
func (i *Issuer) getOfferCode(c *gin.Context) error {
	shown, err := i.showOffer(c, c.Param("secret"))
	if err != nil {
		return err
	}
	image, err := qr.SVG(shown.link, qr.Medium)
	if err != nil {
		return err
	}
	unstored(c)
	c.Data(http.StatusOK, "image/svg+xml", image)
	return nil
}

// wants tells whether an Accept header names one kind before, or without, the other.
func wants(accept, kind, other string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		switch name, _, _ := mime.ParseMediaType(strings.TrimSpace(part)); name {
		case kind:
			return true
		case other:
			return false
		}
	}
	return false
}

// postNonce gives a nonce to anybody, and what the next proof of DPoP needs beside.
func (i *Issuer) postNonce(c *gin.Context) error {
	nonce, err := i.Nonce()
	if err != nil {
		return err
	}
	unstored(c)
	c.Header("DPoP-Nonce", i.Tokens.Nonce())
	return answer(c, http.StatusOK, map[string]string{"c_nonce": nonce})
}
