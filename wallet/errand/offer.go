package errand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

const preAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// offer is a credential offer (OpenID4VCI 1.0, 4.1.1).
type offer struct {
	Issuer         string   `json:"credential_issuer"`
	Configurations []string `json:"credential_configuration_ids"`
	Grants         struct {
		Code *struct {
			State  string `json:"issuer_state"`
			Server string `json:"authorization_server"`
		} `json:"authorization_code"`
		PreAuthorized *struct {
			Code   string  `json:"pre-authorized_code"`
			Server string  `json:"authorization_server"`
			TxCode *TxCode `json:"tx_code"`
		} `json:"urn:ietf:params:oauth:grant-type:pre-authorized_code"`
	} `json:"grants"`
}

// TxCode is what is known of a code that came another way.
type TxCode struct {
	Mode        string `json:"input_mode,omitempty"`
	Length      int    `json:"length,omitempty"`
	Description string `json:"description,omitempty"`
}

// metadata is what a wallet needs of a credential issuer's (12.2.4).
type metadata struct {
	Issuer         string                   `json:"credential_issuer"`
	Servers        []string                 `json:"authorization_servers,omitempty"`
	Credential     string                   `json:"credential_endpoint"`
	Nonce          string                   `json:"nonce_endpoint,omitempty"`
	Deferred       string                   `json:"deferred_credential_endpoint,omitempty"`
	Notification   string                   `json:"notification_endpoint,omitempty"`
	Batch          *batch                   `json:"batch_credential_issuance,omitempty"`
	Requests       *encryption              `json:"credential_request_encryption,omitempty"`
	Responses      *encryption              `json:"credential_response_encryption,omitempty"`
	Display        []holder.Display         `json:"display,omitempty"`
	Configurations map[string]configuration `json:"credential_configurations_supported,omitempty"`
}

type batch struct {
	Size int `json:"batch_size"`
}

type proofKind struct {
	Algorithms []string `json:"proof_signing_alg_values_supported"`
}

// configuration is one kind of credential that an issuer gives.
type configuration struct {
	Format     string               `json:"format"`
	Scope      string               `json:"scope,omitempty"`
	Algorithms []json.RawMessage    `json:"credential_signing_alg_values_supported,omitempty"`
	Binding    []string             `json:"cryptographic_binding_methods_supported,omitempty"`
	Proofs     map[string]proofKind `json:"proof_types_supported,omitempty"`
	Type       string               `json:"vct,omitempty"`
	Doctype    string               `json:"doctype,omitempty"`
	Definition json.RawMessage      `json:"credential_definition,omitempty"`
	Old        []holder.Display     `json:"display,omitempty"` // of draft 13
	Reuse      *holder.Reuse        `json:"credential_reuse_policy,omitempty"`
	Metadata   *struct {
		Display []holder.Display    `json:"display,omitempty"`
		Claims  []holder.ClaimLabel `json:"claims,omitempty"`
		Reuse   *holder.Reuse       `json:"credential_reuse_policy,omitempty"`
	} `json:"credential_metadata,omitempty"`
}

func (c configuration) display() []holder.Display {
	if c.Metadata != nil && len(c.Metadata.Display) > 0 {
		return holder.Tame(c.Metadata.Display)
	}
	return holder.Tame(c.Old)
}

func (c configuration) labels() []holder.ClaimLabel {
	if c.Metadata == nil {
		return nil
	}
	return c.Metadata.Claims
}

func (c configuration) reuse() *holder.Reuse {
	if c.Metadata != nil && c.Metadata.Reuse != nil {
		return c.Metadata.Reuse
	}
	return c.Reuse
}

// draft13 tells an issuer that follows draft 13: 1.0 has a nonce endpoint, or puts the
// display one level deeper.
func (c configuration) draft13(m metadata) bool {
	return m.Nonce == "" && c.Metadata == nil && len(c.Old) > 0
}

// server is what a wallet needs of an authorization server's metadata (RFC 8414).
type server struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint,omitempty"`
	Token     string   `json:"token_endpoint"`
	Pushed    string   `json:"pushed_authorization_request_endpoint,omitempty"`
	NeedsPush bool     `json:"require_pushed_authorization_requests,omitempty"`
	SaysIssue bool     `json:"authorization_response_iss_parameter_supported,omitempty"`
	DPoP      []string `json:"dpop_signing_alg_values_supported,omitempty"`
	Anonymous bool     `json:"pre-authorized_grant_anonymous_access_supported,omitempty"`
	Details   []string `json:"authorization_details_types_supported,omitempty"`
	Scopes    []string `json:"scopes_supported,omitempty"`
}

var errOffer = fault.New(fault.Invalid, "This is no credential offer. Copy the whole link, or scan the code again.").Named("bad-offer")

// readOffer reads a link: the offer itself, or where it is.
func (r *Runner) readOffer(ctx context.Context, link string) (offer, error) {
	var o offer
	link = strings.TrimSpace(link)
	u, err := url.Parse(link)
	if err != nil || len(link) > 16<<10 {
		return o, errOffer
	}
	query := u.Query()
	value, reference := query["credential_offer"], query["credential_offer_uri"]
	switch {
	case len(value) == 1 && len(reference) == 0:
		if err := json.Unmarshal([]byte(value[0]), &o); err != nil {
			return o, errOffer.Because(errors.New("the offer is no JSON"))
		}
	case len(reference) == 1 && len(value) == 0:
		err = r.get(ctx, reference[0], &o)
	case len(reference)+len(value) == 0 && (u.Scheme == "https" || u.Scheme == "http"):
		err = r.get(ctx, u.String(), &o)
	default:
		return o, errOffer
	}
	var no refused
	if errors.As(err, &no) {
		return o, fault.New(fault.NotFound, "This offer was used or has expired. Ask for a new one.").Named("offer-gone").Because(no)
	}
	if err != nil {
		return o, err
	}
	if o.Issuer == "" || len(o.Configurations) == 0 {
		return o, errOffer
	}
	return o, nil
}

// wellKnown are the places of a document about an identifier: as the standards
// have it, and as issuers of drafts do.
func wellKnown(identifier *url.URL, name string) []string {
	u := *identifier
	path := strings.TrimSuffix(identifier.Path, "/")
	u.RawPath, u.RawQuery, u.Path = "", "", "/.well-known/"+name+path
	places := []string{u.String()}
	if path != "" {
		u.Path = path + "/.well-known/" + name
		places = append(places, u.String())
	}
	return places
}

func (r *Runner) known(ctx context.Context, identifier string, into any, names ...string) error {
	u, err := Address(identifier)
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, place := range wellKnown(u, name) {
			if err = r.get(ctx, place, into); err == nil {
				return nil
			}
			if no := (refused{}); !errors.As(err, &no) {
				return err
			}
		}
	}
	return errAnswer.Because(err)
}

// readIssuer reads what an issuer says of itself.
func (r *Runner) readIssuer(ctx context.Context, identifier string) (metadata, error) {
	var m metadata
	if err := r.known(ctx, identifier, &m, "openid-credential-issuer"); err != nil {
		return m, err
	}
	if m.Issuer != identifier || m.Credential == "" {
		return m, errAnswer.Because(errors.New("the metadata is for another issuer"))
	}
	return m, nil
}

// usable tells whether we can verify and hold credentials of this kind.
func (c configuration) usable() bool {
	return holder.Supported(c.Format)
}

// findServer finds the authorization server: the issuer itself, the one that the
// offer names, or the first.
func (r *Runner) findServer(ctx context.Context, o offer, m metadata) (server, error) {
	var s server
	wanted := ""
	if g := o.Grants.PreAuthorized; g != nil {
		wanted = g.Server
	} else if g := o.Grants.Code; g != nil {
		wanted = g.Server
	}
	identifier := m.Issuer
	switch {
	case wanted != "" && wanted != m.Issuer && !slices.Contains(m.Servers, wanted):
		return s, errAnswer.Because(fmt.Errorf("the offer names a server that the issuer does not"))
	case wanted != "":
		identifier = wanted
	case len(m.Servers) > 0:
		identifier = m.Servers[0]
	}
	if err := r.known(ctx, identifier, &s, "oauth-authorization-server", "openid-configuration"); err != nil {
		return s, err
	}
	if s.Issuer != identifier || s.Token == "" {
		return s, errAnswer.Because(errors.New("the metadata is for another server"))
	}
	return s, nil
}
