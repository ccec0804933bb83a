package partner

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
)

// served is a directory with its doors; the administrator is whoever says so.
func served(t *testing.T) (*Directory, func(method, path, token, body string) (int, map[string]any)) {
	t.Helper()
	d := newDirectory(t)
	router := web.New(web.Config{Public: &url.URL{Scheme: "https", Host: "id.example"}})
	router.Guard(web.Administrator, func(c *gin.Context) error {
		if c.GetHeader("Authorization") != "Bearer admin" {
			return errNotYours
		}
		return nil
	})
	d.Routes(router, Doors{Base: "https://id.example", Readiness: func(context.Context, string) (any, error) { return []string{"PKCE"}, nil }})
	return d, func(method, path, token, body string) (int, map[string]any) {
		t.Helper()
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, req)
		raw, err := io.ReadAll(w.Result().Body)
		must(t, err)
		var answer map[string]any
		_ = json.Unmarshal(raw, &answer)
		return w.Code, answer
	}
}

func TestARelyingPartyManagesWhatIsItsOwn(t *testing.T) {
	d, call := served(t)
	status, made := call("POST", adminPath, "admin", string(good(t, map[string]any{"plinth_profile": "oidc", "token_endpoint_auth_method": "client_secret_basic", "client_name#fr": "Un portail"})))
	if status != http.StatusCreated || made["client_secret"] == nil || made["registration_client_uri"] != "https://id.example/oidc/clients/a-portal" {
		t.Fatalf("got %d %v, want a client with what proves it", status, made)
	}
	token, _ := made["registration_access_token"].(string)
	if status, shown := call("GET", SelfPath+"a-portal", token, ""); status != 200 || shown["client_secret"] != nil || shown["secrets"] != nil || shown["scope"] != "openid profile" {
		t.Errorf("got %d %v, want what it is registered with, and no secret", status, shown)
	}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"its keys":    {`{"jwks":` + string(set(t, public(t, "P-384", "two"))) + `}`, 200},
		"its logo":    {`{"logo_uri":"https://portal.example/l.png","client_name":"A portal"}`, 200},
		"its name":    {`{"client_name":"The tax office"}`, 400},
		"its claims":  {`{"claims":["name","address"]}`, 400},
		"its scope":   {`{"scope":"openid address"}`, 400},
		"its profile": {`{"plinth_profile":"fapi2"}`, 400},
		"its return":  {`{"redirect_uris":["https://evil.example/"]}`, 400},
		"rubbish":     {`[]`, 400},
	} {
		if status, got := call("PUT", SelfPath+"a-portal", token, c.body); status != c.status {
			t.Errorf("%s: got %d %v, want %d", name, status, got, c.status)
		}
	}
	if c := found(t, d, "a-portal"); !strings.Contains(string(c.JWKS), "two") || c.Names["fr"] != "Un portail" || len(c.Secrets) != 1 {
		t.Errorf("got %+v, want the new key and all else as it was", c)
	}
	status, fresh := call("POST", SelfPath+"a-portal/secret", token, "")
	c := found(t, d, "a-portal")
	if old, _ := made["client_secret"].(string); status != 200 || !c.Knows(old, d.Now()) || !c.Knows(fresh["client_secret"].(string), d.Now()) || c.Knows(old, d.Now().Add(overlap)) {
		t.Errorf("got %d %v, want both secrets for a week and then the new one alone", status, fresh)
	}
	for _, wrong := range []string{"", "admin", token + "x"} {
		if status, _ := call("GET", SelfPath+"a-portal", wrong, ""); status != 401 {
			t.Errorf("got %d with %q, want 401", status, wrong)
		}
	}
	if status, _ := call("GET", SelfPath+"nobody", token, ""); status != 401 {
		t.Errorf("got %d for a client that is not there, want 401 as well", status)
	}
}

func TestAdministratorsManageRelyingParties(t *testing.T) {
	d, call := served(t)
	add(t, d, nil)
	if status, _ := call("GET", adminPath, "somebody", ""); status != 401 {
		t.Errorf("got %d, want 401", status)
	}
	if status, got := call("GET", adminPath, "admin", ""); status != 200 || len(got["clients"].([]any)) != 1 {
		t.Errorf("got %d %v, want one", status, got)
	}
	if status, got := call("PUT", adminPath+"/a-portal", "admin", string(good(t, map[string]any{"client_name": "Another name", "jwks": nil}))); status != 200 || got["client_name"] != "Another name" || got["jwks"] == nil {
		t.Errorf("got %d %v, want the new name and the old keys", status, got)
	}
	for _, word := range []string{"disable", "enable"} {
		if status, _ := call("POST", adminPath+"/a-portal/"+word, "admin", ""); status != 200 || found(t, d, "a-portal").Disabled != (word == "disable") {
			t.Errorf("got %d after %s", status, word)
		}
	}
	if status, got := call("GET", adminPath+"/a-portal/readiness", "admin", ""); status != 200 || got["lapses"] == nil {
		t.Errorf("got %d %v, want the report", status, got)
	}
	if status, _ := call("GET", adminPath+"/nobody", "admin", ""); status != 404 {
		t.Errorf("got %d, want 404", status)
	}
}
