package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/credentials"
	"github.com/plinth-id/plinth/credentials/chain"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/credentials/vc/statuslist"
	"github.com/plinth-id/plinth/credentials/vcapi"
)

// Issuing is how a deployment issues credentials.
type Issuing struct {
	Country   string
	Authority string
	Certs     [][]*x509.Certificate // brought; nil: ours
	VCAPI     vcapi.Access
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
	{"PLINTH_VC_API", "off", "who may use /vc-api, which signs for tests with keys of its own: off, administrators, or open (anybody; for demonstrations)", func(s *Settings, v string) error {
		s.Issuing.VCAPI = vcapi.Access(v)
		if !slices.Contains([]vcapi.Access{vcapi.Off, vcapi.Administrators, vcapi.Open}, s.Issuing.VCAPI) {
			return errors.New("is off, administrators or open")
		}
		return nil
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

// serveVCAPI opens the doors for test suites, if anybody may come in.
func (h *house) serveVCAPI(ctx context.Context) error {
	bench, err := vcapi.OpenBench(ctx, vcapi.Config{Ring: h.ring, Access: h.Issuing.VCAPI, Status: h.changeStatus,
		Resolve: func(ctx context.Context, method string) (crypto.PublicKey, error) {
			return h.trusted().Resolve(ctx, method)
		}})
	if err == nil {
		bench.Routes(h.router)
	}
	return err
}

// changeStatus lets the VC-API change the status of a credential of the ledger.
func (h *house) changeStatus(ctx context.Context, c vcapi.Change) error {
	id, err := uuid.Parse(strings.TrimPrefix(c.Credential, "urn:uuid:"))
	to := map[string]status.Value{status.Revocations: status.Revoked, status.Suspensions: status.Suspended}[c.Purpose]
	if err != nil || to == status.Valid || !c.Set && to == status.Revoked {
		return vcapi.ErrRequest
	}
	if !c.Set {
		to = status.Valid
	}
	return h.issuer.Judge(ctx, credentials.Judgement{ID: id, To: to, By: "administrator", Reason: "asked for at the VC-API"})
}

// certificates are the problems of the certificates, for doctor.
func (d *diagnosis) certificates(ctx context.Context, g *ground) {
	keeper, err := chain.Open(ctx, chain.Config{Pool: g.pool, Ring: g.ring, Issuer: g.URL, Country: g.Issuing.Country, Brought: g.Issuing.Certs})
	if err != nil {
		d.problem("credentials: %v", err)
		return
	}
	_, problems := keeper.Problems()
	d.Problems = append(d.Problems, problems...)
}

// printRequests prints requests for certificates.
func printRequests(ctx context.Context, g *ground) error {
	keeper, err := chain.Open(ctx, chain.Config{Pool: g.pool, Ring: g.ring, Issuer: g.URL, Country: g.Issuing.Country, Brought: g.Issuing.Certs})
	if err != nil {
		return err
	}
	requests, err := keeper.Request()
	if err == nil {
		_, err = os.Stdout.Write(requests)
	}
	return err
}
