package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/abis"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// abisOf starts plinth abis; kill ends it at once.
func abisOf(t *testing.T, data, fetch string) (client *abis.Client, people int, kill func()) {
	t.Helper()
	command := plinth(t.Context(), []string{"PLINTH_KEY_PASSPHRASE=a passphrase for tests", "PLINTH_ABIS_SECRET=a secret for tests"}, "abis", "--data", data, "--listen", "127.0.0.1:0", "--fetch", fetch)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	kill = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	must(t, err)
	var said struct {
		Service string
		People  int
	}
	must(t, json.Unmarshal(line, &said))
	return abis.OverHTTP(http.DefaultClient, said.Service, "a secret for tests"), said.People, kill
}

func TestAnABISKeepsWhomItTookAfterItWasKilled(t *testing.T) {
	share := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		impression := 0
		if strings.HasSuffix(r.URL.Path, "again") {
			impression = 1
		}
		img := synth.Print(77, impression, 1)
		record, err := iso.WriteImage(iso.Image{Position: biometrics.RightIndex, Codec: iso.PNG, Width: img.Rect.Dx(), Height: img.Rect.Dy(), PPI: 500, Quality: 90, Data: synth.PNG(img)})
		must(t, err)
		raw, err := cbeff.Write([]cbeff.Record{{Position: biometrics.RightIndex, Format: cbeff.FingerImage, Level: "Raw", Purpose: "Enroll", Quality: 90, Data: record}})
		must(t, err)
		_, _ = w.Write(append(raw, strings.Repeat("<!-- ten fingers -->", 150_000)...)) // 3 MB, as a whole person has
	}))
	defer share.Close()
	data := filepath.Join(t.TempDir(), "abis")
	client, people, kill := abisOf(t, data, share.URL+"/share/")
	if people != 0 {
		t.Errorf("got %d people in a new one", people)
	}
	must(t, client.Insert(t.Context(), "somebody", share.URL+"/share/somebody"))
	kill()
	half, err := os.OpenFile(filepath.Join(data, "requests.jsonl"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = half.WriteString(`{"at":"20`) // the death came in the middle of a line
	must(t, errors.Join(err, half.Close()))
	client, people, _ = abisOf(t, data, share.URL+"/share/")
	if people != 1 {
		t.Fatalf("got %d people after the death, want one", people)
	}
	found, err := client.Identify(t.Context(), abis.Request{ReferenceURL: share.URL + "/share/again"})
	if err != nil || len(found) != 1 || found[0].ReferenceID != "somebody" {
		t.Errorf("got %+v, %v; want somebody", found, err)
	}
	record, err := os.ReadFile(filepath.Join(data, "requests.jsonl"))
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(record)), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[0])) || !json.Valid([]byte(lines[2])) || strings.Contains(string(record), "somebody") {
		t.Errorf("got %d lines, want two whole ones that name nobody, and the half one: %s", len(lines), record)
	}
}

func TestAnABISWantsKeysAndASecret(t *testing.T) {
	for what, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"no passphrase": {[]string{"PLINTH_ABIS_SECRET=a secret for tests"}, nil, "passphrase"},
		"no secret":     {[]string{"PLINTH_KEY_PASSPHRASE=a passphrase for tests"}, nil, "secret"},
		"no address":    {[]string{"PLINTH_KEY_PASSPHRASE=a passphrase for tests", "PLINTH_ABIS_SECRET=a secret for tests"}, []string{"--fetch", "mosip"}, "--fetch mosip"},
		"no key":        {[]string{"PLINTH_KEY_PASSPHRASE=a passphrase for tests", "PLINTH_ABIS_SECRET=a secret for tests"}, []string{"--open-with", "abis.go"}, "no RSA key"},
	} {
		command := plinth(t.Context(), c.env, append([]string{"abis", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--fetch", "https://mosip.example/"}, c.args...)...)
		out, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: got %v, %s; want %q", what, err, out, c.want)
		}
	}
}
