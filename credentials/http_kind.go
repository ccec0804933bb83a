package credentials

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

// describing opens the doors to what verifiers must know of kinds and keys.
func (i *Issuer) describing(r *web.Router) {
	for path, door := range map[string]func(*gin.Context) error{
		"/.well-known/jwt-vc-issuer" + strings.TrimSuffix(i.Config.Issuer.Path, "/"): i.getKeySet,
		"/.well-known/plinth-trust.jwt":                                              i.getSignedTrust,
		chain.CRLPath:                                                                i.getCRL,
		"/vct/:name":                                                                 i.getType,
		"/contexts/kinds/:name/:hash":                                                i.getKindContext,
	} {
		r.Handle(http.MethodGet, path, web.Anyone, door, web.CORS())
	}
}

func (i *Issuer) getKeySet(c *gin.Context) error {
	set, err := i.KeySet()
	if err != nil {
		return err
	}
	cached(c)
	return answer(c, http.StatusOK, map[string]any{"issuer": i.ID(), "jwks": set})
}

func (i *Issuer) getSignedTrust(c *gin.Context) error {
	list, err := i.SignedTrustList()
	if err != nil {
		return err
	}
	cached(c)
	c.Data(http.StatusOK, "application/jwt", list)
	return nil
}

func (i *Issuer) getCRL(c *gin.Context) error {
	list, err := i.Chain.CRL()
	if err != nil {
		return err
	}
	cached(c)
	c.Data(http.StatusOK, "application/pkix-crl", list)
	return nil
}

var errNoKind = fault.New(fault.NotFound, "There is no such kind of credential. Check its address.").Named("unknown-kind")

// getType describes the type of an SD-JWT VC.
func (i *Issuer) getType(c *gin.Context) error {
	for _, d := range i.definitions() {
		if d.Name == c.Param("name") && d.Formats.SDJWT != nil {
			m := d.TypeMetadata()
			m["vct"] = scribe.TypeAddress(i.ID(), d)
			cached(c)
			return answer(c, http.StatusOK, m)
		}
	}
	return errNoKind
}

// getKindContext serves the terms of a kind. Those of retired kinds stay: documents
// with them are still about.
func (i *Issuer) getKindContext(c *gin.Context) error {
	for _, d := range i.definitions() {
		if d.ContextPath() == c.Request.URL.Path {
			c.Header("Cache-Control", "public, max-age=31536000, immutable")
			c.Data(http.StatusOK, "application/ld+json", d.Context())
			return nil
		}
	}
	return errNoKind
}
