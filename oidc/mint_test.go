package oidc

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/registry/auth"
)

// Only the Desk fills a Grant, and only after it proved somebody. What would make a
// code or a token of an empty one refuses before it touches the database.
func TestNothingIsMintedForNobody(t *testing.T) {
	p := &Provider{}
	if _, err := p.codeRow(uuid.New(), auth.Grant{}, permission{}); !errors.Is(err, errUnproven) {
		t.Errorf("got %v for a code, want a refusal", err)
	}
	if _, err := p.mint(t.Context(), nil, client{}, minted{token: "token"}); !errors.Is(err, errUnproven) {
		t.Errorf("got %v for a token, want a refusal", err)
	}
}
