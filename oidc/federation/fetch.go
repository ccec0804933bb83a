package federation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	maxFetches = 20
	maxWait    = 5 * time.Second
	maxJWKS    = 64 << 10
	wellKnown  = "/.well-known/openid-federation"
)

// trip is one resolution: it fetches every statement once, and only so many.
type trip struct {
	f        *Federation
	left     int
	fetched  map[string]statement // by entity, for configurations; by superior and entity for others
	failures map[string]error
}

func (f *Federation) trip() *trip {
	return &trip{f: f, left: maxFetches, fetched: map[string]statement{}, failures: map[string]error{}}
}

// configuration is what an entity says of itself.
func (t *trip) configuration(ctx context.Context, id string) (statement, error) {
	return t.once(id, func() (statement, error) {
		raw, err := t.rawConfiguration(ctx, id)
		if err != nil {
			return statement{}, err
		}
		s, err := readStatement(raw, t.f.Now())
		if err != nil {
			return s, mistrust("the configuration of %s cannot be used: %s", id, err)
		}
		if !s.own() || s.subject != id || !s.by(s.keys) {
			return s, mistrust("the configuration of %s is not its own", id)
		}
		return s, nil
	})
}

func (t *trip) rawConfiguration(ctx context.Context, id string) (string, error) {
	if id == t.f.issuer {
		return t.f.configuration(ctx)
	}
	return t.get(ctx, strings.TrimSuffix(id, "/")+wellKnown, typeStatement, maxStatement)
}

// about is what a superior says of an entity.
func (t *trip) about(ctx context.Context, superior statement, id string) (statement, error) {
	return t.once(superior.subject+" "+id, func() (statement, error) {
		raw, err := t.rawAbout(ctx, superior, id)
		if err != nil {
			return statement{}, err
		}
		s, err := readStatement(raw, t.f.Now())
		if err != nil {
			return s, mistrust("the statement of %s about %s cannot be used: %s", superior.subject, id, err)
		}
		if s.own() || s.issuer != superior.subject || s.subject != id {
			return s, mistrust("%s answered with a statement about another entity than %s", superior.subject, id)
		}
		return s, nil
	})
}

func (t *trip) rawAbout(ctx context.Context, superior statement, id string) (string, error) {
	if superior.subject == t.f.issuer {
		return t.f.statementAbout(ctx, id)
	}
	at := superior.endpoint("federation_fetch_endpoint")
	if at == nil {
		return "", mistrust("%s has no federation_fetch_endpoint", superior.subject)
	}
	query := at.Query()
	query.Set("sub", id)
	at.RawQuery = query.Encode()
	return t.get(ctx, at.String(), typeStatement, maxStatement)
}

// once keeps a statement, or the failure to get it, for the rest of the trip.
func (t *trip) once(key string, fetch func() (statement, error)) (statement, error) {
	if s, ok := t.fetched[key]; ok {
		return s, nil
	}
	if err, ok := t.failures[key]; ok {
		return statement{}, err
	}
	s, err := fetch()
	if err != nil {
		t.failures[key] = err
		return s, err
	}
	t.fetched[key] = s
	return s, nil
}

// get fetches a document of a type. What went wrong on the way is for the log alone:
// the answer must not tell a stranger what lies at an address.
func (t *trip) get(ctx context.Context, address, kind string, limit int64) (string, error) {
	if t.left == 0 {
		return "", mistrust("more than %d documents would have to be fetched", maxFetches)
	}
	t.left--
	ctx, cancel := context.WithTimeout(ctx, maxWait) // or one slow server takes the time of all
	defer cancel()
	body, err := t.f.fetch(ctx, address, "application/"+kind, limit)
	if err != nil {
		host := ""
		if at, failed := url.Parse(address); failed == nil {
			host = at.Host
		}
		return "", fault.New(fault.Invalid, "A document of the federation cannot be fetched from "+host+". Check that it is served there as "+kind+".").Named(codeChain).Because(err)
	}
	return strings.TrimSpace(body), nil
}

func (f *Federation) fetch(ctx context.Context, address, kind string, limit int64) (string, error) {
	at, err := url.Parse(address)
	if err != nil || !isSafe(at) || at.Scheme == "http" && f.Issuer.Scheme != "http" {
		return "", fmt.Errorf("%s is no https address", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", kind)
	resp, err := f.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %d", address, resp.StatusCode)
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || got != kind && (kind != mimeJWKS || got != "application/json") {
		return "", fmt.Errorf("%s answered with %q", address, resp.Header.Get("Content-Type"))
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(raw)) > limit {
		return "", errors.New("the answer is longer than is read here")
	}
	return string(raw), nil
}
