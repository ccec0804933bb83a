//go:build pkcs11

package main

import "github.com/plinth-id/plinth/internal/keys"

// tokenRoot opens the root key on its token.
func tokenRoot(t PKCS11) (keys.Root, error) {
	return keys.PKCS11Root(t.Module, t.Token, t.PIN, t.Label)
}
