package login

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// LinkPath begins the doors of wallets.
const LinkPath = "/oidc/link"

const maxLink = 32 << 10

// linkRoutes opens the doors of wallets: eSignet's steps (link, authenticate,
// consent; before them the binding of a key), with a challenge that names the
// transaction and the party, so that what a wallet signs is good for one login.
func (f *Flow) linkRoutes(r *web.Router) {
	for path, take := range map[string]func(*gin.Context) error{"/transaction": f.linkTransaction, "/authenticate": f.linkAuthenticate, "/consent": f.linkConsent} {
		r.Handle(http.MethodPost, LinkPath+path, web.Anyone, take, web.CORS(), web.MaxBody(maxLink))
	}
	// Not from the scripts of other sites: they would have visitors' browsers send messages.
	r.Handle(http.MethodPost, LinkPath+"/binding-otp", web.Anyone, f.bindingCode, web.MaxBody(maxLink))
	r.Handle(http.MethodPost, LinkPath+"/binding", web.Anyone, f.binding, web.MaxBody(maxImage*4/3))
	r.Handle(http.MethodGet, LinkPath, web.Anyone, f.linkHelp)
}

var (
	errLinkJSON = fault.New(fault.Invalid, "Send JSON with the members that the documentation names.").Named("invalid_request")
	errLinkCode = fault.New(fault.NotFound, "This code is wrong, too old, or was taken by another wallet. Scan the picture again.").Named("invalid_link_code")
	errLinkGone = fault.New(fault.NotFound, "This login has ended or took too long. Begin it again where you saw the picture.").Named("invalid_link_transaction")
	errNumber   = fault.New(fault.Denied, "This is not the number that the page shows. The login was stopped: begin again, and only if you began it yourself.").Named("wrong_number")
)

// linkHelp is what a phone shows that opened the picture without a wallet.
func (f *Flow) linkHelp(c *gin.Context) error {
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.LinkHelp{})
}

// readJSON reads what is said to be JSON: a form of another site can say no such thing.
func readJSON(c *gin.Context, into any) error {
	if c.ContentType() != "application/json" {
		return errLinkJSON
	}
	if err := json.NewDecoder(c.Request.Body).Decode(into); err != nil {
		return errLinkJSON.Because(err)
	}
	return nil
}

// linkTransaction gives a wallet the login that a code stands for.
func (f *Flow) linkTransaction(c *gin.Context) error {
	var sent struct {
		Code string `json:"link_code"`
	}
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	if len(sent.Code) > 64 {
		return errLinkCode
	}
	l, err := takeLink(c, f.Pool, f.linkHash(sent.Code), f.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return errLinkCode
	}
	if err != nil {
		return fmt.Errorf("taking a link: %w", err)
	}
	var shown walletAsked
	if err := json.Unmarshal(l.Shown, &shown); err != nil {
		return fmt.Errorf("reading a link: %w", err)
	}
	c.JSON(http.StatusOK, struct {
		Issuer      string    `json:"issuer"`
		Transaction uuid.UUID `json:"link_transaction_id"`
		Client      string    `json:"client_id"`
		Nonce       string    `json:"nonce"`
		Expires     int       `json:"expires_in"`
		walletAsked
	}{f.Public.String(), l.ID, l.Client, l.Nonce, int(linkLife / time.Second), shown})
	return nil
}

func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// signature is what a wallet sends for a step of a login.
type signature struct {
	Transaction string `json:"link_transaction_id"`
	Number      string `json:"number"`
	Signature   string `json:"signature"`
}

// consentStep is the transaction that a wallet names in what it signs for consent:
// another than that of the login, so that neither passes for the other.
const consentStep = ":consent"

func (f *Flow) link(c *gin.Context, id, state string) (link, error) {
	transaction, err := uuid.Parse(id)
	if err != nil {
		return link{}, errLinkGone
	}
	l, err := readLink(c, f.Pool, transaction, f.Now())
	if errors.Is(err, pgx.ErrNoRows) || err == nil && l.State != state {
		return l, errLinkGone
	}
	return l, err
}

// linkAuthenticate takes the wallet's proof. A wrong number ends the link: somebody
// holds a wallet to a picture that is not on the screen before them.
func (f *Flow) linkAuthenticate(c *gin.Context) error {
	var sent signature
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	l, err := f.link(c, sent.Transaction, "linked")
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(tidy(sent.Number)), []byte(l.Number)) != 1 {
		return f.stop(c, l, errNumber)
	}
	proof, err := f.Desk.Verify(c, auth.Attempt{Wallet: []byte(sent.Signature), WalletNonce: l.Nonce, Transaction: l.ID.String(), Client: l.Client, From: web.From(c)})
	if refusal(err) {
		return f.stop(c, l, err)
	}
	if err != nil {
		return err
	}
	l.State = "proven"
	if l.Sealed, err = f.Desk.SealProof(proof, l.ID[:]); err != nil {
		return err
	}
	if _, err := moveLink(c, f.Pool, l, "linked", f.Now()); err != nil {
		return errLinkGone.Because(err)
	}
	c.JSON(http.StatusOK, map[string]any{"link_transaction_id": l.ID, "consent_action": "CAPTURE"})
	return nil
}

// stop ends a link that went wrong, and tells the wallet why.
func (f *Flow) stop(c *gin.Context, l link, why error) error {
	if _, err := moveLink(c, f.Pool, link{ID: l.ID, State: "refused"}, l.State, f.Now()); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return why
}

// linkConsent takes what the person allowed in the wallet: a list that the same
// key has signed for this login. Without it the browser asks.
func (f *Flow) linkConsent(c *gin.Context) error {
	var sent signature
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	l, err := f.link(c, sent.Transaction, "proven")
	if err != nil {
		return err
	}
	proven, err := f.Desk.OpenProof(l.Sealed, l.ID[:])
	if err != nil {
		return errLinkGone.Because(err)
	}
	again, err := f.Desk.Verify(c, auth.Attempt{Wallet: []byte(sent.Signature), WalletNonce: l.Nonce, Transaction: l.ID.String() + consentStep, Client: l.Client, From: web.From(c)})
	if err != nil {
		return err
	}
	if again.Person() != proven.Person() {
		return errLinkGone
	}
	claims, err := accepted(sent.Signature)
	if err != nil {
		return err
	}
	l.State, l.Claims = "answered", claims
	if _, err := moveLink(c, f.Pool, l, "proven", f.Now()); err != nil {
		return errLinkGone.Because(err)
	}
	c.JSON(http.StatusOK, map[string]any{"link_transaction_id": l.ID})
	return nil
}

// accepted reads the claims out of a signature that was verified.
func accepted(jws string) ([]string, error) {
	parts := strings.Split(jws, ".")
	var said struct {
		Claims []string `json:"accepted_claims"`
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[len(parts)/2])
	if err != nil || json.Unmarshal(raw, &said) != nil || len(said.Claims) > 100 {
		return nil, errLinkJSON.Because(err)
	}
	return listed(said.Claims), nil
}

// decided is the decision that a wallet brought. What was not asked is not in it,
// and what is essential is: who would not tell it, refuses.
func (f *Flow) decided(v visit, proof auth.Proof, accepted []string) Decision {
	d := Decision{Allowed: true, Proof: proof}
	for _, claim := range v.asked.Claims {
		if slices.Contains(accepted, claim.Name) {
			d.Claims = append(d.Claims, claim.Name)
		} else if claim.Essential {
			return Decision{}
		}
	}
	return d
}

// bindingCode sends the code by which a person binds the key of a wallet. Where much was
// tried, the wallet gets work to do, and asks again with what it has found.
func (f *Flow) bindingCode(c *gin.Context) error {
	var sent struct {
		Identifier string `json:"individual_id"`
		Work       string `json:"work"` // as ALTCHA has it
	}
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	attempt := auth.Attempt{Identifier: tidy(sent.Identifier), Client: bindingClient, From: web.From(c)}
	pressed, err := f.Desk.Pressed(c, f.Pool, attempt, auth.ByCode)
	if err != nil {
		return err
	}
	if pressed && sent.Work == "" {
		return f.askWork(c)
	}
	transaction := uuid.NewString()
	if pressed {
		if err := f.Desk.SpendWork(c, f.Pool, sent.Work); err != nil {
			return err
		}
		transaction += f.workedMark(transaction)
	}
	_, err = f.Desk.SendCode(c, auth.CodeRequest{Identifier: attempt.Identifier, Transaction: transaction, Client: bindingClient, From: attempt.From, Work: f.workOf(transaction)})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, map[string]any{"transaction_id": transaction, "expires_in": 300})
	return nil
}

// askWork answers with a problem (RFC 9457) that holds work for the wallet.
func (f *Flow) askWork(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Type", "application/problem+json")
	c.JSON(http.StatusTooManyRequests, map[string]any{"type": f.Public.JoinPath("problems", auth.WorkNeeded).String(), "title": http.StatusText(http.StatusTooManyRequests), "status": http.StatusTooManyRequests,
		"detail": "There were many tries. Find the number whose hash after the salt is the challenge, and send it as work.", "work": f.Desk.AskWork()})
	return nil
}

// workedMark ends a transaction for which a wallet has worked, so that nothing is stored
// and nobody can say it of another.
func (f *Flow) workedMark(id string) string {
	return "." + base64.RawURLEncoding.EncodeToString(f.Ring.PRF("oidc link worked", []byte(id))[:16])
}

// workOf names the work that was spent for a transaction; empty: none was.
func (f *Flow) workOf(transaction string) string {
	id, _, _ := strings.Cut(transaction, ".")
	if subtle.ConstantTimeCompare([]byte(transaction), []byte(id+f.workedMark(id))) != 1 {
		return ""
	}
	return transaction
}

// bindingClient stands for ourselves where a client is named.
const bindingClient = "plinth:binding"

// bindingSaid is what the key that is to be bound signs: that whoever asks has it.
type bindingSaid struct {
	Audience    string `json:"aud"`
	Transaction string `json:"transaction"`
}

// bindingSent asks to bind a key, by the code and, for who has more than a telephone, by
// one thing more.
type bindingSent struct {
	Identifier  string `json:"individual_id"`
	Transaction string `json:"transaction_id"`
	Code        string `json:"otp"`
	Name        string `json:"name"`
	Proof       string `json:"key_proof"` // JWS with the public key in its jwk header
	PIN         string `json:"pin"`
	Password    string `json:"password"`
	Finger      []byte `json:"finger"` // image, in base64
	Position    string `json:"position"`
}

// binding lets the key of a wallet log its person in from now on.
func (f *Flow) binding(c *gin.Context) error {
	var sent bindingSent
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	key, err := f.possessed(sent.Proof, sent.Transaction)
	if err != nil {
		return err
	}
	proof, err := f.bindingProof(c, sent)
	if err != nil {
		return err
	}
	w, err := f.Desk.BindWallet(c, proof, key, sent.Name)
	if err != nil {
		return err
	}
	if f.Bound != nil {
		if err := f.Bound(c, proof.Person()); err != nil {
			return err
		}
	}
	c.JSON(http.StatusCreated, map[string]any{"kid": w.Thumbprint, "issuer": f.Public.String(), "expires_at": w.Expires.UTC().Format(time.RFC3339)})
	return nil
}

// bindingProof judges the code, and what was sent beside it.
func (f *Flow) bindingProof(c *gin.Context, sent bindingSent) (auth.Proof, error) {
	attempt := auth.Attempt{Identifier: tidy(sent.Identifier), Transaction: sent.Transaction, Client: bindingClient, From: web.From(c), Work: f.workOf(sent.Transaction)}
	coded, more := attempt, attempt
	coded.Code = tidy(sent.Code)
	proof, err := f.Desk.Verify(c, coded)
	if err != nil || sent.PIN == "" && sent.Password == "" && len(sent.Finger) == 0 {
		return proof, err
	}
	more.PIN, more.Password, more.Finger = tidy(sent.PIN), sent.Password, sent.Finger
	for _, a := range positions[auth.ByFinger] {
		if string(a.Position) == sent.Position {
			more.Position = a.Position
		}
	}
	second, err := f.Desk.Verify(c, more)
	if err != nil {
		return auth.Proof{}, err
	}
	return f.Desk.Combine(proof, second)
}

var errKeyProof = fault.New(fault.Invalid, "Send key_proof: a JWS by the key that is to be bound, over aud and transaction, with the public key in its jwk header.").Named("invalid_key_proof")

// possessed gives the key that has signed a binding: without that somebody could
// bind a key that they have only seen, and shut its owner out.
func (f *Flow) possessed(jws, transaction string) (jose.JSONWebKey, error) {
	signed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil || signed.Signatures[0].Protected.JSONWebKey == nil {
		return jose.JSONWebKey{}, errKeyProof.Because(err)
	}
	key := *signed.Signatures[0].Protected.JSONWebKey
	var said bindingSaid
	payload, err := signed.Verify(key)
	if err != nil || json.Unmarshal(payload, &said) != nil || said.Audience != f.Public.String() || transaction == "" || said.Transaction != transaction {
		return key, errKeyProof.Because(err)
	}
	return key, nil
}
