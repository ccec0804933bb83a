package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/verifier/present"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
)

// askWallet asks a wallet for a national identity of ours, for a login. The address
// that its browser is sent to serves a wallet on the same device and on another.
func (h *house) askWallet(ctx context.Context, q login.WalletQuestion) (login.WalletRequest, error) {
	query, err := loginQuery(h.URL.String())
	if err != nil {
		return login.WalletRequest{}, err
	}
	t := present.Terms{Query: query, Purpose: q.Purpose, Flow: "same_device", Redirect: q.Return}
	if q.Return == "" {
		t.Flow, t.Mode = "", "dc_api.jwt"
	}
	r, err := h.counter.Ask(ctx, t, q.Key, q.From)
	return login.WalletRequest{ID: r.ID, Link: r.Link, Browser: r.Browser, Answer: r.Answer, Expires: r.Expires}, err
}

// loginQuery asks for that one credential in whichever form the wallet has it, and for
// nothing that stands in it: whose it is, the ledger knows.
func loginQuery(base string) (json.RawMessage, error) {
	ask := func(id, format string, meta map[string]any) map[string]any {
		return map[string]any{"id": id, "format": format, "meta": meta}
	}
	return json.Marshal(map[string]any{
		"credentials": []any{
			ask("card", "dc+sd-jwt", map[string]any{"vct_values": []string{base + "/vct/national_id"}}),
			ask("mdoc", "mso_mdoc", map[string]any{"doctype_value": "org.plinth.national_id.1"}),
			ask("ld", "ldp_vc", map[string]any{"type_values": [][]string{{vc.TypeNationalIDIRI}}}),
		},
		"credential_sets": []any{map[string]any{"options": [][]string{{"card"}, {"mdoc"}, {"ld"}}}},
	})
}

var errNotOurs = fault.New(fault.Denied, "The wallet has not shown a credential of ours.").Named("not-presented")

// presented tells whose credential a wallet has shown: the ledger finds it by its place
// in a status list of ours, and knows to which key it was given and whether it stands.
// So nobody else's credential can pass for it, and none that was just revoked.
func (h *house) presented(ctx context.Context, p auth.Presentation) (uuid.UUID, error) {
	shown, err := h.counter.Presented(ctx, p.Request, p.Key, p.Code)
	if err != nil {
		return uuid.Nil, err
	}
	for _, s := range shown {
		if !sameIssuer(s.Issuer, h.URL.String()) {
			continue
		}
		for _, at := range s.Places {
			path, ours := strings.CutPrefix(at.List, h.URL.String()+"/status/")
			path, _, _ = strings.Cut(path, "/")
			list, err := strconv.ParseInt(path, 10, 64)
			if !ours || err != nil {
				continue
			}
			return h.issuer.HolderAt(ctx, h.pool, h.status.Entry(list, at.Index), s.Holder)
		}
	}
	return uuid.Nil, errNotOurs
}
