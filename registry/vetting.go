package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/postgres"
)

// Vetting is how it was found out who a person is, in the words of the OpenID
// Identity Assurance Schema: what an enrolment leaves behind for whoever must know
// how much the claims are worth.
type Vetting struct {
	Framework    string            `json:"framework"` // trust_framework
	Level        string            `json:"level,omitempty"`
	Process      string            `json:"process,omitempty"`
	Organization string            `json:"organization,omitempty"`
	Application  string            `json:"application"`
	Officer      string            `json:"officer,omitempty"` // id, never a name
	At           time.Time         `json:"at"`
	Evidence     []VettingEvidence `json:"evidence,omitempty"`
}

// VettingEvidence is one thing that was seen.
type VettingEvidence struct {
	Type     string `json:"type"`               // "document", "vouch" or "electronic_record"
	Document string `json:"document,omitempty"` // kind of document, as the registry's master data names it
	Number   string `json:"number,omitempty"`
	Method   string `json:"method"` // "pipp": physical, in person
}

// Framework is the trust framework of a deployment that names no other.
const Framework = "urn:plinth:foundational-id"

// Vetting tells how a person was verified. One who was enrolled before that was
// kept has the framework and the time alone.
func (r *Registry) Vetting(ctx context.Context, db postgres.DB, person uuid.UUID) (Vetting, error) {
	sealed, created, err := readVetting(ctx, db, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return Vetting{}, errUnknown
	}
	if err != nil {
		return Vetting{}, fmt.Errorf("reading how a person was verified: %w", err)
	}
	v := Vetting{Framework: Framework, At: created}
	if sealed == nil {
		return v, nil
	}
	key, err := r.key(ctx, db, person)
	if err != nil {
		return v, err
	}
	plain, err := key.Open(sealed, vettingPlace)
	if err == nil {
		err = json.Unmarshal(plain, &v)
	}
	if err != nil {
		return v, fmt.Errorf("reading how a person was verified: %w", err)
	}
	return v, nil
}
