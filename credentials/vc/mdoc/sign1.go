package mdoc

import (
	"crypto"
	"crypto/rand"
	"fmt"

	"github.com/veraison/go-cose"
)

const (
	headerAlg, headerCrit, headerX5Chain = 1, 2, 33
	contextSign1                         = "Signature1"
)

// sign1 is a COSE_Sign1, which the standard has without its tag.
type sign1 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[any]any
	Payload     []byte // nil: detached
	Signature   []byte
}

// toBeSigned is the Sig_structure of RFC 9052, 4.4.
func toBeSigned(protected, payload []byte) []byte {
	w := make(written, 0, len(protected)+len(payload)+32)
	return w.array(4).text(contextSign1).bytes(protected).bytes(nil).bytes(payload)
}

func protectedHeader(alg cose.Algorithm) ([]byte, error) {
	return canonical.Marshal(map[int]int64{headerAlg: int64(alg)})
}

// sign gives the signature over a payload, in the form of COSE.
func sign(signer crypto.Signer, protected, payload []byte) ([]byte, error) {
	alg, _, err := algorithm(signer.Public())
	if err != nil {
		return nil, err
	}
	by, err := cose.NewSigner(alg, signer)
	if err != nil {
		return nil, fmt.Errorf("%w: the signing key: %w", ErrUnsupported, err)
	}
	return by.Sign(rand.Reader, toBeSigned(protected, payload))
}

// verify checks the signature by a key over a payload. It says no more than yes or no,
// or that the headers ask for something that is not known here.
func (s sign1) verify(key crypto.PublicKey, payload []byte) (bool, error) {
	var header map[any]any
	if len(s.Protected) > 0 {
		if err := unmarshal(s.Protected, &header); err != nil {
			return false, err
		}
	}
	if header[int64(headerCrit)] != nil || s.Unprotected[int64(headerCrit)] != nil {
		return false, fmt.Errorf("%w: critical headers", ErrUnsupported)
	}
	alg, exact, err := algorithm(key)
	if err != nil {
		return false, err
	}
	// The algorithm counts only where the signature covers it.
	named, _ := header[int64(headerAlg)].(int64)
	if named != int64(alg) && named != exact || len(s.Signature) == 0 {
		return false, nil
	}
	return fits(key, toBeSigned(s.Protected, payload), s.Signature), nil
}

// fits tells whether a signature is one by the key over the message.
func fits(key crypto.PublicKey, message, signature []byte) bool {
	alg, _, err := algorithm(key)
	if err != nil {
		return false
	}
	by, err := cose.NewVerifier(alg, key)
	return err == nil && by.Verify(message, signature) == nil
}
