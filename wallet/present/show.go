package present

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
)

// Choice is a card that the owner wants to show for one of the queries, and in which
// of the ways.
type Choice struct {
	Query string `json:"query"`
	Card  string `json:"card"`
	Way   int    `json:"way"`
}

// built is a presentation on its way.
type built struct {
	Query string      `json:"query"`
	Half  holder.Half `json:"half"`
	Said  Disclosed   `json:"said"`
}

var errChoice = fault.New(fault.Invalid, "What was chosen does not answer the request. Choose again.").Named("bad-choice")

// once marks a request, so that a wallet can know it again without keeping it.
func once(client, nonce string) string {
	sum := sha256.Sum256([]byte(client + "\x00" + nonce))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Choose prepares the answer that the owner chose.
func (d *Desk) Choose(ctx context.Context, s *Show, choices []Choice, keys holder.Keys) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.fresh(d.Run.Now()); err != nil {
		return Turn{}, err
	}
	if len(choices) == 0 || len(choices) > maxCards || len(s.Built) > 0 {
		return Turn{}, errChoice
	}
	response := make(map[string][]dcql.Candidate)
	for _, choice := range choices {
		b, c, err := d.build(s, choice, keys)
		if err != nil {
			return Turn{}, err
		}
		s.Built = append(s.Built, b)
		response[choice.Query] = append(response[choice.Query], c)
	}
	if err := s.Query.Check(response); err != nil {
		return Turn{}, errChoice.Because(err)
	}
	if err := s.authorized(); err != nil {
		return Turn{}, err
	}
	s.Cards = nil
	var turn Turn
	for _, b := range s.Built {
		if b.Half.Waiting != nil {
			turn.Sign = append(turn.Sign, b.Half.Waiting.Signing())
		}
	}
	if len(turn.Sign) == 0 {
		return d.Answer(ctx, s, nil)
	}
	return turn, nil
}

// build prepares what is shown of one card.
func (d *Desk) build(s *Show, choice Choice, keys holder.Keys) (built, dcql.Candidate, error) {
	at := slices.IndexFunc(s.Cards, func(c holder.Card) bool { return c.ID == choice.Card })
	q, ok := s.Query.Credential(choice.Query)
	if at < 0 || !ok || choice.Way < 0 || choice.Way >= max(1, len(q.ClaimSets)) {
		return built{}, dcql.Candidate{}, errChoice
	}
	card := s.Cards[at]
	said, err := card.Facts(d.Run.Now())
	if err != nil {
		return built{}, dcql.Candidate{}, err
	}
	c := candidate(card, said)
	claims, ok := found(q, choice.Way, c)
	if !ok {
		return built{}, c, errChoice
	}
	copied, err := copyFor(card, s.Request.ClientID)
	if err != nil {
		return built{}, c, err
	}
	p := holder.Presenting{Format: card.Format, Document: card.Copies[copied].Document, Audience: s.Request.ClientID, Nonce: s.Request.Nonce, Response: s.Request.Response,
		Transactions: s.transactionsOf(choice.Query), Now: d.Run.Now().Unix()}
	for _, f := range claims {
		p.Claims = append(p.Claims, f.At)
	}
	if p.Sealed, err = s.Request.sealedTo(); err != nil {
		return built{}, c, err
	}
	if name := card.Copies[copied].Key; name != "" {
		key, ok := keys.Find(name)
		if !ok {
			return built{}, c, holder.ErrSignature.Because(errors.New("the wallet did not send the key of the card"))
		}
		p.Key = &key
	}
	half, err := holder.Present(p)
	if err != nil {
		return built{}, c, fmt.Errorf("preparing a presentation: %w", err)
	}
	return built{Query: choice.Query, Half: half, Said: Disclosed{Card: card.ID, Copy: copied, Query: choice.Query, Lines: disclosed(q, claims, c, card)}}, c, nil
}

// sealedTo is the thumbprint of the key to which the answer is encrypted.
func (q request) sealedTo() ([]byte, error) {
	if q.Mode != "direct_post.jwt" {
		return nil, nil
	}
	key, err := errand.EncryptionKey(q.encryptionKeys())
	if err != nil {
		return nil, err
	}
	return key.Thumbprint(crypto.SHA256)
}

// transactionsOf are those that the card for a query authorizes.
func (s *Show) transactionsOf(query string) []string {
	var all []string
	for i, t := range s.Asked.Transactions {
		if slices.Contains(holder.Texts(t["credential_ids"]), query) {
			all = append(all, s.Request.Transactions[i])
		}
	}
	return all
}

// authorized refuses an answer by which a transaction would go unauthorized, or by a
// card that cannot authorize.
func (s *Show) authorized() error {
	for _, t := range s.Asked.Transactions {
		if !slices.ContainsFunc(s.Built, func(b built) bool {
			return slices.Contains(holder.Texts(t["credential_ids"]), b.Query) && (b.Half.Format == holder.SDJWT || b.Half.Format == holder.OldSDJWT) && b.Half.Waiting != nil
		}) {
			return errChoice.Because(errors.New("no card that was chosen can authorize the transaction"))
		}
	}
	return nil
}

// Answer sends the answer with its signatures.
func (d *Desk) Answer(ctx context.Context, s *Show, given [][]byte) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	var all []holder.Waiting
	for _, b := range s.Built {
		if b.Half.Waiting != nil {
			all = append(all, *b.Half.Waiting)
		}
	}
	if len(s.Built) == 0 {
		return Turn{}, errChoice
	}
	if err := errors.Join(s.fresh(d.Run.Now()), holder.Signed(all, given)); err != nil {
		return Turn{}, err
	}
	token := make(map[string][]json.RawMessage)
	var said []Disclosed
	for _, b := range s.Built {
		var signature []byte
		if b.Half.Waiting != nil {
			signature, given = given[0], given[1:]
		}
		whole, err := b.Half.Complete(signature)
		if err != nil {
			return Turn{}, fmt.Errorf("finishing a presentation: %w", err)
		}
		token[b.Query] = append(token[b.Query], whole)
		said = append(said, b.Said)
	}
	form, err := s.form(token)
	if err != nil {
		return Turn{}, err
	}
	turn, err := d.post(ctx, s, form)
	turn.Said = said
	return turn, err
}

// form is the answer as it is posted, encrypted where the verifier wants that.
func (s *Show) form(token map[string][]json.RawMessage) (url.Values, error) {
	body := map[string]any{"vp_token": token}
	if s.Pex != nil {
		single, submission, err := s.submission(token)
		if err != nil {
			return nil, err
		}
		body = map[string]any{"vp_token": single, "presentation_submission": submission}
	}
	if s.Request.State != "" {
		body["state"] = s.Request.State
	}
	if s.Request.Mode == "direct_post.jwt" {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing an answer: %w", err)
		}
		sealed, err := errand.Encrypt(s.Request.encryptionKeys(), s.Request.contents(), raw, nil)
		return url.Values{"response": {string(sealed)}}, err
	}
	form := make(url.Values)
	for name, value := range body {
		if text, ok := value.(string); ok {
			form.Set(name, text)
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("writing an answer: %w", err)
		}
		form.Set(name, string(raw))
	}
	return form, nil
}

func (q request) encryptionKeys() []jose.JSONWebKey {
	if q.Metadata.Keys == nil {
		return nil
	}
	return q.Metadata.Keys.Keys
}

// contents are the encryptions that the verifier takes; A128GCM unless it says.
func (q request) contents() []string {
	switch {
	case len(q.Metadata.Contents) > 0:
		return q.Metadata.Contents
	case q.Metadata.OldEnc != "":
		return []string{q.Metadata.OldEnc}
	}
	return []string{string(jose.A128GCM)}
}
