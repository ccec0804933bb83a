package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
)

// AskPasskey asks a browser for any passkey of ours: the options are for
// navigator.credentials.get, the state comes back as Attempt.PasskeyState. No number
// is asked, and nothing is stored.
func (d *Desk) AskPasskey(transaction string) (options, state []byte, err error) {
	if d.passkeys == nil {
		return nil, nil, notOffered(ByPasskey)
	}
	if transaction == "" {
		return nil, nil, errors.New("auth: a challenge needs a transaction")
	}
	assertion, session, err := d.passkeys.BeginDiscoverableLogin()
	if err != nil {
		return nil, nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	if options, err = json.Marshal(assertion); err != nil {
		return nil, nil, err
	}
	state, err = d.sealAsked(session, toLogIn(transaction))
	return options, state, err
}

// passkeyFits judges the answer to a challenge of this transaction (WebAuthn Level 3,
// 7.2). The passkey says whose it is.
func (d *Desk) passkeyFits(a Attempt) (factor, error) {
	if d.passkeys == nil {
		return factor{}, notOffered(ByPasskey)
	}
	question, err := d.openAsked(a.PasskeyState, toLogIn(a.Transaction))
	if err != nil {
		return factor{}, err
	}
	if len(a.Passkey) > longestAnswers {
		return factor{}, errAnswer
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(a.Passkey)
	if err != nil {
		return factor{}, errAnswer.Because(err)
	}
	var b bound
	var record passkeyRecord
	return factor{
		who: func(ctx context.Context, tx pgx.Tx) (who claimed, err error) {
			record = passkeyRecord{}
			b, who, err = d.holder(ctx, tx, ByPasskey, d.passkeyLookups(parsed.RawID), &record)
			if err != nil {
				return who, err
			}
			return d.sameAs(ctx, tx, who, a.Identifier)
		},
		unfit: func(ctx context.Context, tx pgx.Tx, who claimed) (string, error) {
			// Before anything is judged: a challenge is good for one answer, right or wrong.
			first, err := question.answer(ctx, tx)
			if err != nil {
				return "", err
			}
			if !first {
				return "replayed", nil
			}
			if !who.exists {
				return string(ByPasskey), nil
			}
			holder := passkeyHolder{handle: d.handle(who.person), credentials: []webauthn.Credential{record.Credential}}
			_, credential, err := d.passkeys.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return holder, nil }, question.Session, parsed)
			if err != nil {
				return string(ByPasskey), nil
			}
			if credential.Authenticator.CloneWarning {
				return "cloned", nil // its counter has not gone up: there may be two of it
			}
			record.Credential = *credential
			return "", d.used(ctx, tx, b)
		},
	}, nil
}
