package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
)

// IdempotencyConfig says where answers are kept and how they are sealed.
type IdempotencyConfig struct {
	Pool *pgxpool.Pool
	Seal func(plain, ad []byte) ([]byte, error)
	Open func(sealed, ad []byte) ([]byte, error)
	PRF  func(label string, parts ...[]byte) []byte // 32 bytes; keys.Ring.PRF in the binary
}

// record is what is sealed under a key: what was asked, and the answer once there
// is one.
type record struct {
	Asked  []byte // SHA-256 of the request
	Status int
	Header map[string]string
	Body   []byte
}

// turn is one attempt at the work under a key.
type turn struct {
	id, asked []byte
	claim     uuid.UUID
}

// replayed are the headers that belong to an answer rather than to its sending.
var replayed = []string{"Content-Type", "Location", "Retry-After"}

// Idempotency makes a changing call safe to send again: under the same
// Idempotency-Key the first success is answered once more, for a day. A refusal
// changed nothing and is not kept. Keys belong to the actor that the guard set, or
// to the Authorization header; anonymous calls have none.
//
// If we fall between the handler's commit and the keeping of its answer, the call
// runs again: the handler's own constraints then show the one effect.
func Idempotency(config IdempotencyConfig) Option {
	return func(d *door) {
		d.wraps = append(d.wraps, func(next func(*gin.Context) error) func(*gin.Context) error {
			return func(c *gin.Context) error { return config.handle(c, next) }
		})
	}
}

func (i IdempotencyConfig) handle(c *gin.Context, next func(*gin.Context) error) error {
	key, actor := c.GetHeader("Idempotency-Key"), actor(c)
	if key == "" || actor == "" {
		return next(c)
	}
	if len(key) > 255 {
		return fault.New(fault.Invalid, "The Idempotency-Key has more than 255 characters. Please use a shorter one, such as a UUID.")
	}
	asked, err := fingerprint(c)
	if err != nil {
		return err
	}
	t := turn{id: i.PRF("web/idempotency", []byte(actor), []byte(key)), claim: uuid.New(), asked: asked}
	sealed, err := i.seal(t.id, record{Asked: asked})
	if err != nil {
		return err
	}
	mine, err := begin(c.Request.Context(), i.Pool, t.id, entry{Claim: t.claim, Sealed: sealed})
	if err != nil {
		return err
	}
	if !mine {
		done, err := i.again(c, t)
		if err != nil || done {
			return err
		}
	}
	return i.first(c, t, next)
}

// first runs the handler and keeps its answer before anybody sees it.
func (i IdempotencyConfig) first(c *gin.Context, t turn, next func(*gin.Context) error) error {
	real := c.Writer
	kept := &capture{ResponseWriter: real, status: http.StatusOK}
	c.Writer = kept
	err := protected(func() error { return next(c) }) // or a panic would keep the key taken
	c.Writer = real
	last, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), 10*time.Second)
	defer cancel()
	if err != nil {
		return errors.Join(err, release(last, i.Pool, t.id, t.claim))
	}
	r := record{Asked: t.asked, Status: kept.status, Body: kept.body.Bytes(), Header: map[string]string{}}
	for _, name := range replayed {
		if value := real.Header().Get(name); value != "" {
			r.Header[name] = value
		}
	}
	sealed, err := i.seal(t.id, r)
	if err != nil {
		return err
	}
	if err := finish(last, i.Pool, t.id, entry{Claim: t.claim, Sealed: sealed}); err != nil {
		return err
	}
	return send(c, r)
}

// again answers a key that is taken. It reports false when nobody works on it any
// more and the work is ours now.
func (i IdempotencyConfig) again(c *gin.Context, t turn) (bool, error) {
	e, err := earlier(c.Request.Context(), i.Pool, t.id)
	if err != nil {
		return false, err
	}
	plain, err := i.Open(e.Sealed, t.id)
	if err != nil {
		return false, fmt.Errorf("opening a kept answer: %w", err)
	}
	var r record
	if err := json.Unmarshal(plain, &r); err != nil {
		return false, fmt.Errorf("reading a kept answer: %w", err)
	}
	if subtle.ConstantTimeCompare(r.Asked, t.asked) != 1 {
		return false, fault.New(fault.Conflict, "This Idempotency-Key was used for another request. Please choose a new key for a new request.").Named(keyReused)
	}
	if e.Done {
		c.Header("Idempotency-Replayed", "true")
		return true, send(c, r)
	}
	if e.Stale {
		ours, err := takeOver(c.Request.Context(), i.Pool, t.id, e.Claim, t.claim)
		if err != nil || ours {
			return false, err
		}
	}
	c.Header("Retry-After", "2")
	return false, fault.New(fault.Conflict, "The first request with this Idempotency-Key is still under way. Please send it again in a few seconds.").Named("idempotency-key-in-use")
}

func (i IdempotencyConfig) seal(id []byte, r record) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("keeping an answer: %w", err)
	}
	sealed, err := i.Seal(plain, id)
	if err != nil {
		return nil, fmt.Errorf("sealing an answer: %w", err)
	}
	return sealed, nil
}

func actor(c *gin.Context) string {
	if set := c.GetString(actorKey); set != "" {
		return "actor " + set
	}
	if token := c.GetHeader("Authorization"); token != "" {
		return "token " + token
	}
	return ""
}

// fingerprint digests what is asked, and leaves the body for the handler to read.
// The digest of a body may betray a person, so it is only ever stored sealed.
func fingerprint(c *gin.Context) ([]byte, error) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q\n", c.Request.Method, c.Request.URL.RequestURI(), c.GetHeader("Content-Type"))
	h.Write(body)
	return h.Sum(nil), nil
}

func send(c *gin.Context, r record) error {
	for name, value := range r.Header {
		c.Header(name, value)
	}
	c.Writer.WriteHeader(r.Status)
	_, err := c.Writer.Write(r.Body)
	return err
}

// capture holds an answer back until it is kept.
type capture struct {
	gin.ResponseWriter
	status int
	body   bytes.Buffer
	wrote  bool
}

// Write holds bytes back.
func (w *capture) Write(p []byte) (int, error) { w.wrote = true; return w.body.Write(p) }

// WriteString holds text back.
func (w *capture) WriteString(s string) (int, error) { w.wrote = true; return w.body.WriteString(s) }

// WriteHeader holds the status back.
func (w *capture) WriteHeader(status int) { w.status = status }

// WriteHeaderNow sends nothing yet.
func (w *capture) WriteHeaderNow() { w.wrote = true }

// Flush sends nothing yet.
func (w *capture) Flush() {}

// Status is the one held back.
func (w *capture) Status() int { return w.status }

// Size is that of the body held back.
func (w *capture) Size() int { return w.body.Len() }

// Written reports whether the handler has answered.
func (w *capture) Written() bool { return w.wrote }
