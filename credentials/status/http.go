package status

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

// Routes opens the door to the lists. Nobody has to say who they are: whoever
// asks gets the whole list, so asking tells nothing of whom it is about.
func (p *Publisher) Routes(r *web.Router) {
	r.Handle(http.MethodGet, "/status/:list", web.Anyone, p.getList, web.CORS())
}

func (p *Publisher) getList(c *gin.Context) error {
	list, err := strconv.ParseInt(c.Param("list"), 10, 64)
	if err != nil {
		return fault.New(fault.NotFound, "There is no such status list. Check its address.")
	}
	document, err := p.List(c, list)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "public, max-age=60")
	c.Data(http.StatusOK, "application/vc", document)
	return nil
}
