// Package federation makes the OpenID provider a member of federations (OpenID
// Federation 1.0): it says who it is and under whom it stands, follows the chain of
// signed statements from a relying party up to an anchor that it believes, and takes
// the relying party in. It can itself stand above others: it then states what it
// demands of them and gives them trust marks.
package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Config is what a Federation needs. Anchors may be empty: then nobody is resolved
// and no relying party comes in this way. The issuer among the Anchors means that we
// believe ourselves; its keys are then those of Keys.
type Config struct {
	Pool        *pgxpool.Pool
	Issuer      *url.URL
	Keys        func() jose.JSONWebKeySet                               // our public signing keys
	Sign        func(typ string, claims map[string]any) (string, error) // a compact JWS with typ and kid
	Metadata    func() map[string]any                                   // of the openid_provider
	Register    func(ctx context.Context, db postgres.DB, clientID string, metadata json.RawMessage, expires time.Time) error
	Anchors     map[string]jose.JSONWebKeySet // by entity identifier
	Authorities []string                      // our own superiors
	HTTP        *http.Client
	Now         func() time.Time // nil means time.Now
}

// Federation is our part in federations.
type Federation struct {
	Config
	issuer string
	places chan struct{} // resolutions under way
	flight singleflight.Group
	failed *memory
	chains *memory
}

const (
	statementLife = 24 * time.Hour // of what we sign about ourselves and others
	longest       = 24 * time.Hour // that a registration lasts, however long its chain does
	patience      = 15 * time.Second
	together      = 64 // resolutions that run at once
	maxFailures   = 4096
	maxChains     = 128 // each may have half a megabyte
)

// New makes a Federation.
func New(config Config) (*Federation, error) {
	if config.Pool == nil || config.Issuer == nil || config.Keys == nil || config.Sign == nil || config.Metadata == nil || config.HTTP == nil {
		return nil, errors.New("federation: Pool, Issuer, Keys, Sign, Metadata and HTTP are required")
	}
	if config.Register == nil && len(config.Anchors) > 0 {
		return nil, errors.New("federation: Register is required where there are Anchors")
	}
	issuer := config.Issuer.String()
	if !isEntity(issuer) {
		return nil, errors.New("federation: Issuer must be an https address without query and fragment")
	}
	for id, keys := range config.Anchors {
		if !isEntity(id) || len(keys.Keys) == 0 && id != issuer {
			return nil, fmt.Errorf("federation: the anchor %q must be an https address and have keys", id)
		}
	}
	for _, id := range config.Authorities {
		if !isEntity(id) || id == issuer {
			return nil, fmt.Errorf("federation: the authority %q must be the https address of another entity", id)
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Federation{Config: config, issuer: issuer, places: make(chan struct{}, together), failed: newMemory(maxFailures), chains: newMemory(maxChains)}, nil
}

// anchors are the anchors that we believe, with their keys.
func (f *Federation) anchors() map[string]jose.JSONWebKeySet {
	all := make(map[string]jose.JSONWebKeySet, len(f.Anchors))
	for id, keys := range f.Anchors {
		if id == f.issuer {
			keys = f.Keys()
		}
		all[id] = keys
	}
	return all
}

func (f *Federation) at(path string) string { return f.Issuer.JoinPath(path).String() }

// Codes of OpenID Federation 1.0, 8.9, and of OpenID Connect Registration, 3.3.
const (
	codeRequest     = "invalid_request"
	codeAnchor      = "invalid_trust_anchor"
	codeChain       = "invalid_trust_chain"
	codeMetadata    = "invalid_metadata"
	codeClient      = "invalid_client_metadata"
	codeUnknown     = "not_found"
	codeUnavailable = "temporarily_unavailable"
)

var (
	errNoAnchor = fault.New(fault.NotFound, "This trust anchor is not one that is believed here. Choose one that the trust_anchor_hints name.").Named(codeAnchor)
	errNoEntity = fault.New(fault.NotFound, "There is nothing here about this entity. Check its identifier, which is compared to the letter.").Named(codeUnknown)
	errFull     = fault.New(fault.Busy, "Too many entities are being looked up. Try again in a few seconds.").Named(codeUnavailable)
)

// mistrust says why a chain is not believed; misfit why its metadata is not.
func mistrust(format string, args ...any) error { return refusal(codeChain, format, args...) }

func misfit(format string, args ...any) error { return refusal(codeMetadata, format, args...) }

// refusal makes a fault of a reason. Reasons hold names from outside, so they are cut.
func refusal(code, format string, args ...any) error {
	const most = 400
	reason := []rune(fmt.Sprintf(format, args...))
	if len(reason) > most {
		reason = append(reason[:most], '…')
	}
	return fault.New(fault.Invalid, "The entity is not accepted: "+string(reason)+".").Named(code)
}
