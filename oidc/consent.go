package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/registry/auth"
)

// consentLife is how long an answer is remembered, unless the client asks for less.
const consentLife = 180 * 24 * time.Hour

func (c client) consentLife() time.Duration {
	if c.ConsentMinutes > 0 {
		return time.Duration(c.ConsentMinutes) * time.Minute
	}
	return consentLife
}

// question is all that a person is asked by a request. Asked the same again, the
// answer is remembered; a new purpose or policy is a new question.
type consentQuestion struct {
	Client, Policy, Terms                     string
	Purpose                                   map[string]string
	Scopes, Claims, Essential, Configurations []string
	Resources                                 []string
	Purposes                                  map[string]string
	Details                                   []detail
	Verified                                  *verifiedWish
}

// hash is by what a question is known again.
func (a asked) hash(c client) []byte {
	raw, err := json.Marshal(consentQuestion{Client: c.ID, Policy: c.PolicyURI, Terms: c.TOSURI, Purpose: c.Purpose.Titles, Scopes: sorted(a.Scopes), Claims: a.claims(),
		Essential: sorted(a.Essential), Configurations: sorted(a.Configurations), Resources: sorted(a.Resources), Purposes: a.Purposes, Details: a.Details, Verified: a.Verified})
	if err != nil {
		return nil // a question that cannot be written down is never remembered
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// recollect looks whether a person has answered a question before, and how.
func (p *Provider) recollect(ctx context.Context, v visitor) (claims []string, answered bool, err error) {
	hash := v.asked.hash(v.client)
	if hash == nil {
		return nil, false, nil
	}
	found, err := remembered(ctx, p.Pool, v.proof.Person(), hash, p.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("recalling a consent: %w", err)
	}
	return found.Claims, true, nil
}

// told is what the receipt says beside what was allowed.
type consentTold struct {
	Subject  string            `json:"sub"`
	Client   string            `json:"client_name"`
	Purpose  map[string]string `json:"purpose,omitempty"`
	Purposes map[string]string `json:"purposes,omitempty"`
	Policy   string            `json:"policy_uri,omitempty"`
	Terms    string            `json:"tos_uri,omitempty"`
	ACR      string            `json:"acr,omitempty"`
	// What is allowed beside claims; of details those of other services.
	Details   []detail `json:"authorization_details,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Offline   bool     `json:"offline,omitempty"`
}

// consent records what the person allowed, or finds the record of when they did.
func (p *Provider) consent(ctx context.Context, tx pgx.Tx, m permission, grant auth.Grant) (given, error) {
	hash, now := m.asked.hash(m.client), p.Now()
	if m.decision.Remembered {
		found, err := remembered(ctx, tx, grant.Person(), hash, now)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return found, err
		}
		return given{}, errEnded // withdrawn at this very moment
	}
	subject, err := p.subject(ctx, tx, m.client, grant)
	if err != nil {
		return given{}, err
	}
	details, err := json.Marshal(consentTold{Subject: subject, Client: m.client.Name, Purpose: m.client.Purpose.Titles, Purposes: m.asked.Purposes,
		Policy: m.client.PolicyURI, Terms: m.client.TOSURI, ACR: grant.ACR(), Details: m.asked.Details, Resources: m.asked.Resources, Offline: slices.Contains(m.asked.Scopes, offline)})
	if err != nil {
		return given{}, fmt.Errorf("recording a consent: %w", err)
	}
	first, err := isNew(ctx, tx, grant.Person(), grant.Client())
	if err != nil {
		return given{}, err
	}
	id, err := uuid.Parse(m.visit.ID)
	if err != nil {
		return given{}, err
	}
	g := given{ID: id, Person: grant.Person(), Client: grant.Client(), Hash: hash, Scopes: grant.Scopes(), Claims: grant.Claims(),
		Configurations: grant.Configurations(), Details: details, At: now, Ends: now.Add(m.client.consentLife())}
	if err := insertConsent(ctx, tx, g); err != nil {
		return g, err
	}
	if first {
		if err := p.Desk.Tell(ctx, tx, grant.Person(), "notice.first", m.client.named); err != nil {
			return g, err
		}
	}
	return g, audit.Append(ctx, tx, audit.Entry{Event: audit.ConsentGiven, Person: grant.Person(), Actor: "person", Subject: id.String(),
		Details: map[string]string{"client": grant.Client(), "claims": strings.Join(grant.Claims(), " "), "scopes": strings.Join(grant.Scopes(), " "), "configurations": strings.Join(grant.Configurations(), " ")}})
}
