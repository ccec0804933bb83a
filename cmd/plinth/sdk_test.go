package main

import (
	"encoding/json"
	"image"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/cbeff"
	"github.com/plinth-id/plinth/biometrics/iso"
	"github.com/plinth-id/plinth/biometrics/synth"
)

// sdkOf runs plinth sdk in a process of its own, and gives its address.
func sdkOf(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := plinth(t.Context(), env, append([]string{"sdk", "--listen", "127.0.0.1:0"}, args...)...)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	var said struct{ Service string }
	must(t, json.NewDecoder(out).Decode(&said))
	return said.Service
}

func recordOf(img *image.Gray) *biosdk.Record {
	raw, err := iso.WriteImage(iso.Image{Position: biometrics.LeftIndex, Codec: iso.PNG, Width: img.Rect.Dx(), Height: img.Rect.Dy(), Data: synth.PNG(img)})
	if err != nil {
		panic(err) // a grey image in memory is always written
	}
	return &biosdk.Record{Segments: biosdk.List[biosdk.BIR]{biosdk.FromCBEFF(cbeff.Record{Position: biometrics.LeftIndex, Format: cbeff.FingerImage, Level: "Raw", Quality: -1, Data: raw})}}
}

func TestSDKServesWhoKnowsTheSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	must(t, os.WriteFile(file, []byte("0123456789abcdef\n"), 0o600))
	for name, service := range map[string]string{
		"of a file":            sdkOf(t, nil, "--secret-file", file),
		"of the environment":   sdkOf(t, []string{"PLINTH_SDK_SECRET=0123456789abcdef"}),
		"of the file of both":  sdkOf(t, []string{"PLINTH_SDK_SECRET=another and longer one"}, "--secret-file", file),
		"of a higher standard": sdkOf(t, []string{"PLINTH_SDK_SECRET=0123456789abcdef"}, "--threshold", "40"),
	} {
		client, err := biosdk.NewClient(http.DefaultClient, service)
		must(t, err)
		ask := biosdk.MatchRequest{Sample: recordOf(synth.Print(1, 0, 1)), Gallery: biosdk.List[biosdk.Record]{*recordOf(synth.Print(1, 1, 1))}}
		if _, err := client.Match(t.Context(), ask); err == nil {
			t.Errorf("secret %s: it answers without", name)
		}
		client.Secret = "0123456789abcdef"
		want := biosdk.Matched
		if name == "of a higher standard" {
			want = biosdk.NotMatched
		}
		if got, err := client.Match(t.Context(), ask); err != nil || got[0].Decisions[biosdk.Finger].Match != want {
			t.Errorf("secret %s: got %v, %v; want %s", name, got, err, want)
		}
	}
}

// Nobody opens the service to a network by accident.
func TestSDKStaysOnItsMachine(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	for name, args := range map[string][]string{
		"every address":   {"--listen", "0.0.0.0:0"},
		"no address":      {"--listen", ":0"},
		"another machine": {"--listen", "sdk.example:0"},
		"no port":         {"--listen", "127.0.0.1"},
		"an empty secret": {"--secret-file", empty},
		"no threshold":    {"--threshold", "0"},
		"a negative one":  {"--threshold=-3"},
	} {
		if out, code := runs(t, append([]string{"sdk"}, args...)...); code != exitWrongUse || strings.Contains(out, "service") && strings.Contains(out, "http://") {
			t.Errorf("%s: got exit %d, %s", name, code, out)
		}
	}
}
