package present

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/pex"
	"github.com/plinth-id/plinth/internal/fault"
)

const (
	maxResponse  = 1 << 20 // bytes of an answer
	maxToken     = 32      // queries that it answers
	maxPerQuery  = 16      // presentations of each
	maxErrorText = 300
)

// refused is an answer that is not taken, in the form of OAuth.
func refused(sentence string) *fault.Fault {
	return fault.New(fault.Invalid, sentence).Named("invalid_request")
}

var (
	errForm   = refused("The response is not in the form of the response mode that was asked for.")
	errSealed = refused("The response is not encrypted to the key of this request, by ECDH-ES with A128GCM or A256GCM.")
	errState  = refused("The state is not that of the request.")
	errToken  = refused("vp_token is not an object of the credentials that were asked for, each with its presentations.")
)

// response is what a wallet sent.
type response struct {
	State string
	Error string // the wallet's own, when it declines
	Token map[string][]json.RawMessage
	Whole []byte // as it came, for its hash
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,64}$`)

// fromForm reads direct_post and direct_post.jwt.
func (a asked) fromForm(form url.Values, whole []byte) (response, error) {
	for _, name := range []string{"vp_token", "state", "response", "error", "presentation_submission"} {
		if len(form[name]) > 1 {
			return response{}, errForm
		}
	}
	r := response{Whole: whole, State: form.Get("state"), Error: form.Get("error")}
	if r.Error != "" { // may come in the open when a wallet cannot encrypt (8.3.1)
		return r, a.declined(&r)
	}
	members := map[string]json.RawMessage{"vp_token": json.RawMessage(form.Get("vp_token")), "presentation_submission": json.RawMessage(form.Get("presentation_submission"))}
	if len(a.Key) > 0 {
		var err error
		if members, err = a.unseal(form.Get("response")); err != nil {
			return response{}, err
		}
	} else if form.Get("vp_token") == "" {
		return response{}, errForm
	}
	return a.fromMembers(r, members)
}

// fromBrowser reads what the Digital Credentials API gave: the members of data.
func (a asked) fromBrowser(members map[string]json.RawMessage, whole []byte) (response, error) {
	r := response{Whole: whole, State: a.State} // the browser keeps request and answer together
	if raw, declined := members["error"]; declined {
		if json.Unmarshal(raw, &r.Error) != nil {
			return response{}, errForm
		}
		return r, a.declined(&r)
	}
	if len(a.Key) > 0 {
		var sealed string
		if json.Unmarshal(members["response"], &sealed) != nil {
			return response{}, errSealed
		}
		var err error
		if members, err = a.unseal(sealed); err != nil {
			return response{}, err
		}
	}
	return a.fromMembers(r, members)
}

// declined checks a wallet's error. Whoever knows the state may end the request.
func (a asked) declined(r *response) error {
	if !errorCode.MatchString(r.Error) {
		return errForm
	}
	if !a.overAPI() && !equal(r.State, a.State) {
		return errState
	}
	return nil
}

func equal(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }

// unseal decrypts an answer by the key of this request.
func (a asked) unseal(sealed string) (map[string]json.RawMessage, error) {
	key, err := a.key()
	if err != nil {
		return nil, err
	}
	return unsealBy(sealed, key)
}

// unsealBy decrypts an answer. The header must say what we asked for: this key, one of
// our algorithms, and no compression.
func unsealBy(sealed string, key jose.JSONWebKey) (map[string]json.RawMessage, error) {
	head, _, ok := strings.Cut(sealed, ".")
	rawHead, err := base64.RawURLEncoding.DecodeString(head)
	if !ok || err != nil || len(rawHead) > 4096 {
		return nil, errSealed
	}
	var header struct {
		Kid  string          `json:"kid"`
		Zip  json.RawMessage `json:"zip"`
		Crit json.RawMessage `json:"crit"`
		Cty  string          `json:"cty"`
	}
	if json.Unmarshal(rawHead, &header) != nil || header.Kid != key.KeyID || header.Zip != nil || header.Crit != nil || strings.EqualFold(header.Cty, "jwt") {
		return nil, errSealed
	}
	parsed, err := jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.ECDH_ES}, sealings)
	if err != nil {
		return nil, errSealed.Because(err)
	}
	plain, err := parsed.Decrypt(key.Key)
	if err != nil {
		return nil, errSealed.Because(err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(plain, &members) != nil {
		return nil, errSealed
	}
	return members, nil
}

// fromMembers reads the parameters of an answer.
func (a asked) fromMembers(r response, members map[string]json.RawMessage) (response, error) {
	if raw, ok := members["state"]; ok {
		var state string
		if json.Unmarshal(raw, &state) != nil || r.State != "" && !equal(r.State, state) {
			return response{}, errState
		}
		r.State = state
	}
	if raw, declined := members["error"]; declined {
		if json.Unmarshal(raw, &r.Error) != nil {
			return response{}, errForm
		}
		return r, a.declined(&r)
	}
	if !a.overAPI() && !equal(r.State, a.State) {
		return response{}, errState
	}
	var err error
	if len(a.Definition) > 0 {
		r.Token, err = a.fromSubmission(members)
	} else {
		r.Token, err = readToken(members["vp_token"])
	}
	return r, err
}

// fromSubmission reads the answer of a wallet from before DCQL.
func (a asked) fromSubmission(members map[string]json.RawMessage) (map[string][]json.RawMessage, error) {
	token := members["vp_token"]
	if !json.Valid(token) { // a bare text, as forms carry it
		raw, err := json.Marshal(string(token))
		if err != nil {
			return nil, errToken
		}
		token = raw
	}
	answer, err := pex.Answer(a.Definition, token, members["presentation_submission"])
	if err != nil {
		return nil, errToken.Because(err)
	}
	return answer, nil
}

// readToken reads vp_token: by the id of a query, its presentations.
func readToken(raw json.RawMessage) (map[string][]json.RawMessage, error) {
	var token map[string][]json.RawMessage
	if repeats(raw) || json.Unmarshal(raw, &token) != nil || len(token) == 0 || len(token) > maxToken {
		return nil, errToken
	}
	for _, presentations := range token {
		if len(presentations) == 0 || len(presentations) > maxPerQuery || slices.ContainsFunc(presentations, func(p json.RawMessage) bool {
			return len(p) == 0 || p[0] != '"' && p[0] != '{'
		}) {
			return nil, errToken
		}
	}
	return token, nil
}
