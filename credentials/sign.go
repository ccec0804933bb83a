package credentials

import (
	"errors"
	"time"

	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/internal/keys"
)

// statement is what is to be signed.
type statement = scribe.Statement

// hand is what documents are signed with now. It is made anew when a key or a
// certificate changes.
func (i *Issuer) hand() (*scribe.Hand, error) {
	s := scribe.Signer{Base: i.ID(), Authority: i.authority(), Country: i.Chain.Country}
	var err error
	if s.Ed25519, err = i.Ring.Signer(keys.VCIssuing); err != nil {
		return nil, err
	}
	if s.P256, err = i.Ring.Signer(keys.VCDocument); err != nil {
		return nil, err
	}
	s.Document, s.Stopped = i.Chain.Signer()
	if last := i.signing.Load(); last != nil && last.Ed25519.ID == s.Ed25519.ID && last.Stopped == nil && s.Stopped == nil &&
		last.Document.Chain[0].Equal(s.Document.Chain[0]) {
		return last, nil
	}
	if s.DID, err = i.DID(); err != nil {
		return nil, err
	}
	h, err := scribe.New(s)
	if err == nil {
		i.signing.Store(h)
	}
	return h, err
}

// authority is who issues, in words.
func (i *Issuer) authority() string {
	if i.Authority != "" {
		return i.Authority
	}
	return i.Config.Issuer.Host
}

// from is since when a credential holds that is issued now: since the day began, for
// what was issued together would else be known as one by the second (OpenID4VCI 1.0,
// Unique Values Encoded in the Credential); and no longer than its certificate.
func (i *Issuer) from(k Kind) time.Time {
	day := i.Now().UTC().Truncate(24 * time.Hour)
	if k.Format != kind.SDJWT && k.Format != kind.MDoc {
		return day
	}
	signer, err := i.Chain.Signer()
	if err != nil || len(signer.Chain) == 0 {
		return day // whoever signs says why it cannot be
	}
	if since := signer.Chain[0].NotBefore.UTC(); since.After(day) {
		return since
	}
	return day
}

// until is how long a credential holds that is issued now. An SD-JWT VC holds no
// longer than its certificate, which is checked whenever it is shown.
func (i *Issuer) until(k Kind, from time.Time) time.Time {
	until := from.Add(k.Definition.Life())
	if k.Format != kind.SDJWT {
		return until
	}
	if signer, err := i.Chain.Signer(); err == nil && signer.Until.Before(until) {
		return signer.Until.UTC().Truncate(time.Second)
	}
	return until
}

// sign makes one document of a kind, as its format has it in a file.
func (i *Issuer) sign(k Kind, s statement) ([]byte, error) {
	h, err := i.hand()
	if err != nil {
		return nil, err
	}
	document, err := h.Sign(k, s)
	if errors.Is(err, kind.ErrMissing) {
		return nil, errDenied.Because(err)
	}
	return document, err
}

// ready refuses, before anything is written down, what cannot be signed now.
func (i *Issuer) ready(k Kind) error {
	h, err := i.hand()
	if err == nil && (k.Format == kind.SDJWT || k.Format == kind.MDoc) {
		return h.Stopped
	}
	return err
}
