// Package login is what stands between a client's question and our answer: it
// finds out who the person is and what they allow. It knows pages and factors;
// of OAuth it knows nothing, and whoever asked gets a Decision.
package login

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

const (
	life    = 15 * time.Minute // from a page to the next
	longest = auth.VisitLife   // from the first page to the last, however often somebody asks for more time
)

// Visit is one question of a client that somebody came with. Either it carries
// the question itself, or the hash under which it is kept.
type Visit struct {
	ID      string          `json:"id"`
	Request json.RawMessage `json:"request,omitempty"`
	Kept    []byte          `json:"kept,omitempty"`
	Session string          `json:"session,omitempty"` // of this browser, from before
}

// Asked is what the pages show of the question, and what the answer must be like.
type Asked struct {
	Client      string                   // id
	Name        func(lang string) string // of the client, in a language (BCP 47)
	Purpose     func(lang string) string // why it asks; may be empty
	Logo        string
	Policy      string // address of the client's privacy policy
	Redirect    string // where forms may lead in the end
	Claims      []Claim
	Credentials []string
	Powers      []templates.Power // of authorization_details
	Resources   []string          // services that the client gets tokens for
	Days        int               // how long the answer is remembered
	Offline     bool              // the client may look again while the person is away
	ACR         []string          // how strong the login is to be: one of these
	Must        bool              // or it is to fail
	Binding     string            // what the client says elsewhere, for the person to compare
	Sandbox     bool
}

// Claim is one that the client asks for.
type Claim struct {
	Name      string
	Essential bool
	Verified  bool   // with the story of how it was verified
	Purpose   string // the client's words
}

// Decision is how a visit ended. Only an allowed one has a proof.
type Decision struct {
	Allowed    bool
	Proof      auth.Proof
	Claims     []string // essential and ticked
	Remembered bool     // the person answered before, and was not asked again
}

// Ending is where a visit leads.
type Ending struct {
	To      string
	Session string // by what this browser is known again; empty: as before
}

// Config is what a Flow needs; only Now may be left out.
type Config struct {
	Pool   *pgxpool.Pool
	Ring   *keys.Ring
	Desk   *auth.Desk
	Public *url.URL
	Recall func(ctx context.Context, v Visit) (Asked, error)
	// Told gives what claims of a person would tell, for the person to see. What the
	// person does not have is left out.
	Told func(ctx context.Context, person uuid.UUID, names []string, lang string) (map[string]string, error)
	// Remembers tells whether a person has answered this question before, and how.
	Remembers func(ctx context.Context, v Visit, p auth.Proof) (claims []string, answered bool, err error)
	Methods   []auth.Method // offered, in this order; nil: usualMethods
	// AskWallet asks a wallet for a credential of ours; nil: credentials log nobody in.
	AskWallet func(ctx context.Context, q WalletQuestion) (WalletRequest, error)
	// Bound hears that a person has bound the key of a wallet; nil: nobody does.
	Bound  func(ctx context.Context, person uuid.UUID) error
	Finish func(ctx context.Context, v Visit, d Decision) (Ending, error)
	Now    func() time.Time
}

// Flow leads people through the pages.
type Flow struct{ Config }

// New makes a Flow.
func New(config Config) (*Flow, error) {
	if config.Pool == nil || config.Ring == nil || config.Desk == nil || config.Public == nil || config.Recall == nil || config.Told == nil || config.Remembers == nil || config.Finish == nil {
		return nil, errors.New("login: Pool, Ring, Desk, Public, Recall, Told, Remembers and Finish are required")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Methods == nil {
		config.Methods = usualMethods
	}
	return &Flow{Config: config}, nil
}

// usualMethods are offered where a deployment says nothing else. What others may
// know of a person as well, name and birth, is not among them.
var usualMethods = []auth.Method{auth.ByCode, auth.ByPasskey, auth.ByCredential, auth.ByWallet, auth.ByFinger, auth.ByFace, auth.ByIris, auth.ByPIN, auth.ByPassword}

// offered are the methods that this deployment wants and the Desk can judge.
func (f *Flow) offered() []auth.Method {
	can := f.Desk.Offered()
	return slices.DeleteFunc(slices.Clone(f.Methods), func(m auth.Method) bool {
		return !slices.Contains(can, m) || m == auth.ByCredential && f.AskWallet == nil
	})
}

// step is what is missing before a visit can end. The state alone decides, so
// that pages never lead to one another and none can be jumped.
type step string

const (
	choose   step = "choose"   // how to prove it
	identify step = "identify" // who it is
	show     step = "show"     // the evidence
	consent  step = "consent"
)

// unnamed are the methods that say themselves whose they are.
var unnamed = []auth.Method{auth.ByPasskey, auth.ByWallet, auth.ByCredential}

func (f *Flow) missing(v visit) step {
	switch {
	case len(v.Proof) > 0 && f.enough(v):
		return consent
	case v.Method == "":
		return choose
	case v.Identifier == "" && !slices.Contains(unnamed, v.Method):
		return identify
	}
	return show
}

// enough tells whether what was proven is as strong as the client wishes, or as
// strong as it can become here.
func (f *Flow) enough(v visit) bool {
	proof, err := f.proof(v.state)
	if err != nil {
		return false
	}
	used := proof.Methods()
	met := len(v.asked.ACR) == 0 || slices.ContainsFunc(v.asked.ACR, func(acr string) bool { return auth.Meets(acr, used) })
	return met || len(auth.Useful(v.asked.ACR, used, f.offered())) == 0
}

// methods are those that the person may choose from now.
func (f *Flow) methods(v visit) []auth.Method {
	var used []auth.Method
	if proof, err := f.proof(v.state); err == nil {
		used = proof.Methods()
	}
	offered := f.offered()
	if useful := auth.Useful(v.asked.ACR, used, offered); len(useful) > 0 {
		return useful
	}
	return offered // what is wished for cannot be had; whether that will do, the client decides
}

var (
	errGone = fault.New(fault.Invalid, "This login has ended or took too long. Go back to the website that you came from and begin again.").Named("login-gone")
	errTwo  = fault.New(fault.Conflict, "Another login was begun in this browser. Go on there, or go back to the website that you came from and begin again.").Named("login-replaced")
)
