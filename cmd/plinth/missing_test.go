package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is missing or mistaken, a command says so in a line and makes nothing.
func TestWhatIsMissingIsSaidInALine(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	real := t.TempDir()
	must(t, os.WriteFile(filepath.Join(real, rootKeyFile), []byte("sealed"), 0o600))
	demonstration := demoOf(t)
	away := []string{"PLINTH_DATABASE_URL=postgres://127.0.0.1:1/x", "PLINTH_KEY_PASSPHRASE=a passphrase for tests", "PLINTH_SMTP_URL=smtp://127.0.0.1:1?from=a@example.org", "PLINTH_LISTEN=127.0.0.1:0"}
	type row struct {
		env  []string
		args string
		want string
	}
	rows := []row{
		{[]string{"PLINTH_DATA=" + real, "PLINTH_LISTEN=127.0.0.1:0"}, "demo --data " + real, "real deployment"},
		{[]string{"PLINTH_DATA=" + demonstration.dir, "PLINTH_LISTEN=127.0.0.1:0"}, "serve", "demonstration"},
		{[]string{"PLINTH_DATA=" + demonstration.dir, "PLINTH_URL=https://x.example.org/#here"}, "serve", "PLINTH_URL"},
		{away, "serve", "PLINTH_DATABASE_URL"},
	}
	for _, command := range []string{"audit verify", "keys list", "client list", "officer list", "application 0f8fad5b-d9cb-469f-a165-70867728950e"} {
		rows = append(rows, row{away, command, "PLINTH_DATABASE_URL"}, row{[]string{"PLINTH_DATA=" + nowhere}, command, "PLINTH_DATA"})
	}
	for _, r := range rows {
		d := &running{env: r.env}
		out, code := d.run(t, strings.Fields(r.args)...)
		if code != exitWrongUse || !strings.Contains(out, r.want) || strings.Contains(out, "goroutine") || strings.Count(out, "\n") > 2 {
			t.Errorf("%s with %v: got exit %d, %s; want a line that names %s", r.args, r.env, code, out, r.want)
		}
	}
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("a command that only looks made a deployment")
	}
}
