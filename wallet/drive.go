package wallet

import (
	"context"
	"errors"
	"slices"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
	"github.com/plinth-id/plinth/wallet/present"
)

// drive goes through an errand to its end, signing what it asks for and keeping what
// it brings.
func (w *Wallet) drive(ctx context.Context, f *errand.Fetch, turn errand.Turn) (Card, error) {
	var kept Card
	for {
		if turn.Card != nil {
			kept = card(*turn.Card)
			if err := w.keep(*turn.Card); err != nil {
				return kept, err
			}
		}
		switch {
		case turn.Later != nil:
			return kept, w.postpone(f)
		case turn.Done:
			return kept, nil
		case len(turn.Sign) == 0:
			return kept, errors.New("wallet: an errand that neither ends nor asks for anything")
		}
		c, err := w.load()
		if err != nil {
			return kept, err
		}
		signatures, err := c.sign(turn.Sign)
		if err != nil {
			return kept, err
		}
		if turn, err = w.runner().Resume(ctx, f, signatures); err != nil {
			return kept, err
		}
	}
}

// keep adds a card, or new copies to the card that they belong to.
func (w *Wallet) keep(card holder.Card) error {
	return w.change(func(c *contents) error {
		at := slices.IndexFunc(c.Cards, func(one holder.Card) bool { return one.ID == card.ID })
		if at < 0 {
			c.Cards = append(c.Cards, card)
			return nil
		}
		c.Cards[at] = c.Cards[at].With(card)
		return nil
	})
}

// postpone keeps what is needed to ask again.
func (w *Wallet) postpone(f *errand.Fetch) error {
	err := w.change(func(c *contents) error { c.Waiting = append(c.Waiting, f); return nil })
	return errors.Join(fault.New(fault.Busy, "The issuer will have the credential later. Ask again with: plinth wallet receive --later").Named("credential-later"), err)
}

// Later asks again for what issuers were to have later.
func (w *Wallet) Later(ctx context.Context) ([]Card, error) {
	var waiting []*errand.Fetch
	err := w.change(func(c *contents) error { waiting, c.Waiting = c.Waiting, nil; return nil })
	cards := []Card{}
	for _, f := range waiting {
		turn, failed := w.runner().Poll(ctx, f)
		if failed == nil {
			var got Card
			if got, failed = w.drive(ctx, f, turn); failed == nil {
				cards = append(cards, got)
				continue
			}
		}
		if fault.Is(failed, fault.Busy) && fault.Of(failed).Code != "credential-later" {
			_ = w.postpone(f) // what failed is told anyway
		}
		err = errors.Join(err, failed)
	}
	return cards, err
}

// Refill fetches more copies of a card.
func (w *Wallet) Refill(ctx context.Context, id string) (Card, error) {
	held, err := w.find(id)
	if err != nil {
		return Card{}, err
	}
	if held.Refill == nil {
		return Card{}, fault.New(fault.Denied, "The issuer gives no more copies of this card. Fetch it anew.").Named("no-refill")
	}
	keys, err := w.newKeys(1+max(1, held.Refill.Copies), held.Refill.Alg)
	if err != nil {
		return Card{}, err
	}
	c, err := w.load()
	if err != nil {
		return Card{}, err
	}
	if keys[0], err = c.Keys[held.Refill.Key].public(); err != nil {
		return Card{}, err
	}
	f, turn, err := w.runner().More(ctx, held, keys)
	if err != nil {
		return Card{}, err
	}
	return w.drive(ctx, f, turn)
}

// Delete forgets a card with its keys, and tells the issuer so.
func (w *Wallet) Delete(ctx context.Context, id string) error {
	held, err := w.find(id)
	if err != nil {
		return err
	}
	if n := held.Notice; n != nil {
		w.tell(ctx, *n)
	}
	return w.change(func(c *contents) error {
		c.Cards = slices.DeleteFunc(c.Cards, func(one holder.Card) bool { return one.ID == id })
		for _, copied := range held.Copies {
			delete(c.Keys, copied.Key)
		}
		return nil
	})
}

// tell notifies an issuer. Nothing depends on it: the token for it may be long over.
func (w *Wallet) tell(ctx context.Context, n holder.Notice) {
	c, err := w.load()
	if err != nil {
		return
	}
	var keys holder.Keys
	if k, err := c.Keys[n.Key].public(); err == nil {
		keys = append(keys, k)
	}
	if f, turn, err := w.runner().Forget(ctx, n, keys); err == nil {
		_, _ = w.drive(ctx, f, turn)
	}
}

// Asking is a verifier's request, with what the wallet could answer.
type Asking struct {
	Asked   present.Asked   `json:"asked"`
	Choices present.Choices `json:"choices"`

	show *present.Show
}

// maxOnce is how many answered requests a wallet remembers.
const maxOnce = 500

// Ask reads a verifier's request and finds what would answer it.
func (w *Wallet) Ask(ctx context.Context, link string) (*Asking, error) {
	s, err := w.desk().Open(ctx, link)
	if err != nil {
		return nil, err
	}
	c, err := w.load()
	if err != nil {
		return nil, err
	}
	if slices.Contains(c.Once, s.Asked.Once) {
		return nil, fault.New(fault.Conflict, "This wallet has answered this request already. Begin again where you found it.").Named("request-answered")
	}
	choices, err := w.desk().Match(s, c.Cards)
	return &Asking{Asked: s.Asked, Choices: choices, show: s}, err
}

// Usual is the answer of an owner who chooses nothing: of everything that is required
// the first.
func (a *Asking) Usual() []present.Choice { return a.Choices.Usual() }

// Answer shows what was chosen, and tells where the owner's browser goes on.
func (w *Wallet) Answer(ctx context.Context, a *Asking, choices []present.Choice) (present.Turn, error) {
	c, err := w.load()
	if err != nil {
		return present.Turn{}, err
	}
	var chosen []holder.Card
	for _, one := range c.Cards {
		if slices.ContainsFunc(choices, func(choice present.Choice) bool { return choice.Card == one.ID }) {
			chosen = append(chosen, one)
		}
	}
	keys, err := c.public(chosen)
	if err != nil {
		return present.Turn{}, err
	}
	turn, err := w.desk().Choose(ctx, a.show, choices, keys)
	if err != nil {
		return turn, err
	}
	if !turn.Done {
		signatures, err := c.sign(turn.Sign)
		if err != nil {
			return turn, err
		}
		if turn, err = w.desk().Answer(ctx, a.show, signatures); err != nil {
			return turn, err
		}
	}
	return turn, w.note(a, turn)
}

// note remembers what was shown to whom.
func (w *Wallet) note(a *Asking, turn present.Turn) error {
	return w.change(func(c *contents) error {
		c.Once = append(c.Once, a.Asked.Once)
		c.Once = c.Once[max(0, len(c.Once)-maxOnce):]
		for _, said := range turn.Said {
			for i := range c.Cards {
				if c.Cards[i].ID == said.Card && said.Copy < len(c.Cards[i].Copies) {
					copied := &c.Cards[i].Copies[said.Copy]
					copied.Used++
					copied.Shown = append(copied.Shown, a.Asked.Who.ID)
				}
			}
		}
		return nil
	})
}

// Decline tells the verifier that the owner does not want to.
func (w *Wallet) Decline(ctx context.Context, a *Asking) error {
	_, err := w.desk().Refuse(ctx, a.show)
	return err
}
