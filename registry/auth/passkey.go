package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
)

const (
	challengeLife  = 5 * time.Minute
	longestAnswers = 64 << 10 // bytes of what a browser gives
)

// Passkey is a passkey as its person sees it.
type Passkey struct {
	ID      uuid.UUID
	Name    string
	Created time.Time
	Used    time.Time // zero: never
}

// relyingParty is what browsers and authenticators bind passkeys to; nil where people
// reach us by no name: by an address, or not at all.
func relyingParty(public *url.URL) (*webauthn.WebAuthn, error) {
	if public == nil || protocol.ValidateRPID(public.Hostname()) != nil {
		return nil, nil
	}
	required := true
	return webauthn.New(&webauthn.Config{
		RPID: public.Hostname(), RPDisplayName: public.Hostname(), RPOrigins: []string{public.Scheme + "://" + public.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: &required, ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
		Timeouts: webauthn.TimeoutsConfig{Login: webauthn.TimeoutConfig{Timeout: challengeLife}, Registration: webauthn.TimeoutConfig{Timeout: challengeLife}},
		// Some password managers tell properties that nobody asked for. We use none.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

// passkeyRecord is what is kept of a passkey, sealed.
type passkeyRecord struct {
	Name       string              `json:"name"`
	Credential webauthn.Credential `json:"credential"`
}

// passkeyHolder is a person as the library wants one.
type passkeyHolder struct {
	handle      []byte // never a number: authenticators show it to whoever holds them
	name        string
	credentials []webauthn.Credential
}

func (h passkeyHolder) WebAuthnID() []byte                         { return h.handle }
func (h passkeyHolder) WebAuthnName() string                       { return h.name }
func (h passkeyHolder) WebAuthnDisplayName() string                { return h.name }
func (h passkeyHolder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }

func (d *Desk) handle(person uuid.UUID) []byte { return d.Ring.PRF("passkey handle", person[:]) }

// asked is a challenge on its way, sealed so that nothing is stored for it.
type asked struct {
	Session webauthn.SessionData `json:"session"`
	Until   time.Time            `json:"until"`
}

// errStale says that a challenge is not ours, not for this, or too old.
var errStale = fault.New(fault.Invalid, "This took too long, or was begun elsewhere. Try again.").Named("passkey-stale")

// errAnswer says that a browser's answer cannot be read or does not fit.
var errAnswer = fault.New(fault.Invalid, "The answer of the passkey does not fit the question. Try again.").Named("passkey-unusable")

// toRegister and toLogIn are the places that challenges are bound to.
func toRegister(person uuid.UUID) []byte {
	return append([]byte("auth passkey to register\x00"), person[:]...)
}

func toLogIn(transaction string) []byte { return []byte("auth passkey to log in\x00" + transaction) }

func (d *Desk) sealAsked(s *webauthn.SessionData, place []byte) ([]byte, error) {
	plain, err := json.Marshal(asked{*s, d.Now().Add(challengeLife)})
	if err != nil {
		return nil, err
	}
	return d.Ring.Seal(keys.Sessions, plain, place)
}

func (d *Desk) openAsked(state, place []byte) (a asked, err error) {
	plain, err := d.Ring.Open(keys.Sessions, state, place)
	if err == nil {
		err = json.Unmarshal(plain, &a)
	}
	if err != nil || d.Now().After(a.Until) {
		return asked{}, errStale.Because(err)
	}
	return a, nil
}

// answer spends a challenge: one statement, so that it is answered once.
func (a asked) answer(ctx context.Context, tx pgx.Tx) (first bool, err error) {
	token := sha256.Sum256([]byte("passkey\x00" + a.Session.Challenge))
	if first, err = answerOnce(ctx, tx, token[:], a.Until); err != nil {
		return false, fmt.Errorf("spending a challenge: %w", err)
	}
	return first, nil
}

// BeginPasskey asks the person's browser to make a passkey: the options are for
// navigator.credentials.create, the state comes back with its answer.
func (d *Desk) BeginPasskey(ctx context.Context, proof Proof) (options, state []byte, err error) {
	if d.passkeys == nil {
		return nil, nil, notOffered(ByPasskey)
	}
	if err := d.mayBind(ctx, d.Pool, proof); err != nil {
		return nil, nil, err
	}
	i, err := d.Registry.Read(ctx, d.Pool, proof.person)
	if err != nil {
		return nil, nil, err
	}
	_, records, err := listKeys[passkeyRecord](ctx, d, d.Pool, keyRow{Person: proof.person, Kind: ByPasskey})
	if err != nil {
		return nil, nil, err
	}
	var known []protocol.CredentialDescriptor
	for _, r := range records {
		known = append(known, r.Credential.Descriptor())
	}
	creation, session, err := d.passkeys.BeginRegistration(d.passkeyHolder(i), webauthn.WithExclusions(known), webauthn.WithCredentialParameters(algorithms))
	if err != nil {
		return nil, nil, fmt.Errorf("asking for a passkey: %w", err)
	}
	if options, err = json.Marshal(creation); err != nil {
		return nil, nil, err
	}
	state, err = d.sealAsked(session, toRegister(proof.person))
	return options, state, err
}

// algorithms are those of authenticators in use, the better ones first.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

func (d *Desk) passkeyHolder(i registry.Identity) passkeyHolder {
	name := i.Name(i.Language())
	if name == "" {
		name = i.UIN.String() // masked
	}
	return passkeyHolder{handle: d.handle(i.Person), name: name}
}

// FinishPasskey keeps the passkey that the browser has made.
func (d *Desk) FinishPasskey(ctx context.Context, proof Proof, state, response []byte, name string) error {
	if d.passkeys == nil {
		return notOffered(ByPasskey)
	}
	if err := d.mayBind(ctx, d.Pool, proof); err != nil {
		return err
	}
	name, err := named(name)
	if err != nil {
		return err
	}
	a, err := d.openAsked(state, toRegister(proof.person))
	if err != nil {
		return err
	}
	if len(response) > longestAnswers {
		return errAnswer
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return errAnswer.Because(err)
	}
	credential, err := d.passkeys.CreateCredential(passkeyHolder{handle: d.handle(proof.person)}, a.Session, parsed)
	if err != nil {
		return errAnswer.Because(err)
	}
	credential.Attestation = webauthn.CredentialAttestation{} // nobody was asked to vouch for the device
	row := keyRow{ID: uuid.New(), Kind: ByPasskey, Person: proof.person, Created: d.Now()}
	lookups := d.passkeyLookups(credential.ID)
	row.Lookup = lookups[0]
	entry := audit.Entry{Event: audit.PasskeyAdded, Subject: row.ID.String()}
	return d.changing(ctx, proof, entry, func(tx pgx.Tx, key keys.PersonKey) error {
		first, err := a.answer(ctx, tx)
		if err != nil {
			return err
		}
		if !first {
			return errStale
		}
		if err := d.untaken(ctx, tx, ByPasskey, lookups); err != nil {
			return err
		}
		return d.keep(ctx, tx, row, passkeyRecord{name, *credential}, key)
	})
}

// passkeyLookups are the keyed hashes of a credential's id.
func (d *Desk) passkeyLookups(id []byte) [][]byte {
	return d.Ring.LookupAll("passkey", base64.RawURLEncoding.EncodeToString(id))
}

// Passkeys lists a person's passkeys, the oldest first.
func (d *Desk) Passkeys(ctx context.Context, db postgres.DB, person uuid.UUID) ([]Passkey, error) {
	rows, records, err := listKeys[passkeyRecord](ctx, d, db, keyRow{Person: person, Kind: ByPasskey})
	all := make([]Passkey, len(rows))
	for n, row := range rows {
		all[n] = Passkey{ID: row.ID, Name: records[n].Name, Created: row.Created, Used: timeOf(row.Used)}
	}
	return all, err
}

// DropPasskey takes a passkey away.
func (d *Desk) DropPasskey(ctx context.Context, proof Proof, id uuid.UUID) error {
	return d.dropKey(ctx, proof, id, ByPasskey, audit.PasskeyDropped)
}
