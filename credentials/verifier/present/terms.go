package present

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/pex"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
)

// The response modes: how the answer comes back.
const (
	modePost        = "direct_post"
	modePostSealed  = "direct_post.jwt"
	modeAPI         = "dc_api" // the Digital Credentials API of browsers
	modeAPISealed   = "dc_api.jwt"
	sameDevice      = "same_device"
	crossDevice     = "cross_device"
	methodGet       = "get"
	methodPost      = "post"
	maxPurpose      = 300
	maxTransactions = 8
	maxInfo         = 8
	maxExtra        = 32 << 10 // bytes of transaction data, or of attestations
)

// Terms is what a caller asks for. The zero value of everything but the query is a
// request that suits most: sealed, signed if we can, and shown as a QR code.
type Terms struct {
	Preset      string            `json:"preset,omitempty"`
	Query       json.RawMessage   `json:"dcql_query,omitempty"`
	Definition  json.RawMessage   `json:"presentation_definition,omitempty"` // for wallets from before DCQL
	Mode        string            `json:"response_mode,omitempty"`           // direct_post.jwt unless it says otherwise
	Prefix      string            `json:"client_id_prefix,omitempty"`
	Flow        string            `json:"flow,omitempty"`               // cross_device or same_device
	Redirect    string            `json:"redirect_uri,omitempty"`       // where the browser of a same_device flow goes on
	Method      string            `json:"request_uri_method,omitempty"` // post or get
	Transaction []json.RawMessage `json:"transaction_data,omitempty"`
	Purpose     string            `json:"purpose,omitempty"`
	Info        []json.RawMessage `json:"verifier_info,omitempty"`
	Origins     []string          `json:"expected_origins,omitempty"` // of pages that use the Digital Credentials API
	Policy      verifier.Policy   `json:"policy"`
	KeepDays    int               `json:"keep_presentation_days,omitempty"`
	Seconds     int               `json:"expires_in,omitempty"`

	// Bare is for whoever has not said who it is: it learns the verdict, and nothing
	// that was disclosed.
	Bare bool `json:"-"`
}

// own tells whether the terms go beyond what anybody may ask.
func (t Terms) own() bool {
	return t.Preset == "" || t.Redirect != "" || len(t.Transaction) > 0 || len(t.Info) > 0 || len(t.Origins) > 0 || t.KeepDays != 0 || t.Purpose != "" || t.Policy.Undetermined != nil
}

// asked is a request as it is kept, sealed.
type asked struct {
	Prefix      string            `json:"prefix"`
	ClientID    string            `json:"client_id"`
	ResponseURI string            `json:"response_uri"`
	Mode        string            `json:"mode"`
	Same        bool              `json:"same,omitempty"`
	Redirect    string            `json:"redirect,omitempty"`
	Nonce       string            `json:"nonce"`
	State       string            `json:"state"`
	Query       dcql.Query        `json:"query"`
	Definition  json.RawMessage   `json:"definition,omitempty"`
	Key         []byte            `json:"key,omitempty"` // private, to which the answer is sealed
	Transaction []string          `json:"transaction,omitempty"`
	Info        []json.RawMessage `json:"info,omitempty"`
	Origins     []string          `json:"origins,omitempty"`
	Purpose     string            `json:"purpose,omitempty"`
	Policy      verifier.Policy   `json:"policy"`
	KeepDays    int               `json:"keep_days,omitempty"`
	Bare        bool              `json:"bare,omitempty"`
	Expires     time.Time         `json:"expires"`
}

func invalid(field, rule string) error {
	return fault.New(fault.Invalid, "The request cannot be made: "+field+" "+rule).Named("invalid-presentation-request").At(field, rule)
}

// settle checks the terms and fills what they leave open.
func (k *Counter) settle(t Terms, responseURI string) (asked, error) {
	a := asked{ResponseURI: responseURI, Mode: t.Mode, Same: t.Flow == sameDevice, Purpose: t.Purpose, Policy: t.Policy, KeepDays: t.KeepDays, Bare: t.Bare,
		Redirect: t.Redirect, Info: slices.Concat(k.Info, t.Info), Nonce: secret(), State: secret()}
	if a.Mode == "" {
		a.Mode = modePostSealed
	}
	for _, step := range []func(Terms, *asked) error{k.settleQuery, k.settleClient, k.settleWay, settleTransaction, k.settleBounds} {
		if err := step(t, &a); err != nil {
			return asked{}, err
		}
	}
	return a, nil
}

// settleQuery finds out what is asked for: exactly one of the three ways to say it.
func (k *Counter) settleQuery(t Terms, a *asked) (err error) {
	raw := t.Query
	ways := 0
	for _, given := range []bool{t.Preset != "", len(t.Query) > 0, len(t.Definition) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return invalid("dcql_query", "or preset or presentation_definition: exactly one of them is needed.")
	}
	if t.Preset != "" {
		at := slices.IndexFunc(k.Presets, func(p Preset) bool { return p.Name == t.Preset })
		if at < 0 {
			return invalid("preset", "is none that we know.")
		}
		raw = k.Presets[at].Query
	}
	if len(t.Definition) > 0 {
		a.Definition = t.Definition
		if raw, err = pex.Query(t.Definition); err != nil {
			return invalid("presentation_definition", "cannot be checked: "+err.Error()+".")
		}
	}
	if a.Query, err = dcql.Parse(raw); err == nil && len(t.Definition) == 0 {
		err = a.Query.Askable()
	}
	if err != nil {
		return invalid("dcql_query", "is not one: "+err.Error()+".")
	}
	return nil
}

// settleClient finds out in whose name we ask.
func (k *Counter) settleClient(t Terms, a *asked) error {
	a.Prefix = t.Prefix
	if a.Prefix == "" {
		a.Prefix = k.prefixes()[0]
	}
	var ok bool
	if a.ClientID, ok = k.clientID(a.Prefix, a.ResponseURI); !ok {
		return invalid("client_id_prefix", "must be one of "+strings.Join(k.prefixes(), ", ")+".")
	}
	return nil
}

// settleWay finds out how the request goes out and how the answer comes in.
func (k *Counter) settleWay(t Terms, a *asked) (err error) {
	switch a.Mode {
	case modePost, modePostSealed:
		if len(t.Origins) > 0 {
			return invalid("expected_origins", "is for the Digital Credentials API.")
		}
	case modeAPI, modeAPISealed:
		if len(a.Definition) > 0 {
			return invalid("presentation_definition", "is not for the Digital Credentials API.")
		}
		if a.Origins = t.Origins; len(a.Origins) == 0 {
			a.Origins = []string{k.Public.Scheme + "://" + k.Public.Host}
		}
		for _, origin := range a.Origins {
			if !isOrigin(origin) || len(a.Origins) > maxInfo {
				return invalid("expected_origins", "must be a few origins such as https://shop.example.")
			}
		}
	default:
		return invalid("response_mode", "must be direct_post.jwt, direct_post, dc_api.jwt or dc_api.")
	}
	if t.Flow != "" && t.Flow != crossDevice && t.Flow != sameDevice {
		return invalid("flow", "must be cross_device or same_device.")
	}
	if t.Method != "" && t.Method != methodGet && t.Method != methodPost {
		return invalid("request_uri_method", "must be post or get.")
	}
	if a.Same != (a.Redirect != "") {
		return invalid("redirect_uri", "goes with the flow same_device.")
	}
	if a.Redirect != "" {
		u, err := url.Parse(a.Redirect)
		if err != nil || !u.IsAbs() || u.Fragment != "" || len(a.Redirect) > 2048 || u.Scheme != "https" && u.Scheme != k.Public.Scheme {
			return invalid("redirect_uri", "must be an https address without a fragment.")
		}
	}
	if strings.HasSuffix(a.Mode, ".jwt") {
		a.Key, err = newKey()
	}
	return err
}

// isOrigin tells whether a text is a web origin as browsers write it.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && text == u.Scheme+"://"+u.Host && u.Host == strings.ToLower(u.Host) &&
		(u.Scheme == "https" || u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "[::1]"}, u.Hostname()))
}

// settleTransaction checks what the holder shall confirm. It is proved by the key
// binding of an SD-JWT VC alone; other formats have no rule for it that we know.
func settleTransaction(t Terms, a *asked) error {
	if len(t.Transaction) > maxTransactions {
		return invalid("transaction_data", "has too many entries.")
	}
	for _, raw := range t.Transaction {
		var d struct {
			Type        string   `json:"type"`
			Credentials []string `json:"credential_ids"`
			Hashes      []string `json:"transaction_data_hashes_alg"`
		}
		if len(raw) > maxExtra || json.Unmarshal(raw, &d) != nil || d.Type == "" || len(d.Credentials) == 0 {
			return invalid("transaction_data", "needs a type and credential_ids in each entry.")
		}
		if d.Hashes != nil && !slices.Contains(d.Hashes, "sha-256") {
			return invalid("transaction_data", "must allow sha-256.")
		}
		for _, id := range d.Credentials {
			c, ok := a.Query.Credential(id)
			if !ok || c.Format != dcql.FormatSDJWT || c.Unbound {
				return invalid("transaction_data", "must name credentials of the query that are dc+sd-jwt and bound to their holder.")
			}
		}
		a.Transaction = append(a.Transaction, base64.RawURLEncoding.EncodeToString(raw))
	}
	return nil
}

var printable = regexp.MustCompile(`^[^\p{Cc}]*$`)

func (k *Counter) settleBounds(t Terms, a *asked) error {
	life := standardLife
	if t.Seconds != 0 {
		life = time.Duration(t.Seconds) * time.Second
	}
	size := 0
	for _, raw := range a.Info {
		var info struct {
			Format string          `json:"format"`
			Data   json.RawMessage `json:"data"`
		}
		if json.Unmarshal(raw, &info) != nil || info.Format == "" || len(info.Data) == 0 {
			return invalid("verifier_info", "needs a format and data in each entry.")
		}
		size += len(raw)
	}
	switch {
	case life < 30*time.Second || life > longestLife:
		return invalid("expires_in", fmt.Sprintf("must be 30 to %d seconds.", int(longestLife.Seconds())))
	case len(t.Purpose) > maxPurpose || !printable.MatchString(t.Purpose):
		return invalid("purpose", fmt.Sprintf("must be one line of at most %d bytes.", maxPurpose))
	case len(a.Info) > maxInfo || size > maxExtra:
		return invalid("verifier_info", "is too large.")
	case t.KeepDays < 0 || t.KeepDays > longestKept:
		return invalid("keep_presentation_days", fmt.Sprintf("must be 0 to %d.", longestKept))
	}
	a.Expires = k.Now().Add(life)
	return t.Policy.Check()
}

// claimsTransaction gives the transactions that a credential of the query may confirm.
func (a asked) claimsTransaction(id string) []string {
	var all []string
	for _, encoded := range a.Transaction {
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		var d struct {
			Credentials []string `json:"credential_ids"`
		}
		if err == nil && json.Unmarshal(raw, &d) == nil && slices.Contains(d.Credentials, id) {
			all = append(all, encoded)
		}
	}
	return all
}
