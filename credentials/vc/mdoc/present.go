package mdoc

import (
	"crypto"
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

const versionResponse = "1.0"

// Presentation is a DeviceResponse that lacks the device's signature. Made again from
// the same document, elements and transcript it is the same, so that nobody has to
// keep it while the device signs.
type Presentation struct {
	// ToSign is what the device signs: with ECDSA over its SHA-256 (P-256) or SHA-384
	// (P-384), or with Ed25519.
	ToSign []byte

	key       crypto.PublicKey
	docType   string
	shown     issuerSigned
	protected []byte
}

type deviceResponse struct {
	Version   string     `cbor:"version"`
	Documents []document `cbor:"documents,omitempty"`
	Status    uint64     `cbor:"status"`
}

type document struct {
	DocType string       `cbor:"docType"`
	Issuer  issuerSigned `cbor:"issuerSigned"`
	Device  deviceSigned `cbor:"deviceSigned"`
}

type deviceSigned struct {
	NameSpaces encoded    `cbor:"nameSpaces"`
	Auth       deviceAuth `cbor:"deviceAuth"`
}

type deviceAuth struct {
	Signature *sign1          `cbor:"deviceSignature,omitempty"`
	MAC       cbor.RawMessage `cbor:"deviceMac,omitempty"`
}

// deviceAuthentication is what the device signs (9.1.3.4): the session, and what it
// states itself.
func deviceAuthentication(session Transcript, docType string, stated encoded) (encoded, error) {
	if strict.Wellformed(session) != nil {
		return nil, fmt.Errorf("%w: the transcript is not CBOR", ErrMalformed)
	}
	raw, err := canonical.Marshal([]any{"DeviceAuthentication", cbor.RawMessage(session), docType, stated})
	return wrap(raw), err
}

// Present begins to show some elements of a document, by namespace, in a session. No
// elements at all prove no more than that one has the document.
func (d *Document) Present(elements map[string][]string, session Transcript) (*Presentation, error) {
	shown := issuerSigned{Auth: d.auth}
	for _, space := range slices.Sorted(maps.Keys(elements)) {
		for _, name := range elements[space] {
			at := slices.IndexFunc(d.items, func(i item) bool { return i.space == space && i.name == name })
			if at < 0 {
				return nil, ErrNoElement
			}
			if shown.NameSpaces == nil {
				shown.NameSpaces = map[string][]encoded{}
			}
			if !slices.ContainsFunc(shown.NameSpaces[space], func(raw encoded) bool { return slices.Equal(raw, d.items[at].raw) }) {
				shown.NameSpaces[space] = append(shown.NameSpaces[space], d.items[at].raw)
			}
		}
	}
	alg, _, err := algorithm(d.DeviceKey)
	if err != nil {
		return nil, err
	}
	p := &Presentation{key: d.DeviceKey, docType: d.DocType, shown: shown}
	if p.protected, err = protectedHeader(alg); err != nil {
		return nil, err
	}
	payload, err := deviceAuthentication(session, d.DocType, nothingStated)
	if err != nil {
		return nil, err
	}
	p.ToSign = toBeSigned(p.protected, payload)
	return p, nil
}

// nothingStated are no elements by the device itself: an empty map.
var nothingStated = wrap([]byte{0xa0})

// Finish adds the device's signature (for ECDSA r and s, as WebCrypto gives them) and
// gives the DeviceResponse in CBOR. OpenID4VP carries it in base64url.
func (p *Presentation) Finish(signature []byte) ([]byte, error) {
	if !fits(p.key, p.ToSign, signature) {
		return nil, ErrDeviceSignature
	}
	return canonical.Marshal(deviceResponse{Version: versionResponse, Documents: []document{{
		DocType: p.docType, Issuer: p.shown,
		Device: deviceSigned{NameSpaces: nothingStated, Auth: deviceAuth{Signature: &sign1{Protected: p.protected, Unprotected: map[any]any{}, Signature: signature}}},
	}}})
}
