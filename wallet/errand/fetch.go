package errand

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
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
	Keys     holder.Keys       `json:"keys,omitempty"` // the first is for DPoP, the others become holders
	Bound    bool              `json:"bound,omitempty"`
	Access   access            `json:"access"`
	Nonces   map[string]string `json:"nonces,omitempty"` // of DPoP, by origin
	Nonce    string            `json:"nonce,omitempty"`  // of the issuer
	Message  Message           `json:"message"`
	Waiting  []holder.Waiting  `json:"waiting,omitempty"`
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
	Issuer string           `json:"issuer"`
	Names  []holder.Display `json:"names,omitempty"`
	Kinds  []OfferKind      `json:"kinds"`
	TxCode *TxCode          `json:"tx_code,omitempty"`
	Login  bool             `json:"login"`
}

// OfferKind is one card that is offered.
type OfferKind struct {
	ID      string           `json:"id"`
	Format  string           `json:"format"`
	Display []holder.Display `json:"display,omitempty"`
	Keys    int              `json:"keys"` // that the fetch takes, the one for DPoP included
	Alg     string           `json:"alg"`  // ES256 or EdDSA
}

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
	said := Offered{Issuer: f.Issuer.Issuer, Names: holder.Tame(f.Issuer.Display), Login: f.Offer.Grants.PreAuthorized == nil}
	for _, id := range f.Offer.Configurations {
		kind := f.Issuer.Configurations[id]
		if _, twice := kinds[id]; twice || !kind.usable() || wish.Issuer != "" && kind.Scope == "" || len(kinds) == 30 {
			continue
		}
		kinds[id] = kind
		said.Kinds = append(said.Kinds, OfferKind{ID: id, Format: kind.Format, Display: kind.display(), Keys: 1 + kind.copies(f.Issuer), Alg: kind.keyAlgorithm()})
	}
	if len(said.Kinds) == 0 {
		return nil, Offered{}, holder.ErrKind
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
	Keys          holder.Keys
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
		return Turn{}, holder.ErrKind
	}
	if len(yes.Keys) < 2 || len(yes.Keys) > 1+kind.copies(f.Issuer) {
		return Turn{}, holder.ErrSignature.Because(errors.New("another number of keys than was asked for"))
	}
	f.ID, f.Kind, f.Keys, f.Client = yes.Configuration, kind, yes.Keys, yes.Client
	f.Issuer.Configurations = nil
	f.Bound = slices.Contains(f.Server.DPoP, string(holder.Algorithm(f.Keys[0])))
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
		query.Set("dpop_jkt", holder.Thumbprint(f.Keys[0]))
	}
	to, err := Address(f.Server.Authorize)
	if err != nil {
		return Turn{}, err
	}
	if f.Server.Pushed != "" {
		answer, err := r.Send(ctx, FormTo(f.Server.Pushed, query))
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
