// Package partner holds the relying parties: who they are, where people are sent
// back to, with which keys they prove themselves, and what they may ask.
package partner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Client is a relying party.
type Client struct {
	ID      string            `json:"client_id"`
	Names   map[string]string `json:"client_names,omitempty"` // by language
	Scopes  []string          `json:"scopes"`
	Sector  string            `json:"sector"` // clients of one sector know a person by one name
	Secrets []Secret          `json:"-"`
	Manager []byte            `json:"-"`                    // SHA-256 of the registration access token (RFC 7592)
	Expires *time.Time        `json:"expires_at,omitempty"` // of one that a federation vouches for
	Kept
	Disabled bool `json:"disabled"`
}

// Kept are the members of RFC 7591 metadata (and of the standards that add to
// them) that are kept as they were sent.
type Kept struct {
	Name           string          `json:"client_name"`
	Profile        Profile         `json:"plinth_profile"`
	Rehearsed      Profile         `json:"plinth_shadow_profile,omitempty"` // what would fail under it is noted
	Purpose        Purpose         `json:"purpose,omitzero"`
	LogoURI        string          `json:"logo_uri,omitempty"`
	ClientURI      string          `json:"client_uri,omitempty"`
	PolicyURI      string          `json:"policy_uri,omitempty"`
	TOSURI         string          `json:"tos_uri,omitempty"`
	Contacts       []string        `json:"contacts,omitempty"`
	RedirectURIs   []string        `json:"redirect_uris"`
	PostLogoutURIs []string        `json:"post_logout_redirect_uris,omitempty"`
	JWKS           json.RawMessage `json:"jwks,omitempty"`
	JWKSURI        string          `json:"jwks_uri,omitempty"`
	AuthMethod     AuthMethod      `json:"token_endpoint_auth_method"`
	AuthAlg        string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	GrantTypes     []string        `json:"grant_types,omitempty"`
	Claims         []string        `json:"claims"` // the most it may ever be given

	BackchannelLogoutURI     string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool   `json:"backchannel_logout_session_required,omitempty"`

	RequirePushed        bool `json:"require_pushed_authorization_requests,omitempty"`
	RequireSignedRequest bool `json:"require_signed_request_object,omitempty"`
	RequirePKCE          bool `json:"require_pkce,omitempty"`
	DPoPBound            bool `json:"dpop_bound_access_tokens,omitempty"`
	CertificateBound     bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	RequestAlg         string `json:"request_object_signing_alg,omitempty"`
	IDTokenAlg         string `json:"id_token_signed_response_alg,omitempty"`
	IDTokenKeyAlg      string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenContentAlg  string `json:"id_token_encrypted_response_enc,omitempty"`
	UserInfoAlg        string `json:"userinfo_signed_response_alg,omitempty"`
	UserInfoKeyAlg     string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserInfoContentAlg string `json:"userinfo_encrypted_response_enc,omitempty"`
	IntrospectionAlg   string `json:"introspection_signed_response_alg,omitempty"`
	ResponseAlg        string `json:"authorization_signed_response_alg,omitempty"`
	ResponseKeyAlg     string `json:"authorization_encrypted_response_alg,omitempty"`
	ResponseContentAlg string `json:"authorization_encrypted_response_enc,omitempty"`

	TLSSubject string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSName    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSURI     string `json:"tls_client_auth_san_uri,omitempty"`

	ACRs           []string `json:"default_acr_values,omitempty"`
	MaxAge         *int     `json:"default_max_age,omitempty"` // seconds
	DetailTypes    []string `json:"authorization_details_types,omitempty"`
	Resources      []string `json:"plinth_resources,omitempty"` // audiences that it may get tokens for, or whose tokens it may look at
	ConsentMinutes int      `json:"consent_expire_in_mins,omitempty"`

	CIBADelivery     string `json:"backchannel_token_delivery_mode,omitempty"` // "poll" or "ping"
	CIBANotification string `json:"backchannel_client_notification_endpoint,omitempty"`
}

// AuthMethod is how a client proves itself at our endpoints (RFC 7591, RFC 8705).
type AuthMethod string

// The methods.
const (
	PrivateKeyJWT AuthMethod = "private_key_jwt"
	SecretBasic   AuthMethod = "client_secret_basic"
	SecretPost    AuthMethod = "client_secret_post"
	TLSAuth       AuthMethod = "tls_client_auth"
	SelfSignedTLS AuthMethod = "self_signed_tls_client_auth"
	Attested      AuthMethod = "attest_jwt_client_auth" // of a wallet, by its maker
	NoAuth        AuthMethod = "none"
)

// Methods lists the methods, the strongest first.
func Methods() []AuthMethod {
	return []AuthMethod{PrivateKeyJWT, TLSAuth, SelfSignedTLS, Attested, SecretBasic, SecretPost, NoAuth}
}

// Secret tells of a client's secret: its SHA-256, for it has 128 random bits or more.
type Secret struct {
	Hash  []byte     `json:"hash"`
	Until *time.Time `json:"until,omitempty"` // of one that was rotated away
}

// Purpose is what a person is told of why they are asked to log in.
type Purpose struct {
	Type   string            `json:"type,omitempty"`  // "login", "verify", "link" or "none"
	Titles map[string]string `json:"title,omitempty"` // by language; "@none" for all
}

// Config is what a Directory works with.
type Config struct {
	Pool *pgxpool.Pool
	// Fetch reads a sector_identifier_uri; nil: it is believed.
	Fetch func(ctx context.Context, address string) ([]byte, error)
	Now   func() time.Time // nil means time.Now
}

// Directory knows the relying parties.
type Directory struct {
	Config
	recent cache
}

// New makes a Directory.
func New(c Config) (*Directory, error) {
	if c.Pool == nil {
		return nil, errors.New("partner: Pool is needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Directory{Config: c}, nil
}

var errUnknown = fault.New(fault.NotFound, "There is no relying party with this client_id. List them to see who there are.").Named("client-unknown")

// Added is a client that was just registered, with what is shown only now.
type Added struct {
	Client
	Secret string `json:"client_secret,omitempty"`
	Token  string `json:"registration_access_token,omitempty"`
}

// Add registers a client by its RFC 7591 metadata with plinth_profile.
func (d *Directory) Add(ctx context.Context, metadata []byte) (Added, error) {
	a, err := parse(metadata)
	if err == nil {
		err = d.inSector(ctx, metadata, a.Client)
	}
	if err != nil {
		return a, err
	}
	a.Token, a.Manager = newSecret()
	err = d.change(ctx, audit.ClientAdded, a.ID, func(tx pgx.Tx) (bool, error) { return insert(ctx, tx, a.Client, d.Now()) })
	if fault.Is(err, fault.NotFound) {
		return a, fault.New(fault.Conflict, "There is a relying party with this client_id already. Choose another, or leave it out.")
	}
	return a, err
}

// Update puts new metadata in the place of a client's old (RFC 7592 section 2.2).
// What it proves itself with stays when it is not named.
func (d *Directory) Update(ctx context.Context, id string, metadata []byte) (Client, error) {
	old, err := d.Client(ctx, d.Pool, id)
	if err != nil {
		return old, err
	}
	changed, err := reparse(old, metadata)
	if err == nil {
		err = d.inSector(ctx, metadata, changed)
	}
	if err != nil {
		return old, err
	}
	return changed, d.change(ctx, audit.ClientChanged, id, func(tx pgx.Tx) (bool, error) { return update(ctx, tx, changed, d.Now()) })
}

// inSector looks whether a sector counts a client among its own: its document must list
// every redirect_uri (OpenID Connect Registration 5), or anybody could join another's
// sector and know people by the same names.
func (d *Directory) inSector(ctx context.Context, raw []byte, c Client) error {
	var m metadata
	if d.Fetch == nil || json.Unmarshal(raw, &m) != nil || m.SectorURI == "" {
		return nil
	}
	r := refusing()
	document, err := d.Fetch(ctx, m.SectorURI)
	var listed []string
	if err != nil || json.Unmarshal(document, &listed) != nil {
		r.unless(false, "sector_identifier_uri", "must lead to a JSON array of redirect URIs that we can read")
		return r.err()
	}
	for _, uri := range c.RedirectURIs {
		r.unless(slices.Contains(listed, uri), "sector_identifier_uri", "must list every redirect_uri of the client")
	}
	return r.err()
}

// Vouched adds or renews a client that a federation vouches for, until it expires.
func (d *Directory) Vouched(ctx context.Context, db postgres.DB, id string, metadata json.RawMessage, expires time.Time) error {
	c, err := vouched(id, metadata)
	if err != nil {
		return err
	}
	c.Expires = &expires
	defer d.forget(id)
	done, err := upsertVouched(ctx, db, c, d.Now())
	if err != nil {
		return fmt.Errorf("registering client %s of a federation: %w", id, err)
	}
	if !done {
		return fault.New(fault.Conflict, "A relying party that was registered here by hand has this client_id.").Named("client-taken")
	}
	return audit.Append(ctx, db, audit.Entry{Event: audit.ClientAdded, Subject: "client:" + id, Details: map[string]string{"by": "federation"}})
}

// List lists all clients.
func (d *Directory) List(ctx context.Context) ([]Client, error) { return all(ctx, d.Pool) }

// Client finds a client; fault NotFound when there is none.
func (d *Directory) Client(ctx context.Context, db postgres.DB, id string) (Client, error) {
	if !Wellformed(id) {
		return Client{}, errUnknown // some bytes the database refuses
	}
	c, err := byID(ctx, db, id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && c.Expires != nil && !d.Now().Before(*c.Expires) {
		return Client{}, errUnknown
	}
	if err != nil {
		return c, fmt.Errorf("reading a client: %w", err)
	}
	return c, nil
}

// Disable shuts a client out, at once.
func (d *Directory) Disable(ctx context.Context, id string) error {
	return d.able(ctx, audit.ClientDisabled, id, true)
}

// Enable lets a client in again.
func (d *Directory) Enable(ctx context.Context, id string) error {
	return d.able(ctx, audit.ClientEnabled, id, false)
}

func (d *Directory) able(ctx context.Context, event audit.Event, id string, disabled bool) error {
	if !Wellformed(id) {
		return errUnknown
	}
	return d.change(ctx, event, id, func(tx pgx.Tx) (bool, error) { return setDisabled(ctx, tx, id, disabled, d.Now()) })
}

// change does one change and records it; nothing changed is fault NotFound.
func (d *Directory) change(ctx context.Context, event audit.Event, id string, do func(tx pgx.Tx) (bool, error)) error {
	defer d.forget(id)
	return postgres.InTx(ctx, d.Pool, func(tx pgx.Tx) error {
		done, err := do(tx)
		if err != nil {
			return fmt.Errorf("changing a client: %w", err)
		}
		if !done {
			return errUnknown
		}
		return audit.Append(ctx, tx, audit.Entry{Event: event, Subject: "client:" + id})
	})
}
