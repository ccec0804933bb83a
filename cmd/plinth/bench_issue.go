package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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
	Offers int      `default:"3000" help:"How many offers to make beforehand."`
	Only   []string `help:"Which parts: journey, ldp_vc, dc+sd-jwt, mso_mdoc, batch."`
}

// Run measures the whole way from an offer to a credential, then by itself the one
// request that issues: the token, the nonce and the proof of the key are there before.
func (c *benchIssue) Run(ctx context.Context) error {
	b, err := startBench(ctx)
	if err != nil {
		return err
	}
	defer b.stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * c.Workers}, Timeout: 30 * time.Second}
	for _, part := range []issuePart{{"journey", "", 0}, {"ldp_vc", "national_id_ldp_vc", 1}, {"dc+sd-jwt", "national_id_sd_jwt", 1}, {"mso_mdoc", "national_id_mdoc", 1}, {"batch", "national_id_sd_jwt", 10}} {
		if len(c.Only) > 0 && !slices.Contains(c.Only, part.name) {
			continue
		}
		// A person may be given so many copies in a day: each part has people of its own.
		people, err := b.people(ctx, 100)
		if err != nil {
			return err
		}
		do := c.journeys
		if part.copies > 0 {
			do = c.requests
		}
		if err := do(ctx, b, client, people, part); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// issuePart is what is measured by itself.
type issuePart struct {
	name   string
	kind   string
	copies int // that one request asks for
}

func (c *benchIssue) journeys(ctx context.Context, b *bench, client *http.Client, people []registry.Assigned, _ issuePart) error {
	offers := make([]string, c.Offers)
	for i := range offers {
		var err error
		if offers[i], err = b.offer(ctx, people[i%len(people)]); err != nil {
			return err
		}
	}
	r, err := c.measure(ctx, "issue", b.pid(), func(ctx context.Context, n int) error {
		if n >= len(offers) {
			return errNoMore
		}
		return receive(ctx, client, b.url, offers[n])
	})
	if err != nil {
		return err
	}
	return r.report()
}

// requests measures the credential request alone.
func (c *benchIssue) requests(ctx context.Context, b *bench, client *http.Client, people []registry.Assigned, part issuePart) error {
	const each = 90 // copies, of the hundred that there are in a day
	var waiting []waitingRequest
	for _, p := range people {
		address, err := b.offer(ctx, p, part.kind)
		if err != nil {
			return err
		}
		token, err := redeem(ctx, client, b.url, address)
		if err != nil {
			return err
		}
		for range min(each/part.copies, (c.Offers+len(people)-1)/len(people)) {
			r, err := prepare(ctx, client, b.url, token, part)
			if err != nil {
				return err
			}
			waiting = append(waiting, r)
		}
	}
	what := "credential " + part.name
	if part.copies > 1 {
		what = fmt.Sprintf("credentials, %d a request", part.copies)
	}
	r, err := c.measure(ctx, what, b.pid(), func(ctx context.Context, n int) error {
		if n >= len(waiting) {
			return errNoMore
		}
		return collect(ctx, client, b.url, waiting[n])
	})
	if err != nil {
		return err
	}
	r.Copies = part.copies
	return r.report()
}

// offer makes an offer without a transaction code and gives its address.
func (b *bench) offer(ctx context.Context, to registry.Assigned, kinds ...string) (string, error) {
	var o credentials.Offer
	err := postgres.InTx(ctx, b.house.pool, func(tx pgx.Tx) (err error) {
		o, err = b.house.issuer.Offer(ctx, tx, credentials.OfferTo{Person: to.Person, Kinds: kinds, Voucher: auth.Voucher{Reason: "a benchmark asks"}})
		return err
	})
	return o.Page, err
}

// receive is what a wallet does with an offer: fetch it, then token, nonce, key
// proof, credential.
func receive(ctx context.Context, client *http.Client, base, address string) error {
	token, err := redeem(ctx, client, base, address)
	if err != nil {
		return err
	}
	r, err := prepare(ctx, client, base, token, issuePart{kind: credentials.NationalID, copies: 1})
	if err != nil {
		return err
	}
	return collect(ctx, client, base, r)
}

// tokenAnswer is what the token endpoint says of a code.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	Details     []struct {
		Identifiers []string `json:"credential_identifiers"`
	} `json:"authorization_details"`
}

func redeem(ctx context.Context, client *http.Client, base, address string) (token tokenAnswer, err error) {
	raw, err := fetch(ctx, client, address)
	if err != nil {
		return token, err
	}
	var offer struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	if err := json.Unmarshal(raw, &offer); err != nil {
		return token, err
	}
	form := url.Values{"grant_type": {credentials.GrantType}, "pre-authorized_code": {offer.Grants[credentials.GrantType].Code}}
	return token, ask(ctx, client, base+"/oidc/token", "", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), &token)
}

// waitingRequest is a credential request that has all it needs.
type waitingRequest struct {
	token  string
	body   []byte
	copies int
}

func prepare(ctx context.Context, client *http.Client, base string, token tokenAnswer, part issuePart) (waitingRequest, error) {
	var nonce struct {
		Value string `json:"c_nonce"`
	}
	if err := ask(ctx, client, base+"/vci/nonce", "", "", nil, &nonce); err != nil {
		return waitingRequest{}, err
	}
	proofs := make([]string, part.copies)
	for i := range proofs {
		var err error
		if proofs[i], err = keyProof(base, nonce.Value); err != nil {
			return waitingRequest{}, err
		}
	}
	request := map[string]any{"credential_configuration_id": part.kind, "proofs": map[string][]string{"jwt": proofs}}
	if len(token.Details) > 0 && len(token.Details[0].Identifiers) > 0 {
		delete(request, "credential_configuration_id")
		request["credential_identifier"] = token.Details[0].Identifiers[0]
	}
	body, err := json.Marshal(request)
	return waitingRequest{token.AccessToken, body, part.copies}, err
}

func collect(ctx context.Context, client *http.Client, base string, r waitingRequest) error {
	var issued struct {
		Credentials []struct {
			Credential json.RawMessage `json:"credential"`
		} `json:"credentials"`
	}
	if err := ask(ctx, client, base+"/vci/credential", r.token, "application/json", bytes.NewReader(r.body), &issued); err != nil {
		return err
	}
	if len(issued.Credentials) != r.copies || len(issued.Credentials[0].Credential) < 100 {
		return fmt.Errorf("got %d credentials, want %d", len(issued.Credentials), r.copies)
	}
	return nil
}

// keyProof proves possession of a fresh holder key.
func keyProof(audience, nonce string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
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
