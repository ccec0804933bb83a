package mdoc

import (
	"crypto/x509"
	"fmt"
	"time"
)

// VerifyOptions are what a document is checked against.
type VerifyOptions struct {
	Anchors []*x509.Certificate // of the issuing authorities that are believed
	Now     func() time.Time    // nil means time.Now
}

// Verified is a document whose signatures hold.
type Verified struct {
	*Document
	// Chain leads from the signer's certificate to the anchor.
	Chain []*x509.Certificate
	// DeviceStated are elements that the device signed, not the issuer; most often none.
	DeviceStated map[string]map[string]any
}

// Verify checks an IssuerSigned in CBOR: the signature, every element, the
// certificates, the times. ErrExpired and ErrNotYetValid mean that all else is good,
// and come with the document; with any other error there is none. Whether it was
// revoked is for the caller to ask.
func Verify(raw []byte, o VerifyOptions) (Verified, error) {
	d, err := Parse(raw)
	if err != nil {
		return Verified{}, err
	}
	return d.verify(o)
}

func (d *Document) verify(o VerifyOptions) (Verified, error) {
	chain, err := d.auth.chain()
	if err != nil {
		return Verified{}, err
	}
	good, err := d.auth.verify(chain[0].PublicKey, d.auth.Payload)
	switch {
	case err != nil:
		return Verified{}, err
	case !good:
		return Verified{}, ErrSignature
	}
	if err := d.checkDigests(); err != nil {
		return Verified{}, err
	}
	if chain, err = trust(chain, o.Anchors, d.Signed); err != nil {
		return Verified{}, err
	}
	return Verified{Document: d, Chain: chain}, d.checkTimes(chain, o)
}

// checkTimes comes last: that a document is out of date says something only when the
// document is one.
func (d *Document) checkTimes(chain []*x509.Certificate, o VerifyOptions) error {
	clock := o.Now
	if clock == nil {
		clock = time.Now
	}
	now := clock()
	if err := inTime(now, d.ValidFrom, d.ValidUntil); err != nil {
		return err
	}
	for _, c := range chain {
		if err := inTime(now, c.NotBefore, c.NotAfter); err != nil {
			return fmt.Errorf("%w: a certificate of the signer", err)
		}
	}
	return nil
}
