package credentials

import (
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
)

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// serveTokens stands in for the token endpoint, which belongs to another package.
func (h *house) serveTokens(r *web.Router) {
	r.Handle(http.MethodGet, "/.well-known/oauth-authorization-server", web.Anyone, func(c *gin.Context) error {
		return answer(c, http.StatusOK, map[string]any{"issuer": h.url, "token_endpoint": h.url + "/token", "pre-authorized_grant_anonymous_access_supported": true})
	})
	r.Handle(http.MethodPost, "/token", web.Anyone, func(c *gin.Context) error {
		var g auth.Grant
		err := postgres.InTx(c, h.Pool, func(tx pgx.Tx) (err error) {
			g, err = h.Redeem(c, tx, c.PostForm("pre-authorized_code"), c.PostForm("tx_code"))
			return err
		})
		var f *fault.Fault
		if errors.As(err, &f) && f.Kind != fault.Internal {
			return answer(c, http.StatusBadRequest, map[string]string{"error": f.Code})
		}
		if err != nil {
			return err
		}
		token := uuid.NewString()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.grants[token] = g
		return answer(c, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer"})
	})
}
