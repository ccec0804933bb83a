package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/credentials/verifier/present"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// Verifier is in whose name wallets are asked. Empty: by our did:web.
type Verifier struct {
	Cert, Key, ClientID string
	Embed               []string // origins
}

// verifierKeys are the settings of it.
var verifierKeys = []key{
	{"PLINTH_VERIFIER_CERT", "", "certificate chain (PEM file) under which wallets are asked (x509_hash, x509_san_dns); empty: by our did:web", text(func(s *Settings) *string { return &s.Verifier.Cert })},
	{"PLINTH_VERIFIER_KEY", "", "private key (PEM file, P-256 or Ed25519) of PLINTH_VERIFIER_CERT", text(func(s *Settings) *string { return &s.Verifier.Key })},
	{"PLINTH_VERIFIER_CLIENT_ID", "", "client id under which wallets know this verifier beforehand; empty: none", func(s *Settings, v string) error {
		if s.Verifier.ClientID = v; strings.Contains(v, ":") {
			return errors.New("has no colon: what stands before one is a client id prefix")
		}
		return nil
	}},
	{"PLINTH_VERIFIER_EMBED", "", "origins (https://shop.example), separated by commas, whose pages may have the verifier in them; empty: our own alone", func(s *Settings, v string) error {
		s.Verifier.Embed = nil
		for each := range strings.SplitSeq(v, ",") {
			if each = strings.TrimSpace(each); each == "" {
				continue
			}
			u, err := baseURL(each)
			if err != nil {
				return fmt.Errorf("%q: %w", each, err)
			}
			s.Verifier.Embed = append(s.Verifier.Embed, u.Scheme+"://"+u.Host)
		}
		return nil
	}},
}

// identity reads the key that requests are signed by, and its certificates: those of
// the settings, or a key of the ring that our did:web publishes.
func (h *house) identity(ctx context.Context) (crypto.Signer, []*x509.Certificate, error) {
	v := h.Settings.Verifier
	if (v.Cert == "") != (v.Key == "") {
		return nil, nil, errors.New("PLINTH_VERIFIER_CERT and PLINTH_VERIFIER_KEY go together: set both or neither")
	}
	if v.Cert == "" {
		if err := h.ring.Ensure(ctx, keys.Verifier); err != nil {
			return nil, nil, err
		}
		key, err := h.ring.Signer(keys.Verifier)
		return key.Signer, nil, err
	}
	pair, err := tls.LoadX509KeyPair(v.Cert, v.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("PLINTH_VERIFIER_CERT: %w", err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("PLINTH_VERIFIER_KEY: this key does not sign")
	}
	var chain []*x509.Certificate
	for _, der := range pair.Certificate {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, fmt.Errorf("PLINTH_VERIFIER_CERT: %w", err)
		}
		chain = append(chain, certificate)
	}
	return signer, chain, nil
}

func (h *house) buildVerifier() (err error) {
	signer, chain, err := h.identity(context.Background())
	if err != nil {
		return err
	}
	h.others = &others{files: h.Settings.Trust, lists: map[string]vc.TrustList{}}
	if err := h.others.read(); err != nil {
		return err
	}
	known := presets(h.URL.String())
	c := verifier.Config{Trust: h.believed, Status: h.fetchStatus, Tokens: h.fetchTokens, Fresh: h.ownStatus, Signer: signer, Lists: h.ownLists, Embed: h.Settings.Verifier.Embed}
	for _, p := range known {
		c.Asks = append(c.Asks, p.Name)
	}
	if h.checker, err = verifier.New(c); err != nil {
		return err
	}
	h.counter, err = present.New(present.Config{Pool: h.pool, Ring: h.ring, Verifier: h.checker, Public: h.URL, Signer: signer, Chain: chain,
		KnownAs: h.Settings.Verifier.ClientID, Name: h.URL.Hostname(), Presets: known, Allowed: h.mayAsk})
	return err
}

// ownLists are the addresses of the status lists that are published here.
func (h *house) ownLists(ctx context.Context) ([]string, error) {
	var all []string
	for n := int64(1); ; n++ {
		if _, err := h.status.List(ctx, n, status.Revocations); fault.Is(err, fault.NotFound) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, h.URL.JoinPath("status", strconv.FormatInt(n, 10)).String())
	}
}

// askScope lets a relying party ask wallets what it likes, by a token of its own.
const askScope = "vp.request"

// mayAsk lets officers who are signed in, and relying parties with a token for it,
// ask what they like.
func (h *house) mayAsk(ctx context.Context, r *http.Request) error {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && len(token) <= 128 {
		if _, err := h.places.Session(ctx, token); err == nil {
			return nil
		} else if !fault.Is(err, fault.Unauthenticated) {
			return err
		}
	}
	_, err := h.provider.Machine(ctx, r, askScope)
	return err
}

// presets are what anybody may ask by name: of the cards that are issued here, in
// each of their formats.
func presets(base string) []present.Preset {
	const space = "org.iso.23220.1"
	card, age := base+"/vct/national_id", base+"/vct/proof_of_age"
	type claim map[string]any
	path := func(steps ...any) claim { return claim{"path": steps} }
	ask := func(id, format string, meta map[string]any, claims ...claim) map[string]any {
		return map[string]any{"id": id, "format": format, "meta": meta, "claims": claims}
	}
	one := func(credentials ...map[string]any) json.RawMessage {
		var options [][]string
		for _, c := range credentials {
			options = append(options, []string{c["id"].(string)})
		}
		raw, err := json.Marshal(map[string]any{"credentials": credentials, "credential_sets": []any{map[string]any{"options": options}}})
		if err != nil {
			panic(err) // only text and lists are in it
		}
		return raw
	}
	adult := func(c claim) claim { c["values"] = []any{true}; return c }
	return []present.Preset{
		{Name: "identity", Query: one(
			ask("card", "dc+sd-jwt", map[string]any{"vct_values": []string{card}}, path("name"), path("birthdate")),
			ask("mdoc", "mso_mdoc", map[string]any{"doctype_value": "org.plinth.national_id.1"}, path("org.plinth.1", "full_name"), path(space, "birth_date")),
			ask("ld", "ldp_vc", map[string]any{"type_values": [][]string{{vc.TypeNationalIDIRI}}}, path("credentialSubject", "fullName"), path("credentialSubject", "birthDate")))},
		{Name: "age", Query: one(
			ask("card", "dc+sd-jwt", map[string]any{"vct_values": []string{age, card}}, adult(path("age_equal_or_over", "18"))),
			ask("proof", "mso_mdoc", map[string]any{"doctype_value": "org.plinth.proof_of_age.1"}, adult(path(space, "age_over_18"))),
			ask("mdoc", "mso_mdoc", map[string]any{"doctype_value": "org.plinth.national_id.1"}, adult(path(space, "age_over_18"))))},
	}
}
