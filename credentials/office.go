package credentials

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Found is what the ledger tells an officer of a credential: never its contents.
type Found struct {
	ID            uuid.UUID  `json:"id"`
	Issuance      uuid.UUID  `json:"issuance"`
	Configuration string     `json:"configuration"`
	Version       int        `json:"version"`
	State         string     `json:"state"`
	Outcome       string     `json:"outcome,omitempty"`
	Status        string     `json:"status"`
	StatusList    string     `json:"status_list"`
	StatusIndex   int        `json:"status_index"`
	Intended      time.Time  `json:"intended"`
	Issued        *time.Time `json:"issued,omitempty"`
	Expires       time.Time  `json:"expires"`
}

// words are how the values of a status list are told.
var words = map[status.Value]string{status.Valid: "valid", status.Revoked: "revoked", status.Suspended: "suspended"}

// Search is what an officer looks for: one of the two.
type Search struct {
	UIN   string `json:"uin,omitempty"`    // or VID
	Place string `json:"status,omitempty"` // address of a status list, #, an index
}

// Search looks credentials up, which is kept.
func (i *Issuer) Search(ctx context.Context, s Search, by string) ([]Found, error) {
	if (s.UIN == "") == (s.Place == "") {
		return nil, fault.New(fault.Invalid, "Search by an identity number, or by a place in a status list (its address, #, and the index).").Named("search-invalid")
	}
	all, person, err := i.find(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := audit.Append(ctx, i.Pool, audit.Entry{Event: audit.CredentialShown, Person: person, Actor: by, Details: map[string]string{"found": strconv.Itoa(len(all))}}); err != nil {
		return nil, err
	}
	places := make([]status.Entry, len(all))
	for n, l := range all {
		places[n] = i.Status.Entry(l.List, l.Index)
	}
	said, err := i.Status.Values(ctx, i.Pool, places)
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(all))
	for n, l := range all {
		found[n] = Found{ID: l.ID, Issuance: l.Issuance, Configuration: l.Configuration, Version: l.Version, State: l.State, Status: words[said[n]],
			StatusList: places[n].URL, StatusIndex: l.Index, Intended: l.Intended, Issued: l.Issued, Expires: l.Expires}
		if l.Outcome != nil {
			found[n].Outcome = *l.Outcome
		}
	}
	return found, nil
}

func (i *Issuer) find(ctx context.Context, s Search) ([]line, uuid.UUID, error) {
	if s.UIN != "" {
		person, err := i.Registry.Trace(ctx, i.Pool, s.UIN)
		if err != nil {
			return nil, uuid.Nil, err
		}
		all, err := linesOf(ctx, i.Pool, i.Ring.LookupAll(personKind, person.String()))
		return all, person, err
	}
	address, digits, _ := strings.Cut(s.Place, "#")
	path, ours := strings.CutPrefix(address, i.at("/status/"))
	path, _, _ = strings.Cut(path, "/") // the purpose, if any: the place is the same
	list, errList := strconv.ParseInt(path, 10, 64)
	index, errIndex := strconv.ParseUint(digits, 10, 31)
	if !ours || errList != nil || errIndex != nil {
		return nil, uuid.Nil, fault.New(fault.Invalid, "This is no place in a status list of ours. Give its address, #, and the index.").Named("search-invalid").At("status", "looks like "+i.at("/status/7#1234"))
	}
	found, err := lineAt(ctx, i.Pool, list, int(index))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, uuid.Nil, nil
	}
	if err != nil {
		return nil, uuid.Nil, err
	}
	person, err := i.PersonOf(ctx, i.Pool, found.ID)
	return []line{found}, person, err
}

// Judgement is what an officer does to a credential, and why.
type Judgement struct {
	ID     uuid.UUID    // of the credential, or of its issuance
	To     status.Value // revoked for good, suspended, or valid again
	By     string       // actor
	Reason string
}

// Judge revokes, suspends or resumes a credential, with all that was issued together
// with it.
func (i *Issuer) Judge(ctx context.Context, j Judgement) error {
	if len(j.Reason) < leastReason || len(j.Reason) > 500 {
		return fault.New(fault.Invalid, "Say why, in 10 to 500 characters: it is kept.").At("reason", "must have 10 to 500 characters")
	}
	return postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		lines, person, err := i.issuance(ctx, tx, j.ID)
		if err != nil {
			return err
		}
		if err := holdIssuance(ctx, tx, lines[0].Issuance); err != nil {
			return err
		}
		said, err := i.said(ctx, tx, lines[0].ID)
		if err != nil {
			return err
		}
		if err := i.mayJudge(lines, said, j.To); err != nil {
			return err
		}
		return i.apply(ctx, tx, lines, sentence{person: person, to: j.To, actor: j.By, reason: j.Reason, owner: byOfficer})
	})
}

func (i *Issuer) mayJudge(lines []line, said, to status.Value) error {
	conflict := func(sentence string) error { return fault.New(fault.Conflict, sentence).Named("credential-state") }
	switch {
	case said == status.Revoked:
		return conflict("This credential was revoked, which is for good.")
	case said == to:
		return conflict("This credential is in that state already.")
	case to == status.Valid && lines[0].Suspended != nil && *lines[0].Suspended == byRegistry:
		return conflict("This credential is suspended because the identity is blocked. It comes back with the identity.")
	case to != status.Suspended:
		return nil
	}
	for _, l := range lines {
		if d := i.issuedAs(l); d != nil && !slices.Contains(d.Status, kind.Suspension) {
			return conflict("Credentials of this kind cannot be suspended, only revoked.")
		}
	}
	return nil
}
