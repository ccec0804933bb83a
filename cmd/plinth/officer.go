package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/registry/enrol"
	"github.com/plinth-id/plinth/registry/place"
)

type officerCommand struct {
	Add struct {
		Name string `arg:""`
		Role string `enum:"operator,adjudicator,administrator" required:"" help:"operator, adjudicator or administrator."`
	} `cmd:"" help:"Add an officer; the password is PLINTH_OFFICER_PASSWORD."`
	List    struct{} `cmd:"" help:"List the officers."`
	Station struct {
		Name string `arg:""`
		Out  string `short:"o" required:"" type:"path" help:"File to write the station's key to."`
	} `cmd:"" help:"Register an enrolment station."`
	Cases struct{} `cmd:"" help:"List the doubtful cases that wait."`
	Show  struct {
		Case    string `arg:""`
		Officer string `env:"PLINTH_OFFICER" help:"Who looks (name of an adjudicator); the password is PLINTH_OFFICER_PASSWORD."`
		Out     string `short:"o" required:"" type:"path" help:"Directory for the drawings of fingers that are alike."`
	} `cmd:"" help:"Draw what the fingers of a doubtful case have in common; looking is kept."`
	Adjudicate struct {
		Case    string `arg:""`
		Officer string `env:"PLINTH_OFFICER" help:"Who decides (name of an adjudicator); the password is PLINTH_OFFICER_PASSWORD."`
		Verdict string `required:"" help:"unique, or duplicate:APPLICATION."`
		Reason  string `required:"" help:"Why; it is kept."`
	} `cmd:"" help:"Decide a doubtful case."`
	Resume struct {
		Applications []string `arg:"" help:"Applications that were laid aside."`
		Officer      string   `env:"PLINTH_OFFICER" help:"Who decides (name of an administrator); the password is PLINTH_OFFICER_PASSWORD."`
	} `cmd:"" help:"Put applications that were laid aside back to work."`
	Credential struct {
		Waiting struct {
			Limit int `default:"100" help:"How many at most."`
		} `cmd:"" help:"List the credentials that wait for an officer's approval."`
		Approve rulingCommand `cmd:"" help:"Let a credential be issued."`
		Refuse  rulingCommand `cmd:"" help:"Refuse a credential."`
	} `cmd:"" help:"Decide about credentials that wait for approval."`
	Sites struct {
		Weeks   int    `default:"13" help:"How many weeks back."`
		Officer string `env:"PLINTH_OFFICER" help:"Who asks (name of an administrator); the password is PLINTH_OFFICER_PASSWORD."`
	} `cmd:"" help:"Tell how good captures are at each station, without persons."`
}

func (c *officerCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	return onGround(ctx, settings, func(g *ground) error {
		switch at {
		case "add":
			o, err := g.places.AddOfficer(ctx, c.Add.Name, place.Role(c.Add.Role), os.Getenv("PLINTH_OFFICER_PASSWORD"))
			return shown(o, err)
		case "list":
			all, err := g.places.Officers(ctx)
			return shown(all, err)
		case "station":
			return c.addStation(ctx, g)
		}
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		if at == "cases" {
			cases, err := h.office.Cases(ctx)
			return shown(cases, err)
		}
		switch at {
		case "resume":
			return c.resume(ctx, h)
		case "show":
			return c.show(ctx, h)
		case "sites":
			return c.sites(ctx, h)
		case "waiting":
			all, err := h.issuer.Waiting(ctx, c.Credential.Waiting.Limit)
			return shown(all, err)
		case "approve":
			return c.Credential.Approve.rule(ctx, h, true)
		case "refuse":
			return c.Credential.Refuse.rule(ctx, h, false)
		}
		return c.adjudicate(ctx, h)
	})
}

func (c *officerCommand) addStation(ctx context.Context, g *ground) error {
	if _, err := os.Stat(c.Station.Out); err == nil {
		return wrongUse{fmt.Errorf("%s exists already; choose another file", c.Station.Out)}
	}
	s, err := newStation(ctx, g.places, c.Station.Name)
	if err != nil {
		return err
	}
	if err := s.save(c.Station.Out); err != nil {
		return err
	}
	return printJSON(map[string]any{"station": s.ID, "file": c.Station.Out})
}

func (c *officerCommand) adjudicate(ctx context.Context, h *house) error {
	id, err := uuid.Parse(c.Adjudicate.Case)
	if err != nil {
		return errCaseID
	}
	officer, err := officerHere(ctx, h.places, c.Adjudicate.Officer)
	if err != nil {
		return err
	}
	err = h.office.Adjudicate(ctx, id, officer, c.Adjudicate.Verdict, c.Adjudicate.Reason)
	return shown(map[string]any{"case": id, "verdict": c.Adjudicate.Verdict}, err)
}

// show writes a drawing for each finger and each candidate of a case.
func (c *officerCommand) show(ctx context.Context, h *house) error {
	id, err := uuid.Parse(c.Show.Case)
	if err != nil {
		return errCaseID
	}
	officer, err := officerHere(ctx, h.places, c.Show.Officer)
	if err != nil {
		return err
	}
	cases, err := h.office.Cases(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(cases, func(c enrol.Case) bool { return c.ID == id })
	if at < 0 {
		return wrongUse{errors.New("no case with this id waits; see: plinth officer cases")}
	}
	if err := os.MkdirAll(c.Show.Out, 0o700); err != nil {
		return wrongUse{err}
	}
	for _, candidate := range cases[at].Candidates {
		fingers, err := h.office.Likenesses(ctx, id, candidate.Application, officer)
		if err != nil {
			return err
		}
		for _, f := range fingers {
			file := filepath.Join(c.Show.Out, candidate.Application.String()+"_"+string(f.Position)+".svg")
			if err := os.WriteFile(file, []byte(f.SVG), 0o600); err != nil {
				return wrongUse{err}
			}
			if err := printJSON(map[string]any{"candidate": candidate.Application, "position": f.Position, "candidate_position": f.Candidate, "score": f.Score, "drawing": file}); err != nil {
				return err
			}
		}
	}
	return nil
}

var errCaseID = wrongUse{errors.New("a case id looks like 0f8fad5b-d9cb-469f-a165-70867728950e; see: plinth officer cases")}

func (c *officerCommand) resume(ctx context.Context, h *house) error {
	officer, err := officerHere(ctx, h.places, c.Resume.Officer)
	if err != nil {
		return err
	}
	for _, text := range c.Resume.Applications {
		id, err := uuid.Parse(text)
		if err != nil {
			return wrongUse{fmt.Errorf("%q is no application id; plinth enrol printed it", text)}
		}
		if err := h.office.Resume(ctx, id, officer); err != nil {
			return err
		}
		if err := printJSON(map[string]any{"application": id, "resumed": true}); err != nil {
			return err
		}
	}
	return nil
}

func (c *officerCommand) sites(ctx context.Context, h *house) error {
	officer, err := officerHere(ctx, h.places, c.Sites.Officer)
	if err != nil {
		return err
	}
	all, err := h.office.Sites(ctx, c.Sites.Weeks, officer)
	return shown(all, err)
}

// officerHere lets an officer prove at this machine who they are.
func officerHere(ctx context.Context, places *place.Directory, name string) (place.Officer, error) {
	password := os.Getenv("PLINTH_OFFICER_PASSWORD")
	if name == "" || password == "" {
		return place.Officer{}, wrongUse{errors.New("who answers for this? Set PLINTH_OFFICER and PLINTH_OFFICER_PASSWORD")}
	}
	token, officer, err := places.SignIn(ctx, name, password, "this machine")
	if err != nil {
		return officer, err
	}
	return officer, places.SignOut(ctx, token, officer)
}
