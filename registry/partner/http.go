package partner

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

// SelfPath is where a relying party manages what it may change itself (RFC 7592).
const SelfPath = "/oidc/clients/"

const adminPath = "/api/v1/admin/clients"

// Doors is what Routes needs beside the Directory.
type Doors struct {
	Base      string                                                // public base URL
	Readiness func(ctx context.Context, client string) (any, error) // of the profile that a client rehearses
}

// Routes opens the doors of administration and of self-service.
func (d *Directory) Routes(r *web.Router, doors Doors) {
	r.Handle(http.MethodGet, adminPath, web.Administrator, d.getAll)
	r.Handle(http.MethodPost, adminPath, web.Administrator, doors.added(d), web.MaxBody(maxMetadata))
	r.Handle(http.MethodGet, adminPath+"/:id", web.Administrator, d.getOne)
	r.Handle(http.MethodPut, adminPath+"/:id", web.Administrator, d.putOne, web.MaxBody(maxMetadata))
	r.Handle(http.MethodPost, adminPath+"/:id/disable", web.Administrator, d.switched("disable", d.Disable))
	r.Handle(http.MethodPost, adminPath+"/:id/enable", web.Administrator, d.switched("enable", d.Enable))
	r.Handle(http.MethodPost, adminPath+"/:id/secret", web.Administrator, d.renewed)
	r.Handle(http.MethodGet, adminPath+"/:id/readiness", web.Administrator, func(c *gin.Context) error { return doors.readiness(d, c) })
	r.Handle(http.MethodGet, SelfPath+":id", web.Bearer, d.self(d.getOne))
	r.Handle(http.MethodPut, SelfPath+":id", web.Bearer, d.self(d.putSelf), web.MaxBody(maxMetadata))
	r.Handle(http.MethodPost, SelfPath+":id/secret", web.Bearer, d.self(d.renewed))
	r.Handle(http.MethodGet, SelfPath+":id/readiness", web.Bearer, d.self(func(c *gin.Context) error { return doors.readiness(d, c) }))
}

// Shown is a client as its operators see it.
type Shown struct {
	Client
	Scope    string   `json:"scope"` // as RFC 7591 writes it
	Warnings []string `json:"plinth_warnings,omitempty"`
}

func (d *Directory) shown(c Client) Shown {
	return Shown{Client: c, Scope: strings.Join(c.Scopes, " "), Warnings: c.Warnings(d.Now())}
}

func (d *Directory) getAll(c *gin.Context) error {
	all, err := d.List(c)
	if err != nil {
		return err
	}
	list := make([]Shown, 0, len(all))
	for _, one := range all {
		list = append(list, d.shown(one))
	}
	c.JSON(http.StatusOK, map[string]any{"clients": list})
	return nil
}

func (d *Directory) getOne(c *gin.Context) error {
	found, err := d.Client(c, d.Pool, c.Param("id"))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, d.shown(found))
	return nil
}

// added answers as RFC 7591 section 3.2.1 prescribes. What proves the client is
// shown this once.
func (o Doors) added(d *Directory) func(*gin.Context) error {
	return func(c *gin.Context) error {
		raw, err := io.ReadAll(c.Request.Body)
		if err != nil {
			return err
		}
		a, err := d.Add(c, raw)
		if err != nil {
			return err
		}
		answer := struct {
			Shown
			Secret  string `json:"client_secret,omitempty"`
			Expires int    `json:"client_secret_expires_at"` // 0: never
			Token   string `json:"registration_access_token"`
			URI     string `json:"registration_client_uri"`
			Issued  int64  `json:"client_id_issued_at"`
		}{d.shown(a.Client), a.Secret, 0, a.Token, o.Base + SelfPath + a.ID, d.Now().Unix()}
		c.JSON(http.StatusCreated, answer)
		return nil
	}
}

func (d *Directory) putOne(c *gin.Context) error {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	changed, err := d.Update(c, c.Param("id"), raw)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, d.shown(changed))
	return nil
}

func (d *Directory) switched(word string, do func(context.Context, string) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if err := do(c, c.Param("id")); err != nil {
			return err
		}
		c.JSON(http.StatusOK, map[string]any{"client_id": c.Param("id"), "disabled": word == "disable"})
		return nil
	}
}

func (d *Directory) renewed(c *gin.Context) error {
	secret, err := d.RotateSecret(c, c.Param("id"))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, map[string]any{"client_id": c.Param("id"), "client_secret": secret, "client_secret_expires_at": 0,
		"plinth_old_secret_until": d.Now().Add(overlap).UTC().Format(time.RFC3339)})
	return nil
}

func (o Doors) readiness(d *Directory, c *gin.Context) error {
	found, err := d.Client(c, d.Pool, c.Param("id"))
	if err != nil {
		return err
	}
	lapses, err := o.Readiness(c, found.ID)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, map[string]any{"client_id": found.ID, "plinth_profile": found.Profile, "plinth_shadow_profile": found.Rehearsed, "lapses": lapses, "warnings": found.Warnings(d.Now())})
	return nil
}

var errNotYours = fault.New(fault.Unauthenticated, "Send the registration_access_token of this relying party, which you got when it was registered.").Named("invalid_token")

// self lets in who has the registration access token of the client.
func (d *Directory) self(do func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer ")
		found, err := d.Client(c, d.Pool, c.Param("id"))
		// Whether there is such a client is told to nobody who does not manage it.
		if fault.Is(err, fault.NotFound) || err == nil && (!ok || found.Disabled || !found.Manages(token)) {
			c.Header("WWW-Authenticate", `Bearer realm="plinth", error="invalid_token"`)
			return errNotYours
		}
		if err != nil {
			return err
		}
		return do(c)
	}
}

// own are the members of its metadata that a relying party changes by itself: its
// keys, and what it says of itself beside its name. All else is granted to it.
var own = []string{"jwks", "jwks_uri", "contacts", "logo_uri", "policy_uri", "tos_uri", "client_uri"}

// ignored come back from our own answers, and mean nothing in a request.
var ignored = []string{"client_secret", "client_secret_expires_at", "registration_access_token", "registration_client_uri", "client_id_issued_at", "plinth_warnings",
	"scopes", "sector", "disabled", "client_names", "expires_at"}

func (d *Directory) putSelf(c *gin.Context) error {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	old, err := d.Client(c, d.Pool, c.Param("id"))
	if err != nil {
		return err
	}
	merged, err := d.mine(old, raw)
	if err != nil {
		return err
	}
	changed, err := d.Update(c, old.ID, merged)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, d.shown(changed))
	return nil
}

// mine puts what a relying party may change into what it is registered with.
func (d *Directory) mine(old Client, raw []byte) ([]byte, error) {
	var sent, kept map[string]json.RawMessage
	if json.Unmarshal(raw, &sent) != nil {
		return nil, refusing().f.At("metadata", "must be a JSON object")
	}
	before, err := json.Marshal(d.shown(old))
	if err == nil {
		err = json.Unmarshal(before, &kept)
	}
	if err != nil {
		return nil, err
	}
	for tag, name := range old.Names {
		if kept["client_name#"+tag], err = json.Marshal(name); err != nil {
			return nil, err
		}
	}
	r := refusing()
	for name, value := range sent {
		same := bytes.Equal(bytes.TrimSpace(value), bytes.TrimSpace(kept[name]))
		r.unless(same || slices.Contains(own, name) || slices.Contains(ignored, name), name, "can be changed by the operators of this service only")
	}
	for _, name := range own {
		if value, ok := sent[name]; ok {
			kept[name] = value
		} else if name != "jwks" && name != "jwks_uri" {
			delete(kept, name)
		}
	}
	if _, ok := sent["jwks_uri"]; ok {
		delete(kept, "jwks")
	} else if _, ok := sent["jwks"]; ok {
		delete(kept, "jwks_uri")
	}
	for _, name := range ignored {
		delete(kept, name)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return json.Marshal(kept)
}
