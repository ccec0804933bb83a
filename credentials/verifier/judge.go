package verifier

import (
	"errors"
	"time"

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

// overError says that a credential is signed by one who was believed, until then.
type overError struct{ issued, until time.Time }

func (e overError) Error() string {
	from := ""
	if !e.issued.IsZero() {
		from = " is from " + e.issued.UTC().Format(time.DateOnly) + " and"
	}
	return "The list of trusted issuers" + from + " has expired on " + e.until.UTC().Format(time.DateOnly) + ": fetch it anew."
}

// believed tells whether a good signature means something still: whoever was on a list
// that is over may have been taken off it.
func (v *Verifier) believed(err error) error {
	if t := v.Trust(); err == nil && t.Over(v.Now()) {
		return overError{t.Issued, t.Expires}
	}
	return err
}

// judge writes down what the signatures came to, and tells whether they are good.
func (v *Verdict) judge(err error) bool {
	var held heldError
	var over overError
	switch {
	case err == nil:
		v.signed()
		return true
	case errors.As(err, &over):
		v.add("format", Pass, "well_formed")
		v.Reasons = append(v.Reasons, Reason{Name: "issuer", Result: Undetermined, Code: "trust_expired", Sentence: over.Error()})
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
