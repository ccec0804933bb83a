package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/federation"
)

// Federations are those that this provider belongs to.
type Federations struct {
	Anchors     map[string]jose.JSONWebKeySet `json:"anchors"`     // whom we believe, by entity identifier
	Authorities []string                      `json:"authorities"` // who stands above us
}

// federationKey is the setting of federations.
var federationKey = key{"PLINTH_FEDERATION", "", "JSON file of the federations that this provider belongs to: anchors with their keys, authorities above us (docs/federation.md); empty: none", func(s *Settings, v string) error {
	if v == "" {
		return nil
	}
	raw, err := os.ReadFile(v)
	if err != nil {
		return err
	}
	s.Federations = &Federations{}
	if err := json.Unmarshal(raw, s.Federations); err != nil {
		return errors.New(`wants {"anchors": {"https://…": {"keys": […]}}, "authorities": ["https://…"]}`)
	}
	return nil
}}

// buildFederation joins the federations of the settings; without any, nothing of it is there.
func (h *house) buildFederation() (err error) {
	if h.Federations == nil {
		return nil
	}
	h.federation, err = federation.New(federation.Config{Pool: h.pool, Issuer: h.URL, Keys: h.provider.JWKS, Sign: h.provider.Sign, Metadata: h.provider.Metadata,
		Register: h.partners.Vouched, Anchors: h.Federations.Anchors, Authorities: h.Federations.Authorities,
		HTTP: web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Limit: 1 << 20, Private: h.Inside || h.demo})})
	return err
}

// federated registers a relying party that a federation vouches for.
func (h *house) federated(ctx context.Context, entity string) error {
	if h.federation == nil {
		return errors.New("this provider belongs to no federation")
	}
	return h.federation.Client(ctx, entity)
}

type federationCommand struct {
	Add struct {
		File string `short:"f" default:"-" help:"The entity (JSON: Entity, Keys, Metadata, Policy, Constraints, EntityTypes, Intermediate); - for standard input."`
	} `cmd:"" help:"Put an entity below us, or change what we state about it."`
	List   struct{} `cmd:"" help:"List the entities below us."`
	Remove struct {
		Entity string `arg:""`
	} `cmd:"" help:"Take an entity out from below us."`
}

func (c *federationCommand) Run(ctx context.Context, settings lazySettings, at chosen) error {
	return onGround(ctx, settings, func(g *ground) error {
		h, err := openHouse(ctx, g)
		if err != nil {
			return err
		}
		if h.federation == nil {
			return wrongUse{errors.New("PLINTH_FEDERATION: this provider belongs to no federation; see docs/federation.md")}
		}
		switch at {
		case "add":
			raw, err := input(c.Add.File, 256<<10)
			if err != nil {
				return err
			}
			var s federation.Subordinate
			if err := json.Unmarshal(raw, &s); err != nil {
				return wrongUse{err}
			}
			return shown(map[string]string{"entity": s.Entity}, h.federation.AddSubordinate(ctx, s))
		case "remove":
			return shown(map[string]any{"entity": c.Remove.Entity, "removed": true}, h.federation.RemoveSubordinate(ctx, c.Remove.Entity))
		}
		all, err := h.federation.ListSubordinates(ctx)
		return shown(all, err)
	})
}
