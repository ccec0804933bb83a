package credentials

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

const (
	offerLife   = 24 * time.Hour
	offerTries  = 5                              // of the transaction code
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ23456789" // no vowels, so no words, and nothing that is mistaken for another
)

// The grants of the token endpoint by which an offer can be taken up.
const (
	GrantType  = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	LoginGrant = "authorization_code"
)

// What Redeem refuses with: the codes are those of the token endpoint.
var (
	ErrWrongCode = fault.New(fault.Denied, "This offer is used up, expired, locked, or the code is wrong. Ask for a new offer.").Named("invalid_grant")
	ErrTxCode    = fault.New(fault.Invalid, "A transaction code is missing, or was sent for an offer that has none.").Named("invalid_request")
)

// Offer is a credential waiting to be fetched by a wallet.
type Offer struct {
	ID      uuid.UUID
	Link    string // opens a wallet, which fetches the offer
	Value   string // opens a wallet, with the whole offer in it
	Page    string // the same offer for a browser, or for a wallet that takes addresses
	TxCode  string // to be told over another channel; empty: none is needed
	Expires time.Time
}

// OfferTo says for whom an offer is, of what, and on whose word.
type OfferTo struct {
	Person  uuid.UUID
	Voucher auth.Voucher
	Kinds   []string // configuration ids; nil: the national identity card
	Grants  []string // by which it can be taken up; nil: the pre-authorized code alone
	TxCode  bool     // whoever redeems must know a code that goes another way
	Code    CodeForm // of that code
}

// CodeForm is what a transaction code looks like (4.1.1); the zero one is six digits.
type CodeForm struct {
	Mode        string `json:"input_mode,omitempty"` // "numeric" or "text"
	Length      int    `json:"length,omitempty"`
	Description string `json:"description,omitempty"` // of where the code came from
}

// offerShape is what the wallet is told of an offer beside its kinds.
type offerShape struct {
	Grants []string  `json:"grants"`
	Code   *CodeForm `json:"tx_code,omitempty"`
}

// shape judges what is asked for, and fills in what is usual.
func (i *Issuer) shape(to *OfferTo) (offerShape, error) {
	if to.Kinds == nil {
		to.Kinds = []string{NationalID}
	}
	s := offerShape{Grants: to.Grants}
	if s.Grants == nil {
		s.Grants = []string{GrantType}
	}
	bad := fault.New(fault.Invalid, "This offer cannot be made. Correct the fields that are named.").Named("offer-invalid")
	for _, id := range to.Kinds {
		if _, ok := i.kind(id); !ok {
			bad = bad.At("kinds", "must be configuration ids of the issuer metadata")
		}
	}
	for _, grant := range s.Grants {
		if grant != GrantType && grant != LoginGrant {
			bad = bad.At("grants", "must be among "+GrantType+", "+LoginGrant)
		}
	}
	if to.TxCode {
		f := to.Code
		if f.Mode == "" {
			f.Mode = "numeric"
		}
		if f.Length == 0 {
			f.Length = 6
		}
		if f.Description == "" {
			f.Description = "The code that was sent to you in a separate message."
		}
		if f.Mode != "numeric" && f.Mode != "text" || f.Length < 4 || f.Length > 12 || utf8.RuneCountInString(f.Description) > 300 {
			bad = bad.At("tx_code", "has a mode of numeric or text, 4 to 12 characters, and a description of at most 300")
		}
		s.Code = &f
	}
	if len(bad.Fields) > 0 || len(to.Kinds) == 0 || len(s.Grants) == 0 {
		return s, bad
	}
	return s, nil
}

// Offer makes an offer. The secrets in it are in the answer only.
func (i *Issuer) Offer(ctx context.Context, tx pgx.Tx, to OfferTo) (Offer, error) {
	shape, err := i.shape(&to)
	if err != nil {
		return Offer{}, err
	}
	grant, err := i.Desk.Vouch(ctx, tx, to.Voucher, to.Person, auth.Terms{Configurations: to.Kinds})
	if err != nil {
		return Offer{}, err
	}
	secret, err := drawSecret()
	if err != nil {
		return Offer{}, err
	}
	o := Offer{ID: uuid.New(), Expires: i.Now().Add(offerLife)}
	row := offerRow{ID: o.ID, Expires: o.Expires, Shape: shape}
	if shape.Code != nil {
		if o.TxCode, err = drawCode(*shape.Code); err != nil {
			return Offer{}, err
		}
		row.TxCode = i.txCodeTag(o.ID, o.TxCode)
	}
	if row.Sealed, err = i.Desk.SealGrant(grant, o.ID[:]); err != nil {
		return Offer{}, err
	}
	shown := i.shown(secret, row, grant)
	o.Page, o.Link = shown.address, shown.link
	if o.Value, err = shown.value(i.ID()); err != nil {
		return Offer{}, err
	}
	if err := insertOffer(ctx, tx, row, offerHashes{hashed(secret), hashed(i.offerCode(secret)), hashed(i.offerState(secret))}); err != nil {
		return Offer{}, err
	}
	return o, audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialOffered, Person: to.Person, Actor: actor(grant),
		Subject: o.ID.String(), Details: map[string]string{"configuration": strings.Join(to.Kinds, " ")}})
}

// offerCode derives the pre-authorized code from the secret of the link, so
// that the offer can be shown again and yet neither is stored.
func (i *Issuer) offerCode(link string) string {
	return base64.RawURLEncoding.EncodeToString(i.Ring.PRF("credential offer code", []byte(link)))
}

// offerState derives issuer_state likewise.
func (i *Issuer) offerState(link string) string {
	return base64.RawURLEncoding.EncodeToString(i.Ring.PRF("credential offer state", []byte(link)))
}

func (i *Issuer) txCodeTag(offer uuid.UUID, txCode string) []byte {
	return i.Ring.PRF("credential offer transaction code", offer[:], []byte(strings.ToUpper(txCode)))
}

// drawSecret draws 256 random bits.
func drawSecret() (string, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("drawing a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func drawCode(form CodeForm) (string, error) {
	letters := "0123456789"
	if form.Mode == "text" {
		letters = codeLetters
	}
	var b strings.Builder
	for range form.Length {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("drawing a transaction code: %w", err)
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String(), nil
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
	if !slices.Contains(o.Shape.Grants, GrantType) {
		return auth.Grant{}, ErrWrongCode
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

// Offered tells for whom the offer is that an issuer_state came with. It may have come
// from anywhere: it says who must log in, and gives nothing.
func (i *Issuer) Offered(ctx context.Context, db postgres.DB, state string) (uuid.UUID, error) {
	o, err := findOfferByState(ctx, db, hashed(state), i.Now())
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !slices.Contains(o.Shape.Grants, LoginGrant) {
		return uuid.Nil, ErrWrongCode
	}
	if err != nil {
		return uuid.Nil, err
	}
	grant, err := i.Desk.OpenGrant(o.Sealed, o.ID[:])
	return grant.Person(), err
}

// Accepted uses up an offer by the login that it began, in the transaction of that.
func (i *Issuer) Accepted(ctx context.Context, tx pgx.Tx, state string) error {
	o, err := findOfferByState(ctx, tx, hashed(state), i.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrWrongCode
	}
	if err != nil {
		return err
	}
	first, err := spendOffer(ctx, tx, o.ID, i.Now())
	if err == nil && !first {
		err = ErrWrongCode
	}
	return err
}
