package enrol

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/place"
)

// Routes opens the doors of enrolment.
func (o *Office) Routes(r *web.Router) {
	r.Handle("POST", "/api/v1/packets", web.Operator, o.postPacket, web.MaxBody(MaxPacket))
	r.Handle("GET", "/api/v1/packets/key", web.Operator, o.getPacketKey)
	r.Handle("GET", "/api/v1/applications/:id", web.Operator, o.getApplication)
	r.Handle("POST", "/api/v1/applications/:id/resume", web.Administrator, o.postResume)
	r.Handle("GET", "/api/v1/cases", web.Adjudicator, o.getCases)
	r.Handle("GET", "/api/v1/cases/:id/candidates/:application", web.Adjudicator, o.getLikenesses)
	r.Handle("GET", "/api/v1/statistics/samples", web.Administrator, o.getSites)
	r.Handle("POST", "/api/v1/cases/:id/verdict", web.Adjudicator, o.postVerdict, web.MaxBody(16<<10))
}

// postPacket takes a packet whole. The packet's own id makes a repetition safe.
func (o *Office) postPacket(c *gin.Context) error {
	packet, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return fmt.Errorf("reading a packet: %w", err)
	}
	a, err := o.Receive(c.Request.Context(), packet, place.OfficerFrom(c).ID)
	if err != nil {
		return err
	}
	c.Header("Location", "/api/v1/applications/"+a.ID.String())
	c.JSON(http.StatusAccepted, gin.H{"application": a.ID, "state": a.State})
	return nil
}

func (o *Office) getPacketKey(c *gin.Context) error {
	id, public := o.Ring.PacketKey()
	c.JSON(http.StatusOK, gin.H{"key_id": id, "public_key": public})
	return nil
}

func (o *Office) getApplication(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errUnknown
	}
	a, err := o.Application(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, a)
	return nil
}

func (o *Office) postResume(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errUnknown
	}
	if err := o.Resume(c.Request.Context(), id, place.OfficerFrom(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (o *Office) getCases(c *gin.Context) error {
	cases, err := o.Cases(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"cases": cases})
	return nil
}

func (o *Office) getLikenesses(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errNoCase
	}
	of, err := uuid.Parse(c.Param("application"))
	if err != nil {
		return errNoMatches
	}
	all, err := o.Likenesses(c.Request.Context(), id, of, place.OfficerFrom(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"fingers": all})
	return nil
}

func (o *Office) getSites(c *gin.Context) error {
	weeks, err := strconv.Atoi(c.DefaultQuery("weeks", "13"))
	if err != nil {
		return errWeeks
	}
	all, err := o.Sites(c.Request.Context(), weeks, place.OfficerFrom(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"sites": all})
	return nil
}

func (o *Office) postVerdict(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return errNoCase
	}
	var asked struct{ Verdict, Reason string }
	if err := c.ShouldBindJSON(&asked); err != nil {
		return fault.New(fault.Invalid, `Send {"verdict": "unique" or "duplicate:APPLICATION", "reason": …} as JSON.`).Named("verdict-invalid").Because(err)
	}
	if err := o.Adjudicate(c.Request.Context(), id, place.OfficerFrom(c), asked.Verdict, asked.Reason); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
