package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"github.com/plinth-id/plinth/registry"
)

// authenticator is one in software: it makes one passkey and signs with it. What
// stands in its fields a test may change, to misbehave.
type authenticator struct {
	key     *ecdsa.PrivateKey
	id      []byte
	handle  []byte
	counter uint32
	origin  string
	rp      string
	flags   byte // user present 1, user verified 4
	forge   string
}

const (
	present  = 1
	verified = 4
	attested = 64
)

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a := &authenticator{key: key, id: make([]byte, 32), origin: "https://id.example:8443", rp: "id.example", flags: present | verified}
	_, _ = rand.Read(a.id)
	return a
}

var b64 = base64.RawURLEncoding.EncodeToString

// question is what both kinds of options hold, as far as it is needed.
type question struct {
	Response struct {
		Challenge string `json:"challenge"`
		RP        struct {
			ID string `json:"id"`
		} `json:"rp"`
		RPID             string `json:"rpId"`
		UserVerification string `json:"userVerification"`
		User             struct {
			ID          string `json:"id"`
			Name        string `json:"name"`
			DisplayName string `json:"displayName"`
		} `json:"user"`
		Attestation string `json:"attestation"`
		Selection   struct {
			ResidentKey      string `json:"residentKey"`
			UserVerification string `json:"userVerification"`
		} `json:"authenticatorSelection"`
		Exclude []struct {
			ID string `json:"id"`
		} `json:"excludeCredentials"`
	} `json:"publicKey"`
}

func read(t *testing.T, options []byte) (q question) {
	t.Helper()
	must(t, json.Unmarshal(options, &q))
	return q
}

func (a *authenticator) client(t *testing.T, kind, challenge string) []byte {
	t.Helper()
	if a.forge != "" {
		challenge = a.forge
	}
	raw, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	must(t, err)
	return raw
}

func (a *authenticator) data(flags byte) []byte {
	rp := sha256.Sum256([]byte(a.rp))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.counter)
}

// make answers navigator.credentials.create.
func (a *authenticator) make(t *testing.T, options []byte) []byte {
	t.Helper()
	q := read(t, options)
	handle, err := base64.RawURLEncoding.DecodeString(q.Response.User.ID)
	must(t, err)
	a.handle = handle
	point, err := a.key.PublicKey.Bytes()
	must(t, err)
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	must(t, err)
	data := append(a.data(a.flags|attested), make([]byte, 16)...) // no AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(append(data, a.id...), cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	must(t, err)
	raw, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key",
		"response": map[string]any{"clientDataJSON": b64(a.client(t, "webauthn.create", q.Response.Challenge)), "attestationObject": b64(object)}})
	must(t, err)
	return raw
}

// sign answers navigator.credentials.get; its counter goes up.
func (a *authenticator) sign(t *testing.T, options []byte) []byte {
	t.Helper()
	a.counter++
	client := a.client(t, "webauthn.get", read(t, options).Response.Challenge)
	data := a.data(a.flags)
	hashed := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hashed[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	must(t, err)
	raw, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(a.handle)}})
	must(t, err)
	return raw
}

// withPasskey is somebody with a passkey.
func (w *world) withPasskey(t *testing.T) (registry.Assigned, *authenticator) {
	t.Helper()
	a, key := w.person(t), newAuthenticator(t)
	p := w.logIn(t, a.UIN.Reveal())
	options, state, err := w.BeginPasskey(t.Context(), p)
	must(t, err)
	must(t, w.FinishPasskey(t.Context(), p, state, key.make(t, options), "my phone"))
	return a, key
}

// byPasskey is a whole login by a passkey, up to its judgement.
func (w *world) byPasskey(t *testing.T, key *authenticator) Attempt {
	t.Helper()
	transaction := uuid.NewString()
	options, state, err := w.AskPasskey(transaction)
	must(t, err)
	return Attempt{Passkey: key.sign(t, options), PasskeyState: state, Transaction: transaction, Client: portal, From: home}
}
