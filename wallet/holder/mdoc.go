package holder

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/plinth-id/plinth/credentials/vc/mdoc"
)

func bytesOf(document json.RawMessage) ([]byte, error) {
	raw, err := Text(document)
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(raw, "="))
}

// verifyMdoc checks an mdoc. Its signer need not be of an authority that we know, for
// the same reason as with an SD-JWT.
func verifyMdoc(_ context.Context, f Finder, _ string, document json.RawMessage) error {
	raw, err := bytesOf(document)
	if err != nil {
		return err
	}
	chain, err := signerOf(raw)
	if err != nil {
		return err
	}
	_, err = mdoc.Verify(raw, mdoc.VerifyOptions{Anchors: chain[:1], Now: f.Now})
	return err
}

// signerOf reads the certificates of the signer out of an mdoc (header 33 of its COSE
// signature).
func signerOf(raw []byte) ([]*x509.Certificate, error) {
	var document struct {
		Auth []cbor.RawMessage `cbor:"issuerAuth"`
	}
	var header map[int64]cbor.RawMessage
	var one []byte
	var many [][]byte
	if err := cbor.Unmarshal(raw, &document); err != nil || len(document.Auth) != 4 || cbor.Unmarshal(document.Auth[1], &header) != nil {
		return nil, errors.New("the mdoc has no signature")
	}
	if cbor.Unmarshal(header[33], &one) == nil {
		many = [][]byte{one}
	} else if err := cbor.Unmarshal(header[33], &many); err != nil || len(many) == 0 || len(many) > maxChain {
		return nil, errors.New("the mdoc has no certificate")
	}
	chain := make([]*x509.Certificate, len(many))
	for i, der := range many {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, errors.New("the certificate of the mdoc cannot be read")
		}
	}
	return chain, nil
}

func keyIdentifier(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

func openMdoc(document json.RawMessage) (Facts, error) {
	raw, err := bytesOf(document)
	if err != nil {
		return Facts{}, err
	}
	d, err := mdoc.Parse(raw)
	if err != nil {
		return Facts{}, err
	}
	said := Facts{Types: []string{d.DocType}, Tree: make(map[string]any), From: d.ValidFrom, Until: d.ValidUntil, Holder: d.DeviceKey}
	for space, elements := range d.NameSpaces() {
		tree := make(map[string]any)
		for name, value := range elements {
			tree[name] = plain(value)
		}
		said.Tree[space] = tree
	}
	if d.Status != nil {
		said.Status = []Status{{Type: "token", List: d.Status.URI, Index: int(d.Status.Index)}}
	}
	chain, err := signerOf(raw)
	for _, c := range chain {
		said.Keys = append(said.Keys, keyIdentifier(c.AuthorityKeyId))
	}
	said.signedBy(chain)
	return said, err
}

// plain brings an element into the kinds that JSON knows: a portrait becomes a picture
// that pages can show.
func plain(value any) any {
	switch v := value.(type) {
	case []byte:
		kind := http.DetectContentType(v)
		if !strings.HasPrefix(kind, "image/") {
			kind = "application/octet-stream"
		}
		return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(v)
	case mdoc.FullDate:
		return string(v)
	case map[string]any:
		for name, inner := range v {
			v[name] = plain(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = plain(inner)
		}
	case mdoc.Tagged:
		return plain(v.Content)
	case fmt.Stringer:
		return v.String()
	}
	return value
}

func presentMdoc(p Presenting) (Half, error) {
	raw, err := bytesOf(p.Document)
	if err != nil {
		return Half{}, err
	}
	d, err := mdoc.Parse(raw)
	if err != nil {
		return Half{}, err
	}
	session, err := mdoc.RedirectTranscript(p.Audience, p.Nonce, p.Response, p.Sealed)
	if err != nil {
		return Half{}, err
	}
	elements := make(map[string][]string)
	for _, c := range p.Claims {
		if len(c) < 2 {
			continue
		}
		space, _ := c[0].(string)
		name, _ := c[1].(string)
		elements[space] = append(elements[space], name)
	}
	presented, err := d.Present(elements, session)
	if err != nil {
		return Half{}, err
	}
	if p.Key == nil {
		return Half{}, errors.New("an mdoc without its device key")
	}
	// It is made again when the signature is there: the same document, elements and
	// session give the same bytes.
	body, err := json.Marshal(halfMdoc{Document: p.Document, Elements: elements, Session: session})
	return Half{Body: body, Waiting: &Waiting{Key: *p.Key, Data: presented.ToSign}}, err
}

// halfMdoc is what an mdoc is finished from.
type halfMdoc struct {
	Document json.RawMessage     `json:"document"`
	Elements map[string][]string `json:"elements"`
	Session  []byte              `json:"session"`
}

func completeMdoc(h Half, signature []byte) (json.RawMessage, error) {
	var half halfMdoc
	if err := json.Unmarshal(h.Body, &half); err != nil {
		return nil, err
	}
	raw, err := bytesOf(half.Document)
	if err != nil {
		return nil, err
	}
	d, err := mdoc.Parse(raw)
	if err != nil {
		return nil, err
	}
	presented, err := d.Present(half.Elements, half.Session)
	if err != nil {
		return nil, err
	}
	response, err := presented.Finish(signature)
	if err != nil {
		return nil, err
	}
	return json.Marshal(base64.RawURLEncoding.EncodeToString(response))
}
