package verifier

import (
	"context"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/plinth-id/plinth/credentials/vc/jose"
)

// openToken finds what is neither JSON nor a QR code: an mdoc in CBOR or base64url,
// an SD-JWT VC, a W3C credential in a JWT.
func (v *Verifier) openToken(ctx context.Context, text []byte) (shown, error) {
	if looksLikeMdoc(text) {
		return v.openMdoc(text)
	}
	if !utf8.Valid(text) {
		return shown{}, errNothing
	}
	token := strings.TrimSpace(string(text))
	if raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(token, "=")); err == nil && looksLikeMdoc(raw) {
		return v.openMdoc(raw)
	}
	if strings.HasPrefix(token, "ey") && strings.Contains(token, "~") {
		return v.openSDJWT(ctx, token, nil)
	}
	if strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2 && !strings.ContainsAny(token, " \n") {
		return v.openJOSE(ctx, enveloped(token, jose.CredentialJWT, jose.CredentialJWTBefore))
	}
	return shown{}, errNothing
}
