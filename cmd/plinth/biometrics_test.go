package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tool runs a command that needs no deployment.
func tool(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return (&running{}).run(t, args...)
}

// Prints of nobody are made, searched, measured, and measured again with the scores
// of another engine.
func TestAnEngineIsMeasuredOnFiles(t *testing.T) {
	dir := t.TempDir()
	if out, code := tool(t, "biometrics", "synth", "--seed", "60", "--count", "4", "--impressions", "2", "--level", "1", "-o", dir); code != exitYes {
		t.Fatal(out)
	}
	pairs := filepath.Join(dir, "pairs.csv")
	out, code := tool(t, "biometrics", "report", "--pairs", pairs, "-o", filepath.Join(dir, "report"))
	if code != exitYes {
		t.Fatal(out)
	}
	if r := answerOf(t, out); r["mated"] != 4.0 || r["non_mated"] != 24.0 || r["eer"] != 0.0 {
		t.Errorf("got %s, want four mated pairs and 24 others, told apart", out)
	}
	for _, file := range []string{"report.json", "det.svg", "quality.svg"} {
		if raw, err := os.ReadFile(filepath.Join(dir, "report", file)); err != nil || len(raw) < 200 {
			t.Errorf("%s: got %d bytes, %v", file, len(raw), err)
		}
	}
	out, _ = tool(t, "biometrics", "score", "--pairs", pairs)
	ours, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	must(t, err)
	other := filepath.Join(dir, "other.csv")
	must(t, os.WriteFile(other, []byte(out), 0o600))
	if out, code := tool(t, "biometrics", "report", "--pairs", pairs, "--scores", other, "-o", filepath.Join(dir, "other")); code != exitYes || answerOf(t, out)["eer"] != 0.0 {
		t.Errorf("got exit %d, %s; want the scores of another engine measured alike", code, out)
	}
	must(t, os.WriteFile(other, []byte("a,b,score\n"), 0o600))
	if out, code := tool(t, "biometrics", "report", "--pairs", pairs, "--scores", other, "-o", dir); code != exitWrongUse || !strings.Contains(out, "want 28") {
		t.Errorf("got exit %d, %s for %d pairs without scores", code, out, len(ours)-1)
	}
	out, code = tool(t, "biometrics", "identify", "--gallery", dir, "--limit", "2", filepath.Join(dir, "f61_1.png"))
	var line struct {
		Candidates []found `json:"candidates"`
		MS         float64 `json:"ms"`
	}
	if code != exitYes || json.Unmarshal([]byte(strings.TrimSpace(out)), &line) != nil {
		t.Fatalf("got exit %d, %s", code, out)
	}
	if len(line.Candidates) != 2 || !strings.HasPrefix(filepath.Base(line.Candidates[0].File), "f61_") || !strings.HasPrefix(filepath.Base(line.Candidates[1].File), "f61_") || line.MS <= 0 {
		t.Errorf("got %+v, want both impressions of the finger first", line)
	}
	if _, code := tool(t, "biometrics", "identify", "--gallery", t.TempDir(), filepath.Join(dir, "f61_1.png")); code != exitWrongUse {
		t.Errorf("got exit %d for an empty gallery, want %d", code, exitWrongUse)
	}
}
