package federation

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/oidc/federation/policy"
)

// The types of what is signed (OpenID Federation 1.0, 15).
const (
	typeStatement = "entity-statement+jwt"
	typeMark      = "trust-mark+jwt"
	typeDelegated = "trust-mark-delegation+jwt"
	typeStatus    = "trust-mark-status-response+jwt"
	typeResolved  = "resolve-response+jwt"
	typeAnswer    = "explicit-registration-response+jwt"
	typeKeys      = "jwk-set+jwt"
)

// Entity types that mean something here.
const (
	federationEntity = "federation_entity"
	relyingParty     = "openid_relying_party"
	openidProvider   = "openid_provider"
)

const maxName = 512

// statement is what one entity says of another, a subordinate, or of itself: then it
// is the configuration of the entity. Its form and its times have been checked, its
// signature has not.
type statement struct {
	signed
	issuer, subject string
	expires         time.Time
	keys            jose.JSONWebKeySet // the subject's
	hints           []string           // superiors of the subject
	metadata        policy.Metadata
	policy          policy.Policy
	constraints     constraints
}

// own tells the configuration of an entity from a statement about a subordinate.
func (s statement) own() bool { return s.issuer == s.subject }

// readStatement reads an entity statement from a chain.
func readStatement(raw string, now time.Time) (statement, error) {
	s, err := open(raw, typeStatement, maxStatement)
	if err != nil {
		return statement{}, err
	}
	// What belongs to a registration could be replayed as a configuration otherwise.
	if s.has("aud") || s.has("trust_anchor") || s.header["trust_chain"] != nil || s.header["peer_trust_chain"] != nil {
		return statement{}, errors.New("it is made for a registration, not for a chain")
	}
	return readClaims(s, now)
}

// readClaims checks the claims of an entity statement (3.2).
func readClaims(s signed, now time.Time) (statement, error) {
	result := statement{signed: s, issuer: s.text("iss"), subject: s.text("sub")}
	if !isEntity(result.issuer) || !isEntity(result.subject) {
		return result, errors.New("iss and sub must be entity identifiers")
	}
	if !s.begun(now) {
		return result, errors.New("it has no iat, or one that lies ahead")
	}
	if !s.lasting(now) {
		return result, errors.New("it has no exp, or has expired")
	}
	result.expires, _ = s.date("exp")
	// We know no claim beyond the standard's, and none of those may be listed.
	if s.has("crit") {
		return result, errors.New("it has a critical claim that is not understood here")
	}
	var err error
	if result.keys, err = readKeys(s.claims["jwks"]); err != nil {
		return result, err
	}
	if s.has("metadata") {
		if result.metadata, err = policy.ReadMetadata(s.claims["metadata"]); err != nil {
			return result, err
		}
	}
	if result.own() {
		return result, result.readOwn()
	}
	return result, result.readSuperior()
}

// readOwn reads the claims that only a configuration may have.
func (s *statement) readOwn() error {
	for _, name := range []string{"metadata_policy", "metadata_policy_crit", "constraints", "source_endpoint"} {
		if s.has(name) {
			return fmt.Errorf("%s stands in the configuration of an entity", name)
		}
	}
	for _, name := range []string{"authority_hints", "trust_anchor_hints"} {
		if !s.has(name) {
			continue
		}
		listed, err := s.texts(name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(listed, func(id string) bool { return !isEntity(id) }) {
			return fmt.Errorf("%s must be entity identifiers", name)
		}
		if name == "authority_hints" {
			s.hints = listed
		}
	}
	return s.checkMarks()
}

// readSuperior reads the claims that only a statement about a subordinate may have.
func (s *statement) readSuperior() error {
	for _, name := range []string{"authority_hints", "trust_anchor_hints", "trust_marks", "trust_mark_issuers", "trust_mark_owners"} {
		if s.has(name) {
			return fmt.Errorf("%s stands in a statement about another entity", name)
		}
	}
	if s.has("metadata_policy_crit") {
		return errors.New("it has a critical operator of policy that is not understood here")
	}
	if s.has("source_endpoint") {
		if at, err := url.Parse(s.text("source_endpoint")); err != nil || at.Host == "" {
			return errors.New("source_endpoint must be a URL")
		}
	}
	var err error
	if s.has("metadata_policy") {
		if s.policy, err = policy.Read(s.claims["metadata_policy"]); err != nil {
			return err
		}
	}
	if s.has("constraints") {
		s.constraints, err = readConstraints(s.claims["constraints"])
	}
	return err
}

// isEntity tells what may name an entity: an https address without query and fragment
// (1.2). Machines of developers may do without TLS.
func isEntity(id string) bool {
	at, err := url.Parse(id)
	if err != nil || len(id) > maxName || !utf8.ValidString(id) || at.Hostname() == "" || at.User != nil || strings.ContainsAny(id, "?#") {
		return false
	}
	return isSafe(at)
}

func isSafe(at *url.URL) bool {
	if at.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(at.Hostname())
	return at.Scheme == "http" && (at.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// endpoint is the address of an endpoint of the entity; nil when it has none.
func (s statement) endpoint(name string) *url.URL {
	text, _ := s.metadata[federationEntity][name].(string)
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || at.User != nil || strings.Contains(text, "#") || !isSafe(at) {
		return nil
	}
	return at
}

// carried is a trust mark in the configuration of its bearer.
type carried struct {
	Type string `json:"trust_mark_type"`
	Mark string `json:"trust_mark"`
}

// carriedMarks reads the trust marks that stand in a configuration.
func (s statement) carriedMarks() ([]carried, error) {
	if !s.has("trust_marks") {
		return nil, nil
	}
	var listed []carried
	if err := json.Unmarshal(s.claims["trust_marks"], &listed); err != nil {
		return nil, errors.New("trust_marks must be an array of objects")
	}
	return listed, nil
}

// checkMarks checks the form of what a configuration says of trust marks; whether one
// is to be believed is another matter.
func (s statement) checkMarks() error {
	listed, err := s.carriedMarks()
	if err != nil {
		return err
	}
	for _, c := range listed {
		if c.Type == "" || claimedType(c.Mark) != c.Type {
			return errors.New("trust_marks holds one that is not of the type it claims")
		}
	}
	if s.has("trust_mark_issuers") {
		var issuers map[string][]string
		if json.Unmarshal(s.claims["trust_mark_issuers"], &issuers) != nil {
			return errors.New("trust_mark_issuers must be an object of arrays")
		}
	}
	if s.has("trust_mark_owners") {
		if _, err := s.owners(); err != nil {
			return err
		}
	}
	return nil
}

// claimedType is the type that a trust mark names, whatever it is signed with.
func claimedType(mark string) string {
	parts := strings.Split(mark, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var s signed
	if err != nil || wellFormed(payload) != nil || json.Unmarshal(payload, &s.claims) != nil {
		return ""
	}
	return s.text("trust_mark_type")
}

// owner is who a type of trust mark belongs to.
type owner struct {
	subject string
	keys    jose.JSONWebKeySet
}

func (s statement) owners() (map[string]owner, error) {
	if !s.has("trust_mark_owners") {
		return nil, nil
	}
	var written map[string]map[string]json.RawMessage
	if err := json.Unmarshal(s.claims["trust_mark_owners"], &written); err != nil {
		return nil, errors.New("trust_mark_owners must be an object of objects")
	}
	found := make(map[string]owner, len(written))
	for kind, members := range written {
		var o owner
		if err := json.Unmarshal(members["sub"], &o.subject); err != nil || !isEntity(o.subject) {
			return nil, errors.New("trust_mark_owners must name entities")
		}
		var err error
		if o.keys, err = readKeys(members["jwks"]); err != nil {
			return nil, err
		}
		found[kind] = o
	}
	return found, nil
}
