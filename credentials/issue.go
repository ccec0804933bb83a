package credentials

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/failpoint"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
)

// life is how long a credential is good for.
const life = 2 * 365 * 24 * time.Hour

// Where a crash would hurt.
var (
	pointIntended = failpoint.Name("credentials/issue/intended")
	pointSigned   = failpoint.Name("credentials/issue/signed")
)

// What a credential request is refused with: the codes are OpenID4VCI's (8.3.1.2).
var (
	errRequest       = fault.New(fault.Invalid, "The credential request is malformed. Send what OpenID4VCI 1.0 describes, as JSON.").Named("invalid_credential_request")
	errConfiguration = fault.New(fault.Invalid, "There is no such credential configuration. The issuer metadata lists those there are.").Named("unknown_credential_configuration")
	errIdentifier    = fault.New(fault.Invalid, "There is no such credential identifier. Use one that the token response named, or credential_configuration_id.").Named("unknown_credential_identifier")
	errEncryption    = fault.New(fault.Invalid, "Encrypted responses are not offered here. Leave credential_response_encryption out.").Named("invalid_encryption_parameters")
	errDenied        = fault.New(fault.Denied, "This credential cannot be issued to this person now.").Named("credential_request_denied")
	errScope         = fault.New(fault.Denied, "The access token does not cover this credential. Ask for it when you get the token.").Named("insufficient_scope")
)

// CredentialRequest is what a wallet asks for.
type CredentialRequest struct {
	Identifier    *string                    `json:"credential_identifier"`
	Configuration *string                    `json:"credential_configuration_id"`
	Proofs        map[string]json.RawMessage `json:"proofs"`
	Encryption    json.RawMessage            `json:"credential_response_encryption"`
}

// Issued is a signed credential on its way out. Nothing of it is kept but a hash.
type Issued struct {
	ID           uuid.UUID
	Document     []byte
	Notification string
}

// order is one credential to be issued, with all that decides it.
type order struct {
	person        uuid.UUID
	configuration string
	actor         string
	details       map[string]string
	holder        HolderKey // empty: bound to no key
	nonce         string    // to be spent; empty: there is none
}

// Issue answers a credential request under a grant.
func (i *Issuer) Issue(ctx context.Context, g auth.Grant, r CredentialRequest) (Issued, error) {
	configuration, err := i.asked(g, r)
	if err != nil {
		return Issued{}, err
	}
	token, err := onlyProof(r.Proofs)
	if err != nil {
		return Issued{}, err
	}
	holder, nonce, err := i.checkProof(token, g.Client())
	if err != nil {
		return Issued{}, err
	}
	if _, err := i.checkNonce(nonce); err != nil {
		return Issued{}, err
	}
	return i.issue(ctx, order{person: g.Person(), configuration: configuration, actor: actor(g), holder: holder, nonce: nonce}, i.signVC)
}

// asked tells which configuration a request is for. The token endpoint names the
// one data set that there is of each configuration like the configuration.
func (i *Issuer) asked(g auth.Grant, r CredentialRequest) (string, error) {
	switch {
	case (r.Identifier == nil) == (r.Configuration == nil):
		return "", errRequest.Because(errors.New("exactly one of credential_configuration_id and credential_identifier is needed"))
	case r.Encryption != nil:
		return "", errEncryption
	case r.Identifier != nil && !slices.Contains(g.Configurations(), *r.Identifier):
		return "", errIdentifier
	case r.Identifier != nil:
		return *r.Identifier, nil
	case *r.Configuration != NationalID:
		return "", errConfiguration
	case !slices.Contains(g.Configurations(), *r.Configuration):
		return "", errScope
	}
	return *r.Configuration, nil
}

// onlyProof takes the one proof out of a request: batches are not offered.
func onlyProof(proofs map[string]json.RawMessage) (string, error) {
	var tokens []string
	if len(proofs) != 1 || json.Unmarshal(proofs["jwt"], &tokens) != nil || len(tokens) != 1 {
		return "", errProof.Because(errors.New("exactly one proof of the type jwt is needed"))
	}
	return tokens[0], nil
}

// statement is what is to be signed.
type statement struct {
	id     uuid.UUID
	who    registry.Identity
	holder HolderKey
	entry  status.Entry
	from   time.Time
	until  time.Time
}

// issue records the intent, then signs, then records what was signed. A crash
// in between leaves an intent without a credential, which does no harm and can be
// revoked; never a credential that is in no ledger.
func (i *Issuer) issue(ctx context.Context, o order, sign func(statement) ([]byte, error)) (Issued, error) {
	who, err := i.Registry.Read(ctx, i.Pool, o.person)
	if err != nil {
		return Issued{}, err
	}
	if who.Status != registry.Active {
		return Issued{}, errDenied
	}
	from := i.Now().UTC().Truncate(time.Second)
	s := statement{id: uuid.New(), who: who, holder: o.holder, from: from, until: from.Add(life)}
	issued := Issued{ID: s.id, Notification: uuid.NewString()}
	places, err := i.Status.Draw(ctx, 1)
	if err != nil {
		return Issued{}, err
	}
	s.entry = places[0]
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error { return i.intend(ctx, tx, o, s, issued.Notification) })
	if err != nil {
		return Issued{}, err
	}
	failpoint.Hit(pointIntended)
	if issued.Document, err = sign(s); err != nil {
		return Issued{}, err
	}
	failpoint.Hit(pointSigned)
	digest := sha256.Sum256(issued.Document)
	return issued, postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		moved, err := markIssued(ctx, tx, s.id, digest[:], i.Now())
		if err != nil {
			return err
		}
		if !moved {
			return fault.New(fault.Conflict, "This credential was recorded as issued already.")
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialIssued, Person: o.person, Actor: o.actor, Subject: s.id.String()})
	})
}

// intend spends the nonce and writes the line of the ledger, all or nothing.
func (i *Issuer) intend(ctx context.Context, tx pgx.Tx, o order, s statement, notification string) error {
	// Whoever is deactivated in this moment waits for the line, which is then revoked.
	active, err := i.Registry.Active(ctx, tx, o.person)
	if err != nil {
		return err
	}
	if !active {
		return errDenied
	}
	if o.nonce != "" {
		if err := i.spendNonce(ctx, tx, o.nonce); err != nil {
			return err
		}
	}
	sealed, err := i.Ring.Seal(keys.Identity, o.person[:], s.id[:])
	if err != nil {
		return err
	}
	err = insertIssuance(ctx, tx, issuanceRow{ID: s.id, Configuration: o.configuration, PersonLookup: i.personLookup(o.person), PersonSealed: sealed,
		Holder: o.holder.thumbprint, List: s.entry.List, Index: s.entry.Index, Notification: hashed(notification), Intended: i.Now(), Expires: s.until})
	if err != nil {
		return err
	}
	details := map[string]string{"configuration": o.configuration}
	for name, value := range o.details {
		details[name] = value
	}
	return audit.Append(ctx, tx, audit.Entry{Event: audit.CredentialIntended, Person: o.person, Actor: o.actor, Subject: s.id.String(), Details: details})
}

const personKind = "credential person"

func (i *Issuer) personLookup(person uuid.UUID) []byte {
	return i.Ring.Lookup(personKind, person.String())
}

// actor names who caused what is done under a grant.
func actor(g auth.Grant) string {
	if v := g.Voucher(); v.Officer != uuid.Nil {
		return "officer:" + v.Officer.String()
	}
	if g.Client() != "" {
		return "client:" + g.Client()
	}
	return "system"
}
