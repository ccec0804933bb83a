package credentials

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/notify"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

const (
	offerLife    = 24 * time.Hour
	offerTries   = 5 // of the transaction code
	txCodeDigits = 6
)

// GrantType is the grant of the token endpoint that redeems an offer.
const GrantType = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// What Redeem refuses with: the codes are those of the token endpoint.
var (
	ErrWrongCode = fault.New(fault.Denied, "This offer is used up, expired, locked, or the code is wrong. Ask for a new offer.").Named("invalid_grant")
	ErrTxCode    = fault.New(fault.Invalid, "A transaction code is missing, or was sent for an offer that has none.").Named("invalid_request")
)

// Offer is a credential waiting to be fetched by a wallet.
type Offer struct {
	ID      uuid.UUID
	Link    string // opens a wallet
	Page    string // the same offer for a browser, or for a wallet that takes addresses
	TxCode  string // to be told over another channel; empty: none is needed
	Expires time.Time
}

// OfferTo says for whom an offer is, and on whose word.
type OfferTo struct {
	Person  uuid.UUID
	Voucher auth.Voucher
	TxCode  bool // whoever redeems must know a code that goes another way
}

// Offer makes an offer. The secrets in it are in the answer only.
func (i *Issuer) Offer(ctx context.Context, tx pgx.Tx, to OfferTo) (Offer, error) {
	grant, err := i.Desk.Vouch(ctx, tx, to.Voucher, to.Person, auth.Terms{Configurations: []string{NationalID}})
	if err != nil {
		return Offer{}, err
	}
	o := Offer{ID: uuid.New(), Expires: i.Now().Add(offerLife)}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return Offer{}, fmt.Errorf("drawing an offer: %w", err)
	}
	link := base64.RawURLEncoding.EncodeToString(secret)
	o.Page = i.at("/vci/offer/" + link)
	o.Link = walletLink(o.Page)
	code := i.offerCode(link)
	row := offerRow{ID: o.ID, Expires: o.Expires}
	if to.TxCode {
		if o.TxCode, err = drawDigits(txCodeDigits); err != nil {
			return Offer{}, err
		}
		row.TxCode = i.txCodeTag(o.ID, o.TxCode)
	}
	if row.Sealed, err = i.Desk.SealGrant(grant, o.ID[:]); err != nil {
		return Offer{}, err
	}
	if err := insertOffer(ctx, tx, row, hashed(link), hashed(code)); err != nil {
		return Offer{}, err
	}
	return o, audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialOffered, Person: to.Person, Actor: actor(grant),
		Subject: o.ID.String(), Details: map[string]string{"configuration": NationalID}})
}

// offerCode derives the pre-authorized code from the secret of the link, so
// that the offer can be shown again and yet neither is stored.
func (i *Issuer) offerCode(link string) string {
	return base64.RawURLEncoding.EncodeToString(i.Ring.PRF("credential offer code", []byte(link)))
}

func (i *Issuer) txCodeTag(offer uuid.UUID, txCode string) []byte {
	return i.Ring.PRF("credential offer transaction code", offer[:], []byte(txCode))
}

func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func drawDigits(n int64) (string, error) {
	drawn, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil))
	if err != nil {
		return "", fmt.Errorf("drawing a transaction code: %w", err)
	}
	return fmt.Sprintf("%0*d", int(n), drawn), nil
}

// Redeem turns a pre-authorized code into what it stands for, once. It is called
// by the token endpoint, inside its transaction.
func (i *Issuer) Redeem(ctx context.Context, tx pgx.Tx, code, txCode string) (auth.Grant, error) {
	o, err := findOffer(ctx, tx, hashed(code), i.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return auth.Grant{}, ErrWrongCode
	}
	if err != nil {
		return auth.Grant{}, err
	}
	if (o.TxCode != nil) != (txCode != "") {
		return auth.Grant{}, ErrTxCode
	}
	if o.TxCode != nil {
		// Counted before it is compared, and outside the transaction, which the
		// token endpoint rolls back when we refuse.
		counted, err := i.countTry(ctx, o.ID)
		if err != nil {
			return auth.Grant{}, err
		}
		if !counted || !hmac.Equal(o.TxCode, i.txCodeTag(o.ID, txCode)) {
			return auth.Grant{}, ErrWrongCode
		}
	}
	first, err := spendOffer(ctx, tx, o.ID, i.Now())
	if err != nil {
		return auth.Grant{}, err
	}
	if !first {
		return auth.Grant{}, ErrWrongCode
	}
	return i.Desk.OpenGrant(o.Sealed, o.ID[:])
}

// countTry counts one try on a connection of its own. Taking it from the pool
// could stop everything: all its connections may be held by transactions that
// wait here.
func (i *Issuer) countTry(ctx context.Context, offer uuid.UUID) (bool, error) {
	select {
	case i.apart <- struct{}{}:
		defer func() { <-i.apart }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	conn, err := pgx.ConnectConfig(ctx, i.Pool.Config().ConnConfig)
	if err != nil {
		return false, fmt.Errorf("counting a try of offer %s: %w", offer, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return countTry(ctx, conn, offer, i.Now())
}

// Enrolled offers the credential to somebody who has just been given a UIN, and
// sends the offer and its transaction code. It is the Offer of enrol.Config.
func (i *Issuer) Enrolled(ctx context.Context, tx pgx.Tx, person, application uuid.UUID) error {
	who, err := i.Registry.Read(ctx, tx, person)
	if err != nil {
		return err
	}
	first, second := i.channels(who)
	if first.To == "" {
		return nil // nobody would ever see the offer
	}
	offer, err := i.Offer(ctx, tx, OfferTo{Person: person, TxCode: true,
		Voucher: auth.Voucher{Reason: "enrolment " + application.String()}})
	if err != nil {
		return err
	}
	l := languageOf(who)
	first.Subject, first.Text = l.Must("offer.notice.subject"), l.Must("offer.notice", "Page", offer.Page)
	second.Subject, second.Text = l.Must("offer.code.subject"), l.Must("offer.code", "Code", offer.TxCode)
	if err := i.Notify(ctx, tx, first); err != nil {
		return err
	}
	return i.Notify(ctx, tx, second)
}

// channels chooses how the offer and its code travel: by two ways when the
// person has two.
func (i *Issuer) channels(who registry.Identity) (first, second notify.Message) {
	mail := notify.Message{Channel: notify.Mail, To: who.Email()}
	sms := notify.Message{Channel: notify.SMS, To: who.Phone()}
	mails, texts := mail.To != "" && i.Offers(notify.Mail), sms.To != "" && i.Offers(notify.SMS)
	switch {
	case mails && texts:
		return mail, sms
	case !mails && !texts:
		return notify.Message{}, notify.Message{}
	case mails:
		return mail, mail
	}
	return sms, sms
}

// languageOf is the language that the person prefers, or that of the name.
func languageOf(who registry.Identity) templates.Language {
	for _, wish := range append([]string{who.Language()}, who.Languages("fullName")...) {
		for _, l := range templates.Languages() {
			if l.Tag == wish {
				return l
			}
		}
	}
	return templates.Languages()[0]
}

// shownOffer is an offer as it is shown to a wallet or a browser.
type shownOffer struct {
	offer  map[string]any
	link   template.URL
	page   string
	txCode bool
}

// showOffer finds the offer whose link holds this secret.
func (i *Issuer) showOffer(ctx context.Context, secret string) (shownOffer, error) {
	o, err := findOfferByLink(ctx, i.Pool, hashed(secret), i.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return shownOffer{}, fault.New(fault.NotFound, "This offer was used, has expired or never existed. Ask for a new one.").Named("offer-gone")
	}
	if err != nil {
		return shownOffer{}, err
	}
	grant, err := i.Desk.OpenGrant(o.Sealed, o.ID[:])
	if err != nil {
		return shownOffer{}, err
	}
	redeem := map[string]any{"pre-authorized_code": i.offerCode(secret)}
	if o.TxCode != nil {
		redeem["tx_code"] = map[string]any{"input_mode": "numeric", "length": txCodeDigits,
			"description": "The code that was sent to you in a separate message."}
	}
	page := i.at("/vci/offer/" + secret)
	return shownOffer{
		offer: map[string]any{"credential_issuer": i.ID(), "credential_configuration_ids": grant.Configurations(), "grants": map[string]any{GrantType: redeem}},
		// The scheme is fixed and the rest is escaped.
		link: template.URL(walletLink(page)), page: page, txCode: o.TxCode != nil,
	}, nil
}

func walletLink(page string) string {
	return "openid-credential-offer://?credential_offer_uri=" + url.QueryEscape(page)
}
