package present

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
)

// Who asks, as far as it can be known.
type Who struct {
	ID     string `json:"id"`
	Prefix string `json:"prefix"`
	Name   string `json:"name,omitempty"`   // as it calls itself, or as its certificate does
	Domain string `json:"domain,omitempty"` // to where the answer goes
	Mark   Mark   `json:"mark"`
}

// Mark says how far a verifier is known.
type Mark string

// The marks, the best first.
const (
	Vouched  Mark = "vouched"  // a certificate of an authority that the wallet trusts, or whoever serves the wallet
	Proven   Mark = "proven"   // signed by the identifier that is shown; nobody vouches for it
	Unproven Mark = "unproven" // signed by nobody who is known, or not at all: only the domain is sure
)

var requestAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}

// prefixed splits a client identifier. Drafts name the prefix apart.
func (q *request) prefixed() (prefix, rest string) {
	if q.Scheme != "" {
		if q.Scheme == "did" {
			return "decentralized_identifier", q.ClientID
		}
		return q.Scheme, q.ClientID
	}
	if strings.HasPrefix(q.ClientID, "did:") {
		return "decentralized_identifier", q.ClientID
	}
	prefix, rest, found := strings.Cut(q.ClientID, ":")
	if !found {
		return "", q.ClientID
	}
	return prefix, rest
}

// unsigned takes a request that nobody signed: only one whose identifier is where the
// answer goes, for then at least that is sure.
func (s *Show) unsigned() error {
	prefix, rest := s.Request.prefixed()
	to := s.Request.Response
	if to == "" {
		to = s.Request.Redirect
	}
	if prefix != "redirect_uri" || rest != to || rest == "" {
		return errVerifier.Because(errors.New("a request by this kind of party must be signed"))
	}
	s.Prefix = prefix
	s.Asked.Who = Who{ID: s.Request.ClientID, Prefix: prefix, Name: short(s.Request.Metadata.Name), Mark: Unproven}
	return nil
}

func short(name string) string {
	if r := []rune(name); len(r) > 120 {
		return string(r[:120])
	}
	return name
}

// proveRequest checks a request object: by a key of whoever it says it is from.
func (d *Desk) proveRequest(ctx context.Context, object string, s *Show) error {
	wanted := s.Request.WalletNonce
	if unsigned, ok := plainObject(object); ok {
		s.Request = request{}
		if err := json.Unmarshal(unsigned, &s.Request); err != nil {
			return errRequest.Because(errors.New("the request cannot be read"))
		}
		if s.Request.WalletNonce != wanted {
			return errVerifier.Because(errors.New("it is not the answer to this wallet"))
		}
		return s.unsigned()
	}
	token, err := jose.ParseSignedCompact(object, requestAlgorithms)
	if err != nil || len(object) > maxRequest {
		return errVerifier.Because(errors.New("the request is no signed JWT"))
	}
	header := token.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != requestType && typ != "application/"+requestType {
		return errVerifier.Because(errors.New("typ is not that of a request"))
	}
	// What is read before the signature is checked chooses the key, no more.
	if err := json.Unmarshal(token.UnsafePayloadWithoutVerification(), &s.Request); err != nil {
		return errRequest.Because(errors.New("the request cannot be read"))
	}
	chain, err := holder.ChainOf(object)
	if err != nil {
		return errVerifier.Because(err)
	}
	key, err := d.verifierKey(ctx, s, header, chain)
	if err != nil {
		return errVerifier.Because(err)
	}
	payload, err := token.Verify(key)
	if err != nil {
		return errVerifier.Because(errors.New("the signature does not fit"))
	}
	s.Request = request{}
	if err := json.Unmarshal(payload, &s.Request); err != nil {
		return errRequest.Because(errors.New("the request cannot be read"))
	}
	if s.Request.WalletNonce != wanted {
		return errVerifier.Because(errors.New("it is not the answer to this wallet"))
	}
	if a := holder.Texts(s.Request.Audience); len(a) > 0 && !slices.Contains(a, anyWallet) {
		return errVerifier.Because(errors.New("the request is for somebody else"))
	}
	return nil
}

// plainObject is the payload of a request object that says itself that it is unsigned.
func plainObject(object string) ([]byte, bool) {
	parts := strings.Split(object, ".")
	if len(parts) != 3 || parts[2] != "" {
		return nil, false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err != nil || json.Unmarshal(head, &header) != nil || header.Algorithm != "none" {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return payload, err == nil
}

// verifierKey finds the key of whoever a request says it is from, and fills in who
// that is.
func (d *Desk) verifierKey(ctx context.Context, s *Show, header jose.Header, chain []*x509.Certificate) (any, error) {
	prefix, rest := s.Request.prefixed()
	s.Prefix = prefix
	s.Asked.Who = Who{ID: s.Request.ClientID, Prefix: prefix, Name: short(s.Request.Metadata.Name), Mark: Proven}
	switch prefix {
	case "x509_san_dns", "x509_hash":
		return d.certified(s, rest, chain)
	case "decentralized_identifier":
		method := header.KeyID
		if strings.HasPrefix(method, "#") {
			method = rest + method
		}
		did, _, _ := strings.Cut(method, "#")
		if did != rest {
			return nil, errors.New("signed by a key of somebody else")
		}
		if rest == d.Own {
			s.Asked.Who.Mark = Vouched
		}
		return d.Run.IssuerKey(ctx, s.Request.Response, method)
	case "redirect_uri":
		return nil, errors.New("a request by redirect_uri must not be signed")
	}
	return nil, errors.New("a kind of party that this wallet cannot make sure of")
}

// certified finds the key in the certificate of a request (OpenID4VP 1.0, section
// 5.9.3). It must lead to an authority that the wallet trusts. A wallet that was told
// of none still ties the request to the name or hash in the identifier, and says that
// this proves nothing: anybody can make an authority and any name in a certificate.
func (d *Desk) certified(s *Show, rest string, chain []*x509.Certificate) (any, error) {
	if err := d.vouched(s, chain); err != nil {
		return nil, err
	}
	leaf := chain[0]
	if s.Prefix == "x509_hash" {
		sum := sha256.Sum256(leaf.Raw)
		if base64.RawURLEncoding.EncodeToString(sum[:]) != rest {
			return nil, errors.New("the certificate has another hash")
		}
	} else {
		if !slices.Contains(leaf.DNSNames, rest) {
			return nil, errors.New("the certificate has another name")
		}
		if to, err := errand.Address(s.Request.Response); err != nil || to.Hostname() != rest {
			return nil, errors.New("the answer would go to another host than the certificate names")
		}
	}
	who := &s.Asked.Who
	switch names := leaf.Subject.Organization; {
	case who.Mark != Vouched:
		who.Name = "" // whatever it calls itself, its identifier is all that is known
	case len(names) > 0:
		who.Name = short(names[0])
	}
	return leaf.PublicKey, nil
}

// vouched follows a chain to an authority that the wallet trusts, if it trusts any, and
// marks how far the verifier is known by that.
func (d *Desk) vouched(s *Show, chain []*x509.Certificate) error {
	if d.Anchors != nil {
		s.Asked.Who.Mark = Vouched
		_, err := jws.CheckChain(chain, d.Anchors(), d.Run.Now(), false)
		return err
	}
	if err := holder.HeldTogether(chain, d.Run.Now()); err != nil {
		return err
	}
	if holder.SelfSigned(chain[0]) {
		return errors.New("the certificate has signed itself")
	}
	s.Asked.Who.Mark = Unproven
	return nil
}
