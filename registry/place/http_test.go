package place

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/web"
)

var everyRole = []Role{Operator, Adjudicator, Administrator}

// serve opens the doors of the directory, and one for each set of roles.
func (w *world) serve(t *testing.T) (base string, sets map[string][]Role) {
	t.Helper()
	public, err := url.Parse("http://localhost")
	must(t, err)
	r := web.New(web.Config{Public: public, Log: slog.New(slog.DiscardHandler)})
	r.Guard(web.Officer, w.Guard(everyRole...))
	w.Routes(r)
	sets = map[string][]Role{"/any": everyRole, "/operator": {Operator}, "/adjudicator": {Adjudicator}, "/administrator": {Administrator}, "/two": {Operator, Administrator}, "/none": nil}
	for path, roles := range sets {
		who := web.Caller(path)
		r.Guard(who, w.Guard(roles...))
		r.Handle("GET", path, who, func(c *gin.Context) error {
			c.String(http.StatusOK, OfficerFrom(c).Name)
			return nil
		})
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server.URL, sets
}

// ask sends a request with a header of authorization.
func ask(t *testing.T, method, address, authorization, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(raw)
}

func TestASVS_8_2_1_EveryRoleAtEveryDoor(t *testing.T) {
	w := newWorld(t)
	base, sets := w.serve(t)
	for _, role := range everyRole {
		w.officer(t, "officer-"+string(role[:3]), role)
		token := w.signedIn(t, "officer-"+string(role[:3]))
		for path, roles := range sets {
			resp, body := ask(t, "GET", base+path, "Bearer "+token, "")
			if slices.Contains(roles, role) {
				if resp.StatusCode != http.StatusOK || body != "officer-"+string(role[:3]) {
					t.Errorf("%s at %s: got %d %s, want it let in under its name", role, path, resp.StatusCode, body)
				}
			} else if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "role-missing") {
				t.Errorf("%s at %s: got %d %s, want it refused", role, path, resp.StatusCode, body)
			}
		}
	}
}

func TestDoorsOfOfficersNeedALiveSession(t *testing.T) {
	w := newWorld(t)
	base, sets := w.serve(t)
	o := w.officer(t, "amina", Administrator)
	live, ended, left := w.signedIn(t, "amina"), w.signedIn(t, "amina"), w.signedIn(t, "amina")
	must(t, w.SignOut(t.Context(), ended, o))
	for what, authorization := range map[string]string{"nothing": "", "no scheme": live, "another scheme": "Basic " + live, "no token": "Bearer ", "two blanks": "Bearer  " + live,
		"an ended session": "Bearer " + ended, "a token made up": "Bearer " + strings.Repeat("A", 43), "a long one": "Bearer " + strings.Repeat("A", 4000)} {
		for path := range sets {
			if resp, body := ask(t, "GET", base+path, authorization, ""); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s at %s: got %d %s, want 401", what, path, resp.StatusCode, body)
			}
		}
		if resp, body := ask(t, "DELETE", base+"/api/v1/sessions", authorization, ""); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s signs out: got %d %s, want 401", what, resp.StatusCode, body)
		}
	}
	if resp, _ := ask(t, "GET", base+"/any", "Bearer "+left, ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d, want a live session let in", resp.StatusCode)
	}
	w.wait(idle)
	if resp, _ := ask(t, "GET", base+"/any", "Bearer "+left, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want an expired session refused", resp.StatusCode)
	}
}

func TestSessionsOverHTTP(t *testing.T) {
	w := newWorld(t)
	base, _ := w.serve(t)
	o := w.officer(t, "amina", Operator)
	sessions := base + "/api/v1/sessions"
	resp, body := ask(t, "POST", sessions, "", `{"name":"amina","password":"`+password+`"}`)
	var answer struct {
		Token   string
		Officer map[string]any
	}
	must(t, json.Unmarshal([]byte(body), &answer))
	if resp.StatusCode != http.StatusCreated || len(answer.Officer) != 3 || answer.Officer["id"] != o.ID.String() || answer.Officer["role"] != "operator" {
		t.Fatalf("got %d %v, want a session of the officer", resp.StatusCode, answer.Officer)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store (ASVS 14.3.2)", got)
	}
	if resp, body := ask(t, "GET", base+"/any", "Bearer "+answer.Token, ""); resp.StatusCode != http.StatusOK || body != "amina" {
		t.Errorf("got %d %s, want it let in", resp.StatusCode, body)
	}
	if resp, body := ask(t, "DELETE", sessions, "Bearer "+answer.Token, ""); resp.StatusCode != http.StatusNoContent || body != "" {
		t.Errorf("got %d %s, want it signed out", resp.StatusCode, body)
	}
	if resp, _ := ask(t, "GET", base+"/any", "Bearer "+answer.Token, ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want the token worth nothing", resp.StatusCode)
	}
}

func TestSignInsThatAreRefusedOverHTTP(t *testing.T) {
	w := newWorld(t)
	base, _ := w.serve(t)
	w.officer(t, "amina", Operator)
	for what, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"nothing": {"", http.StatusBadRequest, "invalid"}, "no JSON": {"name=amina", http.StatusBadRequest, "invalid"}, "a list": {`["amina"]`, http.StatusBadRequest, "invalid"},
		"a number": {`{"name":"amina","password":1}`, http.StatusBadRequest, "invalid"}, "too much": {`{"name":"` + strings.Repeat("a", 5000) + `"}`, http.StatusRequestEntityTooLarge, ""},
		"no password": {`{"name":"amina"}`, http.StatusUnauthorized, "sign-in-failed"}, "a wrong one": {`{"name":"amina","password":"a wrong password"}`, http.StatusUnauthorized, "sign-in-failed"},
		"nobody": {`{"name":"nobody","password":"` + password + `"}`, http.StatusUnauthorized, "sign-in-failed"}, "a NUL": {`{"name":"a\u0000b","password":"x"}`, http.StatusUnauthorized, "sign-in-failed"},
	} {
		resp, body := ask(t, "POST", base+"/api/v1/sessions", "", c.body)
		if resp.StatusCode != c.status || !strings.Contains(body, c.code) || strings.Contains(body, "token") {
			t.Errorf("%s: got %d %s, want %d %s", what, resp.StatusCode, body, c.status, c.code)
		}
	}
}
