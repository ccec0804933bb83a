package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// The schemes that wallets listen to.
const (
	offerScheme = "openid-credential-offer://"
	haipScheme  = "haip-vci://"
)

// shownOffer is an offer as it is shown to a wallet or a browser.
type shownOffer struct {
	kinds   []string
	shape   offerShape
	code    string // pre-authorized
	state   string // issuer_state
	scheme  string
	address string // of the offer itself
	link    string
	older   string // link for wallets of draft 13
}

// shown puts an offer together again out of the secret in its link.
func (i *Issuer) shown(secret string, row offerRow, grant auth.Grant) shownOffer {
	s := shownOffer{kinds: grant.Configurations(), shape: row.Shape, code: i.offerCode(secret), state: i.offerState(secret), scheme: offerScheme,
		address: i.at("/vci/offer/" + secret)}
	if !slices.ContainsFunc(s.kinds, func(id string) bool { kind, _ := i.kind(id); return !kind.HAIP }) {
		s.scheme = haipScheme
	}
	s.link = s.scheme + "?credential_offer_uri=" + url.QueryEscape(s.address)
	s.older = offerScheme + "?credential_offer_uri=" + url.QueryEscape(i.at(draft13Path+"/offer/"+secret))
	return s
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
	return i.shown(secret, o, grant), nil
}

// offer is the credential offer (4.1.1), by the name that its reader knows us by.
func (s shownOffer) offer(issuer string) map[string]any {
	grants := map[string]any{}
	for _, grant := range s.shape.Grants {
		if grant == LoginGrant {
			grants[grant] = map[string]any{"issuer_state": s.state}
			continue
		}
		redeem := map[string]any{"pre-authorized_code": s.code}
		if s.shape.Code != nil {
			redeem["tx_code"] = s.shape.Code
		}
		grants[grant] = redeem
	}
	return map[string]any{"credential_issuer": issuer, "credential_configuration_ids": s.kinds, "grants": grants}
}

// value is a link that holds the whole offer.
func (s shownOffer) value(issuer string) (string, error) {
	raw, err := json.Marshal(s.offer(issuer))
	return s.scheme + "?credential_offer=" + url.QueryEscape(string(raw)), err
}

// page shows the offer in a browser.
func (s shownOffer) page(draft13 bool) templates.Offer {
	// The schemes are fixed and the rest is escaped.
	p := templates.Offer{Link: template.URL(s.link), Page: s.address, Code: s.address + "/code.svg", TxCode: s.shape.Code != nil}
	if draft13 && slices.Contains(s.shape.Grants, GrantType) {
		p.Older = template.URL(s.older)
	}
	return p
}
