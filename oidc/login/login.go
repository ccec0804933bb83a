// Package login is what stands between a client's question and our answer: it
// finds out who the person is and what they allow. It knows pages and factors;
// of OAuth it knows nothing, and whoever asked gets a Decision.
package login

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry/auth"
)

// life is how long a person may take from the first page to the last.
const life = 10 * time.Minute

// Visit is one question of a client that somebody came with. Either it carries
// the question itself, or the hash under which it is kept.
type Visit struct {
	ID      string          `json:"id"`
	Request json.RawMessage `json:"request,omitempty"`
	Kept    []byte          `json:"kept,omitempty"`
}

// Asked is what the pages show of the question.
type Asked struct {
	Client      string                   // id
	Name        func(lang string) string // of the client, in a language of the pages
	Redirect    string                   // where forms may lead in the end
	Claims      []Claim
	Credentials []string
	Hint        string // who the client thinks it is
	Minutes     int    // how long it may read the claims
}

// Claim is one that the client asks for.
type Claim struct {
	Name      string
	Essential bool
}

// Decision is how a visit ended. Only an allowed one has a proof.
type Decision struct {
	Allowed bool
	Proof   auth.Proof
	Claims  []string // essential and ticked
}

// Config is what a Flow needs; only Now may be left out.
type Config struct {
	Ring   *keys.Ring
	Desk   *auth.Desk
	Public *url.URL
	Recall func(ctx context.Context, v Visit) (Asked, error)
	// Told gives what claims of a person would tell, for the person to see. What the
	// person does not have is left out.
	Told   func(ctx context.Context, person uuid.UUID, names []string, lang string) (map[string]string, error)
	Finish func(ctx context.Context, v Visit, d Decision) (to string, err error)
	Now    func() time.Time
}

// Flow leads people through the pages.
type Flow struct{ Config }

// New makes a Flow.
func New(config Config) (*Flow, error) {
	if config.Ring == nil || config.Desk == nil || config.Public == nil || config.Recall == nil || config.Told == nil || config.Finish == nil {
		return nil, errors.New("login: Ring, Desk, Public, Recall, Told and Finish are required")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Flow{Config: config}, nil
}

// step is what is missing before a visit can end. The state alone decides, so
// that pages never lead to one another and none can be jumped.
type step string

const (
	identify step = "identify"
	code     step = "code"
	finger   step = "finger"
	consent  step = "consent"
)

func (s state) missing() step {
	switch {
	case s.Proof != nil:
		return consent
	case s.Factor == string(code):
		return code
	case s.Factor == string(finger):
		return finger
	}
	return identify
}

var (
	errGone = fault.New(fault.Invalid, "This login has ended or took too long. Go back to the website that you came from and begin again.").Named("login-gone")
	errTwo  = fault.New(fault.Conflict, "Another login was begun in this browser. Go on there, or go back to the website that you came from and begin again.").Named("login-replaced")
)
