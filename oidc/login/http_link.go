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
	for path, take := range map[string]func(*gin.Context) error{"/transaction": f.linkTransaction, "/authenticate": f.linkAuthenticate, "/consent": f.linkConsent,
		"/binding-otp": f.bindingCode, "/binding": f.binding} {
		r.Handle(http.MethodPost, LinkPath+path, web.Anyone, take, web.CORS(), web.MaxBody(maxLink))
	}
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

func readJSON(c *gin.Context, into any) error {
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

// bindingCode sends the code by which a person binds the key of a wallet.
func (f *Flow) bindingCode(c *gin.Context) error {
	var sent struct {
		Identifier string `json:"individual_id"`
	}
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	transaction := uuid.NewString()
	if _, err := f.Desk.SendCode(c, auth.CodeRequest{Identifier: tidy(sent.Identifier), Transaction: transaction, Client: bindingClient, From: web.From(c)}); err != nil {
		return err
	}
	c.JSON(http.StatusOK, map[string]any{"transaction_id": transaction, "expires_in": 300})
	return nil
}

// bindingClient stands for ourselves where a client is named.
const bindingClient = "plinth:binding"

// bindingSaid is what the key that is to be bound signs: that whoever asks has it.
type bindingSaid struct {
	Audience    string `json:"aud"`
	Transaction string `json:"transaction"`
}

// binding lets the key of a wallet log its person in from now on.
func (f *Flow) binding(c *gin.Context) error {
	var sent struct {
		Identifier  string `json:"individual_id"`
		Transaction string `json:"transaction_id"`
		Code        string `json:"otp"`
		Name        string `json:"name"`
		Proof       string `json:"key_proof"` // JWS with the public key in its jwk header
	}
	if err := readJSON(c, &sent); err != nil {
		return err
	}
	key, err := f.possessed(sent.Proof, sent.Transaction)
	if err != nil {
		return err
	}
	proof, err := f.Desk.Verify(c, auth.Attempt{Identifier: tidy(sent.Identifier), Code: tidy(sent.Code), Transaction: sent.Transaction, Client: bindingClient, From: web.From(c)})
	if err != nil {
		return err
	}
	w, err := f.Desk.BindWallet(c, proof, key, sent.Name)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, map[string]any{"kid": w.Thumbprint, "issuer": f.Public.String(), "expires_at": w.Expires.UTC().Format(time.RFC3339)})
	return nil
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
