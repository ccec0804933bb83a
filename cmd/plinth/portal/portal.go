// Package portal is the relying party of the demonstration: a ministry's
// website that lets people log in through Plinth. It sees nothing of the
// provider but its public endpoints, through an OpenID Connect library that
// others wrote.
package portal

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// Config is what a relying party gets when it is registered.
type Config struct {
	Issuer   string           // issuer URL of the provider
	ClientID string           // as registered
	Key      crypto.Signer    // signs client assertions (private_key_jwt, ES256)
	KeyID    string           // kid of Key in the registered JWKS
	Redirect *url.URL         // where the provider sends people back to
	HTTP     *http.Client     // outbound
	Now      func() time.Time // nil means time.Now
}

// Portal is the website.
type Portal struct {
	cfg Config

	mu       sync.Mutex
	provider *oidc.Provider // discovered at the first login
}

// New makes a portal; it talks to the provider only when somebody logs in.
func New(cfg Config) *Portal {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Portal{cfg: cfg}
}

// discovered reads the provider's metadata once.
func (p *Portal) discovered(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.provider == nil {
		provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.cfg.HTTP), p.cfg.Issuer)
		if err != nil {
			return nil, fmt.Errorf("reading the provider's metadata: %w", err)
		}
		p.provider = provider
	}
	return p.provider, nil
}

func (p *Portal) client(provider *oidc.Provider) *oauth2.Config {
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{ClientID: p.cfg.ClientID, Endpoint: endpoint, RedirectURL: p.cfg.Redirect.String(),
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", "phone"}}
}

// Attempt is what the portal keeps in the browser between leaving and return.
type Attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Begin gives the address at the provider to send the person to.
func (p *Portal) Begin(ctx context.Context) (Attempt, string, error) {
	provider, err := p.discovered(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return a, p.client(provider).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// Person is what the provider told about who logged in.
type Person struct {
	Name   string
	Claims map[string]any
	At     time.Time
	ACR    string
}

// Finish trades the code for tokens, checks the ID token and asks userinfo.
func (p *Portal) Finish(ctx context.Context, a Attempt, code string) (Person, error) {
	provider, err := p.discovered(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx = oidc.ClientContext(ctx, p.cfg.HTTP)
	assertion, err := p.assertion()
	if err != nil {
		return Person{}, err
	}
	token, err := p.client(provider).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier),
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", assertion))
	if err != nil {
		return Person{}, fmt.Errorf("trading the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: p.cfg.ClientID, SupportedSigningAlgs: []string{oidc.ES256}, Now: p.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return Person{}, fmt.Errorf("checking the ID token: %w", err)
	}
	if id.Nonce != a.Nonce {
		return Person{}, fmt.Errorf("checking the ID token: its nonce is not ours")
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return Person{}, fmt.Errorf("asking userinfo: %w", err)
	}
	if info.Subject != id.Subject {
		return Person{}, fmt.Errorf("asking userinfo: another subject answered")
	}
	person := Person{At: p.cfg.Now()}
	if err := info.Claims(&person.Claims); err != nil {
		return Person{}, fmt.Errorf("reading userinfo: %w", err)
	}
	var about struct{ ACR string }
	if err := id.Claims(&about); err != nil {
		return Person{}, fmt.Errorf("reading the ID token: %w", err)
	}
	person.ACR = about.ACR
	person.Name, _ = person.Claims["name"].(string)
	return person, nil
}

// assertion proves to the token endpoint who we are (RFC 7523).
func (p *Portal) assertion() (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.cfg.Key, KeyID: p.cfg.KeyID}}, nil)
	if err != nil {
		return "", fmt.Errorf("signing the client assertion: %w", err)
	}
	now := p.cfg.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{Issuer: p.cfg.ClientID, Subject: p.cfg.ClientID, ID: rand.Text(),
		Audience: jwt.Audience{p.cfg.Issuer}, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute))}).Serialize()
}

// cell shows a claim of any shape as text.
func cell(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}
