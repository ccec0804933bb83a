package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/enrol"
)

type enrolCommand struct {
	Inputs   []string      `arg:"" name:"dir|file.packet" help:"Enrolment directories, or packets that were built before."`
	Wait     bool          `help:"Wait for the outcome."`
	Patience time.Duration `default:"10m" help:"How long --wait waits."`
	Station  string        `help:"Station file; default: station.json in the data directory." type:"path"`
	Officer  string        `env:"PLINTH_OFFICER" help:"Who signs in; default: as the station file says."`
	Save     string        `help:"Write each packet into this directory instead of submitting it." type:"existingdir"`
}

// submitted is the line that enrol prints for each packet.
type submitted struct {
	Application string `json:"application"`
	State       string `json:"state"`
	Stage       string `json:"stage,omitempty"`
	Code        string `json:"reason_code,omitempty"`
	Reason      string `json:"reason,omitempty"`
	UIN         string `json:"uin_masked,omitempty"`
	Input       string `json:"input"`
}

func (c *enrolCommand) Run(ctx context.Context, settings lazySettings) error {
	s, err := settings()
	if err != nil {
		return err
	}
	if c.Station == "" {
		c.Station = filepath.Join(s.Data, stationFile)
	}
	st, err := readStation(c.Station)
	if err != nil {
		return err
	}
	if c.Officer != "" {
		st.Officer, st.Password = c.Officer, os.Getenv("PLINTH_OFFICER_PASSWORD")
	}
	api, err := signIn(ctx, s.URL.String(), st.Officer, st.Password)
	if err != nil {
		return err
	}
	worst := exitYes
	var lines []submitted
	for _, in := range c.Inputs {
		line, err := c.submit(ctx, api, st, in)
		if err != nil {
			// One bad directory must not stop those after it.
			fmt.Fprintln(os.Stderr, in)
			worst = max(worst, answer(err))
			continue
		}
		if line == nil {
			continue
		}
		lines = append(lines, *line)
		if !c.Wait {
			if err := printJSON(line); err != nil {
				return err
			}
		}
	}
	if c.Wait {
		refused, err := c.wait(ctx, api, lines)
		if err != nil {
			return err
		}
		if refused {
			worst = max(worst, exitNo)
		}
	}
	if worst != exitYes {
		return exit(worst)
	}
	return nil
}

// submit builds the packet of one input and hands it in, or saves it.
func (c *enrolCommand) submit(ctx context.Context, api *officeClient, st station, in string) (*submitted, error) {
	packet, err := readPacket(ctx, api, st, in)
	if err != nil {
		return nil, err
	}
	if c.Save != "" {
		file := filepath.Join(c.Save, filepath.Base(filepath.Clean(in))+".packet")
		return nil, os.WriteFile(file, packet, 0o600)
	}
	line := submitted{Input: in}
	err = api.call(ctx, "POST", "/api/v1/packets", packet, &line)
	return &line, err
}

// readPacket reads a packet that was built before, or builds one of a directory.
func readPacket(ctx context.Context, api *officeClient, st station, in string) ([]byte, error) {
	info, err := os.Stat(in)
	if err != nil {
		return nil, wrongUse{err}
	}
	if !info.IsDir() {
		return input(in, enrol.MaxPacket)
	}
	var sealTo struct {
		KeyID     string    `json:"key_id"`
		PublicKey []byte    `json:"public_key"`
		Officer   uuid.UUID `json:"officer"`
	}
	if err := api.call(ctx, "GET", "/api/v1/packets/key", nil, &sealTo); err != nil {
		return nil, err
	}
	return enrol.Build(os.DirFS(in), enrol.Seal{Station: st.ID, Key: st.key(), Officer: api.officer,
		PacketKeyID: sealTo.KeyID, PacketKey: sealTo.PublicKey, Created: time.Now()})
}

// wait asks until every application has an outcome, and tells whether one was
// refused.
func (c *enrolCommand) wait(ctx context.Context, api *officeClient, lines []submitted) (refused bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	for _, line := range lines {
		for {
			if err := api.call(ctx, "GET", "/api/v1/applications/"+line.Application, nil, &line); err != nil {
				return refused, err
			}
			if settled(line.State) {
				break
			}
			select {
			case <-ctx.Done():
				return refused, fmt.Errorf("application %s is still %s; ask later with: plinth application %s", line.Application, line.State, line.Application)
			case <-time.After(200 * time.Millisecond):
			}
		}
		refused = refused || line.State == string(enrol.Rejected)
		if err := printJSON(line); err != nil {
			return refused, err
		}
	}
	return refused, nil
}

// settled tells whether nothing will happen any more without a person.
func settled(state string) bool {
	switch state {
	case string(enrol.Notified), string(enrol.Rejected), string(enrol.Doubtful), string(enrol.Quarantined):
		return true
	}
	return false
}

// officeClient calls the officers' API of a server.
type officeClient struct {
	base, token string
	officer     uuid.UUID
	http        *http.Client
}

// signIn opens an officer's session.
func signIn(ctx context.Context, base, name, password string) (*officeClient, error) {
	if name == "" || password == "" {
		return nil, wrongUse{errors.New("who signs in? Set PLINTH_OFFICER and PLINTH_OFFICER_PASSWORD")}
	}
	api := &officeClient{base: base, http: localClient()}
	body, err := json.Marshal(map[string]string{"name": name, "password": password})
	if err != nil {
		return nil, err
	}
	var session struct {
		Token   string `json:"token"`
		Officer struct {
			ID uuid.UUID `json:"id"`
		} `json:"officer"`
	}
	if err := api.call(ctx, "POST", "/api/v1/sessions", body, &session); err != nil {
		return nil, err
	}
	api.token, api.officer = session.Token, session.Officer.ID
	return api, nil
}

// localClient is for a server that the caller chose, which may be on this machine.
func localClient() *http.Client {
	return web.NewClient(web.ClientConfig{Timeout: time.Minute, Private: true, Limit: 4 << 20})
}

// call sends one request and reads the JSON of its answer into out.
func (a *officeClient) call(ctx context.Context, method, path string, body []byte, out any) error {
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	if path == "/api/v1/packets" {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return fmt.Errorf("the server does not answer at %s: %w", a.base, err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return refusal(answer.StatusCode, raw)
	}
	return json.Unmarshal(raw, out)
}
