package credentials

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	deferredPath = "/api/v1/admin/credentials/deferred"
	maxWaiting   = 500
)

// officeRoutes opens the doors by which officers decide about what waits for them.
func (i *Issuer) officeRoutes(r *web.Router) {
	r.Handle(http.MethodGet, deferredPath, web.Operator, i.getWaiting)
	r.Handle(http.MethodPost, deferredPath+"/:id/approve", web.Operator, i.ruled(true), web.MaxBody(16<<10))
	r.Handle(http.MethodPost, deferredPath+"/:id/refuse", web.Operator, i.ruled(false), web.MaxBody(16<<10))
}

func (i *Issuer) getWaiting(c *gin.Context) error {
	all, err := i.Waiting(c, maxWaiting)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"requests": all})
	return nil
}

func (i *Issuer) ruled(approve bool) func(*gin.Context) error {
	return func(c *gin.Context) error {
		id, err := uuid.Parse(c.Param("id"))
		if err != nil {
			return errRequestUnknown
		}
		var said struct {
			Reason string `json:"reason"`
		}
		if err := json.NewDecoder(c.Request.Body).Decode(&said); err != nil {
			return fault.New(fault.Invalid, "Send a reason, as JSON.").Because(err)
		}
		if err := i.Rule(c, Ruling{ID: id, Officer: i.Officer(c), Approve: approve, Reason: said.Reason}); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}
}
