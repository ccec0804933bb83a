package errand

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

// stage is what a fetch waits for.
type stage string

const (
	offered    stage = "offered" // for the owner's yes
	loggingIn  stage = "login"   // for the browser to come back
	redeeming  stage = "redeem"  // for the proof of the token request
	asking     stage = "ask"     // for the proofs of the credential request
	telling    stage = "tell"    // for the proof of the notification
	over       stage = "over"    // for nothing
	maxCopies        = 10        // of one card at a time
	maxRounds        = 4         // that one request is sent again
	usualBatch       = 5         // where the issuer does not say how many
)

// Fetch is a credential on its way. Between two turns it is kept, sealed, by whoever
// runs the errand.
type Fetch struct {
	Stage    stage             `json:"stage"`
	Begun    time.Time         `json:"begun"`
	Offer    offer             `json:"offer"`
	Issuer   metadata          `json:"issuer"`
	Server   server            `json:"server"`
	ID       string            `json:"id"` // of the configuration
	Kind     configuration     `json:"kind"`
	Client   Client            `json:"client"`
	State    string            `json:"state,omitempty"`
	Verifier string            `json:"verifier,omitempty"`
	Keys     Keys              `json:"keys,omitempty"` // the first is for DPoP, the others become holders
	Bound    bool              `json:"bound,omitempty"`
	Access   access            `json:"access"`
	Nonces   map[string]string `json:"nonces,omitempty"` // of DPoP, by origin
	Nonce    string            `json:"nonce,omitempty"`  // of the issuer
	Message  message           `json:"message"`
	Waiting  []waiting         `json:"waiting,omitempty"`
	Rounds   int               `json:"rounds,omitempty"`
	Later    *Later            `json:"later,omitempty"`
	Secret   []byte            `json:"secret,omitempty"` // opens an encrypted answer
	Notify   string            `json:"notify,omitempty"`
	Event    string            `json:"event,omitempty"`
	Card     string            `json:"card,omitempty"`    // of which these are more copies
	Refused  string            `json:"refused,omitempty"` // code of what ends the fetch after the notification
}

// Client is how an authorization server knows this wallet.
type Client struct {
	ID       string `json:"id,omitempty"`
	Redirect string `json:"redirect,omitempty"`
}

// Wish says what to fetch: an offer, or one of an issuer's cards.
type Wish struct {
	Offer         string
	Issuer        string
	Configuration string
}

// Offered is what the owner is asked before anything is fetched.
type Offered struct {
	Issuer string      `json:"issuer"`
	Names  []Display   `json:"names,omitempty"`
	Kinds  []OfferKind `json:"kinds"`
	TxCode *TxCode     `json:"tx_code,omitempty"`
	Login  bool        `json:"login"`
}

// OfferKind is one card that is offered.
type OfferKind struct {
	ID      string    `json:"id"`
	Format  string    `json:"format"`
	Display []Display `json:"display,omitempty"`
	Keys    int       `json:"keys"` // that the fetch takes, the one for DPoP included
	Alg     string    `json:"alg"`  // ES256 or EdDSA
}

var errKind = fault.New(fault.Invalid, "This wallet cannot hold the kind of credential that is offered.").Named("kind-unsupported")

// Begin reads an offer, or an issuer's catalogue.
func (r *Runner) Begin(ctx context.Context, wish Wish) (*Fetch, Offered, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	f := &Fetch{Stage: offered, Begun: r.Now(), Offer: offer{Issuer: wish.Issuer}}
	var err error
	if wish.Issuer == "" {
		if f.Offer, err = r.readOffer(ctx, wish.Offer); err != nil {
			return nil, Offered{}, err
		}
	}
	if f.Issuer, err = r.readIssuer(ctx, f.Offer.Issuer); err != nil {
		return nil, Offered{}, err
	}
	if wish.Issuer != "" {
		for id := range f.Issuer.Configurations {
			f.Offer.Configurations = append(f.Offer.Configurations, id)
		}
		slices.Sort(f.Offer.Configurations)
		if wish.Configuration != "" {
			f.Offer.Configurations = []string{wish.Configuration}
		}
	}
	kinds := make(map[string]configuration)
	said := Offered{Issuer: f.Issuer.Issuer, Names: tame(f.Issuer.Display), Login: f.Offer.Grants.PreAuthorized == nil}
	for _, id := range f.Offer.Configurations {
		kind := f.Issuer.Configurations[id]
		if _, twice := kinds[id]; twice || !kind.usable() || wish.Issuer != "" && kind.Scope == "" || len(kinds) == 30 {
			continue
		}
		kinds[id] = kind
		said.Kinds = append(said.Kinds, OfferKind{ID: id, Format: kind.Format, Display: kind.display(), Keys: 1 + kind.copies(f.Issuer), Alg: kind.keyAlgorithm()})
	}
	if len(said.Kinds) == 0 {
		return nil, Offered{}, errKind
	}
	f.Issuer.Configurations, f.Issuer.Display = kinds, said.Names
	if g := f.Offer.Grants.PreAuthorized; g != nil {
		said.TxCode = g.TxCode
	}
	f.Server, err = r.findServer(ctx, f.Offer, f.Issuer)
	return f, said, err
}

// copies is how many the wallet asks for at once.
func (c configuration) copies(m metadata) int {
	wanted := 1
	if p := c.reuse(); p != nil && p.ID != "limited_time" {
		wanted = max(1, p.Batch)
		if p.Batch == 0 {
			wanted = usualBatch
		}
	}
	if m.Batch == nil {
		return 1
	}
	return min(wanted, m.Batch.Size, maxCopies)
}

// keyAlgorithm is what the keys for this kind sign by: P-256 wherever it is taken,
// since keys of browsers and phones are of that kind.
func (c configuration) keyAlgorithm() string {
	algorithms := c.Proofs["jwt"].Algorithms
	if len(algorithms) > 0 && !slices.Contains(algorithms, "ES256") && slices.Contains(algorithms, "EdDSA") {
		return "EdDSA"
	}
	return "ES256"
}

// Acceptance is the owner's yes.
type Acceptance struct {
	Configuration string
	TxCode        string
	Keys          Keys
	Client        Client
}

// Accept goes on with an offer that the owner wants.
func (r *Runner) Accept(ctx context.Context, f *Fetch, yes Acceptance) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if yes.Configuration == "" && len(f.Offer.Configurations) > 0 {
		for _, id := range slices.Backward(f.Offer.Configurations) {
			if _, ok := f.Issuer.Configurations[id]; ok {
				yes.Configuration = id
			}
		}
	}
	kind, ok := f.Issuer.Configurations[yes.Configuration]
	if !ok || f.Stage != offered {
		return Turn{}, errKind
	}
	if len(yes.Keys) < 2 || len(yes.Keys) > 1+kind.copies(f.Issuer) {
		return Turn{}, errSignature.Because(errors.New("another number of keys than was asked for"))
	}
	f.ID, f.Kind, f.Keys, f.Client = yes.Configuration, kind, yes.Keys, yes.Client
	f.Issuer.Configurations = nil
	f.Bound = slices.Contains(f.Server.DPoP, string(algorithm(f.Keys[0])))
	g := f.Offer.Grants.PreAuthorized
	if g == nil {
		return r.login(ctx, f)
	}
	if g.TxCode != nil && yes.TxCode == "" {
		return Turn{}, fault.New(fault.Invalid, "This offer needs the transaction code that the issuer sent you apart. Give it too.").Named("tx-code-missing")
	}
	form := url.Values{"grant_type": {preAuthorized}, "pre-authorized_code": {g.Code}}
	if g.TxCode != nil {
		form.Set("tx_code", yes.TxCode)
	}
	if !f.Server.Anonymous && f.Client.ID != "" {
		form.Set("client_id", f.Client.ID)
	}
	return r.redeem(ctx, f, form)
}

// login begins an authorization at the issuer.
func (r *Runner) login(ctx context.Context, f *Fetch) (Turn, error) {
	if f.Server.Authorize == "" || f.Client.ID == "" || f.Kind.Scope == "" {
		return Turn{}, fault.New(fault.Invalid, "This issuer has no login that this wallet could use. Ask it for an offer.").Named("no-login")
	}
	f.State, f.Verifier = rand.Text(), rand.Text()+rand.Text()
	challenge := sha256.Sum256([]byte(f.Verifier))
	query := url.Values{"response_type": {"code"}, "client_id": {f.Client.ID}, "redirect_uri": {f.Client.Redirect}, "scope": {f.scope()}, "state": {f.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}}
	if len(f.Issuer.Servers) > 0 {
		query.Set("resource", f.Issuer.Issuer)
	}
	if g := f.Offer.Grants.Code; g != nil && g.State != "" {
		query.Set("issuer_state", g.State)
	}
	if f.Bound {
		query.Set("dpop_jkt", Thumbprint(f.Keys[0]))
	}
	to, err := address(f.Server.Authorize)
	if err != nil {
		return Turn{}, err
	}
	if f.Server.Pushed != "" {
		answer, err := r.send(ctx, formTo(f.Server.Pushed, query))
		if err != nil {
			return Turn{}, err
		}
		var pushed struct {
			URI string `json:"request_uri"`
		}
		if err := answer.read(&pushed); err != nil || pushed.URI == "" {
			return Turn{}, errAnswer.Because(errors.Join(err, errors.New("the authorization request was refused")))
		}
		query = url.Values{"client_id": {f.Client.ID}, "request_uri": {pushed.URI}}
	}
	for name, values := range to.Query() {
		query[name] = values
	}
	to.RawQuery = query.Encode()
	f.Stage = loggingIn
	return Turn{Open: to.String()}, nil
}

// scope asks for the card, and for leave to fetch more copies of it where copies are
// used up and the server has a scope for that.
func (f *Fetch) scope() string {
	if p := f.Kind.reuse(); p != nil && slices.Contains(f.Server.Scopes, "offline_access") {
		return f.Kind.Scope + " offline_access"
	}
	return f.Kind.Scope
}

var errLogin = fault.New(fault.Invalid, "This login was not begun by this wallet, or is long over. Begin again.").Named("login-unknown")

// Back takes the query with which the browser came back from the issuer.
func (r *Runner) Back(ctx context.Context, f *Fetch, query url.Values) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if f.Stage != loggingIn || query.Get("state") != f.State || r.Now().Sub(f.Begun) > life {
		return Turn{}, errLogin
	}
	if query.Get("error") != "" {
		return Turn{}, fault.New(fault.Denied, "The login was not finished. Begin again when you are ready.").Named("login-refused").
			Because(refused{Code: query.Get("error")})
	}
	// RFC 9207: a code of another server must not be sent to this one.
	if iss := query.Get("iss"); iss != "" && iss != f.Server.Issuer || iss == "" && f.Server.SaysIssue {
		return Turn{}, errAnswer.Because(errors.New("the answer to the login comes from another server"))
	}
	return r.redeem(ctx, f, url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {f.Client.Redirect},
		"client_id": {f.Client.ID}, "code_verifier": {f.Verifier}})
}

// access is a token and what it opens.
type access struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token,omitempty"`
	Nonce   string `json:"c_nonce,omitempty"` // of draft 13
	Details []struct {
		Type          string   `json:"type"`
		Configuration string   `json:"credential_configuration_id"`
		Identifiers   []string `json:"credential_identifiers"`
	} `json:"authorization_details,omitempty"`
}

func (r *Runner) redeem(ctx context.Context, f *Fetch, form url.Values) (Turn, error) {
	f.Access = access{}
	return r.wait(ctx, f, redeeming, formTo(f.Server.Token, form))
}

// wait prepares a request and whatever must be signed for it, and goes on at once when
// that is nothing.
func (r *Runner) wait(ctx context.Context, f *Fetch, at stage, m message, more ...waiting) (Turn, error) {
	if f.Stage != at {
		f.Rounds = 0
	}
	if f.Rounds++; f.Rounds > maxRounds {
		return Turn{}, errAnswer.Because(errors.New("the other side wants the same again and again"))
	}
	f.Stage, f.Message, f.Waiting = at, m, nil
	if f.Bound {
		proof, err := r.possession(f)
		if err != nil {
			return Turn{}, err
		}
		f.Waiting = append(f.Waiting, proof)
	}
	f.Waiting = append(f.Waiting, more...)
	if len(f.Waiting) == 0 {
		return r.step(ctx, f, nil)
	}
	return Turn{Sign: signings(f.Waiting)}, nil
}

// Resume goes on with the signatures that the last turn asked for.
func (r *Runner) Resume(ctx context.Context, f *Fetch, signatures [][]byte) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if len(f.Waiting) == 0 || r.Now().Sub(f.Begun) > life && f.Later == nil {
		return Turn{}, errSignature
	}
	if err := signed(f.Waiting, signatures); err != nil {
		return Turn{}, err
	}
	tokens := make([]string, len(signatures))
	for i, w := range f.Waiting {
		tokens[i] = compact(w, signatures[i])
	}
	f.Waiting = nil
	return r.step(ctx, f, tokens)
}

// step sends what was waiting for its signatures.
func (r *Runner) step(ctx context.Context, f *Fetch, tokens []string) (Turn, error) {
	m := f.Message
	m.Header = make(map[string]string)
	if f.Bound {
		m.Header["DPoP"], tokens = tokens[0], tokens[1:]
	}
	if f.Stage != redeeming {
		m.Header["Authorization"] = "Bearer " + f.Access.Token
		if f.Bound {
			m.Header["Authorization"] = "DPoP " + f.Access.Token
		}
	}
	if f.Stage == asking {
		if err := f.enclose(&m, tokens); err != nil {
			return Turn{}, err
		}
	}
	answer, err := r.send(ctx, m)
	if err != nil {
		if f.Stage == telling {
			return f.finish()
		}
		return Turn{}, err
	}
	if again, fresh := f.wantsNonce(answer); again {
		if fresh && f.Stage == asking {
			return r.ask(ctx, f) // the proofs are as old as the one that was refused
		}
		return r.wait(ctx, f, f.Stage, f.Message)
	}
	switch f.Stage {
	case redeeming:
		return r.redeemed(ctx, f, answer)
	case asking:
		return r.answered(ctx, f, answer)
	}
	return f.finish()
}

// redeemed takes the answer of the token endpoint.
func (r *Runner) redeemed(ctx context.Context, f *Fetch, answer reply) (Turn, error) {
	err := answer.read(&f.Access)
	var no refused
	if errors.As(err, &no) {
		return Turn{}, fault.New(fault.Denied, "The issuer refused: the offer is used up, expired or locked, or the code is wrong. Check the code, or ask for a new offer.").
			Named("offer-refused").Because(no)
	}
	if err != nil {
		return Turn{}, err
	}
	if f.Access.Token == "" {
		return Turn{}, errAnswer.Because(errors.New("no access token"))
	}
	// A server may give a token that is not bound, though it could have (RFC 9449, 5).
	f.Bound = f.Access.Type == "DPoP"
	f.Nonce = f.Access.Nonce
	return r.ask(ctx, f)
}

// finish ends a fetch: what was received is kept already, or was refused.
func (f *Fetch) finish() (Turn, error) {
	f.Stage = over
	if f.Refused != "" {
		return Turn{}, errCredential.Because(fmt.Errorf("%s", f.Refused))
	}
	return Turn{Done: true}, nil
}

// possession is the DPoP proof of the waiting message (RFC 9449, 4.2).
func (r *Runner) possession(f *Fetch) (waiting, error) {
	to, err := address(f.Message.URL)
	if err != nil {
		return waiting{}, err
	}
	claims := map[string]any{"jti": rand.Text(), "htm": f.Message.Method, "htu": to.Scheme + "://" + to.Host + to.EscapedPath(), "iat": r.Now().Unix()}
	if nonce := f.Nonces[to.Scheme+"://"+to.Host]; nonce != "" {
		claims["nonce"] = nonce
	}
	if f.Stage != redeeming {
		sum := sha256.Sum256([]byte(f.Access.Token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return draft(f.Keys[0], map[string]any{"typ": "dpop+jwt", "jwk": f.Keys[0]}, claims)
}

// wantsNonce keeps the nonces of an answer, and tells whether it asks for the same
// request again: with another nonce of DPoP, or (fresh) with another of the issuer.
func (f *Fetch) wantsNonce(answer reply) (again, fresh bool) {
	if to, err := address(f.Message.URL); err == nil && answer.Nonce != "" && len(answer.Nonce) <= 1024 {
		if f.Nonces == nil || len(f.Nonces) > 4 {
			f.Nonces = make(map[string]string)
		}
		f.Nonces[to.Scheme+"://"+to.Host] = answer.Nonce
	}
	if answer.Status/100 != 4 {
		return false, false
	}
	var no refused
	_ = json.Unmarshal(answer.Body, &no)
	if f.Bound && answer.Nonce != "" && (no.Code == "use_dpop_nonce" || dpopNonce.MatchString(answer.Wants)) {
		return true, f.Stage == asking
	}
	if f.Stage == asking && f.Later == nil && (no.Code == "invalid_nonce" || no.Code == "invalid_proof" && no.Nonce != "") {
		f.Nonce = no.Nonce
		return true, true
	}
	return false, false
}
