package status

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
)

// Routes opens the doors to the lists. Nobody has to say who they are: whoever
// asks gets the whole list, so asking tells nothing of whom it is about.
func (p *Publisher) Routes(r *web.Router) {
	r.Handle(http.MethodGet, "/status/:list", web.Anyone, p.getList, web.CORS())
	r.Handle(http.MethodGet, "/status/:list/:purpose", web.Anyone, p.getList, web.CORS())
}

// mediaTypes are what the forms are sent as.
var mediaTypes = map[string]string{Revocations: "application/vc", Suspensions: "application/vc"}

func (p *Publisher) getList(c *gin.Context) error {
	list, err := strconv.ParseInt(c.Param("list"), 10, 64)
	if err != nil {
		return errNoList
	}
	form := Revocations
	switch c.Param("purpose") {
	case "":
	case Suspensions:
		form = Suspensions
	default:
		return errNoList
	}
	e, err := p.List(c, list, form)
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
	c.Data(http.StatusOK, mediaTypes[form], e.Document)
	return nil
}
