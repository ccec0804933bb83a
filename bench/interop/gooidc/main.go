// Command gooidc logs somebody in with github.com/coreos/go-oidc and golang.org/x/oauth2,
// as most Go portals do. Usage: gooidc CLIENT_ID CLIENT_SECRET ISSUER UIN. One line of
// JSON; exit 0 or 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const callback = "https://rp.example/callback"

func main() {
	claims, err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fmt.Printf("{\"passed\":false,\"reason\":%q}\n", err)
		os.Exit(1)
	}
	raw, _ := json.Marshal(map[string]any{"passed": true, "claims": claims})
	fmt.Println(string(raw))
}

func run(ctx context.Context, id, secret, issuer, uin string) (map[string]any, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{ClientID: id, ClientSecret: secret, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{oidc.ScopeOpenID, "profile"}}
	verifier := oauth2.GenerateVerifier()
	back, err := login(config.AuthCodeURL("the state", oidc.Nonce("the nonce"), oauth2.S256ChallengeOption(verifier)), issuer, uin)
	if err != nil {
		return nil, err
	}
	if back.Get("state") != "the state" || back.Get("iss") != issuer {
		return nil, fmt.Errorf("the answer is %v", back)
	}
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: id}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if idToken.Nonce != "the nonce" {
		return nil, errors.New("the ID token has another nonce")
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil {
		return nil, err
	}
	if info.Subject != idToken.Subject || claims["name"] == nil {
		return nil, fmt.Errorf("userinfo says %v", claims)
	}
	return claims, nil
}

var visit = regexp.MustCompile(`name="visit" value="([^"]+)"`)

// login goes through the pages as a browser without script would.
func login(begin, issuer, uin string) (url.Values, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	var back *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	answer, err := browser.Get(begin)
	for _, step := range []struct {
		path string
		form url.Values
	}{{"/method", url.Values{"method": {"code"}}}, {"", url.Values{"identifier": {uin}}}, {"/code", url.Values{"code": {"111111"}}}, {"/consent", url.Values{"decision": {"allow"}, "claim": {"name"}}}} {
		if err != nil {
			return nil, err
		}
		page, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		found := visit.FindSubmatch(page)
		if err != nil || found == nil {
			return nil, fmt.Errorf("no page of a login at %s: %v", answer.Request.URL, err)
		}
		step.form.Set("visit", string(found[1]))
		if answer, err = browser.PostForm(issuer+"/oidc/login"+step.path, step.form); err != nil {
			return nil, err
		}
	}
	answer.Body.Close()
	if back == nil {
		return nil, errors.New("the login does not lead back")
	}
	return back.Query(), nil
}
