package login

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/registry/auth"
)

// state is how far a visit has come. It lives sealed in the person's own
// browser, so that a login writes nothing before it succeeds.
type state struct {
	Visit      Visit       `json:"visit"`
	Began      time.Time   `json:"began"`
	Expires    time.Time   `json:"expires"`
	Locales    string      `json:"locales,omitempty"` // wished by the client, until the person chooses
	Hint       string      `json:"hint,omitempty"`    // who the client thinks it is
	Identifier string      `json:"identifier,omitempty"`
	Work       string      `json:"work,omitempty"` // that was spent for the number
	Method     auth.Method `json:"method,omitempty"`
	Sent       []string    `json:"sent,omitempty"`
	Again      bool        `json:"again,omitempty"`
	Challenge  []byte      `json:"challenge,omitempty"` // of a passkey
	Asking     *asking     `json:"asking,omitempty"`    // of a wallet, for a credential
	Proof      []byte      `json:"proof,omitempty"`     // sealed by the Desk for this visit
	Stayed     bool        `json:"stayed,omitempty"`    // the proof is of a session from before
}

const (
	loginCookie   = "plinth_login"
	sessionCookie = "plinth_session"
	deviceCookie  = "plinth_device"
	deviceLife    = 180 * 24 * time.Hour
	sealedFor     = "oidc login state"
	// maxCookie is below what every browser keeps (4096 with name and attributes).
	maxCookie = 3800
)

// MaxRequest is how long a question may be to travel in the cookie; longer ones
// must be kept. What else the state holds, seals and base64 take the rest.
const MaxRequest = 1300

func (f *Flow) cookieName(name string) string {
	if f.Public.Scheme == "https" {
		return "__Host-" + name
	}
	return name // browsers refuse the prefix without TLS; only localhost runs so
}

func (f *Flow) setCookie(c *gin.Context, name, value string, lasts time.Duration) {
	seconds := int(lasts / time.Second)
	if value == "" {
		seconds = -1
	}
	http.SetCookie(c.Writer, &http.Cookie{Name: f.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: f.Public.Scheme == "https"})
}

func (f *Flow) save(c *gin.Context, s state) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("saving a login: %w", err)
	}
	sealed, err := f.Ring.Seal(keys.Sessions, raw, []byte(sealedFor))
	if err != nil {
		return fmt.Errorf("saving a login: %w", err)
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	if len(value) > maxCookie {
		return fmt.Errorf("saving a login: %d bytes do not fit into a cookie", len(value))
	}
	f.setCookie(c, loginCookie, value, s.Expires.Sub(f.Now()))
	return nil
}

// load gives the visit that this browser is on.
func (f *Flow) load(r *http.Request) (state, error) {
	var s state
	kept, err := r.Cookie(f.cookieName(loginCookie))
	if err != nil {
		return s, errGone
	}
	sealed, err := base64.RawURLEncoding.DecodeString(kept.Value)
	if err != nil {
		return s, errGone
	}
	raw, err := f.Ring.Open(keys.Sessions, sealed, []byte(sealedFor))
	if err != nil {
		return s, errGone.Because(err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, errGone.Because(err)
	}
	if !f.Now().Before(s.Expires) {
		return state{}, errGone
	}
	return s, nil
}

// Current is the visit that this browser is on; the zero one when it is on none.
func (f *Flow) Current(r *http.Request) Visit {
	s, err := f.load(r)
	if err != nil {
		return Visit{}
	}
	return s.Visit
}

func (f *Flow) proof(s state) (auth.Proof, error) {
	open := f.Desk.OpenProof
	if s.Stayed {
		open = f.Desk.Stayed
	}
	p, err := open(s.Proof, []byte(s.Visit.ID))
	if err != nil {
		return auth.Proof{}, errGone.Because(err)
	}
	return p, nil
}

func (f *Flow) device(r *http.Request) string {
	kept, err := r.Cookie(f.cookieName(deviceCookie))
	if err != nil {
		return ""
	}
	return kept.Value
}
