package wallet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/plinth-id/plinth/internal/fault"
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
			Code   string `json:"pre-authorized_code"`
			Server string `json:"authorization_server"`
			TxCode *struct {
				Mode        string `json:"input_mode"`
				Length      int    `json:"length"`
				Description string `json:"description"`
			} `json:"tx_code"`
		} `json:"urn:ietf:params:oauth:grant-type:pre-authorized_code"`
	} `json:"grants"`
}

// metadata is what a wallet needs of a credential issuer's (12.2.4).
type metadata struct {
	Issuer         string                   `json:"credential_issuer"`
	Servers        []string                 `json:"authorization_servers"`
	Credential     string                   `json:"credential_endpoint"`
	Nonce          string                   `json:"nonce_endpoint"`
	Notification   string                   `json:"notification_endpoint"`
	Configurations map[string]configuration `json:"credential_configurations_supported"`
}

// configuration is one kind of credential that an issuer gives.
type configuration struct {
	Format     string            `json:"format"`
	Scope      string            `json:"scope"`
	Algorithms []json.RawMessage `json:"credential_signing_alg_values_supported"`
	Binding    []string          `json:"cryptographic_binding_methods_supported"`
	Proofs     map[string]struct {
		Algorithms []string `json:"proof_signing_alg_values_supported"`
	} `json:"proof_types_supported"`
	Metadata struct {
		Display []struct {
			Name string `json:"name"`
		} `json:"display"`
	} `json:"credential_metadata"`
}

func (c configuration) name() string {
	if len(c.Metadata.Display) == 0 {
		return ""
	}
	return c.Metadata.Display[0].Name
}

// server is what a wallet needs of an authorization server's metadata (RFC 8414).
type server struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Pushed    string   `json:"pushed_authorization_request_endpoint"`
	NeedsPush bool     `json:"require_pushed_authorization_requests"`
	SaysIssue bool     `json:"authorization_response_iss_parameter_supported"`
	Grants    []string `json:"grant_types_supported"`
	Anonymous bool     `json:"pre-authorized_grant_anonymous_access_supported"`
}

// plan is an offer with all that the issuer and its server say about themselves.
type plan struct {
	offer    offer
	issuer   metadata
	server   server
	id       string // of the configuration
	kind     configuration
	clientID string
}

// offer reads a link: the offer itself, or where it is.
func (w *Wallet) offer(ctx context.Context, link string) (offer, error) {
	unreadable := fault.New(fault.Invalid, "This is no credential offer. Copy the whole link, or scan the code again.").Named("bad-offer")
	var o offer
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return o, unreadable
	}
	query := u.Query()
	value, reference := query["credential_offer"], query["credential_offer_uri"]
	switch {
	case len(value) == 1 && len(reference) == 0:
		if err := json.Unmarshal([]byte(value[0]), &o); err != nil {
			return o, unreadable.Because(err)
		}
	case len(reference) == 1 && len(value) == 0:
		err = w.get(ctx, reference[0], &o)
	case len(reference)+len(value) == 0 && u.Scheme != "openid-credential-offer":
		err = w.get(ctx, u.String(), &o)
	default:
		return o, unreadable
	}
	if no, ok := err.(refused); ok {
		return o, fault.New(fault.NotFound, "This offer was used or has expired. Ask for a new one.").Named("offer-gone").Because(no)
	}
	if err != nil {
		return o, err
	}
	if o.Issuer == "" || len(o.Configurations) == 0 {
		return o, unreadable
	}
	return o, nil
}

// plan reads the metadata and chooses what to ask for.
func (w *Wallet) plan(ctx context.Context, o offer) (plan, error) {
	p := plan{offer: o}
	issuer, err := address(o.Issuer)
	if err != nil {
		return p, err
	}
	if err := w.get(ctx, wellKnown(issuer, "openid-credential-issuer"), &p.issuer); err != nil {
		return p, unreadableMetadata(err)
	}
	if p.issuer.Issuer != o.Issuer || p.issuer.Credential == "" {
		return p, errAnswer.Because(fmt.Errorf("the metadata of %s is for another issuer", issuer.Host))
	}
	at := slices.IndexFunc(o.Configurations, func(id string) bool { return p.issuer.Configurations[id].usable() })
	if at < 0 {
		return p, fault.New(fault.Invalid, "This wallet cannot hold the kind of credential that is offered.").Named("kind-unsupported")
	}
	p.id = o.Configurations[at]
	p.kind = p.issuer.Configurations[p.id]
	return p, w.findServer(ctx, &p)
}

// usable tells whether we can verify and hold credentials of this kind.
func (c configuration) usable() bool {
	if c.Format != "ldp_vc" {
		return false
	}
	if len(c.Algorithms) == 0 {
		return true
	}
	return slices.ContainsFunc(c.Algorithms, func(a json.RawMessage) bool { return string(a) == `"eddsa-rdfc-2022"` })
}

// findServer finds the authorization server: the issuer itself, the one that the
// offer names, or the first.
func (w *Wallet) findServer(ctx context.Context, p *plan) error {
	wanted := ""
	if g := p.offer.Grants.PreAuthorized; g != nil {
		wanted = g.Server
	} else if g := p.offer.Grants.Code; g != nil {
		wanted = g.Server
	}
	identifier := p.issuer.Issuer
	switch {
	case wanted != "" && !slices.Contains(p.issuer.Servers, wanted):
		return errAnswer.Because(fmt.Errorf("the offer names a server that the issuer does not"))
	case wanted != "":
		identifier = wanted
	case len(p.issuer.Servers) > 0:
		identifier = p.issuer.Servers[0]
	}
	u, err := address(identifier)
	if err != nil {
		return err
	}
	if err := w.get(ctx, wellKnown(u, "oauth-authorization-server"), &p.server); err != nil {
		return unreadableMetadata(err)
	}
	if p.server.Issuer != identifier || p.server.Token == "" {
		return errAnswer.Because(fmt.Errorf("the metadata of %s is for another server", u.Host))
	}
	return nil
}

func unreadableMetadata(err error) error {
	if no, ok := err.(refused); ok {
		return errAnswer.Because(no)
	}
	return err
}
