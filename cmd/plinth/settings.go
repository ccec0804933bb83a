package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/plinth-id/plinth/biometrics/evidence"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// Settings is how one deployment differs from another. Every field is set by
// exactly one PLINTH_ key, from the environment or from the file of --config.
type Settings struct {
	URL         *url.URL
	Listen      string
	TLSCert     string
	TLSKey      string
	DatabaseURL string
	Data        string
	Passphrase  string
	PKCS11      PKCS11
	OTel        string
	BlobURL     string
	SMTP        string
	SMS         string
	Schema      string
	Roles       []string
	Log         slog.Level
	UINDigits   int
	Proxies     []netip.Prefix
	Policy      *evidence.Policy // nil: none is set
	MTLS        MTLS
	Verifier    Verifier
	Trust       []string      // trust lists of those whom the verifier believes besides us
	Federations *Federations  // nil: none
	Methods     []auth.Method // by which people log in, in the order of the pages; nil: the usual ones
	CodesPerDay int           // one-time codes of one number for one network before it must work; 0: the usual
	Theme       *templates.Theme
	Issuing     Issuing
	Wallets     Wallets
	Inside      bool // relying parties may live in our own network
}

// PKCS11 names the token that holds the root key; Module empty: there is none.
type PKCS11 struct{ Module, Token, PIN, Label string }

// roles are what a process of several may do.
var roles = []string{"web", "work", "gallery"}

// key is one setting: its name, default, meaning and how it is read.
type key struct {
	name, standard, meaning string
	set                     func(s *Settings, value string) error
}

// keyList is the one list of settings; docs/settings.md is checked against it.
var keyList = append([]key{
	{"PLINTH_URL", "http://localhost:8080", "public base URL, without a path", func(s *Settings, v string) (err error) {
		s.URL, err = baseURL(v)
		return err
	}},
	{"PLINTH_LISTEN", "127.0.0.1:8080", "address and port to listen on", text(func(s *Settings) *string { return &s.Listen })},
	{"PLINTH_TLS_CERT", "", "certificate chain (PEM file); with PLINTH_TLS_KEY the server speaks TLS itself", text(func(s *Settings) *string { return &s.TLSCert })},
	{"PLINTH_TLS_KEY", "", "private key (PEM file) of PLINTH_TLS_CERT", text(func(s *Settings) *string { return &s.TLSKey })},
	{"PLINTH_DATABASE_URL", "", "Postgres to use; empty: a private one in the data directory", text(func(s *Settings) *string { return &s.DatabaseURL })},
	{"PLINTH_DATA", "./data", "directory for the private database, blobs and the sealed root key", text(func(s *Settings) *string { return &s.Data })},
	{"PLINTH_KEY_PASSPHRASE", "", "passphrase that seals the root key file (not needed with PLINTH_PKCS11_MODULE)", text(func(s *Settings) *string { return &s.Passphrase })},
	{"PLINTH_PKCS11_MODULE", "", "PKCS#11 library of the token that holds the root key (build tag pkcs11)", text(func(s *Settings) *string { return &s.PKCS11.Module })},
	{"PLINTH_PKCS11_TOKEN", "", "label of the token", text(func(s *Settings) *string { return &s.PKCS11.Token })},
	{"PLINTH_PKCS11_PIN", "", "PIN of the token", text(func(s *Settings) *string { return &s.PKCS11.PIN })},
	{"PLINTH_PKCS11_KEY", "plinth-root", "label of the key on the token", text(func(s *Settings) *string { return &s.PKCS11.Label })},
	{"PLINTH_BLOB_URL", "", "where packets are kept; empty: a directory in the data directory; or s3://…", text(func(s *Settings) *string { return &s.BlobURL })},
	{"PLINTH_SMTP_URL", "", "mail server, smtp://user:password@host:port?from=…", text(func(s *Settings) *string { return &s.SMTP })},
	{"PLINTH_SMS_URL", "", "SMS gateway that takes a JSON POST", text(func(s *Settings) *string { return &s.SMS })},
	{"PLINTH_SCHEMA", "", "identity schema file; empty: the built-in one", text(func(s *Settings) *string { return &s.Schema })},
	{"PLINTH_ROLES", "all", "what this process does: all, or a comma list of web, work, gallery", func(s *Settings, v string) error {
		if v == "all" {
			s.Roles = roles
			return nil
		}
		s.Roles = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
		for _, r := range s.Roles {
			if !slices.Contains(roles, r) {
				return fmt.Errorf("%q is no role; use all, or a comma list of web, work, gallery", r)
			}
		}
		return nil
	}},
	{"PLINTH_LOG", "info", "how much is logged: debug, info, warn, error", func(s *Settings, v string) error {
		if s.Log.UnmarshalText([]byte(v)) != nil {
			return fmt.Errorf("%q is no level; use debug, info, warn or error", v)
		}
		return nil
	}},
	{"PLINTH_OTEL_ENDPOINT", "", "OpenTelemetry collector (OTLP over HTTP) that gets a span of each request, http://host:4318", func(s *Settings, v string) error {
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("needs a URL, as in http://collector:4318")
		}
		s.OTel = v
		return nil
	}},
	{"PLINTH_UIN_DIGITS", "10", "length of new identity numbers: 10, 11 or 12 (see doctor for the capacity)", func(s *Settings, v string) (err error) {
		if s.UINDigits, err = strconv.Atoi(v); err != nil || s.UINDigits < 10 || s.UINDigits > 12 {
			return fmt.Errorf("%q is no length; use 10, 11 or 12", v)
		}
		return nil
	}},
	{"PLINTH_BIOMETRIC_POLICY", "", "JSON file of what is asked of captured samples (docs/biometrics/evidence.md); empty: no device for enrolments, one of level L1 for logins", func(s *Settings, v string) error {
		if v == "" {
			return nil
		}
		raw, err := os.ReadFile(v)
		if err != nil {
			return err
		}
		policy, err := evidence.Parse(raw, os.DirFS(filepath.Dir(v)))
		s.Policy = &policy
		return err
	}},
	{"PLINTH_PROXIES", "", "comma list of address ranges of balancers whose X-Forwarded-For is believed", func(s *Settings, v string) error {
		for _, text := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return fmt.Errorf("%q is no range; write it like 10.0.0.0/8", text)
			}
			s.Proxies = append(s.Proxies, p)
		}
		return nil
	}},
	{"PLINTH_LOGIN_METHODS", "code,passkey,credential,wallet,finger,face,iris,pin,password", "comma list of the ways to log in, in the order of the pages: of code, passkey, credential, wallet, finger, face, iris, pin, password, knowledge", func(s *Settings, v string) error {
		s.Methods = nil
		for _, name := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			if auth.LevelOf([]auth.Method{auth.Method(name)}) == 0 {
				return fmt.Errorf("%q is no way to log in", name)
			}
			s.Methods = append(s.Methods, auth.Method(name))
		}
		if len(s.Methods) == 0 {
			return errors.New("needs one at least")
		}
		return nil
	}},
	{"PLINTH_CODES_PER_DAY", "", "one-time codes a day that are sent to one number for one network before its browsers must work for more; empty: 10, in a demo 1000", func(s *Settings, v string) (err error) {
		if v == "" {
			return nil
		}
		if s.CodesPerDay, err = strconv.Atoi(v); err != nil || s.CodesPerDay < 1 || s.CodesPerDay > 100_000 {
			return fmt.Errorf("%q is no number of codes; use 1 to 100000", v)
		}
		return nil
	}},
	{"PLINTH_THEME", "", "folder with theme.json and a logo: name, colour, links and footer of the pages (docs/theming.md); empty: ours", func(s *Settings, v string) (err error) {
		if v == "" {
			return nil
		}
		if s.Theme, err = templates.ReadTheme(os.DirFS(v)); err != nil {
			return fmt.Errorf("%s: %w", v, err)
		}
		return nil
	}},
	{"PLINTH_PARTIES_INSIDE", "false", "true: addresses of relying parties (jwks_uri, logout) may lead into our own network", func(s *Settings, v string) (err error) {
		if s.Inside, err = strconv.ParseBool(v); err != nil {
			return errors.New("is true or false")
		}
		return nil
	}},
}, slices.Concat(mtlsKeys, []key{federationKey}, walletKeys, issuingKeys, verifierKeys, []key{trustKey})...)

// clientKeys are read by the commands that are a client of a server, and by
// the crash tests; the server accepts them without using them.
var clientKeys = []string{"PLINTH_OFFICER", "PLINTH_OFFICER_PASSWORD", "PLINTH_WALLET_PASSPHRASE", "PLINTH_FAILPOINT",
	"PLINTH_SDK_SECRET", "PLINTH_ABIS_SECRET", "PLINTH_ABIS_CLIENT_SECRET", "PLINTH_ABIS_QUEUE_USER", "PLINTH_ABIS_QUEUE_PASSWORD"}

func text(field func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, value string) error { *field(s) = value; return nil }
}

// baseURL reads a public base URL: a scheme and a host, nothing else.
func baseURL(v string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(v, "/"))
	if err != nil || u.Host == "" || u.Path != "" || u.User != nil || strings.ContainsAny(v, "?#") {
		return nil, errors.New("needs a scheme and a host and nothing else, as in https://id.example.org")
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return nil, fmt.Errorf("%q is no port", u.Port())
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https":
		return u, nil
	case u.Scheme == "http" && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return u, nil
	}
	return nil, errors.New("must be https (http is for localhost only)")
}

// readSettings takes the environment and, below it, the file of --config. A
// key that nobody knows is an error: a mistyped setting must not pass as its
// default.
func readSettings(file string, environ []string) (Settings, error) {
	given, err := settingsFile(file)
	if err != nil {
		return Settings{}, err
	}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.HasPrefix(name, "PLINTH_") {
			given[name] = value
		}
	}
	var s Settings
	for _, k := range keyList {
		value, ok := given[k.name]
		if !ok || value == "" {
			value = k.standard
		}
		if err := k.set(&s, value); err != nil {
			return Settings{}, fmt.Errorf("%s: %w", k.name, err)
		}
		delete(given, k.name)
	}
	for _, name := range clientKeys {
		delete(given, name)
	}
	for name := range given {
		return Settings{}, fmt.Errorf("%s: there is no such setting%s; docs/settings.md lists them all", name, nearest(name))
	}
	return s, s.check()
}

func (s *Settings) check() error {
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("PLINTH_TLS_CERT and PLINTH_TLS_KEY go together: set both or neither")
	}
	data, err := filepath.Abs(s.Data)
	if err != nil {
		return fmt.Errorf("PLINTH_DATA: %w", err)
	}
	s.Data = data
	return nil
}

// settingsFile reads a flat YAML file of the same keys.
func settingsFile(file string) (map[string]string, error) {
	given := make(map[string]string)
	if file == "" {
		return given, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if err := yaml.Unmarshal(raw, &given); err != nil {
		return nil, fmt.Errorf("--config %s: want lines like PLINTH_LOG: debug (%w)", file, err)
	}
	return given, nil
}

// nearest suggests the setting that was probably meant.
func nearest(name string) string {
	best, distance := "", 4
	for _, k := range keyList {
		if d := edits(name, k.name); d < distance {
			best, distance = k.name, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, cost)
		}
	}
	return row[len(b)]
}

// MarshalJSON keeps secrets out of whatever prints settings.
func (s Settings) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"url": s.URL.String(), "listen": s.Listen, "data": s.Data, "roles": s.Roles})
}

// String is as silent as MarshalJSON.
func (s Settings) String() string { return "settings for " + s.URL.String() }
