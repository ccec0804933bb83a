package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/enrol"
)

const trustFile = "trust.json" // the issuer keys, for checks without a network

// seed puts the people of the demo through the real pipeline: packets built of
// the embedded directories, handed in over HTTP, and waited for. One of them is
// another a second time, and is refused.
func (d *demo) seed(ctx context.Context, h *house) error {
	if err := d.writeTrust(h); err != nil {
		return err
	}
	if len(d.sheet.People) > 0 {
		return nil
	}
	people, err := d.lay()
	if err != nil {
		return err
	}
	st, err := readStation(filepath.Join(d.dir, stationFile))
	if err != nil {
		return err
	}
	if err := answers(ctx, d.sheet.URL); err != nil {
		return err
	}
	api, err := signIn(ctx, d.sheet.URL, st.Officer, st.Password)
	if err != nil {
		return err
	}
	for _, person := range people {
		if err := d.enrolOne(ctx, h, api, st, person); err != nil {
			return err
		}
	}
	return d.save()
}

// answers waits until our own server does.
func answers(ctx context.Context, url string) error {
	client := localClient()
	for {
		if _, err := fetch(ctx, client, url+"/healthz"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lay writes the enrolment directories and the finger images where a visitor
// finds them, and lists the people.
func (d *demo) lay() ([]string, error) {
	files, err := fs.Glob(demoData, "demodata/people/*.json")
	if err != nil {
		return nil, err
	}
	var people []string
	for _, file := range files {
		who := strings.TrimSuffix(filepath.Base(file), ".json")
		people = append(people, who)
		if err := d.copyOut(file, filepath.Join("enrolments", who, "person.json")); err != nil {
			return nil, err
		}
		prints, err := fs.Glob(demoData, "demodata/prints/"+who+"_*.png")
		if err != nil {
			return nil, err
		}
		for _, print := range prints {
			// pNN_position_impression.png: impression 0 enrols, 1 logs in.
			parts := strings.Split(strings.TrimSuffix(filepath.Base(print), ".png"), "_")
			to := filepath.Join("enrolments", who, parts[1]+".png")
			if parts[2] != "0" {
				to = filepath.Join("fingers", who+"-"+parts[1]+".png")
			}
			if err := d.copyOut(print, to); err != nil {
				return nil, err
			}
		}
	}
	return people, nil
}

func (d *demo) copyOut(from, to string) error {
	raw, err := demoData.ReadFile(from)
	if err != nil {
		return err
	}
	to = filepath.Join(d.dir, to)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// packet builds somebody's packet once: handed in again after a fall, it is known.
func (d *demo) packet(ctx context.Context, api *officeClient, st station, who string) ([]byte, error) {
	dir := filepath.Join(d.dir, "enrolments", who)
	if kept, err := os.ReadFile(dir + ".packet"); err == nil {
		return kept, nil
	}
	packet, err := readPacket(ctx, api, st, dir)
	if err != nil {
		return nil, err
	}
	return packet, writeFile(dir+".packet", packet)
}

// enrolOne hands in one person and waits for the outcome.
func (d *demo) enrolOne(ctx context.Context, h *house, api *officeClient, st station, who string) error {
	packet, err := d.packet(ctx, api, st, who)
	if err != nil {
		return err
	}
	var line submitted
	if err := api.call(ctx, "POST", "/api/v1/packets", packet, &line); err != nil {
		return err
	}
	for !settled(line.State) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if err := api.call(ctx, "GET", "/api/v1/applications/"+line.Application, nil, &line); err != nil {
			return err
		}
	}
	switch enrol.State(line.State) {
	case enrol.Notified:
		return d.note(ctx, h, line.Application, who)
	case enrol.Rejected:
		fmt.Fprintf(os.Stderr, "%s was refused, as it should be: %s\n", who, line.Reason)
		return nil
	}
	return fmt.Errorf("%s ended as %s: %s", who, line.State, line.Reason)
}

// note writes a person into demo.json.
func (d *demo) note(ctx context.Context, h *house, application, who string) error {
	id, err := uuid.Parse(application)
	if err != nil {
		return err
	}
	var identity registry.Identity
	var vids []registry.VID
	// Reading somebody's numbers is recorded, in a demo too.
	err = postgres.InTx(ctx, h.pool, func(tx pgx.Tx) error {
		person, err := h.registry.PersonOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if identity, err = h.registry.Read(ctx, tx, person); err != nil {
			return err
		}
		if vids, err = h.registry.VIDs(ctx, tx, person); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.ClaimsReleased, Person: person, Actor: "system", Subject: "demo.json"})
	})
	if err != nil {
		return err
	}
	d.sheet.People = append(d.sheet.People, demoPerson{Name: identity.Name("eng"), UIN: identity.UIN.Reveal(), VID: vids[0].Reveal(),
		Phone: identity.Phone(), Email: identity.Email(), Birthdate: identity.Birthdate(),
		Finger: filepath.Join(d.dir, "fingers", who+"-rightIndex.png")})
	return nil
}

func (d *demo) writeTrust(h *house) error {
	list, err := h.issuer.TrustList()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(d.dir, trustFile), raw)
}
