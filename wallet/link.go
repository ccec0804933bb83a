package wallet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/plinth-id/plinth/internal/fault"
)

// loginKey is the key by which the owner logs in at one provider.
type loginKey struct {
	ID      string `json:"kid"`
	Private []byte `json:"private"` // PKCS #8
}

const (
	linkPath = "/oidc/link"
	linkType = "plinth-wallet-login+jwt"
	linkLife = 60 // seconds that a signature is good
)

// Binding is a binding of a key that waits for the code that the owner gets.
type Binding struct {
	Server      string `json:"server"`
	Transaction string `json:"transaction_id"`
}

// BeginBinding has the provider send its code to the owner.
func (w *Wallet) BeginBinding(ctx context.Context, server, number string) (Binding, error) {
	at, err := address(strings.TrimSuffix(server, "/") + linkPath + "/binding-otp")
	if err != nil {
		return Binding{}, err
	}
	b := Binding{Server: strings.TrimSuffix(server, "/")}
	return b, w.postJSON(ctx, at.String(), "", map[string]string{"individual_id": number}, &b)
}

// Owner is what the owner gives of themselves to have a key bound: the code, and one thing
// more where the provider knows more of them than a telephone.
type Owner struct {
	Number   string `json:"individual_id"`
	Code     string `json:"otp"`
	PIN      string `json:"pin,omitempty"`
	Password string `json:"password,omitempty"`
	Finger   []byte `json:"finger,omitempty"` // image
}

// Bind makes a key for logins at a provider, and keeps it once the provider has
// bound it to the owner.
func (w *Wallet) Bind(ctx context.Context, b Binding, owner Owner, name string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	proof, err := jwt.Signed(signer).Claims(map[string]any{"aud": b.Server, "transaction": b.Transaction}).Serialize()
	if err != nil {
		return fmt.Errorf("proving a key: %w", err)
	}
	var bound struct {
		ID string `json:"kid"`
	}
	asked := struct {
		Owner
		Transaction string `json:"transaction_id"`
		Name        string `json:"name"`
		Proof       string `json:"key_proof"`
	}{owner, b.Transaction, name, proof}
	if err := w.postJSON(ctx, b.Server+linkPath+"/binding", "", asked, &bound); err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("keeping a key: %w", err)
	}
	c, err := w.load()
	if err != nil {
		return err
	}
	if c.Logins == nil {
		c.Logins = make(map[string]loginKey)
	}
	c.Logins[b.Server] = loginKey{ID: bound.ID, Private: encoded}
	return w.save(c)
}

// Link is a login that a provider asks the owner about.
type Link struct {
	Issuer      string            `json:"issuer"`
	Transaction string            `json:"link_transaction_id"`
	Client      string            `json:"client_id"`
	Names       map[string]string `json:"client_name"`
	Purpose     map[string]string `json:"purpose"`
	Nonce       string            `json:"nonce"`
	Essential   []string          `json:"essential_claims"`
	Voluntary   []string          `json:"voluntary_claims"`
}

var errLink = fault.New(fault.Invalid, "This is no link to log in. Scan the picture on the page again, or type its code and give the server.").Named("not-a-link")

// Open takes the login that a picture, or a code typed from beside it, stands for.
func (w *Wallet) Open(ctx context.Context, link, server string) (Link, error) {
	code := link
	if u, err := url.Parse(link); err == nil && u.Host != "" {
		code, server = u.Query().Get("code"), u.Scheme+"://"+u.Host
	}
	at, err := address(strings.TrimSuffix(server, "/") + linkPath + "/transaction")
	if err != nil || code == "" {
		return Link{}, errLink.Because(err)
	}
	var l Link
	if err := w.postJSON(ctx, at.String(), "", map[string]string{"link_code": code}, &l); err != nil {
		return l, err
	}
	// What is signed names the issuer: it must be the server that was asked.
	if l.Issuer != strings.TrimSuffix(server, "/") {
		return l, errLink
	}
	return l, nil
}

// Answer logs the owner in at the party of a link, who has read the number on the
// page there, and allows it some claims.
func (w *Wallet) Answer(ctx context.Context, l Link, number string, allowed []string) error {
	c, err := w.load()
	if err != nil {
		return err
	}
	key, ok := c.Logins[l.Issuer]
	if !ok {
		return fault.New(fault.NotFound, "This wallet has no key for that provider. Bind one with: plinth wallet bind").Named("no-login-key")
	}
	if err := w.step(ctx, key, l, linkStep{path: "/authenticate", number: number}); err != nil {
		return err
	}
	return w.step(ctx, key, l, linkStep{path: "/consent", suffix: ":consent", more: map[string]any{"accepted_claims": allowed}})
}

// linkStep is one signed answer.
type linkStep struct {
	path, suffix, number string
	more                 map[string]any
}

func (w *Wallet) step(ctx context.Context, key loginKey, l Link, s linkStep) error {
	private, err := x509.ParsePKCS8PrivateKey(key.Private)
	if err != nil {
		return fmt.Errorf("reading a key of the wallet: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: key.ID}}, (&jose.SignerOptions{}).WithType(linkType))
	if err != nil {
		return fmt.Errorf("signing a login: %w", err)
	}
	now := w.Now().Unix()
	claims := map[string]any{"aud": l.Issuer, "transaction": l.Transaction + s.suffix, "client": l.Client, "nonce": l.Nonce, "iat": now, "exp": now + linkLife}
	for name, value := range s.more {
		claims[name] = value
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return fmt.Errorf("signing a login: %w", err)
	}
	body := map[string]string{"link_transaction_id": l.Transaction, "signature": signed, "number": s.number}
	return w.postJSON(ctx, l.Issuer+linkPath+s.path, "", body, &struct{}{})
}
