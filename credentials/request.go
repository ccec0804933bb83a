package credentials

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/proof"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/registry/auth"
)

// What a credential request is refused with: the codes are OpenID4VCI's (8.3.1.2).
var (
	errRequest       = fault.New(fault.Invalid, "The credential request is malformed. Send what OpenID4VCI 1.0 describes, as JSON.").Named("invalid_credential_request")
	errConfiguration = fault.New(fault.Invalid, "There is no such credential configuration. The issuer metadata lists those there are.").Named("unknown_credential_configuration")
	errIdentifier    = fault.New(fault.Invalid, "There is no such credential identifier. Use one that the token response named, or credential_configuration_id.").Named("unknown_credential_identifier")
	errProof         = fault.New(fault.Invalid, "The proof of the key is missing or not a good one. Make a new one as OpenID4VCI 1.0 describes it.").Named("invalid_proof")
	errEncryption    = fault.New(fault.Invalid, "The encryption is missing, or not one that the issuer metadata offers. A request that wants an encrypted answer must be encrypted too.").Named("invalid_encryption_parameters")
	errDenied        = fault.New(fault.Denied, "This credential cannot be issued to this person now.").Named("credential_request_denied")
	errQuota         = fault.New(fault.Denied, "This person was given all the copies that there are in a day. Ask again tomorrow.").Named(errDenied.Code)
	errHAIP          = fault.New(fault.Denied, "This credential is for wallets that a trusted maker attests and whose tokens are bound by DPoP.").Named(errDenied.Code)
	errScope         = fault.New(fault.Denied, "The access token does not cover this credential. Ask for it when you get the token.").Named("insufficient_scope")
)

// CredentialRequest is what a wallet asks for. The members from Format on are those of
// draft 13.
type CredentialRequest struct {
	Identifier    *string                    `json:"credential_identifier"`
	Configuration *string                    `json:"credential_configuration_id"`
	Proofs        map[string]json.RawMessage `json:"proofs"`
	Encryption    json.RawMessage            `json:"credential_response_encryption"`

	Format     *string         `json:"format"`
	Proof      json.RawMessage `json:"proof"`
	Definition struct {
		Types []string `json:"type"`
	} `json:"credential_definition"`
	VCT     string `json:"vct"`
	Doctype string `json:"doctype"`
}

// Answer is what a wallet gets: credentials, or a number to ask with later.
type Answer struct {
	Credentials  []json.RawMessage
	Notification string
	Transaction  string
	Interval     int // seconds
	Draft13      bool
}

// Issue answers a credential request under a token.
func (i *Issuer) Issue(ctx context.Context, t auth.Token, r CredentialRequest) (Answer, error) {
	if i.older(r) {
		return i.issueDraft13(ctx, t, r)
	}
	kind, err := i.asked(t, r)
	if err != nil {
		return Answer{}, err
	}
	i.Dialects.count(dialectFinal)
	return i.give(ctx, t, kind, demand{proofs: r.Proofs, audiences: []string{i.ID()}})
}

// asked tells which kind a request is for. The token endpoint names the one data set
// that there is of each configuration like the configuration, and a wallet to which
// it did must use that name (8.2).
func (i *Issuer) asked(t auth.Token, r CredentialRequest) (Kind, error) {
	switch {
	case (r.Identifier == nil) == (r.Configuration == nil):
		return Kind{}, errRequest.Because(errors.New("exactly one of credential_configuration_id and credential_identifier is needed"))
	case r.Identifier != nil && !slices.Contains(t.Named, *r.Identifier):
		return Kind{}, errIdentifier
	case r.Identifier != nil:
		return i.granted(t, *r.Identifier, errIdentifier)
	case slices.Contains(t.Named, *r.Configuration):
		return Kind{}, errRequest.Because(errors.New("the token response named a credential_identifier, which must be used"))
	}
	return i.granted(t, *r.Configuration, errConfiguration)
}

// granted finds a kind that a token covers.
func (i *Issuer) granted(t auth.Token, id string, unknown error) (Kind, error) {
	kind, ok := i.kind(id)
	switch {
	case !ok:
		return Kind{}, unknown
	case !slices.Contains(t.Configurations(), id):
		return Kind{}, errScope
	case kind.HAIP && !(t.Bound && t.Genuine):
		return Kind{}, errHAIP
	}
	return kind, nil
}

// demand is a request whose kind is known.
type demand struct {
	proofs    map[string]json.RawMessage
	audiences []string // identifiers of ours that a proof may be for
	draft13   bool
}

// give issues what was asked for, or defers it.
func (i *Issuer) give(ctx context.Context, t auth.Token, kind Kind, d demand) (Answer, error) {
	var given proof.Given
	if kind.Bound {
		var err error
		given, err = proof.Check(ctx, d.proofs, proof.Want{Audiences: d.audiences, Client: t.Client(), Most: max(kind.BatchSize, 1),
			Levels: kind.Levels, Attesters: i.Attesters, Now: i.Now()})
		if err != nil {
			return Answer{}, errProof.Because(err)
		}
		for _, nonce := range given.Nonces {
			if _, err := i.checkNonce(nonce); err != nil {
				return Answer{}, err
			}
		}
	}
	o := order{person: t.Person(), kind: kind, actor: actor(t.Grant), keys: given.Keys, nonces: given.Nonces, counted: true}
	wait, err := i.mustWait(ctx, o)
	if err != nil {
		return Answer{}, err
	}
	if wait {
		return i.deferIt(ctx, t.Grant, o, d.draft13)
	}
	issued, err := i.issue(ctx, o)
	if err != nil {
		return Answer{}, err
	}
	return answerOf(kind, issued, d.draft13)
}

// answerOf puts documents into the form that their format has in JSON (appendix A).
func answerOf(kind Kind, issued Issued, draft13 bool) (Answer, error) {
	a := Answer{Notification: issued.Notification, Draft13: draft13}
	for _, document := range issued.Documents {
		switch kind.Format {
		case "ldp_vc":
			a.Credentials = append(a.Credentials, document)
			continue
		case "mso_mdoc":
			document = []byte(base64.RawURLEncoding.EncodeToString(document))
		}
		text, err := json.Marshal(string(document))
		if err != nil {
			return a, err
		}
		a.Credentials = append(a.Credentials, text)
	}
	return a, nil
}

// told is the body of an answer, in the dialect of its request.
func (i *Issuer) told(a Answer) ([]byte, error) {
	body := map[string]any{}
	switch {
	case a.Transaction != "":
		body["transaction_id"], body["interval"] = a.Transaction, a.Interval
	case a.Draft13:
		body["credential"], body["notification_id"] = a.Credentials[0], a.Notification
	default:
		list := make([]map[string]json.RawMessage, 0, len(a.Credentials))
		for _, credential := range a.Credentials {
			list = append(list, map[string]json.RawMessage{"credential": credential})
		}
		body["credentials"], body["notification_id"] = list, a.Notification
	}
	if a.Draft13 {
		nonce, err := i.Nonce()
		if err != nil {
			return nil, err
		}
		body["c_nonce"], body["c_nonce_expires_in"] = nonce, int(nonceLife/time.Second)
	}
	return json.Marshal(body)
}
