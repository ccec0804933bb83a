package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/plinth-id/plinth/internal/attest"
)

// Wallets is how wallets are served that fetch credentials.
type Wallets struct {
	Attesters *attest.Attesters // makers whose word is taken; nil: none
	Draft13   bool
	Encrypted bool           // requests and answers must be
	Anchors   *x509.CertPool // authorities that certify verifiers, for the wallet in a browser; nil: none
}

var walletKeys = []key{
	{"PLINTH_WALLET_ATTESTERS", "", "file of the makers of wallets whose attestations of wallets and keys are believed: a JWK set, or certificates of authorities (PEM)", func(s *Settings, v string) error {
		if v == "" {
			return nil
		}
		raw, err := os.ReadFile(v)
		if err != nil {
			return err
		}
		if s.Wallets.Attesters, err = attest.Parse(raw); err != nil {
			return fmt.Errorf("%s: %w", v, err)
		}
		return nil
	}},
	{"PLINTH_WALLET_ANCHORS", "", "authorities (PEM file) whose access certificates say for the wallet in a browser who a verifier is; others are refused then; empty: none is known, so verifiers with certificates are shown as unproven", func(s *Settings, v string) (err error) {
		if v != "" {
			s.Wallets.Anchors, err = authorities(v)
		}
		return err
	}},
	{"PLINTH_VCI_DRAFT13", "true", "false: wallets of draft 13 of OpenID4VCI are not served any more (the metrics tell when nobody needs it)", func(s *Settings, v string) (err error) {
		s.Wallets.Draft13, err = strconv.ParseBool(v)
		return trueOrFalse(err)
	}},
	{"PLINTH_VCI_ENCRYPTION_REQUIRED", "false", "true: credential requests and answers must be encrypted on top of TLS", func(s *Settings, v string) (err error) {
		s.Wallets.Encrypted, err = strconv.ParseBool(v)
		return trueOrFalse(err)
	}},
}

// authorities reads a PEM file of certificates that are believed.
func authorities(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New("holds no certificate")
	}
	return pool, nil
}

func trueOrFalse(err error) error {
	if err != nil {
		return errors.New("is true or false")
	}
	return nil
}
