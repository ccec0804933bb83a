package verifier

import (
	"errors"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/jws"
	"github.com/plinth-id/plinth/credentials/vc/mdoc"
	"github.com/plinth-id/plinth/credentials/vc/sdjwt"
)

// What the errors of the formats come to.
var (
	untrusted   = []error{vc.ErrUnknownKey, qr.ErrUnknownKey, jws.ErrUnknownKey, jws.ErrUntrusted, mdoc.ErrUntrusted}
	badlySigned = []error{vc.ErrSignature, qr.ErrSignature, vc.ErrForeignKey, qr.ErrUnsigned, jws.ErrSignature,
		mdoc.ErrSignature, mdoc.ErrDigest, mdoc.ErrDocType, mdoc.ErrProfile, sdjwt.ErrUnreferenced, sdjwt.ErrDuplicate}
	unknownForm = []error{vc.ErrUnsupported, qr.ErrUnsupported, qr.ErrEncrypted, jws.ErrUnsupported, mdoc.ErrUnsupported, mdoc.ErrDeviceMAC}
	otherHolder = []error{sdjwt.ErrHolderKey}
	otherAsker  = []error{sdjwt.ErrNonce, sdjwt.ErrAudience, sdjwt.ErrStale, sdjwt.ErrAltered, mdoc.ErrDeviceSignature, mdoc.ErrUnauthorized}
)

func isAny(err error, some []error) bool {
	for _, each := range some {
		if errors.Is(err, each) {
			return true
		}
	}
	return false
}

// heldError says how the proof of a presentation failed, before the credential in it
// was looked at.
type heldError struct{ code string }

func (e heldError) Error() string { return "the holder's proof: " + e.code }

// judge writes down what the signatures came to, and tells whether they are good.
func (v *Verdict) judge(err error) bool {
	var held heldError
	switch {
	case err == nil:
		v.signed()
		return true
	case errors.As(err, &held):
		v.add("format", Pass, "well_formed")
		v.add("holder", Fail, held.code)
	case isAny(err, otherHolder):
		v.unheld(holderMismatch)
	case isAny(err, otherAsker):
		v.unheld(requestMismatch)
	case errors.Is(err, sdjwt.ErrNotBound):
		v.unheld(holderUnproved)
	case errors.Is(err, sdjwt.ErrTransaction):
		v.unheld(transactionMissing)
	case isAny(err, untrusted):
		v.add("format", Pass, "well_formed")
		v.add("issuer", Undetermined, "issuer_untrusted")
	case isAny(err, badlySigned):
		v.add("format", Pass, "well_formed")
		v.add("signature", Fail, "signature_bad")
	case isAny(err, unknownForm):
		v.add("format", Undetermined, "unsupported")
	default:
		v.add("format", Fail, "malformed")
	}
	return false
}

func (v *Verdict) signed() {
	v.add("format", Pass, "well_formed")
	v.add("issuer", Pass, "issuer_trusted")
	v.add("signature", Pass, "signature_good")
}

// unheld writes down that the issuer has signed it, and that the holder's proof does
// not hold: the formats look at the issuer first.
func (v *Verdict) unheld(code string) {
	v.signed()
	v.add("holder", Fail, code)
}
