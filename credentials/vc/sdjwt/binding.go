package sdjwt

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plinth-id/plinth/credentials/vc/jws"
)

// Binding is the occasion that a holder must have signed for.
type Binding struct {
	Audience string // aud, byte for byte: the prefix of a client id belongs to it
	Nonce    string
	MaxAge   time.Duration // 0 means UsualAge
	// Transaction is the transaction_data that was sent for this credential, each as
	// it was sent; the holder must have signed the hash of each.
	Transaction []string
}

// UsualAge is how old what a holder has signed may be.
const UsualAge = 5 * time.Minute

// check follows RFC 9901, section 7.3. The holder's key comes first: everything else
// in the binding is hearsay until that has signed it.
func (b *Binding) check(p parts, holder crypto.PublicKey, now time.Time) error {
	if p.binding == "" {
		return ErrNotBound
	}
	if holder == nil {
		return fmt.Errorf("%w: it names no key of a holder", ErrNotBound)
	}
	token, err := jws.Parse(p.binding)
	if err != nil {
		return err
	}
	if token.Header.Type != typeBinding {
		return fmt.Errorf("%w: not %s", ErrMediaType, typeBinding)
	}
	if err := token.Verify(holder); err != nil {
		if errors.Is(err, ErrSignature) {
			return ErrHolderKey
		}
		return err
	}
	claims, err := jws.Object(token.Payload)
	if err != nil {
		return err
	}
	if err := b.checkOccasion(claims, now); err != nil {
		return err
	}
	if claims["sd_hash"] != digest(hashes[p.hash], p.compact()) {
		return ErrAltered
	}
	return b.checkTransaction(claims)
}

func (b *Binding) checkOccasion(claims map[string]any, now time.Time) error {
	for name, wrong := range map[string]error{"aud": ErrAudience, "nonce": ErrNonce} {
		if _, ok := claims[name].(string); !ok {
			return fmt.Errorf("%w: the binding's %s is not one text", wrong, name)
		}
	}
	if claims["aud"] != b.Audience {
		return ErrAudience
	}
	if claims["nonce"] != b.Nonce {
		return ErrNonce
	}
	times, err := jws.ReadTimes(claims)
	if err != nil {
		return err
	}
	age := b.MaxAge
	if age == 0 {
		age = UsualAge
	}
	if times.IssuedAt.IsZero() || now.Sub(times.IssuedAt) > age || times.Check(now) != nil {
		return ErrStale
	}
	return nil
}

// checkTransaction follows OpenID4VP 1.0, appendix B.3.3.
func (b *Binding) checkTransaction(claims map[string]any) error {
	signed, given := claims["transaction_data_hashes"]
	if len(b.Transaction) == 0 {
		if given {
			return fmt.Errorf("%w: nobody has asked for one", ErrTransaction)
		}
		return nil
	}
	name := defaultHash
	if v, given := claims["transaction_data_hashes_alg"]; given {
		name, _ = v.(string)
	}
	hash, known := hashes[name]
	list, ok := signed.([]any)
	if !known || !ok || len(list) != len(b.Transaction) {
		return ErrTransaction
	}
	for _, data := range b.Transaction {
		if !slices.Contains(list, any(digest(hash, data))) {
			return ErrTransaction
		}
	}
	return nil
}

func digest(hash crypto.Hash, s string) string {
	h := hash.New()
	h.Write([]byte(s))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Occasion is what a holder signs a presentation for.
type Occasion struct {
	Audience string
	Nonce    string
	At       time.Time
	// Transaction is the transaction_data that was received for this credential, each
	// as it was received, and the hash that was asked for; empty means sha-256.
	Transaction     []string
	TransactionHash string
}

// Unbound is a presentation that waits for the holder's signature. The key may be
// somewhere else, as in a browser.
type Unbound struct {
	input  []byte // what is signed
	shown  string
	holder crypto.PublicKey
}

// Bind makes what the holder has to sign.
func (p Presentation) Bind(o Occasion) (Unbound, error) {
	if p.holder == nil {
		return Unbound{}, fmt.Errorf("%w: it names no key of a holder", ErrNotBound)
	}
	if o.Audience == "" || o.Nonce == "" || o.At.IsZero() {
		return Unbound{}, fmt.Errorf("%w: an occasion has an audience, a nonce and a time", ErrMalformed)
	}
	claims := map[string]any{"aud": o.Audience, "nonce": o.Nonce, "iat": o.At.Unix(), "sd_hash": digest(p.hash, p.shown)}
	if len(o.Transaction) > 0 {
		name := o.TransactionHash
		if name == "" {
			name = defaultHash
		}
		hash, known := hashes[name]
		if !known {
			return Unbound{}, fmt.Errorf("%w: the hash of the transaction", ErrUnsupported)
		}
		list := make([]string, len(o.Transaction))
		for i, data := range o.Transaction {
			list[i] = digest(hash, data)
		}
		claims["transaction_data_hashes"], claims["transaction_data_hashes_alg"] = list, name
	}
	alg, err := jws.Algorithm(p.holder)
	if err != nil {
		return Unbound{}, err
	}
	input, err := jws.Input(map[string]any{"alg": alg, "typ": typeBinding}, claims)
	if err != nil {
		return Unbound{}, err
	}
	return Unbound{input: input, shown: p.shown, holder: p.holder}, nil
}

// Input is what the holder's key must sign, hashing included.
func (u Unbound) Input() []byte { return slices.Clone(u.input) }

// Shown is what the signature will be put after.
func (u Unbound) Shown() string { return u.shown }

// Sign completes the presentation by a key at hand.
func (u Unbound) Sign(key crypto.Signer) (string, error) {
	signature, err := jws.SignInput(key, u.input)
	if err != nil {
		return "", err
	}
	return u.With(signature)
}

// With completes the presentation by a signature in the form of JOSE, which is that
// of WebCrypto as well. One that does not fit is refused here, where the holder can
// still be told.
func (u Unbound) With(signature []byte) (string, error) {
	binding := string(jws.Join(slices.Clone(u.input), signature))
	token, err := jws.Parse(binding)
	if err != nil {
		return "", err
	}
	if err := token.Verify(u.holder); err != nil {
		return "", ErrHolderKey
	}
	return u.shown + binding, nil
}

// Complete is With for a holder who signs so much later that no Unbound is left: from
// what it has shown and given to sign.
func Complete(shown string, input, signature []byte) (string, error) {
	held, err := Open(shown)
	if err != nil {
		return "", err
	}
	if held.Holder == nil {
		return "", fmt.Errorf("%w: it names no key of a holder", ErrNotBound)
	}
	whole, err := Unbound{input: input, shown: held.parts.compact(), holder: held.Holder}.With(signature)
	if err != nil {
		return "", err
	}
	token, err := jws.Parse(whole[len(held.parts.compact()):])
	if err != nil {
		return "", err
	}
	claims, err := jws.Object(token.Payload)
	if err != nil {
		return "", err
	}
	if token.Header.Type != typeBinding || claims["sd_hash"] != digest(hashes[held.parts.hash], held.parts.compact()) {
		return "", ErrAltered
	}
	return whole, nil
}
