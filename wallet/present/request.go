// Package present answers verifiers that ask for cards (OpenID4VP 1.0, and drafts of
// it): who asks is made sure of, what would leave is found, and what the owner chose is
// made ready to be signed. Like every errand it has no keys.
package present

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
)

const (
	requestType = "oauth-authz-req+jwt"
	anyWallet   = "https://self-issued.me/v2"
	maxRequest  = 256 << 10
	clockSkew   = time.Minute
)

// request is what a verifier asks (OpenID4VP 1.0, section 5), once it was found to be
// in order.
type request struct {
	ClientID     string          `json:"client_id"`
	Scheme       string          `json:"client_id_scheme,omitempty"` // of drafts
	Type         string          `json:"response_type"`
	Mode         string          `json:"response_mode"`
	Response     string          `json:"response_uri,omitempty"`
	Redirect     string          `json:"redirect_uri,omitempty"`
	Nonce        string          `json:"nonce"`
	State        string          `json:"state,omitempty"`
	Query        json.RawMessage `json:"dcql_query,omitempty"`
	Definition   json.RawMessage `json:"presentation_definition,omitempty"` // of drafts
	DefinitionAt string          `json:"presentation_definition_uri,omitempty"`
	Metadata     verifierData    `json:"client_metadata"`
	Transactions []string        `json:"transaction_data,omitempty"`
	Info         []verifierInfo  `json:"verifier_info,omitempty"`
	Audience     any             `json:"aud,omitempty"`
	WalletNonce  string          `json:"wallet_nonce,omitempty"`
	Expires      float64         `json:"exp,omitempty"`
	Issued       float64         `json:"iat,omitempty"`
	NotBefore    float64         `json:"nbf,omitempty"`
}

// verifierData is what a wallet needs of a verifier's metadata.
type verifierData struct {
	Name     string              `json:"client_name,omitempty"`
	Logo     string              `json:"logo_uri,omitempty"`
	Policy   string              `json:"policy_uri,omitempty"`
	Keys     *jose.JSONWebKeySet `json:"jwks,omitempty"`
	Contents []string            `json:"encrypted_response_enc_values_supported,omitempty"`
	OldAlg   string              `json:"authorization_encrypted_response_alg,omitempty"` // of drafts
	OldEnc   string              `json:"authorization_encrypted_response_enc,omitempty"`
}

type verifierInfo struct {
	Format string          `json:"format"`
	Data   json.RawMessage `json:"data"`
}

// Show is an answer to a verifier on its way.
type Show struct {
	Begun   time.Time     `json:"begun"`
	Request request       `json:"request"`
	Prefix  string        `json:"prefix"`
	Pex     []string      `json:"pex,omitempty"` // its id, then those of its descriptors
	Query   *dcql.Query   `json:"query,omitempty"`
	Asked   Asked         `json:"asked"`
	Cards   []holder.Card `json:"cards,omitempty"`
	Built   []built       `json:"built,omitempty"`
}

// Asked is what the owner must know before choosing.
type Asked struct {
	Who          Who              `json:"who"`
	Purpose      string           `json:"purpose,omitempty"`
	Wants        []Want           `json:"wants"`
	Transactions []map[string]any `json:"transactions,omitempty"`
	Once         string           `json:"once"` // a wallet answers a request with this mark once
}

// Want is a kind of card that is asked for.
type Want struct {
	Format string     `json:"format"`
	Types  [][]string `json:"types,omitempty"`
}

// Desk answers verifiers.
type Desk struct {
	Run     *errand.Runner
	Anchors func() *x509.CertPool // authorities that certify verifiers; nil: the wallet was told of none
	Own     string                // DID of the verifier of whoever serves this wallet; empty: none
}

// Turn is what an answer says when it stops.
type Turn struct {
	Sign []holder.Signing `json:"sign,omitempty"` // it goes on with these signatures
	Sent *Sent            `json:"sent,omitempty"` // the verifier has been answered
	Said []Disclosed      `json:"said,omitempty"` // with what
	Done bool             `json:"done,omitempty"`
}

// bounded gives what a person waits for an end.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Minute)
}

var (
	errRequest  = fault.New(fault.Invalid, "This is no request that a wallet can answer. Scan the code or open the link again.").Named("bad-request")
	errVerifier = fault.New(fault.Denied, "Who asks could not be made sure of, or the request was changed on the way. Nothing was shown to anybody.").Named("verifier-unproven")
	errExpired  = fault.New(fault.Invalid, "This request is too old. Begin again where you found it.").Named("request-expired")
)

// Open reads a verifier's request and finds out who asks.
func (d *Desk) Open(ctx context.Context, link string) (*Show, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || len(link) > 64<<10 {
		return nil, errRequest
	}
	query := u.Query()
	for _, values := range query {
		if len(values) > 1 {
			return nil, errRequest.Because(errors.New("a parameter is repeated"))
		}
	}
	s := &Show{Begun: d.Run.Now()}
	object := query.Get("request")
	switch {
	case query.Get("request_uri") != "" && object == "":
		if object, err = d.fetchRequest(ctx, query, s); err != nil {
			return nil, err
		}
	case object == "":
		if err := plainRequest(query, &s.Request); err != nil {
			return nil, err
		}
	}
	// RFC 9101, section 5: who asks stands in the link too, and must be the same.
	id := query.Get("client_id")
	if object != "" {
		if id == "" {
			return nil, errRequest.Because(errors.New("the link does not say who asks"))
		}
		err = d.proveRequest(ctx, object, s)
	} else {
		err = s.unsigned()
	}
	if err != nil {
		return nil, err
	}
	if id != s.Request.ClientID {
		return nil, errVerifier.Because(errors.New("the request is another party's than the link says"))
	}
	return s, d.judge(ctx, s)
}

// plainRequest reads a request that stands in the link itself.
func plainRequest(query url.Values, into *request) error {
	members := make(map[string]any)
	for name, values := range query {
		members[name] = values[0]
		if slices.Contains([]string{"dcql_query", "presentation_definition", "client_metadata", "transaction_data", "verifier_info"}, name) {
			members[name] = json.RawMessage(values[0])
		}
	}
	raw, err := json.Marshal(members)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil || into.ClientID == "" {
		return errRequest.Because(errors.New("the parameters of the link cannot be read"))
	}
	return nil
}

// fetchRequest gets the request object from where the verifier keeps it.
func (d *Desk) fetchRequest(ctx context.Context, query url.Values, s *Show) (string, error) {
	m := errand.Message{Method: "GET", URL: query.Get("request_uri")}
	nonce := ""
	switch query.Get("request_uri_method") {
	case "", "get":
	case "post":
		nonce = rand.Text()
		m = errand.FormTo(m.URL, url.Values{"wallet_nonce": {nonce}, "wallet_metadata": {walletMetadata}})
	default:
		return "", errRequest.Because(errors.New("unknown request_uri_method"))
	}
	m.Header = map[string]string{"Accept": "application/" + requestType}
	answer, err := d.Run.Send(ctx, m)
	if err != nil {
		return "", err
	}
	raw, err := answer.OK()
	if err != nil {
		return "", errExpired.Because(err)
	}
	if len(raw) > maxRequest {
		return "", errRequest.Because(errors.New("the request is too long"))
	}
	s.Request.WalletNonce = nonce
	return strings.TrimSpace(string(raw)), nil
}

// walletMetadata says what this wallet can do.
const walletMetadata = `{"vp_formats_supported":{"dc+sd-jwt":{"sd-jwt_alg_values":["ES256","EdDSA"],"kb-jwt_alg_values":["ES256"]},"mso_mdoc":{},` +
	`"ldp_vc":{"proof_type_values":["DataIntegrityProof"],"cryptosuite_values":["eddsa-rdfc-2022","ecdsa-rdfc-2019"]},"jwt_vc_json":{"alg_values":["ES256","EdDSA"]}},` +
	`"client_id_prefixes_supported":["redirect_uri","x509_san_dns","x509_hash","decentralized_identifier"],"request_object_signing_alg_values_supported":["ES256","EdDSA","PS256"],` +
	`"response_types_supported":["vp_token"],"response_modes_supported":["direct_post","direct_post.jwt"]}`

// judge checks what a request says, whoever asks it.
func (d *Desk) judge(ctx context.Context, s *Show) error {
	q, now := &s.Request, d.Run.Now()
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	switch {
	case q.Expires != 0 && !now.Before(at(q.Expires).Add(clockSkew)):
		return errExpired
	case q.Issued != 0 && at(q.Issued).After(now.Add(clockSkew)), q.NotBefore != 0 && at(q.NotBefore).After(now.Add(clockSkew)):
		return errRequest.Because(errors.New("the request is from the future"))
	case q.Type != "vp_token":
		return errRequest.Because(errors.New("another response_type than vp_token"))
	case q.Mode != "direct_post" && q.Mode != "direct_post.jwt":
		return errRequest.Because(errors.New("a response_mode that this wallet does not have"))
	case q.Redirect != "" && s.Prefix != "redirect_uri":
		return errRequest.Because(errors.New("redirect_uri beside response_uri"))
	case len(q.Nonce) < 8 || len(q.Nonce) > 512 || strings.ContainsFunc(q.Nonce, func(c rune) bool { return c <= ' ' || c > '~' }):
		return errRequest.Because(errors.New("no nonce"))
	case (q.Query == nil) == (q.Definition == nil && q.DefinitionAt == ""):
		return errRequest.Because(errors.New("not exactly one query"))
	}
	to, err := errand.Address(q.Response)
	if err != nil {
		return err
	}
	s.Asked.Who.Domain = to.Host
	s.Asked.Once = once(q.ClientID, q.Nonce)
	if err := s.transactions(); err != nil {
		return err
	}
	return d.question(ctx, s)
}

// question reads what is asked for.
func (d *Desk) question(ctx context.Context, s *Show) error {
	q := &s.Request
	if q.DefinitionAt != "" {
		raw, err := d.Run.Text(ctx, q.DefinitionAt, "application/json")
		if err != nil {
			return errRequest.Because(errors.New("the definition cannot be fetched"))
		}
		q.Definition = raw
	}
	var query dcql.Query
	var err error
	if q.Query != nil {
		query, err = dcql.Parse(q.Query)
	} else {
		query, err = s.translate(q.Definition)
	}
	if err != nil {
		return errRequest.Because(err)
	}
	s.Query = &query
	for _, c := range query.Credentials {
		s.Asked.Wants = append(s.Asked.Wants, Want{Format: c.Format, Types: c.Types})
	}
	return nil
}

// transactions reads what the owner would authorize beside showing cards. What is
// not understood is refused as a whole, since it would be signed unseen.
func (s *Show) transactions() error {
	bad := fault.New(fault.Invalid, "The request wants you to authorize something that this wallet cannot show. Nothing was sent.").Named("invalid_transaction_data")
	if len(s.Request.Transactions) > 10 {
		return bad
	}
	for _, encoded := range s.Request.Transactions {
		raw, err := base64.RawURLEncoding.DecodeString(encoded)
		var t map[string]any
		if err != nil || len(raw) > 16<<10 || json.Unmarshal(raw, &t) != nil {
			return bad.Because(errors.New("it cannot be read"))
		}
		name, _ := t["type"].(string)
		ids := holder.Texts(t["credential_ids"])
		if name == "" || len(ids) == 0 {
			return bad.Because(errors.New("it names no type or no credential"))
		}
		if algorithms := holder.Texts(t["transaction_data_hashes_alg"]); len(algorithms) > 0 && !slices.Contains(algorithms, "sha-256") {
			return bad.Because(errors.New("it wants another hash"))
		}
		s.Asked.Transactions = append(s.Asked.Transactions, t)
	}
	return nil
}

// Refuse tells the verifier that the owner does not want to.
func (d *Desk) Refuse(ctx context.Context, s *Show) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	form := url.Values{"error": {"access_denied"}, "error_description": {"The holder did not agree."}}
	if s.Request.State != "" {
		form.Set("state", s.Request.State)
	}
	return d.post(ctx, s, form)
}

// Sent is what came of an answer.
type Sent struct {
	Redirect string `json:"redirect,omitempty"` // where the owner's browser goes on
	Once     string `json:"once"`
}

// post sends the answer to the verifier.
func (d *Desk) post(ctx context.Context, s *Show, form url.Values) (Turn, error) {
	answer, err := d.Run.Send(ctx, errand.FormTo(s.Request.Response, form))
	if err != nil {
		return Turn{}, err
	}
	raw, err := answer.OK()
	if err != nil {
		return Turn{}, fault.New(fault.Denied, "The verifier did not take the answer: the request may be used up or too old. Begin again where you found it.").
			Named("verifier-refused").Because(err)
	}
	var said struct {
		Redirect string `json:"redirect_uri"`
	}
	_ = json.Unmarshal(raw, &said) // a verifier may say nothing at all
	sent := &Sent{Once: s.Asked.Once}
	if u, err := errand.Address(strings.Split(said.Redirect, "#")[0]); said.Redirect != "" && err == nil && u != nil {
		sent.Redirect = said.Redirect
	}
	return Turn{Sent: sent, Done: true}, nil
}

func (s *Show) fresh(now time.Time) error {
	if now.Sub(s.Begun) > 15*time.Minute || s.Query == nil {
		return errExpired
	}
	return nil
}
