package errand

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

var dpopNonce = regexp.MustCompile(`(?i)^DPoP\b.*error="?use_dpop_nonce`)

// Later is a credential that the issuer has not ready yet: what is needed to ask
// again. It is the owner's to keep.
type Later struct {
	Transaction string    `json:"transaction_id"`
	Interval    int       `json:"interval,omitempty"` // seconds
	Since       time.Time `json:"since"`
}

// Poll asks again for a credential that was to come later.
func (r *Runner) Poll(ctx context.Context, f *Fetch) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if f.Later == nil || f.Issuer.Deferred == "" {
		return Turn{}, holder.ErrSignature
	}
	f.Stage = over
	return r.ask(ctx, f)
}

// ask prepares the credential request with its proofs.
func (r *Runner) ask(ctx context.Context, f *Fetch) (Turn, error) {
	if f.Later != nil {
		m, err := jsonTo(f.Issuer.Deferred, map[string]string{"transaction_id": f.Later.Transaction})
		if err != nil {
			return Turn{}, err
		}
		return r.wait(ctx, f, asking, m)
	}
	if len(f.Kind.Proofs) > 0 && len(f.Kind.Proofs["jwt"].Algorithms) == 0 {
		if _, ok := f.Kind.Proofs["jwt"]; !ok {
			return Turn{}, fault.New(fault.Invalid, "This wallet cannot make the proof that the issuer wants.").Named("proof-unsupported")
		}
	}
	if f.Issuer.Nonce != "" {
		var fresh struct {
			Nonce string `json:"c_nonce"`
		}
		answer, err := r.Send(ctx, Message{Method: "POST", URL: f.Issuer.Nonce})
		if err != nil {
			return Turn{}, err
		}
		if err := answer.read(&fresh); err != nil {
			return Turn{}, errAnswer.Because(err)
		}
		f.Nonce = fresh.Nonce
	}
	var proofs []holder.Waiting
	for _, key := range f.holders() {
		claims := map[string]any{"aud": f.Issuer.Issuer, "iat": r.Now().Unix()}
		if f.Client.ID != "" && f.Offer.Grants.PreAuthorized == nil {
			claims["iss"] = f.Client.ID
		}
		if f.Nonce != "" {
			claims["nonce"] = f.Nonce
		}
		header := map[string]any{"typ": "openid4vci-proof+jwt"}
		if err := name(header, f.Kind, key); err != nil {
			return Turn{}, err
		}
		proof, err := holder.Draft(key, header, claims)
		if err != nil {
			return Turn{}, err
		}
		proofs = append(proofs, proof)
	}
	return r.wait(ctx, f, asking, Message{Method: "POST", URL: f.Issuer.Credential, Type: "application/json"}, proofs...)
}

// holders are the keys that the copies are bound to; none where the issuer binds to none.
func (f *Fetch) holders() holder.Keys {
	if len(f.Kind.Proofs) == 0 {
		return nil
	}
	if f.Kind.draft13(f.Issuer) {
		return f.Keys[1:2]
	}
	return f.Keys[1:]
}

// name puts the holder's key into the header of a proof: as its DID where the issuer
// binds to DIDs, else as it is.
func name(header map[string]any, kind configuration, key jose.JSONWebKey) error {
	var of func(any) (string, error)
	switch {
	case slices.Contains(kind.Binding, "did:key"):
		of = func(k any) (string, error) { return vc.DIDKey(k) }
	case slices.Contains(kind.Binding, "did:jwk"):
		of = func(k any) (string, error) { return vc.DIDJWK(k) }
	default:
		header["jwk"] = key
		return nil
	}
	did, err := of(key.Key)
	if err != nil {
		return fmt.Errorf("naming a key of the wallet: %w", err)
	}
	header["kid"], err = vc.KeyName(did)
	return err
}

// enclose puts the proofs into the credential request, and encrypts it where the
// issuer wants that.
func (f *Fetch) enclose(m *Message, proofs []string) error {
	if f.Later != nil {
		return nil
	}
	body := map[string]any{"credential_configuration_id": f.ID}
	old := f.Kind.draft13(f.Issuer)
	if old {
		body = map[string]any{"format": f.Kind.Format}
		for member, value := range map[string]string{"vct": f.Kind.Type, "doctype": f.Kind.Doctype} {
			if value != "" {
				body[member] = value
			}
		}
		if f.Kind.Definition != nil {
			body["credential_definition"] = f.Kind.Definition
		}
	}
	for _, d := range f.Access.Details {
		if d.Type == "openid_credential" && d.Configuration == f.ID && len(d.Identifiers) > 0 {
			body = map[string]any{"credential_identifier": d.Identifiers[0]}
		}
	}
	switch {
	case len(proofs) == 0:
	case old:
		body["proof"] = map[string]string{"proof_type": "jwt", "jwt": proofs[0]}
	default:
		body["proofs"] = map[string][]string{"jwt": proofs}
	}
	if e := f.Issuer.Responses; e != nil && e.Required && !old {
		wanted, err := f.answerKey(e)
		if err != nil {
			return err
		}
		body["credential_response_encryption"] = wanted
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing a credential request: %w", err)
	}
	m.Body = raw
	if e := f.Issuer.Requests; e != nil && (e.Required || body["credential_response_encryption"] != nil) {
		m.Type = "application/jwt"
		m.Body, err = e.encrypt(raw)
	}
	return err
}

// encryption is what an issuer says of encrypted requests or responses.
type encryption struct {
	Required   bool                `json:"encryption_required,omitempty"`
	Keys       *jose.JSONWebKeySet `json:"jwks,omitempty"`
	Algorithms []string            `json:"alg_values_supported,omitempty"`
	Contents   []string            `json:"enc_values_supported,omitempty"`
}

// content is the strongest content encryption of both.
func content(offered []string) (jose.ContentEncryption, error) {
	for _, c := range []jose.ContentEncryption{jose.A256GCM, jose.A128GCM, jose.A128CBC_HS256} {
		if slices.Contains(offered, string(c)) {
			return c, nil
		}
	}
	return "", fault.New(fault.Invalid, "This wallet has no encryption of the kind that is wanted.").Named("encryption-unsupported")
}

// EncryptionKey is the first of the keys that can be encrypted to.
func EncryptionKey(keys []jose.JSONWebKey) (jose.JSONWebKey, error) {
	for _, k := range keys {
		if public, ok := k.Key.(*ecdsa.PublicKey); ok && public.Curve == elliptic.P256() && k.Use != "sig" && (k.Algorithm == "" || k.Algorithm == string(jose.ECDH_ES)) {
			return k, nil
		}
	}
	return jose.JSONWebKey{}, fault.New(fault.Invalid, "The other side wants encryption, but has no key for it that this wallet can use.").Named("encryption-unsupported")
}

// Encrypt is a compact JWE.
func Encrypt(keys []jose.JSONWebKey, contents []string, plain []byte, options *jose.EncrypterOptions) ([]byte, error) {
	enc, err := content(contents)
	if err != nil {
		return nil, err
	}
	k, err := EncryptionKey(keys)
	if err != nil {
		return nil, err
	}
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.ECDH_ES, Key: k.Key, KeyID: k.KeyID}, options)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	sealed, err := e.Encrypt(plain)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	compact, err := sealed.CompactSerialize()
	return []byte(compact), err
}

func (e *encryption) encrypt(plain []byte) ([]byte, error) {
	var keys []jose.JSONWebKey
	if e.Keys != nil {
		keys = e.Keys.Keys
	}
	return Encrypt(keys, e.Contents, plain, (&jose.EncrypterOptions{}).WithContentType("json"))
}

// answerKey makes the key to which the issuer encrypts. It is the errand's own: what
// it protects is read here anyway, to be checked.
func (f *Fetch) answerKey(e *encryption) (map[string]any, error) {
	enc, err := content(e.Contents)
	if err != nil {
		return nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if f.Secret, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return map[string]any{"jwk": jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ECDH_ES), Use: "enc", KeyID: "1"}, "enc": enc}, nil
}

// open decrypts an answer that came encrypted.
func (f *Fetch) open(answer *Reply) error {
	if answer.Type != "application/jwt" || answer.Status/100 != 2 {
		return nil
	}
	private, err := x509.ParsePKCS8PrivateKey(f.Secret)
	if err != nil {
		return errAnswer.Because(errors.New("an encrypted answer that nobody asked for"))
	}
	sealed, err := jose.ParseEncryptedCompact(string(answer.Body), []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM, jose.A128GCM, jose.A128CBC_HS256})
	if err == nil {
		answer.Body, err = sealed.Decrypt(private)
	}
	if err != nil {
		return errAnswer.Because(errors.New("the answer cannot be decrypted"))
	}
	answer.Type = "application/json"
	return nil
}

// answered takes the answer of the credential endpoint, or the deferred one.
func (r *Runner) answered(ctx context.Context, f *Fetch, answer Reply) (Turn, error) {
	if err := f.open(&answer); err != nil {
		return Turn{}, err
	}
	var said struct {
		Credentials []struct {
			Credential json.RawMessage `json:"credential"`
		} `json:"credentials"`
		Credential   json.RawMessage `json:"credential"` // draft 13
		Notification string          `json:"notification_id"`
		Transaction  string          `json:"transaction_id"`
		Interval     int             `json:"interval"`
	}
	err := answer.read(&said)
	var no refused
	if errors.As(err, &no) {
		if f.Later != nil && no.Code == "issuance_pending" {
			f.Stage = over
			return Turn{Later: f.Later}, nil
		}
		return Turn{}, fault.New(fault.Denied, "The issuer refused to give the credential. Ask for a new offer.").Named("credential-refused").Because(no)
	}
	if err != nil {
		return Turn{}, err
	}
	if said.Transaction != "" {
		f.Stage, f.Later = over, &Later{Transaction: said.Transaction, Interval: min(max(said.Interval, 5), 7*24*3600), Since: r.Now()}
		return Turn{Later: f.Later}, nil
	}
	documents := []json.RawMessage{}
	for _, c := range said.Credentials {
		documents = append(documents, c.Credential)
	}
	if said.Credential != nil && len(documents) == 0 {
		documents = append(documents, said.Credential)
	}
	if len(documents) == 0 || len(documents) > maxCopies {
		return Turn{}, errAnswer.Because(fmt.Errorf("%d credentials", len(documents)))
	}
	f.Later, f.Notify, f.Event = nil, said.Notification, "credential_accepted"
	card, err := r.card(ctx, f, documents)
	if err != nil {
		f.Event = "credential_failure"
		if f.Notify == "" || f.Issuer.Notification == "" {
			return Turn{}, err
		}
		f.Refused = "it was refused, and the issuer told"
		return r.tell(ctx, f)
	}
	turn, err := r.tell(ctx, f)
	turn.Card = card
	return turn, err
}

// tell prepares the notification of the issuer.
func (r *Runner) tell(ctx context.Context, f *Fetch) (Turn, error) {
	if f.Notify == "" || f.Issuer.Notification == "" {
		return f.finish()
	}
	m, err := jsonTo(f.Issuer.Notification, map[string]string{"notification_id": f.Notify, "event": f.Event})
	if err != nil {
		return Turn{}, err
	}
	return r.wait(ctx, f, telling, m)
}
