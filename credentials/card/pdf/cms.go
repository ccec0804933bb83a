package pdf

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// The names of RFC 5652, RFC 5035 and RFC 5758.
var (
	oidData               = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCertificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidSHA256             = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidECDSAWithSHA256    = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content signedData `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Encapsulated encapsulated
	Certificates asn1.RawValue
	Signers      []signerInfo `asn1:"set"`
}

// encapsulated holds no content: the document is beside the signature.
type encapsulated struct{ Type asn1.ObjectIdentifier }

type signerInfo struct {
	Version    int
	Signer     issuerAndSerial
	Digest     pkix.AlgorithmIdentifier
	Attributes asn1.RawValue
	Algorithm  pkix.AlgorithmIdentifier
	Signature  []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// signingCertificate binds the signature to its certificate (ESSCertIDv2 with its
// default hash, SHA-256), so that no other one of the same key can be put in its place.
type signingCertificate struct {
	Certificates []certificateID
}

type certificateID struct {
	Hash []byte
}

// cms is the detached signature over a document with this digest. It names no time of
// its own: a PAdES signature has it in the document.
func (s Signature) cms(digest []byte) ([]byte, error) {
	attributes, err := s.attributes(digest)
	if err != nil {
		return nil, err
	}
	signature, err := s.sign(attributes)
	if err != nil {
		return nil, err
	}
	var certificates []byte
	for _, c := range s.Chain {
		certificates = append(certificates, c.Raw...)
	}
	sha := pkix.AlgorithmIdentifier{Algorithm: oidSHA256}
	var unsigned asn1.RawValue
	if _, err := asn1.Unmarshal(attributes, &unsigned); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	der, err := asn1.Marshal(contentInfo{Type: oidSignedData, Content: signedData{
		Version: 1, Digests: []pkix.AlgorithmIdentifier{sha}, Encapsulated: encapsulated{oidData},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: certificates},
		Signers: []signerInfo{{
			Version: 1, Signer: issuerAndSerial{asn1.RawValue{FullBytes: s.Chain[0].RawIssuer}, s.Chain[0].SerialNumber}, Digest: sha,
			// What is signed is a SET; what is sent bears another tag: RFC 5652, 5.4.
			Attributes: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: unsigned.Bytes},
			Algorithm:  pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA256}, Signature: signature,
		}},
	}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return der, nil
}

// attributes are what is signed: the digest of the document, and which certificate.
func (s Signature) attributes(digest []byte) ([]byte, error) {
	own := sha256.Sum256(s.Chain[0].Raw)
	var all []attribute
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{{oidContentType, oidData}, {oidMessageDigest, digest}, {oidSigningCertificate, signingCertificate{[]certificateID{{own[:]}}}}} {
		der, err := asn1.Marshal(a.value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSignature, err)
		}
		all = append(all, attribute{a.oid, []asn1.RawValue{{FullBytes: der}}})
	}
	der, err := asn1.MarshalWithParams(all, "set")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return der, nil
}
