package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/plinth-id/plinth/credentials/envelope"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

// tokened lets in who has an access token.
func (i *Issuer) tokened(take func(*gin.Context, auth.Token) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		unstored(c)
		t, err := i.Tokens.Token(c, c.Request)
		if err != nil {
			return i.Tokens.Challenge(c, err)
		}
		if t.Bound {
			c.Header("DPoP-Nonce", i.Tokens.Nonce())
		}
		return take(c, t)
	}
}

func (i *Issuer) postCredential(c *gin.Context, t auth.Token) error {
	var request CredentialRequest
	opened, err := i.read(c, &request)
	if err != nil {
		return i.refuse(c, err, false)
	}
	older := i.older(request)
	reply, err := i.reply(request.Encryption, opened || older)
	if err != nil {
		return i.refuse(c, err, older)
	}
	given, err := i.Issue(c, t, request)
	if err != nil {
		return i.refuse(c, err, older)
	}
	return i.answer(c, given, reply)
}

func (i *Issuer) postDeferred(c *gin.Context, t auth.Token) error {
	var request struct {
		Transaction string          `json:"transaction_id"`
		Encryption  json.RawMessage `json:"credential_response_encryption"`
	}
	opened, err := i.read(c, &request)
	if err != nil {
		return i.refuse(c, err, false)
	}
	reply, err := i.reply(request.Encryption, opened)
	if err != nil {
		return i.refuse(c, err, false)
	}
	given, err := i.Fetch(c, t, request.Transaction)
	if err != nil {
		return i.refuse(c, err, false)
	}
	if given.Draft13 && given.Transaction != "" {
		return answer(c, http.StatusBadRequest, map[string]any{"error": "issuance_pending", "interval": given.Interval})
	}
	return i.answer(c, given, reply)
}

func (i *Issuer) postNotification(c *gin.Context, t auth.Token) error {
	var n struct {
		ID          string `json:"notification_id"`
		Event       string `json:"event"`
		Description string `json:"event_description"`
	}
	raw, err := body(c, "application/json")
	if err == nil {
		err = decode(raw, &n)
	}
	if err != nil {
		return i.refuse(c, either(err, errNotification), false)
	}
	if n.Description != ascii(n.Description) {
		return i.refuse(c, errNotification, false)
	}
	if err := i.Notified(c, t.Grant, n.ID, n.Event); err != nil {
		return i.refuse(c, err, false)
	}
	c.Status(http.StatusNoContent)
	return nil
}

// read reads a request, which may be encrypted to us, and tells whether it was.
func (i *Issuer) read(c *gin.Context, into any) (opened bool, err error) {
	raw, err := body(c, "application/json", "application/jwt")
	if err != nil {
		return false, either(err, errRequest)
	}
	if kind, _, _ := mime.ParseMediaType(c.GetHeader("Content-Type")); kind == "application/jwt" {
		if raw, err = i.messages().Open(string(raw)); err != nil {
			if errors.Is(err, envelope.ErrMessage) {
				err = errEncryption.Because(err)
			}
			return false, err
		}
		opened = true
	}
	return opened, either(decode(raw, into), errRequest)
}

// reply reads how the answer is to be encrypted. Only in a message that is closed itself
// can a wallet name the key: otherwise somebody between could put in theirs (8.2).
func (i *Issuer) reply(raw json.RawMessage, closed bool) (*envelope.Reply, error) {
	switch {
	case !closed && i.Encrypted:
		return nil, errEncryption.Because(errors.New("requests must be encrypted here"))
	case raw == nil && i.Encrypted:
		return nil, errEncryption.Because(errors.New("answers must be encrypted here"))
	case raw == nil:
		return nil, nil
	case !closed:
		return nil, errEncryption.Because(errors.New("the request must be encrypted too"))
	}
	reply, err := envelope.ParseReply(raw)
	if err != nil {
		return nil, errEncryption.Because(err)
	}
	return reply, nil
}

// answer sends what was asked for, sealed where that was asked for too.
func (i *Issuer) answer(c *gin.Context, given Answer, reply *envelope.Reply) error {
	raw, err := i.told(given)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if given.Transaction != "" {
		status = http.StatusAccepted
	}
	if reply == nil {
		c.Data(status, "application/json", raw)
		return nil
	}
	sealed, err := reply.Seal(raw)
	if err != nil {
		return err
	}
	c.Data(status, "application/jwt", []byte(sealed))
	return nil
}

// body reads a request of one of these kinds.
func body(c *gin.Context, kinds ...string) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || !slices.Contains(kinds, kind) {
		return nil, errMalformed
	}
	return io.ReadAll(c.Request.Body)
}

// errMalformed is nobody's fault but the sender's; each endpoint has its own words for it.
var errMalformed = errors.New("the body is not of the kind that is declared, or not well formed")

func either(err error, malformed *fault.Fault) error {
	if errors.Is(err, errMalformed) {
		return malformed.Because(err)
	}
	return err
}

// decode reads one JSON object.
func decode(raw []byte, into any) error {
	if repeats(raw) {
		return errors.Join(errMalformed, errors.New("a parameter is repeated, or it is nested too deep"))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errors.Join(errMalformed, err)
	}
	return nil
}

// maxDepth bounds how deep a request may be nested: a presentation is the deepest.
const maxDepth = 24

// repeats tells whether an object anywhere in a JSON document names a member twice, of
// which one reader would take the first and another the last; or is nested deeper
// than anything that is asked for.
func repeats(raw []byte) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	type level struct {
		seen map[string]bool // of an object; nil: an array
		name bool            // the next token is a name
	}
	var open []level
	for {
		token, err := d.Token()
		if err != nil {
			return false // the end, or malformed, which others find too
		}
		here := len(open) - 1
		if here >= 0 && open[here].name {
			if key, ok := token.(string); ok {
				if here == 0 {
					key = strings.ToLower(key) // as the reader below takes the names that it knows
				}
				if open[here].seen[key] {
					return true
				}
				open[here].seen[key], open[here].name = true, false
				continue
			}
		}
		if here >= 0 && open[here].seen != nil {
			open[here].name = true // after this value
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{seen: map[string]bool{}, name: true})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:here]
			if here > 0 && open[here-1].seen != nil {
				open[here-1].name = true
			}
		}
		if len(open) > maxDepth {
			return true
		}
	}
}

// refuse answers with an error in the form of OAuth and OpenID4VCI, which is never
// encrypted. What is nobody's fault but ours is left to the router.
func (i *Issuer) refuse(c *gin.Context, err error, older bool) error {
	f := fault.Of(err)
	switch {
	case f.Kind == fault.Unauthenticated, f.Kind == fault.Denied && f.Code != errDenied.Code:
		return i.Tokens.Challenge(c, err)
	case f.Kind != fault.Invalid && f.Kind != fault.Denied:
		return err
	}
	slog.InfoContext(c, "wallet refused", "error", f.Code, "route", c.FullPath())
	told := map[string]any{"error": f.Code, "error_description": described(f)}
	if older && (f.Code == errProof.Code || f.Code == invalidNonce.Code) {
		// Draft 13 has no nonce endpoint: a new one comes with the refusal (7.3.2 there).
		told["error"] = errProof.Code
		if told["c_nonce"], err = i.Nonce(); err != nil {
			return err
		}
		told["c_nonce_expires_in"] = int(nonceLife / time.Second)
	}
	return answer(c, http.StatusBadRequest, told)
}

// described tells the maker of a wallet what was wrong. For faults of what they sent
// that is the reason too: it is about their own message, and about nobody.
func described(f *fault.Fault) string {
	text := f.Sentence
	if cause := errors.Unwrap(f); cause != nil && slices.Contains([]string{errProof.Code, errRequest.Code, errEncryption.Code}, f.Code) {
		text += " Here: " + strings.ReplaceAll(cause.Error(), "\n", ", ") + "."
	}
	return ascii(text[:min(len(text), 400)])
}

// ascii keeps to the characters that RFC 6749 allows in an error_description.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, text)
}
