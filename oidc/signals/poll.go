package signals

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

const (
	mostAcks  = 1000
	usualSets = 50
	mostSets  = 200
	lookEvery = 500 * time.Millisecond
)

// poll hands events over to a party that asks, and forgets those that it acknowledges
// (RFC 8936). It waits for the next one unless the party is in a hurry, or too many wait.
func (t *Transmitter) poll(c *gin.Context, client string) error {
	var asked struct {
		Most *int     `json:"maxEvents"`
		Now  bool     `json:"returnImmediately"`
		Acks []string `json:"ack"`
		Errs map[string]struct {
			Err string `json:"err"`
		} `json:"setErrs"`
	}
	if err := taken(c, &asked); err != nil {
		return err
	}
	most := usualSets
	if asked.Most != nil {
		most = min(*asked.Most, mostSets)
	}
	if most < 0 || len(asked.Acks)+len(asked.Errs) > mostAcks {
		return wrong("maxEvents cannot be negative, and no more than 1000 events can be acknowledged at once.")
	}
	s, err := t.find(c, client, c.Param("id"))
	if err != nil {
		return err
	}
	var done []uuid.UUID
	for _, name := range asked.Acks {
		if id, err := uuid.Parse(name); err == nil {
			done = append(done, id)
		}
	}
	for name, said := range asked.Errs {
		if id, err := uuid.Parse(name); err == nil {
			slog.WarnContext(c, "a party refused a signal", "client", client, "event", id, "error", said.Err)
			done = append(done, id)
		}
	}
	if len(done) > 0 {
		if err := doneEvents(c, t.Pool, s.ID, done); err != nil {
			return err
		}
	}
	if s.Endpoint != nil || s.Status != statusEnabled {
		most = 0 // nothing is to be had here, but what was taken before may be acknowledged
	}
	waiting, err := t.await(c, s.ID, most, asked.Now)
	if err != nil {
		return err
	}
	sets := make(map[string]string)
	for _, q := range waiting[:min(len(waiting), most)] {
		if sets[q.ID.String()], err = t.sign(s, q); err != nil {
			return err
		}
	}
	c.JSON(http.StatusOK, map[string]any{"sets": sets, "moreAvailable": len(waiting) > most && most > 0})
	return nil
}

// await gives one more event than asked for, if there is one, and waits for the first.
func (t *Transmitter) await(c *gin.Context, stream uuid.UUID, most int, now bool) ([]queued, error) {
	if most == 0 {
		return nil, nil
	}
	if !now && t.waiting.TryAcquire(1) {
		defer t.waiting.Release(1)
	} else {
		now = true
	}
	for end := time.After(patience); ; {
		waiting, err := waitingEvents(c, t.Pool, stream, most+1)
		if err != nil || len(waiting) > 0 || now {
			return waiting, err
		}
		select {
		case <-time.After(lookEvery):
		case <-end:
			return nil, nil
		case <-c.Request.Context().Done():
			return nil, c.Request.Context().Err()
		}
	}
}
