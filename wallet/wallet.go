// Package wallet is a holder's wallet, twice: without a screen it keeps keys and
// cards in one sealed file; with one it is a page, whose keys never leave the browser
// and whose cards we keep only as ciphertext. Both go on the same errands. Of its
// owner it knows only what an issuer gave it.
package wallet

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
	"github.com/plinth-id/plinth/wallet/present"
)

// Wallet is one person's wallet in a file.
type Wallet struct {
	// Now is the clock.
	Now func() time.Time
	// Anchors are authorities that certify verifiers; nil: none is known.
	Anchors func() *x509.CertPool

	path, passphrase string
	client           *http.Client
	mu               sync.Mutex // one change at a time within this process
}

// New opens the wallet at path, or begins one when there is none yet. The client
// bounds how long a request may take.
func New(path, passphrase string, client *http.Client) (*Wallet, error) {
	if path == "" || client == nil {
		return nil, errors.New("wallet: a path and an HTTP client are needed")
	}
	if passphrase == "" {
		return nil, fault.New(fault.Invalid, "Give the passphrase that seals the wallet.").Named("passphrase-missing")
	}
	w := &Wallet{Now: time.Now, path: path, passphrase: passphrase, client: client}
	_, err := w.load()
	return w, err
}

func (w *Wallet) runner() *errand.Runner { return &errand.Runner{HTTP: w.client, Now: w.Now} }
func (w *Wallet) desk() *present.Desk {
	return &present.Desk{Run: w.runner(), Anchors: w.Anchors}
}

// contents is what the file holds once it is open.
type contents struct {
	Cards   []holder.Card            `json:"cards"`
	Keys    map[string]key           `json:"keys"`              // by thumbprint
	Flows   map[string]*errand.Fetch `json:"flows,omitempty"`   // logins under way, by state
	Waiting []*errand.Fetch          `json:"waiting,omitempty"` // what issuers were to have later
	Logins  map[string]loginKey      `json:"logins,omitempty"`  // by provider
	Once    []string                 `json:"once,omitempty"`    // marks of the requests that were answered
}

// Card is what a list shows of a credential.
type Card struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Issuer        string    `json:"issuer"`
	Configuration string    `json:"configuration"`
	Format        string    `json:"format"`
	Received      time.Time `json:"received"`
	Copies        int       `json:"copies"`
}

func card(c holder.Card) Card {
	name := c.Configuration
	if len(c.Display) > 0 {
		name = c.Display[0].Name
	}
	return Card{ID: c.ID, Name: name, Issuer: c.Issuer, Configuration: c.Configuration, Format: c.Format, Received: c.Received, Copies: len(c.Copies)}
}

// Shown is a credential with what it says.
type Shown struct {
	Card
	Holder     string         `json:"holder,omitempty"`
	ValidFrom  string         `json:"valid_from,omitempty"`
	ValidUntil string         `json:"valid_until,omitempty"`
	Claims     map[string]any `json:"claims"`
}

// List shows what the wallet holds, the newest last.
func (w *Wallet) List() ([]Card, error) {
	c, err := w.load()
	if err != nil {
		return nil, err
	}
	cards := make([]Card, 0, len(c.Cards))
	for _, one := range c.Cards {
		cards = append(cards, card(one))
	}
	return cards, nil
}

// Show tells what a credential says.
func (w *Wallet) Show(id string) (Shown, error) {
	c, err := w.find(id)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{Card: card(c), Holder: c.Holder(), Claims: make(map[string]any)}
	for at, into := range map[*time.Time]*string{&c.From: &s.ValidFrom, &c.Until: &s.ValidUntil} {
		if !at.IsZero() {
			*into = at.UTC().Format(time.RFC3339)
		}
	}
	for _, line := range c.Lines {
		path := line.Path
		if len(path) > 1 && path[0] == "credentialSubject" {
			path = path[1:]
		}
		put(s.Claims, path, line.Value)
	}
	if s.Holder != "" && c.Format == "ldp_vc" {
		s.Claims["id"] = s.Holder
	}
	return s, nil
}

// put grows a tree again of the lines that it was taken apart into.
func put(tree map[string]any, path []any, value any) {
	for _, step := range path[:len(path)-1] {
		name, ok := step.(string)
		inner, grown := tree[name].(map[string]any)
		if !ok || tree[name] != nil && !grown {
			return
		}
		if !grown {
			inner = make(map[string]any)
			tree[name] = inner
		}
		tree = inner
	}
	if name, ok := path[len(path)-1].(string); ok {
		tree[name] = value
	}
}

// Export is the credential as the issuer signed it: the first of its copies.
func (w *Wallet) Export(id string) ([]byte, error) {
	c, err := w.find(id)
	if err != nil {
		return nil, err
	}
	var text string
	if json.Unmarshal(c.Copies[0].Document, &text) == nil {
		return []byte(text), nil
	}
	return c.Copies[0].Document, nil
}

// QR is the credential as the text of a QR code.
func (w *Wallet) QR(id string) (string, error) {
	c, err := w.find(id)
	if err != nil {
		return "", err
	}
	return qr.EncodeJSON(c.Copies[0].Document)
}

func (w *Wallet) find(id string) (holder.Card, error) {
	c, err := w.load()
	if err != nil {
		return holder.Card{}, err
	}
	at := slices.IndexFunc(c.Cards, func(one holder.Card) bool { return one.ID == id })
	if at < 0 {
		return holder.Card{}, fault.New(fault.NotFound, "The wallet holds no credential with this id. List them first.").Named("credential-not-found")
	}
	return c.Cards[at], nil
}

// change does something to the contents, and keeps them.
func (w *Wallet) change(do func(c *contents) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.load()
	if err != nil {
		return err
	}
	if err := do(&c); err != nil {
		return err
	}
	return w.save(c)
}

// Receive fetches the credential of an offer (a link that opens wallets, or the
// address of an offer), checks it, and keeps it.
func (w *Wallet) Receive(ctx context.Context, link, txCode string) (Card, error) {
	f, said, err := w.runner().Begin(ctx, errand.Wish{Offer: link})
	if err != nil {
		return Card{}, err
	}
	if said.Login {
		return Card{}, fault.New(fault.Invalid, "This offer wants you to log in at the issuer. Use the login of the wallet.").Named("login-needed")
	}
	return w.accept(ctx, f, said, errand.Acceptance{TxCode: txCode})
}

// accept makes the keys for the first card of an offer, and fetches it.
func (w *Wallet) accept(ctx context.Context, f *errand.Fetch, said errand.Offered, yes errand.Acceptance) (Card, error) {
	keys, err := w.newKeys(said.Kinds[0].Keys, said.Kinds[0].Alg)
	if err != nil {
		return Card{}, err
	}
	yes.Configuration, yes.Keys = said.Kinds[0].ID, keys
	turn, err := w.runner().Accept(ctx, f, yes)
	if err != nil {
		return Card{}, err
	}
	return w.drive(ctx, f, turn)
}

// Login says what to fetch by logging in at the issuer.
type Login struct {
	Offer         string // an offer; or else
	Issuer        string // a credential issuer identifier, and
	Configuration string // which of its credentials; empty: the first that we can hold
	ClientID      string // how the authorization server knows this wallet
	Redirect      string // where it sends the browser back
}

const flowLife = time.Hour

// Authorize begins a login at the issuer and returns the address to open in a
// browser. Finish takes the address that the browser is sent back to.
func (w *Wallet) Authorize(ctx context.Context, login Login) (string, error) {
	f, said, err := w.runner().Begin(ctx, errand.Wish{Offer: login.Offer, Issuer: login.Issuer, Configuration: login.Configuration})
	if err != nil {
		return "", err
	}
	keys, err := w.newKeys(said.Kinds[0].Keys, said.Kinds[0].Alg)
	if err != nil {
		return "", err
	}
	turn, err := w.runner().Accept(ctx, f, errand.Acceptance{Configuration: said.Kinds[0].ID, Keys: keys, Client: errand.Client{ID: login.ClientID, Redirect: login.Redirect}})
	if err != nil {
		return "", err
	}
	return turn.Open, w.change(func(c *contents) error {
		if c.Flows == nil {
			c.Flows = make(map[string]*errand.Fetch)
		}
		for state, old := range c.Flows {
			if w.Now().Sub(old.Begun) > flowLife {
				delete(c.Flows, state)
			}
		}
		c.Flows[f.State] = f
		return nil
	})
}

// Finish takes the address that the browser was sent back to, and fetches the
// credential. A login is good for one answer.
func (w *Wallet) Finish(ctx context.Context, back string) (Card, error) {
	u, err := url.Parse(back)
	if err != nil {
		return Card{}, fault.New(fault.Invalid, "This is not where the issuer sent the browser. Copy the whole address.").Named("bad-redirect")
	}
	var f *errand.Fetch
	err = w.change(func(c *contents) error {
		state := u.Query().Get("state")
		if f = c.Flows[state]; f == nil {
			return fault.New(fault.Invalid, "This login was not begun by this wallet, or is long over. Begin again.").Named("login-unknown")
		}
		delete(c.Flows, state)
		return nil
	})
	if err != nil {
		return Card{}, err
	}
	turn, err := w.runner().Back(ctx, f, u.Query())
	if err != nil {
		return Card{}, err
	}
	return w.drive(ctx, f, turn)
}

// Waiting tells whether an address of the browser belongs to a login begun here.
func (l Login) Waiting(back string) bool {
	return l.Redirect != "" && strings.HasPrefix(back, l.Redirect)
}
