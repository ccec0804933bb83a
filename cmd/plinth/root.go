//go:build !pkcs11

package main

import (
	"errors"

	"github.com/plinth-id/plinth/internal/keys"
)

// tokenRoot needs a binary that was built for tokens.
func tokenRoot(PKCS11) (keys.Root, error) {
	return nil, wrongUse{errors.New("PLINTH_PKCS11_MODULE: this binary cannot speak to tokens; build it with: go build -tags pkcs11 ./cmd/plinth")}
}
