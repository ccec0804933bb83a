package signals

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	pathDiscovery = "/.well-known/ssf-configuration"
	pathStreams   = "/oidc/ssf/streams"
	pathStatus    = "/oidc/ssf/status"
	pathAdd       = "/oidc/ssf/subjects/add"
	pathRemove    = "/oidc/ssf/subjects/remove"
	pathVerify    = "/oidc/ssf/verify"
	pathPoll      = "/oidc/ssf/poll"

	// manages and reads are the scopes of parties' own tokens (CAEP Interoperability
	// Profile 1.0, 2.7.3).
	manages = "ssf.manage"
	reads   = "ssf.read"

	maxBody = 64 << 10
)

// Routes opens the doors of the transmitter.
func (t *Transmitter) Routes(r *web.Router) {
	r.Handle(http.MethodGet, pathDiscovery+strings.TrimSuffix(t.Provider.Issuer.Path, "/"), web.Anyone, t.discover, web.CORS())
	for _, d := range []struct {
		method, path, scope string
		do                  func(*gin.Context, string) error
	}{
		{http.MethodPost, pathStreams, manages, t.create}, {http.MethodGet, pathStreams, reads, t.read}, {http.MethodPatch, pathStreams, manages, t.change(false)},
		{http.MethodPut, pathStreams, manages, t.change(true)}, {http.MethodDelete, pathStreams, manages, t.remove},
		{http.MethodGet, pathStatus, reads, t.status}, {http.MethodPost, pathStatus, manages, t.setStatus},
		{http.MethodPost, pathAdd, manages, t.wants(true)}, {http.MethodPost, pathRemove, manages, t.wants(false)},
		{http.MethodPost, pathVerify, manages, t.verify}, {http.MethodPost, pathPoll + "/:id", reads, t.poll},
	} {
		r.Handle(d.method, d.path, web.Anyone, t.party(d.scope, d.do), web.CrossOrigin(), web.MaxBody(maxBody))
	}
}

// party has a door opened by the access token of a party for itself. Who may manage a
// stream may read it.
func (t *Transmitter) party(scope string, do func(*gin.Context, string) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		c.Header("Cache-Control", "no-store")
		var client string
		err := error(nil)
		for _, each := range map[string][]string{manages: {manages}, reads: {manages, reads}}[scope] {
			if client, err = t.Provider.Machine(c, c.Request, each); !fault.Is(err, fault.Denied) {
				break
			}
		}
		if fault.Is(err, fault.Unauthenticated) {
			c.Header("WWW-Authenticate", "Bearer")
		}
		if err != nil {
			return err
		}
		return do(c, client)
	}
}

func (t *Transmitter) discover(c *gin.Context) error {
	c.JSON(http.StatusOK, map[string]any{"spec_version": "1_0", "issuer": t.issuer, "jwks_uri": t.issuer + "/oidc/jwks", "delivery_methods_supported": []string{byPush, byPoll},
		"configuration_endpoint": t.issuer + pathStreams, "status_endpoint": t.issuer + pathStatus, "add_subject_endpoint": t.issuer + pathAdd, "remove_subject_endpoint": t.issuer + pathRemove,
		"verification_endpoint": t.issuer + pathVerify, "critical_subject_members": []string{"user"}, "default_subjects": "ALL",
		"authorization_schemes": []map[string]string{{"spec_urn": "urn:ietf:rfc:6749"}}})
	return nil
}

// taken reads the JSON object of a request.
func taken(c *gin.Context, into any) error {
	d := json.NewDecoder(c.Request.Body)
	err := d.Decode(into)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	if err == nil {
		if _, rest := d.Token(); !errors.Is(rest, io.EOF) {
			err = errors.New("there is more than one value")
		}
	}
	if err != nil {
		return wrong("Send one JSON object as the Shared Signals Framework describes it.").Because(err)
	}
	return nil
}

func entry(event audit.Event, client string, id uuid.UUID, details map[string]string) audit.Entry {
	return audit.Entry{Event: event, Actor: "client:" + client, Subject: id.String(), Details: details}
}

func (t *Transmitter) create(c *gin.Context, client string) error {
	var asked configuration
	if err := taken(c, &asked); err != nil {
		return err
	}
	s := stream{ID: uuid.New(), Client: client, Status: statusEnabled, Events: []string{}}
	if err := t.apply(&s, asked, true); err != nil {
		return err
	}
	err := postgres.InTx(c, t.Pool, func(tx pgx.Tx) error {
		first, err := insertStream(c, tx, s, t.Now())
		if err != nil {
			return err
		}
		if !first {
			return fault.New(fault.Conflict, "You have a stream already. Change that one, or delete it first.")
		}
		return audit.Append(c, tx, entry(audit.StreamCreated, client, s.ID, nil))
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, t.shown(s))
	return nil
}

func (t *Transmitter) read(c *gin.Context, client string) error {
	asked, named := c.GetQuery("stream_id")
	if !named {
		all, err := streamsOf(c, t.Pool, client)
		if err != nil {
			return err
		}
		shown := make([]configuration, 0, len(all))
		for _, s := range all {
			shown = append(shown, t.shown(s))
		}
		c.JSON(http.StatusOK, shown)
		return nil
	}
	s, err := t.find(c, client, asked)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, t.shown(s))
	return nil
}

func (t *Transmitter) find(c *gin.Context, client, name string) (stream, error) {
	id, err := parseStream(name)
	if err != nil {
		return stream{}, err
	}
	return streamOf(c, t.Pool, client, id)
}

// changed changes a stream, and records that.
func (t *Transmitter) changed(c *gin.Context, client, name string, do func(tx pgx.Tx, s *stream) error) (s stream, err error) {
	id, err := parseStream(name)
	if err != nil {
		return s, err
	}
	err = postgres.InTx(c, t.Pool, func(tx pgx.Tx) error {
		if s, err = lockStream(c, tx, client, id); err != nil {
			return err
		}
		if err := do(tx, &s); err != nil {
			return err
		}
		if err := updateStream(c, tx, s, t.Now()); err != nil {
			return err
		}
		return audit.Append(c, tx, entry(audit.StreamChanged, client, id, map[string]string{"status": s.Status}))
	})
	t.wake()
	return s, err
}

func (t *Transmitter) change(replace bool) func(*gin.Context, string) error {
	return func(c *gin.Context, client string) error {
		var asked configuration
		if err := taken(c, &asked); err != nil {
			return err
		}
		s, err := t.changed(c, client, asked.StreamID, func(_ pgx.Tx, s *stream) error { return t.apply(s, asked, replace) })
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, t.shown(s))
		return nil
	}
}

func (t *Transmitter) remove(c *gin.Context, client string) error {
	id, err := parseStream(c.Query("stream_id"))
	if err != nil {
		return err
	}
	err = postgres.InTx(c, t.Pool, func(tx pgx.Tx) error {
		there, err := deleteStream(c, tx, client, id)
		if err != nil || !there {
			return errors.Join(err, notThere(there))
		}
		return audit.Append(c, tx, entry(audit.StreamDeleted, client, id, nil))
	})
	if err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func notThere(there bool) error {
	if there {
		return nil
	}
	return errNoStream
}

// state is the status of a stream as it travels (SSF 1.0, 8.1.2).
type state struct {
	StreamID string `json:"stream_id"`
	Status   string `json:"status"`
	Reason   string `json:"reason,omitempty"`
}

func (t *Transmitter) status(c *gin.Context, client string) error {
	s, err := t.find(c, client, c.Query("stream_id"))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, state{s.ID.String(), s.Status, s.Reason})
	return nil
}

func (t *Transmitter) setStatus(c *gin.Context, client string) error {
	var asked state
	if err := taken(c, &asked); err != nil {
		return err
	}
	if asked.Status != statusEnabled && asked.Status != statusPaused && asked.Status != statusDisabled {
		return wrong("status must be enabled, paused or disabled.")
	}
	s, err := t.changed(c, client, asked.StreamID, func(tx pgx.Tx, s *stream) error {
		s.Status, s.Reason = asked.Status, shortened(asked.Reason)
		if s.Status == statusDisabled {
			return dropEvents(c, tx, s.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, state{s.ID.String(), s.Status, s.Reason})
	return nil
}

// wants adds a subject to what a party hears of, or takes it out. Whether we know the
// subject is not told (SSF 1.0, 9.1).
func (t *Transmitter) wants(more bool) func(*gin.Context, string) error {
	return func(c *gin.Context, client string) error {
		var asked struct {
			StreamID string `json:"stream_id"`
			Subject  struct {
				Format string `json:"format"`
				Issuer string `json:"iss"`
				Name   string `json:"sub"`
			} `json:"subject"`
		}
		if err := taken(c, &asked); err != nil {
			return err
		}
		if asked.Subject.Format != "iss_sub" || asked.Subject.Issuer != t.issuer || asked.Subject.Name == "" || len(asked.Subject.Name) > longestText {
			return wrong("subject must be of format iss_sub, with our iss and the sub by which you know the person.")
		}
		s, err := t.find(c, client, asked.StreamID)
		if err != nil {
			return err
		}
		note, status := addUnwanted, http.StatusNoContent
		if more {
			note, status = dropUnwanted, http.StatusOK
		}
		if err := note(c, t.Pool, s.ID, t.unwanted(s.ID, asked.Subject.Name)); err != nil {
			return err
		}
		c.Status(status)
		return nil
	}
}

func (t *Transmitter) verify(c *gin.Context, client string) error {
	var asked struct {
		StreamID string  `json:"stream_id"`
		State    *string `json:"state"`
	}
	if err := taken(c, &asked); err != nil {
		return err
	}
	if asked.State != nil && len(*asked.State) > longestText {
		return wrong("state is too long.")
	}
	id, err := parseStream(asked.StreamID)
	if err != nil {
		return err
	}
	err = postgres.InTx(c, t.Pool, func(tx pgx.Tx) error {
		s, err := lockStream(c, tx, client, id)
		if err != nil {
			return err
		}
		if may, err := verifyNow(c, tx, id, t.Now()); err != nil || !may {
			return errors.Join(err, fault.New(fault.Busy, "A verification was asked for a moment ago. Wait as long as min_verification_interval says.").Named(web.RateLimited))
		}
		claims := map[string]any{}
		if asked.State != nil {
			claims["state"] = *asked.State
		}
		return t.enqueue(c, tx, s.ID, event{Type: verification, Subject: map[string]any{"format": "opaque", "id": id.String()}, Claims: claims, At: t.Now().Unix()})
	})
	if err != nil {
		return err
	}
	t.wake()
	c.Status(http.StatusNoContent)
	return nil
}
