package enrol

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/place"
)

// counter is the office's doors, with an officer of each role signed in.
type counter struct {
	*world
	base   string
	routes []web.Route
	tokens map[place.Role]string
}

// may lists the roles behind each guard, as the binary sets them.
var may = map[web.Caller][]place.Role{
	web.Operator:      {place.Operator, place.Administrator},
	web.Adjudicator:   {place.Adjudicator},
	web.Administrator: {place.Administrator},
}

func openCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{world: newWorld(t), tokens: make(map[place.Role]string)}
	r := web.New(web.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}, Log: slog.New(slog.DiscardHandler), Again: &web.IdempotencyConfig{Pool: c.Pool, PRF: c.Ring.PRF,
		Seal: func(plain, ad []byte) ([]byte, error) { return c.Ring.Seal(keys.Sessions, plain, ad) },
		Open: func(sealed, ad []byte) ([]byte, error) { return c.Ring.Open(keys.Sessions, sealed, ad) }}})
	for who, roles := range may {
		r.Guard(who, c.places.Guard(roles...))
	}
	c.Routes(r)
	c.routes = r.Routes()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	c.base = server.URL
	for _, role := range []place.Role{place.Operator, place.Adjudicator, place.Administrator} {
		o, err := c.places.AddOfficer(t.Context(), "an."+string(role), role, "a long walk by the sea")
		if err != nil {
			t.Fatal(err)
		}
		if role == place.Operator {
			c.station.Officer = o.ID
		}
		if c.tokens[role], _, err = c.places.SignIn(t.Context(), o.Name, "a long walk by the sea", "192.0.2.0/24"); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// said is an answer over HTTP.
type said struct {
	status int
	header http.Header
	body   []byte
	Code   string `json:"-"`

	Type        string `json:"type"`
	Detail      string `json:"detail"`
	Application string `json:"application"`
	State       State  `json:"state"`
}

// ask sends a request as an officer of a role; the empty role is nobody.
func (c *counter) ask(t *testing.T, as place.Role, route string, body []byte, headers ...string) (s said) {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if as != "" {
		req.Header.Set("Authorization", "Bearer "+c.tokens[as])
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.status, s.header = resp.StatusCode, resp.Header
	if s.body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(s.body, &s) // some answers have no body
	s.Code = s.Type[strings.LastIndexByte(s.Type, '/')+1:]
	return s
}

func TestASVS_8_2_1_EveryRoleAtEveryDoorOfEnrolment(t *testing.T) {
	c := openCounter(t)
	if len(c.routes) != 8 {
		t.Fatalf("got %d routes, want 8", len(c.routes))
	}
	for _, route := range c.routes {
		address := route.Method + " " + strings.NewReplacer(":id", uuid.NewString(), ":application", uuid.NewString()).Replace(route.Path)
		for _, role := range []place.Role{"", place.Operator, place.Adjudicator, place.Administrator} {
			s := c.ask(t, role, address, []byte("{}"))
			switch {
			case role == "":
				if s.status != http.StatusUnauthorized {
					t.Errorf("nobody at %s: got %d, want 401", address, s.status)
				}
			case slices.Contains(may[route.Who], role):
				if s.status == http.StatusUnauthorized || s.status == http.StatusForbidden || s.status >= 500 {
					t.Errorf("%s at %s: got %d %s, want it let in", role, address, s.status, s.body)
				}
			case s.status != http.StatusForbidden || s.Code != "role-missing":
				t.Errorf("%s at %s: got %d %s, want it refused", role, address, s.status, s.body)
			}
		}
	}
}

func TestAPacketOverHTTP(t *testing.T) {
	c := openCounter(t)
	packet := c.packet(t, newApplicant(1, 0))
	first := c.ask(t, place.Operator, "POST /api/v1/packets", packet)
	if first.status != http.StatusAccepted || first.State != Received || first.header.Get("Location") != "/api/v1/applications/"+first.Application {
		t.Fatalf("got %d %s, want it accepted, and where to ask", first.status, first.body)
	}
	before := c.kept(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if again := c.ask(t, place.Operator, "POST /api/v1/packets", packet); again.status != http.StatusAccepted || again.Application != first.Application {
				t.Errorf("got %d %s, want the same answer", again.status, again.body)
			}
		})
	}
	wg.Wait()
	c.unchanged(t, before)
	for range 2 {
		if again := c.ask(t, place.Operator, "POST /api/v1/packets", packet, "Idempotency-Key", "k1"); again.status != http.StatusAccepted || again.Application != first.Application {
			t.Errorf("got %d %s under a key, want the same answer", again.status, again.body)
		}
	}
	c.unchanged(t, before)
	c.start(t)
	c.settled(t, uuid.MustParse(first.Application))
	seen := c.ask(t, place.Operator, "GET "+first.header.Get("Location"), nil)
	if seen.status != http.StatusOK || seen.State != Notified || !bytes.Contains(seen.body, []byte(`"uin_masked":"••••••`)) || seen.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %s, want how it stands, with a masked number, kept nowhere", seen.status, seen.body)
	}
	if late := c.ask(t, place.Operator, "POST /api/v1/packets", packet); late.Application != first.Application || late.State != Notified {
		t.Errorf("got %s, want the same application as it stands now", late.body)
	}
}

func TestOnePacketAtOnceFromManySidesIsOneApplication(t *testing.T) {
	c := openCounter(t)
	packet := c.packet(t, newApplicant(1, 0))
	got := make([]string, 12)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = c.ask(t, place.Operator, "POST /api/v1/packets", packet).Application })
	}
	wg.Wait()
	slices.Sort(got)
	if ids := slices.Compact(got); len(ids) != 1 || ids[0] == "" || c.count(t, `SELECT count(*) FROM enrol_application`) != 1 || c.count(t, `SELECT count(*) FROM river_job`) != 1 {
		t.Errorf("got applications %v, want one with one job", ids)
	}
}

func TestRefusalsOverHTTPAreProblemDocuments(t *testing.T) {
	c := openCounter(t)
	packet := c.packet(t, newApplicant(1, 0))
	flipped := bytes.Clone(packet)
	flipped[len(flipped)-1] ^= 1
	others := c.station
	others.Officer = uuid.New()
	theirs, err := Build(newApplicant(1, 0).dir(t), others)
	if err != nil {
		t.Fatal(err)
	}
	before := c.kept(t)
	for what, test := range map[string]struct {
		as     place.Role
		route  string
		body   []byte
		status int
		code   string
	}{
		"nothing":                      {place.Operator, "POST /api/v1/packets", nil, 400, "packet-truncated"},
		"JSON":                         {place.Operator, "POST /api/v1/packets", []byte(`{"packet": "…"}`), 400, "packet-unrecognised"},
		"a packet that was changed":    {place.Operator, "POST /api/v1/packets", flipped, 400, "packet-tampered"},
		"half a packet":                {place.Operator, "POST /api/v1/packets", packet[:len(packet)/2], 400, "packet-truncated"},
		"another officer's packet":     {place.Operator, "POST /api/v1/packets", theirs, 403, "packet-officer"},
		"the packet of the one below":  {place.Administrator, "POST /api/v1/packets", packet, 403, "packet-officer"},
		"more than 20 MB":              {place.Operator, "POST /api/v1/packets", make([]byte, MaxPacket+1), 413, "body-too-large"},
		"an application that is none":  {place.Operator, "GET /api/v1/applications/" + uuid.NewString(), nil, 404, "application-unknown"},
		"an id that is none":           {place.Operator, "GET /api/v1/applications/1%27--", nil, 404, "application-unknown"},
		"to resume what is none":       {place.Administrator, "POST /api/v1/applications/" + uuid.NewString() + "/resume", nil, 404, "application-unknown"},
		"to resume an id that is none": {place.Administrator, "POST /api/v1/applications/x/resume", nil, 404, "application-unknown"},
		"a verdict on no case":         {place.Adjudicator, "POST /api/v1/cases/" + uuid.NewString() + "/verdict", []byte(`{"verdict":"unique","reason":"x"}`), 404, "case-unknown"},
		"a verdict on an id of none":   {place.Adjudicator, "POST /api/v1/cases/x/verdict", []byte(`{"verdict":"unique","reason":"x"}`), 404, "case-unknown"},
		"a verdict without a reason":   {place.Adjudicator, "POST /api/v1/cases/" + uuid.NewString() + "/verdict", []byte(`{"verdict":"unique"}`), 400, "verdict-invalid"},
		"a verdict that is no JSON":    {place.Adjudicator, "POST /api/v1/cases/" + uuid.NewString() + "/verdict", []byte(`unique`), 400, "verdict-invalid"},
		"a verdict of 20 kB":           {place.Adjudicator, "POST /api/v1/cases/" + uuid.NewString() + "/verdict", make([]byte, 20<<10), 413, "body-too-large"},
	} {
		s := c.ask(t, test.as, test.route, test.body)
		if s.status != test.status || s.Code != test.code || s.Detail == "" || s.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s %s, want %d %s as a problem document", what, s.status, s.header.Get("Content-Type"), s.body, test.status, test.code)
		}
	}
	c.unchanged(t, before)
}

func TestACaseOverHTTP(t *testing.T) {
	c := openCounter(t)
	_, second, opened := doubtful(t, c.world)
	listed := c.ask(t, place.Adjudicator, "GET /api/v1/cases", nil)
	var answer struct {
		Cases []map[string]any
	}
	if err := json.Unmarshal(listed.body, &answer); err != nil || listed.status != http.StatusOK || len(answer.Cases) != 1 || answer.Cases[0]["case"] != opened.ID.String() {
		t.Fatalf("got %d %s, want the one case", listed.status, listed.body)
	}
	verdict := "POST /api/v1/cases/" + opened.ID.String() + "/verdict"
	for range 2 {
		if s := c.ask(t, place.Adjudicator, verdict, []byte(`{"verdict":"unique","reason":"The faces differ."}`)); s.status != http.StatusNoContent {
			t.Fatalf("got %d %s, want the verdict taken, once", s.status, s.body)
		}
	}
	if s := c.ask(t, place.Adjudicator, verdict, []byte(`{"verdict":"duplicate","reason":"I was wrong."}`)); s.status != http.StatusConflict || s.Code != "verdict-twice" {
		t.Errorf("got %d %s for another verdict of one officer, want a conflict", s.status, s.body)
	}
	if a, err := c.Application(t.Context(), second.ID); err != nil || a.State != Doubtful {
		t.Errorf("got %s, %v; want it doubtful until a second officer judges", a.State, err)
	}
}

func TestThePacketKeyOverHTTPIsTheOneThatOpens(t *testing.T) {
	c := openCounter(t)
	s := c.ask(t, place.Operator, "GET /api/v1/packets/key", nil)
	var key struct {
		ID     string `json:"key_id"`
		Public []byte `json:"public_key"`
	}
	if err := json.Unmarshal(s.body, &key); err != nil || s.status != http.StatusOK {
		t.Fatalf("got %d %s, %v; want a key", s.status, s.body, err)
	}
	c.station.PacketKeyID, c.station.PacketKey = key.ID, key.Public
	packet := c.packet(t, newApplicant(1, 0))
	if err := c.Ring.Rotate(t.Context(), keys.Packets); err != nil {
		t.Fatal(err)
	}
	if s := c.ask(t, place.Operator, "POST /api/v1/packets", packet); s.status != http.StatusAccepted {
		t.Errorf("got %d %s after a rotation, want a packet for the old key accepted", s.status, s.body)
	}
}
