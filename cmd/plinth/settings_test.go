package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongSettingStopsTheStartWithOneLine(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"PLINTH_URL=ftp://x", "PLINTH_URL: must be https"},
		{"PLINTH_URL=http://id.example.org", "PLINTH_URL: must be https"},
		{"PLINTH_URL=https://id.example.org/a", "PLINTH_URL: needs a scheme"},
		{"PLINTH_LOGG=debug", "PLINTH_LOGG: there is no such setting (did you mean PLINTH_LOG?)"},
		{"PLINTH_LOG=loud", `PLINTH_LOG: "loud" is no level`},
		{"PLINTH_ROLES=web,cook", `PLINTH_ROLES: "cook" is no role`},
		{"PLINTH_UIN_DIGITS=9", `PLINTH_UIN_DIGITS: "9" is no length`},
		{"PLINTH_CODES_PER_DAY=0", `PLINTH_CODES_PER_DAY: "0" is no number of codes`},
		{"PLINTH_CODES_PER_DAY=many", `PLINTH_CODES_PER_DAY: "many" is no number of codes`},
		{"PLINTH_BIOMETRIC_POLICY=nowhere.json", "PLINTH_BIOMETRIC_POLICY: open nowhere.json"},
		{"PLINTH_BIOMETRIC_POLICY=settings.go", "PLINTH_BIOMETRIC_POLICY: this biometric policy cannot be used"},
		{"PLINTH_WALLET_ANCHORS=settings.go", "PLINTH_WALLET_ANCHORS: holds no certificate"},
		{"PLINTH_THEME=nowhere", "PLINTH_THEME: nowhere: open theme.json"},
		{"PLINTH_TLS_CERT=a.pem", "PLINTH_TLS_CERT and PLINTH_TLS_KEY go together"},
	} {
		_, err := readSettings("", []string{c.set})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line starting with %s", c.set, err, c.want)
		}
	}
}

func TestEnvironmentOutranksTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plinth.yaml")
	if err := os.WriteFile(file, []byte("PLINTH_LISTEN: 127.0.0.1:1\nPLINTH_UIN_DIGITS: 12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSettings(file, []string{"PLINTH_LISTEN=127.0.0.1:2", "HOME=/x"})
	if err != nil || s.Listen != "127.0.0.1:2" || s.UINDigits != 12 {
		t.Fatalf("got %v %s %d, want nil 127.0.0.1:2 12", err, s.Listen, s.UINDigits)
	}
	if err := os.WriteFile(file, []byte("PLINTH_NOPE: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSettings(file, nil); err == nil {
		t.Fatal("got nil, want an error for an unknown key in the file")
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keyList {
		if row := "| `" + k.name + "` | " + standardCell(k.standard) + " | " + k.meaning + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/settings.md lacks the row %s", row)
		}
	}
	for _, name := range clientKeys {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/settings.md lacks %s", name)
		}
	}
}

func standardCell(v string) string {
	if v == "" {
		return "–"
	}
	return "`" + v + "`"
}

func TestTheAuthoritiesOfVerifiersAreRead(t *testing.T) {
	c := identity(t, "authority.example")
	file, _ := files(t, c)
	s, err := readSettings("", []string{"PLINTH_WALLET_ANCHORS=" + file})
	want := x509.NewCertPool()
	want.AddCert(c.Leaf)
	if err != nil || s.Wallets.Anchors == nil || !s.Wallets.Anchors.Equal(want) {
		t.Errorf("got %v, %v; want the certificate of the file", s.Wallets.Anchors, err)
	}
	if s, err = readSettings("", nil); err != nil || s.Wallets.Anchors != nil {
		t.Errorf("got %v, %v without the setting; want none", s.Wallets.Anchors, err)
	}
}
