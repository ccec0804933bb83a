package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/plinth-id/plinth/registry/place"
)

// station is the file that an enrolment station holds: its signing key, and in
// a demo also who signs in on it.
type station struct {
	ID       uuid.UUID `json:"station"`
	Seed     []byte    `json:"seed"` // Ed25519
	Officer  string    `json:"officer,omitempty"`
	Password string    `json:"password,omitempty"`
}

// newStation registers a station and keeps its private key on this side only.
func newStation(ctx context.Context, places *place.Directory, name string) (station, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return station{}, err
	}
	registered, err := places.AddStation(ctx, name, public)
	if err != nil {
		return station{}, err
	}
	return station{ID: registered.ID, Seed: private.Seed()}, nil
}

func (s station) save(file string) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeFile(file, raw)
}

func readStation(file string) (station, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return station{}, wrongUse{fmt.Errorf("--station: %w (make one with: plinth officer station NAME -o FILE)", err)}
	}
	var s station
	if err := json.Unmarshal(raw, &s); err != nil || len(s.Seed) != ed25519.SeedSize {
		return station{}, wrongUse{errors.New("--station: this is no station file")}
	}
	return s, nil
}

func (s station) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(s.Seed) }
