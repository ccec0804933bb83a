package federation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/audit"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
)

// Mark is a trust mark to be given. Type and Entity are required.
type Mark struct {
	Type       string // a URL that no other federation uses
	Entity     string
	Life       time.Duration // 0: until it is revoked
	LogoURI    string
	Ref        string // where people can read about it
	Delegation string // a JWT of the owner of the type, if that is another
}

const (
	statusActive  = "active"
	statusExpired = "expired"
	statusRevoked = "revoked"
)

// IssueTrustMark gives an entity a trust mark.
func (f *Federation) IssueTrustMark(ctx context.Context, m Mark) (string, error) {
	problem := fault.New(fault.Invalid, "This trust mark cannot be given. Correct the fields that are named.").Named("trust-mark-invalid")
	if at, err := url.Parse(m.Type); err != nil || at.Scheme == "" || len(m.Type) > maxName {
		problem = problem.At("type", "must be a URL of at most 512 characters")
	}
	if !isEntity(m.Entity) {
		problem = problem.At("entity", "must be an https address without query and fragment")
	}
	if m.Life < 0 {
		problem = problem.At("life", "must not be negative")
	}
	if len(problem.Fields) > 0 {
		return "", problem
	}
	// Stored times are whole seconds, as those that are signed.
	now := f.Now().Truncate(time.Second)
	claims := map[string]any{"iss": f.issuer, "sub": m.Entity, "trust_mark_type": m.Type, "iat": now.Unix(),
		"jti": rand.Text()} // or two of one second could be one
	g := given{Type: m.Type, Entity: m.Entity, Issued: now}
	if m.Life > 0 {
		expires := now.Add(m.Life)
		claims["exp"], g.Expires = expires.Unix(), &expires
	}
	for name, value := range map[string]string{"logo_uri": m.LogoURI, "ref": m.Ref, "delegation": m.Delegation} {
		if value != "" {
			claims[name] = value
		}
	}
	var err error
	if g.Mark, err = f.sign(typeMark, claims); err != nil {
		return "", err
	}
	g.Hash = digest(g.Mark)
	return g.Mark, postgres.InTx(ctx, f.Pool, func(tx pgx.Tx) error {
		if err := insertMark(ctx, tx, g); err != nil {
			return err
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.TrustMarkIssued, Subject: "entity:" + m.Entity, Details: map[string]string{"type": m.Type}})
	})
}

func digest(mark string) []byte {
	sum := sha256.Sum256([]byte(mark))
	return sum[:]
}

// RevokeTrustMark takes back all marks of a type that an entity bears.
func (f *Federation) RevokeTrustMark(ctx context.Context, kind, entity string) error {
	return postgres.InTx(ctx, f.Pool, func(tx pgx.Tx) error {
		n, err := revokeMarks(ctx, tx, kind, entity, f.Now())
		if err != nil {
			return err
		}
		if n == 0 {
			return errNoEntity
		}
		return audit.Append(ctx, tx, audit.Entry{Event: audit.TrustMarkRevoked, Subject: "entity:" + entity, Details: map[string]string{"type": kind}})
	})
}

// status says how a mark of ours stands.
func (g given) status(now time.Time) string {
	switch {
	case g.Revoked != nil:
		return statusRevoked
	case g.Expires != nil && !now.Before(*g.Expires):
		return statusExpired
	}
	return statusActive
}

// markStatus is the signed answer to the question how a mark stands. Marks are known
// by their hash, so that one that was changed is not one of ours.
func (f *Federation) markStatus(ctx context.Context, mark string) (string, error) {
	g, ok, err := markByHash(ctx, f.Pool, digest(mark))
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errNoEntity
	}
	now := f.Now()
	return f.sign(typeStatus, map[string]any{"iss": f.issuer, "iat": now.Unix(), "trust_mark": g.Mark, "status": g.status(now)})
}

// borne gives the trust marks of a chain's subject that are good (7.3): of a type and an
// issuer that the anchor names, and active. Of the issuers we ask ourselves and believe
// the anchor; marks of others are left out, since each would send us out again.
func (f *Federation) borne(ctx context.Context, chain Chain) ([]carried, time.Time, error) {
	top, ends := chain.links[len(chain.links)-1], chain.Expires
	all, err := chain.links[0].carriedMarks()
	if err != nil || !top.own() {
		return nil, ends, err
	}
	var issuers map[string][]string
	if top.has("trust_mark_issuers") {
		if err := json.Unmarshal(top.claims["trust_mark_issuers"], &issuers); err != nil {
			return nil, ends, err // cannot be: it was read before
		}
	}
	owners, err := top.owners()
	if err != nil {
		return nil, ends, err
	}
	var good []carried
	for _, c := range all {
		m, err := open(c.Mark, typeMark, maxStatement)
		if err != nil || m.text("sub") != chain.Subject || !m.begun(f.Now()) || m.has("exp") && !m.lasting(f.Now()) {
			continue
		}
		trusted, named := issuers[c.Type]
		if !named || len(trusted) > 0 && !slices.Contains(trusted, m.text("iss")) {
			continue
		}
		if o, owned := owners[c.Type]; (owned || m.has("delegation")) && !f.delegated(m, o) {
			continue
		}
		active, err := f.active(ctx, m, top)
		if err != nil {
			return nil, ends, err
		}
		if !active {
			continue
		}
		good = append(good, c)
		if expires, ok := m.date("exp"); ok {
			ends = earlier(ends, expires)
		}
	}
	return good, ends, nil
}

// active tells whether a mark was given and not taken back.
func (f *Federation) active(ctx context.Context, m signed, top statement) (bool, error) {
	switch m.text("iss") {
	case f.issuer:
		g, ok, err := markByHash(ctx, f.Pool, digest(m.raw))
		return ok && g.status(f.Now()) == statusActive, err
	case top.subject:
		// Without an end it could have been taken back, and we do not ask.
		return m.has("exp") && m.by(top.keys), nil
	}
	return false, nil
}

// delegated checks that the owner of a type lets the issuer give marks of it (7.2.2).
func (f *Federation) delegated(m signed, o owner) bool {
	d, err := open(m.text("delegation"), typeDelegated, maxStatement)
	now := f.Now()
	return err == nil && o.subject != "" && d.by(o.keys) && d.text("iss") == o.subject && d.text("sub") == m.text("iss") &&
		d.text("trust_mark_type") == m.text("trust_mark_type") && d.begun(now) && (!d.has("exp") || d.lasting(now))
}
