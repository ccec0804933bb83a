package place

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	officerKey = "place.officer"
	tokenKey   = "place.token"
)

// Guard lets officers of these roles in, by the bearer token of their session.
func (d *Directory) Guard(roles ...Role) func(*gin.Context) error {
	return func(c *gin.Context) error {
		token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
		if !ok || token == "" || len(token) > 128 {
			return fault.New(fault.Unauthenticated, "This is for officers. Sign in first.").Named("sign-in-needed")
		}
		o, err := d.Session(c.Request.Context(), token)
		if err != nil {
			return err
		}
		if !slices.Contains(roles, o.Role) {
			return fault.New(fault.Denied, "Your role may not do this. Ask an officer who may.").Named("role-missing")
		}
		web.SetActor(c, actor(o))
		c.Set(officerKey, o)
		c.Set(tokenKey, token)
		return nil
	}
}

// OfficerFrom is the officer whom Guard let in.
func OfficerFrom(c *gin.Context) Officer {
	o, _ := c.MustGet(officerKey).(Officer)
	return o
}

// Routes opens the doors of sessions.
func (d *Directory) Routes(r *web.Router) {
	r.Handle("POST", "/api/v1/sessions", web.Anyone, d.signIn, web.MaxBody(4<<10))
	r.Handle("DELETE", "/api/v1/sessions", web.Officer, d.signOut)
}

func (d *Directory) signIn(c *gin.Context) error {
	var asked struct{ Name, Password string }
	if err := c.ShouldBindJSON(&asked); err != nil {
		return fault.New(fault.Invalid, `Send {"name": …, "password": …} as JSON.`).Because(err)
	}
	token, o, err := d.SignIn(c.Request.Context(), asked.Name, asked.Password, web.From(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"token": token, "officer": o})
	return nil
}

func (d *Directory) signOut(c *gin.Context) error {
	if err := d.SignOut(c.Request.Context(), c.GetString(tokenKey), OfficerFrom(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}
