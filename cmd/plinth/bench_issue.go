package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

type benchIssue struct {
	load
	Offers int    `default:"3000" help:"How many offers to make beforehand."`
	Kind   string `default:"national_id_ldp_vc" help:"Which configuration of the issuer metadata."`
	Only   bool   `help:"Measure the credential request alone: tokens and proofs are made beforehand."`
}

func (c *benchIssue) Run(ctx context.Context) error {
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	people, err := b.people(ctx, 100)
	if err != nil {
		return err
	}
	offers := make([]string, c.Offers)
	for i := range offers {
		if offers[i], err = b.offer(ctx, people[i%len(people)], c.Kind); err != nil {
			return err
		}
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * c.Workers}, Timeout: 30 * time.Second}
	ready := make([]prepared, len(offers))
	for i := range ready {
		if !c.Only {
			break
		}
		if ready[i], err = prepare(ctx, client, b.url, offers[i]); err != nil {
			return err
		}
	}
	r, err := c.measure(ctx, "issue", b.pid(), func(ctx context.Context, n int) error {
		if n >= len(offers) {
			return errNoMore
		}
		if c.Only {
			return ready[n].send(ctx, client, b.url)
		}
		p, err := prepare(ctx, client, b.url, offers[n])
		if err != nil {
			return err
		}
		return p.send(ctx, client, b.url)
	})
	if err != nil {
		return err
	}
	return r.report()
}

// offer makes an offer without a transaction code and gives its address.
func (b *bench) offer(ctx context.Context, to registry.Assigned, kind string) (string, error) {
	var o credentials.Offer
	err := postgres.InTx(ctx, b.house.pool, func(tx pgx.Tx) (err error) {
		o, err = b.house.issuer.Offer(ctx, tx, credentials.OfferTo{Person: to.Person, Kinds: []string{kind}, Voucher: auth.Voucher{Reason: "a benchmark asks"}})
		return err
	})
	return o.Page, err
}

// prepared is a credential request with its token.
type prepared struct {
	token string
	body  []byte
}

// prepare is what a wallet does with an offer: fetch it, then token, nonce, key proof.
func prepare(ctx context.Context, client *http.Client, base, address string) (p prepared, err error) {
	raw, err := fetch(ctx, client, address)
	if err != nil {
		return p, err
	}
	var offer struct {
		Kinds  []string `json:"credential_configuration_ids"`
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	if err := json.Unmarshal(raw, &offer); err != nil {
		return p, err
	}
	var token struct {
		AccessToken string `json:"access_token"`
		Details     []struct {
			Identifiers []string `json:"credential_identifiers"`
		} `json:"authorization_details"`
	}
	form := url.Values{"grant_type": {credentials.GrantType}, "pre-authorized_code": {offer.Grants[credentials.GrantType].Code}}
	if err := ask(ctx, client, base+"/oidc/token", "", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &token); err != nil {
		return p, err
	}
	var nonce struct {
		Value string `json:"c_nonce"`
	}
	if err := ask(ctx, client, base+"/vci/nonce", "", "", nil, &nonce); err != nil {
		return p, err
	}
	proof, err := keyProof(base, nonce.Value)
	if err != nil {
		return p, err
	}
	request := map[string]any{"credential_configuration_id": offer.Kinds[0], "proofs": map[string][]string{"jwt": {proof}}}
	if len(token.Details) > 0 && len(token.Details[0].Identifiers) > 0 {
		delete(request, "credential_configuration_id")
		request["credential_identifier"] = token.Details[0].Identifiers[0]
	}
	p.token = token.AccessToken
	p.body, err = json.Marshal(request)
	return p, err
}

// send asks for the credential.
func (p prepared) send(ctx context.Context, client *http.Client, base string) error {
	var issued struct {
		Credentials []struct {
			Credential json.RawMessage `json:"credential"`
		} `json:"credentials"`
	}
	if err := ask(ctx, client, base+"/vci/credential", p.token, "application/json", bytes.NewReader(p.body), &issued); err != nil {
		return err
	}
	if len(issued.Credentials) != 1 || len(issued.Credentials[0].Credential) < 100 {
		return fmt.Errorf("got no credential")
	}
	return nil
}

// keyProof proves possession of a fresh holder key.
func keyProof(audience, nonce string) (string, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("openid4vci-proof+jwt"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(map[string]any{"aud": audience, "nonce": nonce, "iat": time.Now().Unix()}).Serialize()
}

func ask(ctx context.Context, client *http.Client, address, bearer, kind string, body io.Reader, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d: %.200s", r.URL.Path, answer.StatusCode, raw)
	}
	return json.Unmarshal(raw, out)
}
