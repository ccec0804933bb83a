// Package wallet is a holder's wallet without a screen. It keeps keys and
// credentials in one sealed file and speaks OpenID4VCI to any issuer; of its
// owner it knows only what an issuer gave it.
package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
)

// Wallet is one person's wallet.
type Wallet struct {
	// Now is the clock.
	Now func() time.Time

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

// contents is what the file holds once it is open.
type contents struct {
	Credentials []Held              `json:"credentials"`
	Flows       map[string]flow     `json:"flows,omitempty"`  // authorizations under way, by state
	Logins      map[string]loginKey `json:"logins,omitempty"` // by provider
}

// Held is one credential in the wallet. Its key stays in the file.
type Held struct {
	ID            string          `json:"id"`
	Issuer        string          `json:"issuer"` // credential issuer identifier
	Configuration string          `json:"configuration"`
	Name          string          `json:"name"` // as the issuer calls it
	Format        string          `json:"format"`
	Received      time.Time       `json:"received"`
	Document      json.RawMessage `json:"document"`
	Key           holderKey       `json:"key"`
}

// Card is what a list shows of a credential.
type Card struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Issuer        string    `json:"issuer"`
	Configuration string    `json:"configuration"`
	Format        string    `json:"format"`
	Received      time.Time `json:"received"`
}

func (h Held) card() Card {
	return Card{ID: h.ID, Name: h.Name, Issuer: h.Issuer, Configuration: h.Configuration, Format: h.Format, Received: h.Received}
}

// Shown is a credential with what it says.
type Shown struct {
	Card
	Holder     string         `json:"holder"`
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
	cards := make([]Card, 0, len(c.Credentials))
	for _, h := range c.Credentials {
		cards = append(cards, h.card())
	}
	return cards, nil
}

// Show tells what a credential says.
func (w *Wallet) Show(id string) (Shown, error) {
	h, err := w.find(id)
	if err != nil {
		return Shown{}, err
	}
	s := Shown{Card: h.card(), Holder: h.Key.DID}
	var document struct {
		ValidFrom  string         `json:"validFrom"`
		ValidUntil string         `json:"validUntil"`
		Subject    map[string]any `json:"credentialSubject"`
	}
	if err := json.Unmarshal(h.Document, &document); err != nil {
		return Shown{}, err
	}
	s.ValidFrom, s.ValidUntil, s.Claims = document.ValidFrom, document.ValidUntil, document.Subject
	return s, nil
}

// Export is the credential as the issuer signed it.
func (w *Wallet) Export(id string) ([]byte, error) {
	h, err := w.find(id)
	return h.Document, err
}

// QR is the credential as the text of a QR code.
func (w *Wallet) QR(id string) (string, error) {
	h, err := w.find(id)
	if err != nil {
		return "", err
	}
	return qr.EncodeJSON(h.Document)
}

func (w *Wallet) find(id string) (Held, error) {
	c, err := w.load()
	if err != nil {
		return Held{}, err
	}
	at := slices.IndexFunc(c.Credentials, func(h Held) bool { return h.ID == id })
	if at < 0 {
		return Held{}, fault.New(fault.NotFound, "The wallet holds no credential with this id. List them first.").Named("credential-not-found")
	}
	return c.Credentials[at], nil
}

// keep adds a credential to the file.
func (w *Wallet) keep(h Held) (Held, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.load()
	if err != nil {
		return Held{}, err
	}
	h.ID, h.Received = uuid.NewString(), w.Now()
	c.Credentials = append(c.Credentials, h)
	return h, w.save(c)
}

// Receive fetches the credential of an offer (a link that opens wallets, or the
// address of an offer), checks it, and keeps it.
func (w *Wallet) Receive(ctx context.Context, link, txCode string) (Card, error) {
	offer, err := w.offer(ctx, link)
	if err != nil {
		return Card{}, err
	}
	plan, err := w.plan(ctx, offer)
	if err != nil {
		return Card{}, err
	}
	access, err := w.redeem(ctx, plan, txCode)
	if err != nil {
		return Card{}, err
	}
	return w.fetch(ctx, plan, access)
}
