package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/plinth-id/plinth/cmd/plinth/portal"
	"github.com/plinth-id/plinth/registry/place"
	"golang.org/x/sync/errgroup"
)

//go:embed demodata
var demoData embed.FS

const (
	demoPassphrase = "demo.passphrase" // in the data directory of a demo: seals its root key
	demoFile       = "demo.json"       // what a visitor of the demo needs
	stationFile    = "station.json"    // what an enrolment station holds
	portalKeyFile  = "portal.jwks.json"
)

type demoCommand struct {
	Data string `help:"Data directory; default: a fresh temporary one." type:"path"`
}

// demoSheet is demo.json.
type demoSheet struct {
	URL     string       `json:"url"`
	People  []demoPerson `json:"people"`
	Clients []demoClient `json:"clients"`
	Staff   []demoStaff  `json:"staff"`
}

type demoPerson struct {
	Name      string `json:"name"`
	UIN       string `json:"uin"`
	VID       string `json:"vid"`
	Phone     string `json:"phone"`
	Email     string `json:"email"`
	Birthdate string `json:"birthdate"`
	Finger    string `json:"finger"` // an image of the right index finger that was not used to enrol
}

type demoClient struct {
	ID   string `json:"client_id"`
	JWKS string `json:"jwks_private"`
}

type demoStaff struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Password string `json:"password"`
}

func (c *demoCommand) Run(ctx context.Context, settings lazySettings) error {
	s, err := settings()
	if err != nil {
		return err
	}
	if os.Getenv("PLINTH_LOG") == "" {
		s.Log = slog.LevelWarn // what to click must not drown
	}
	logTo(s.Log)
	begun := time.Now()
	if c.Data == "" {
		if c.Data, err = os.MkdirTemp("", "plinth-demo-"); err != nil {
			return err
		}
	}
	if s.Data, err = filepath.Abs(c.Data); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "data:", s.Data)
	if err := prepareDemo(&s); err != nil {
		return err
	}
	ln, err := listen(s)
	if err != nil {
		return err
	}
	g, err := openGround(ctx, s, true)
	if err != nil {
		return err
	}
	defer g.close()
	d := &demo{ground: g, dir: s.Data}
	if err := d.install(ctx); err != nil {
		return err
	}
	h, err := openHouse(ctx, g)
	if err != nil {
		return err
	}
	if err := d.openPortal(h); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.run(ctx, ln) })
	group.Go(func() error {
		if err := d.seed(ctx, h); err != nil {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return fmt.Errorf("seeding: %w", err)
		}
		d.announce(time.Since(begun))
		return nil
	})
	return group.Wait()
}

// prepareDemo makes the data directory and the passphrase of its root key. What is
// set for a real deployment has no place here: not its keys, and no way by which
// mail would leave.
func prepareDemo(s *Settings) error {
	s.Passphrase, s.PKCS11, s.SMTP, s.SMS = "", PKCS11{}, "", ""
	if err := os.MkdirAll(s.Data, 0o755); err != nil {
		return wrongUse{err}
	}
	file := filepath.Join(s.Data, demoPassphrase)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(s.Data, rootKeyFile)); err == nil {
			return wrongUse{fmt.Errorf("%s holds a real deployment; choose another directory for the demonstration", s.Data)}
		}
		return os.WriteFile(file, []byte(rand.Text()), 0o600)
	}
	return nil
}

// demo seeds a deployment with people who do not exist.
type demo struct {
	*ground
	dir    string
	sheet  demoSheet
	key    *ecdsa.PrivateKey // of the portal
	client string
}

// staff of the demo. The passwords are printed: nothing here is secret.
var demoOfficers = []struct {
	name string
	role place.Role
}{
	{"olga.operator", place.Operator},
	{"adam.adjudicator", place.Adjudicator},
	{"ada.adjudicator", place.Adjudicator},
	{"root.administrator", place.Administrator},
}

// install registers staff, the station and the portal, once.
func (d *demo) install(ctx context.Context) error {
	var err error
	if d.sheet, err = readSheet(d.dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(d.sheet.Staff) == 0 {
		for _, o := range demoOfficers {
			d.sheet.Staff = append(d.sheet.Staff, demoStaff{Name: o.name, Role: string(o.role), Password: "plinth demo " + rand.Text()[:8]})
		}
		if err := d.save(); err != nil { // before they count, or a fall here would lose them
			return err
		}
	}
	for _, o := range d.sheet.Staff {
		if _, err := d.places.Officer(ctx, o.Name); err == nil {
			continue
		}
		if _, err := d.places.AddOfficer(ctx, o.Name, place.Role(o.Role), o.Password); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(d.dir, stationFile)); errors.Is(err, os.ErrNotExist) {
		station, err := newStation(ctx, d.places, "demo station "+rand.Text()[:4])
		if err != nil {
			return err
		}
		station.Officer, station.Password = d.sheet.Staff[0].Name, d.sheet.Staff[0].Password
		if err := station.save(filepath.Join(d.dir, stationFile)); err != nil {
			return err
		}
	}
	if err := d.move(ctx); err != nil {
		return err
	}
	if err := d.register(ctx); err != nil {
		return err
	}
	return d.save()
}

// move follows a new address: the portal's old redirect URI would be refused.
func (d *demo) move(ctx context.Context) error {
	if at := d.URL.String(); d.sheet.URL != at {
		for _, c := range d.sheet.Clients {
			if err := d.partners.Disable(ctx, c.ID); err != nil {
				return err
			}
		}
		d.sheet.URL, d.sheet.Clients = at, nil
	}
	return nil
}

// register makes the portal's key and registers the portal as a relying party.
func (d *demo) register(ctx context.Context) error {
	file := filepath.Join(d.dir, portalKeyFile)
	if len(d.sheet.Clients) > 0 {
		d.client = d.sheet.Clients[0].ID
		return d.readPortalKey(file)
	}
	var err error
	if d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	private := jose.JSONWebKey{Key: d.key, KeyID: "portal-1", Algorithm: "ES256", Use: "sig"}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, set, 0o600); err != nil {
		return err
	}
	metadata, err := json.Marshal(map[string]any{
		"client_name": "Ministry of Examples", "client_name#fra": "Ministère des Exemples", "client_name#ara": "وزارة الأمثلة",
		"redirect_uris":              []string{d.URL.JoinPath("/demo/portal/callback").String()},
		"token_endpoint_auth_method": "private_key_jwt", "grant_types": []string{"authorization_code"},
		"scope": "openid profile email phone", "plinth_profile": "oidc", "id_token_signed_response_alg": "ES256",
		"jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{private.Public()}},
	})
	if err != nil {
		return err
	}
	client, err := d.partners.Add(ctx, metadata)
	if err != nil {
		return err
	}
	d.client = client.ID
	d.sheet.Clients = []demoClient{{ID: client.ID, JWKS: file}}
	return nil
}

func (d *demo) readPortalKey(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, k := range set.Keys {
		if key, ok := k.Key.(*ecdsa.PrivateKey); ok {
			d.key = key
			return nil
		}
	}
	return fmt.Errorf("%s holds no private EC key", file)
}

// openPortal mounts the demo relying party beside the provider it uses.
func (d *demo) openPortal(h *house) error {
	portal.New(portal.Config{Issuer: d.URL.String(), ClientID: d.client, Key: d.key, KeyID: "portal-1",
		Redirect: d.URL.JoinPath("/demo/portal/callback"), HTTP: localClient()}).Routes(h.router)
	return nil
}

// readSheet reads the demo.json of a data directory.
func readSheet(dir string) (sheet demoSheet, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, demoFile))
	if err != nil {
		return sheet, err
	}
	if err := json.Unmarshal(raw, &sheet); err != nil {
		return sheet, fmt.Errorf("%s: %w", demoFile, err)
	}
	return sheet, nil
}

func (d *demo) save() error {
	raw, err := json.MarshalIndent(d.sheet, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(d.dir, demoFile), append(raw, '\n'))
}

// writeFile replaces a file that only we may read: whole, or not at all.
func writeFile(file string, raw []byte) error {
	temporary := file + ".new"
	if err := os.WriteFile(temporary, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

// announce prints what to click.
func (d *demo) announce(took time.Duration) {
	out := os.Stdout
	fmt.Fprintf(out, "\nPlinth is ready (%.1f s). Nothing here is real.\n\n", took.Seconds())
	fmt.Fprintf(out, "  %-44s %s\n", d.sheet.URL+"/demo/portal", "log in to a ministry's portal")
	fmt.Fprintf(out, "  %-44s %s\n", d.sheet.URL+"/demo/inbox", "the mail and text messages that were sent")
	fmt.Fprintf(out, "  %-44s %s\n", d.sheet.URL+"/verify", "check the QR code of a credential")
	fmt.Fprintf(out, "\n  The one-time code is always 111111. The finger images are in %s.\n\n", filepath.Join(d.dir, "fingers"))
	fmt.Fprintf(out, "  %-16s %-12s %-18s %s\n", "person", "UIN", "VID", "phone")
	for _, p := range d.sheet.People {
		fmt.Fprintf(out, "  %-16s %-12s %-18s %s\n", p.Name, p.UIN, p.VID, p.Phone)
	}
	fmt.Fprintf(out, "\n  %-20s %-15s %s\n", "officer", "role", "password")
	for _, s := range d.sheet.Staff {
		fmt.Fprintf(out, "  %-20s %-15s %s\n", s.Name, s.Role, s.Password)
	}
	fmt.Fprintf(out, "\n  All this is in %s. Stop with Ctrl-C; the next start goes on where this ended.\n", filepath.Join(d.dir, demoFile))
}
