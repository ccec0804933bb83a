package status

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/internal/web"
)

// Routes opens the doors to the lists. Nobody has to say who they are: whoever
// asks gets the whole list, so asking tells nothing of whom it is about.
func (p *Publisher) Routes(r *web.Router) {
	r.Handle(http.MethodGet, "/status/:list", web.Anyone, p.getList, web.CORS())
	r.Handle(http.MethodGet, "/status/:list/:purpose", web.Anyone, p.getList, web.CORS())
}

// mediaTypes are what the forms are sent as.
var mediaTypes = map[string]string{Revocations: "application/vc", Suspensions: "application/vc",
	TokenJWT: "application/" + statuslist.TypeJWT, TokenCWT: "application/" + statuslist.TypeCWT}

// form is what a caller asks for: by the address, and there by the media types that
// it takes (Token Status List, section 8.1).
func form(c *gin.Context) string {
	if purpose := c.Param("purpose"); purpose != "" {
		return map[string]string{Suspensions: Suspensions}[purpose]
	}
	// The first that is named: Accept headers of wallets have one, of browsers none of these.
	for _, accepted := range strings.Split(c.GetHeader("Accept"), ",") {
		kind, _, err := mime.ParseMediaType(accepted)
		if err != nil {
			continue
		}
		for _, token := range []string{TokenJWT, TokenCWT} {
			if kind == mediaTypes[token] {
				return token
			}
		}
	}
	return Revocations
}

func (p *Publisher) getList(c *gin.Context) error {
	list, err := strconv.ParseInt(c.Param("list"), 10, 64)
	if err != nil {
		return errNoList
	}
	wanted := form(c)
	e, err := p.List(c, list, wanted)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=60")
	c.Header("ETag", e.Tag)
	c.Header("Vary", "Accept")
	if c.GetHeader("If-None-Match") == e.Tag {
		c.Status(http.StatusNotModified)
		return nil
	}
	c.Data(http.StatusOK, mediaTypes[wanted], e.Document)
	return nil
}
