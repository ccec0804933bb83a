package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// What is offered at the command line, a wallet takes, by reference or by value.
func TestAnOfferAtTheCommandLine(t *testing.T) {
	d := demoOf(t)
	dir := t.TempDir()
	drawn := filepath.Join(dir, "offer.svg")
	for _, form := range []string{"link", "value", "page"} {
		out, code := d.run(t, "offer", "--uin", d.sheet.People[0].UIN, "--tx-code", "text:8", "--describe", "On the letter.", "--login", "--qr", drawn)
		if code != exitYes {
			t.Fatalf("offer: exit %d: %s", code, out)
		}
		made := answerOf(t, out)
		offer, _ := made[form].(string)
		txCode, _ := made["tx_code"].(string)
		if svg, err := os.ReadFile(drawn); err != nil || !strings.HasPrefix(string(svg), "<svg") {
			t.Errorf("got %.40s, %v; want the code as SVG", svg, err)
		}
		if out, code := d.run(t, "wallet", "--file="+filepath.Join(dir, form), "receive", offer, "--tx-code="+txCode); code != exitYes {
			t.Errorf("%s: exit %d: %s", form, code, out)
		}
	}
	for what, args := range map[string][]string{
		"no mode":      {"--tx-code", "8"},
		"unknown kind": {"--kind", "driving_licence"},
		"unknown mode": {"--tx-code", "voice:8"},
	} {
		if out, code := d.run(t, append([]string{"offer", "--uin", d.sheet.People[0].UIN}, args...)...); code != exitWrongUse {
			t.Errorf("%s: got exit %d, %s; want %d", what, code, out, exitWrongUse)
		}
	}
}

func TestOfficersDecideAtTheCommandLine(t *testing.T) {
	d := demoOf(t)
	if out, code := d.run(t, "officer", "credential", "waiting"); code != exitYes || !strings.Contains(out, "[]") {
		t.Errorf("got exit %d, %s; want an empty list", code, out)
	}
	for what, args := range map[string][]string{
		"nobody answers": {"approve", uuid.NewString(), "--reason", "the papers were seen"},
		"no id":          {"refuse", "x", "--reason", "the papers were seen"},
		"no reason":      {"refuse", uuid.NewString()},
	} {
		if out, code := d.run(t, append([]string{"officer", "credential"}, args...)...); code != exitWrongUse {
			t.Errorf("%s: got exit %d, %s; want %d", what, code, out, exitWrongUse)
		}
	}
}
