package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"regexp"

	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
)

// Issuing is how a deployment issues credentials.
type Issuing struct {
	Country   string
	Authority string
	Certs     [][]*x509.Certificate // brought; nil: ours
}

var countryForm = regexp.MustCompile(`^[A-Z]{2}$`)

var issuingKeys = []key{
	{"PLINTH_COUNTRY", "XX", "country that issues, ISO 3166-1 alpha-2, as in certificates and documents", func(s *Settings, v string) error {
		if s.Issuing.Country = v; !countryForm.MatchString(v) {
			return fmt.Errorf("%q is no country; use two capital letters", v)
		}
		return nil
	}},
	{"PLINTH_AUTHORITY", "", "authority that issues, in words, as documents name it; empty: the host of PLINTH_URL", text(func(s *Settings) *string { return &s.Issuing.Authority })},
	{"PLINTH_VC_CERTS", "", "certificates (PEM file) for the keys that sign SD-JWT VCs and mobile documents, each chain from the key to its anchor; empty: an authority of our own (docs/credentials/kinds.md)", func(s *Settings, v string) error {
		if v == "" {
			return nil
		}
		raw, err := os.ReadFile(v)
		if err != nil {
			return err
		}
		s.Issuing.Certs, err = chain.ReadPEM(raw)
		return err
	}},
}

// buildChain opens the certificates of the keys that sign documents.
func (h *house) buildChain(ctx context.Context) (err error) {
	h.chain, err = chain.Open(ctx, chain.Config{Pool: h.pool, Ring: h.ring, Issuer: h.URL, Country: h.Issuing.Country, Brought: h.Issuing.Certs})
	return err
}

// statusSigner signs token lists with the key and certificates of documents, so that
// who can check a document can check its list.
func (h *house) statusSigner() (statuslist.Signing, error) {
	signer, err := h.chain.Signer()
	if err != nil {
		return statuslist.Signing{}, err
	}
	return statuslist.Signing{Key: signer.Signer, KeyID: signer.ID, Chain: signer.Chain}, nil
}
