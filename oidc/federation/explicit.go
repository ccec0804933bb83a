package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

const (
	maxRequest = 512 << 10 // of a registration with the chains that it may carry
	mimeChain  = "application/trust-chain+json"
)

// asked is a request to be registered.
type asked struct {
	statement          // the configuration that the relying party made for us
	chain     []string // that it brought along; nil: none
	peer      []string // ours, that it wants to be used
}

// readAsked reads a registration request by its content type (OpenID Federation 1.0, 12.2.1).
func (f *Federation) readAsked(kind, body string) (asked, error) {
	var a asked
	raw := strings.TrimSpace(body)
	switch kind {
	case "application/" + typeStatement:
	case mimeChain:
		if err := json.Unmarshal([]byte(body), &a.chain); err != nil || len(a.chain) == 0 || len(a.chain) > maxDepth {
			return a, fmt.Errorf("the chain must be an array of 1 to %d statements", maxDepth)
		}
		raw = a.chain[0]
	default:
		return a, errors.New("the content type must be application/" + typeStatement + " or " + mimeChain)
	}
	s, err := open(raw, typeStatement, maxRequest)
	if err != nil {
		return a, err
	}
	if a.statement, err = readClaims(s, f.Now()); err != nil {
		return a, err
	}
	if !a.own() || !a.by(a.keys) {
		return a, errors.New("it must be the configuration of the relying party, signed with its key")
	}
	if !a.only("aud", f.issuer) || a.has("trust_anchor") {
		return a, errors.New("aud must be " + f.issuer + " alone, and trust_anchor may not be there")
	}
	if len(a.hints) == 0 || a.metadata[relyingParty] == nil {
		return a, errors.New("authority_hints and metadata of an " + relyingParty + " are needed")
	}
	return a, a.readHeader()
}

// readHeader reads the chains that a request carries in its header (4.3, 4.4).
func (a *asked) readHeader() error {
	whole := a.chain != nil
	for name, into := range map[jose.HeaderKey]*[]string{"trust_chain": &a.chain, "peer_trust_chain": &a.peer} {
		carried, ok := a.header[name]
		if !ok {
			continue
		}
		if whole {
			return errors.New("a request that is a chain may carry no other")
		}
		statements, _ := carried.([]any)
		for _, one := range statements {
			text, _ := one.(string)
			*into = append(*into, text)
		}
		if len(*into) == 0 || len(*into) > maxDepth {
			return fmt.Errorf("%s must be an array of 1 to %d statements", name, maxDepth)
		}
	}
	return nil
}

// enrol registers a relying party that asks for it, and says so in a signed answer.
func (f *Federation) enrol(ctx context.Context, kind, body string) (string, error) {
	if len(f.Anchors) == 0 {
		return "", errNoAnchor
	}
	a, err := f.readAsked(kind, body)
	if err != nil {
		return "", refusal(codeRequest, "%s", err)
	}
	if a.subject == f.issuer {
		return "", errNoEntity
	}
	t := f.trip()
	chain, err := f.choose(ctx, t, a)
	if err != nil {
		return "", err
	}
	if chain.Superior == "" {
		return "", mistrust("%s is an anchor and has no superior that would speak for it", a.subject)
	}
	p, err := f.register(ctx, t, chain, explicit)
	if err != nil {
		return "", unfit(err)
	}
	now := f.Now()
	return f.sign(typeAnswer, map[string]any{"iss": f.issuer, "sub": a.subject, "aud": a.subject, "iat": now.Unix(), "exp": p.expires.Unix(),
		"jwks": a.claims["jwks"], "trust_anchor": chain.Anchor, "authority_hints": []string{chain.Superior},
		"metadata": map[string]any{relyingParty: p.metadata}})
}

// unfit gives what Register has against the metadata the name that clients know.
func unfit(err error) error {
	f := fault.Of(err)
	if f.Kind != fault.Invalid && f.Kind != fault.Conflict || f.Code == codeMetadata || f.Code == codeChain {
		return err
	}
	sentence := f.Sentence
	for _, field := range f.Fields {
		sentence += " " + field.Name + ": " + field.Rule + "."
	}
	return fault.New(fault.Invalid, sentence).Named(codeClient).Because(err)
}

// choose finds the chain to go by: the one that was brought, or one that we find. When
// the relying party also chose a chain for us, both must end at one anchor.
func (f *Federation) choose(ctx context.Context, t *trip, a asked) (Chain, error) {
	anchors := f.anchors()
	if a.peer != nil {
		ours, err := f.brought(a.peer, nil, anchors)
		if err != nil {
			return ours, err
		}
		if ours.Subject != f.issuer {
			return ours, mistrust("the peer_trust_chain is not ours")
		}
		anchors = map[string]jose.JSONWebKeySet{ours.Anchor: anchors[ours.Anchor]}
	}
	if a.chain != nil {
		return f.brought(a.chain, &a.statement, anchors)
	}
	ctx, done, err := f.enter(ctx)
	if err != nil {
		return Chain{}, err
	}
	defer done()
	return t.climb(ctx, a.statement, anchors)
}

// brought judges a chain that we did not fetch. The first of its statements gives way
// to the request, which is made for us (12.2.2).
func (f *Federation) brought(raw []string, first *statement, anchors map[string]jose.JSONWebKeySet) (Chain, error) {
	links := make([]statement, len(raw))
	for i, text := range raw {
		if i == 0 && first != nil && text == first.raw {
			links[i] = *first
			continue
		}
		s, err := readStatement(text, f.Now())
		if err != nil {
			return Chain{}, mistrust("a statement of the chain that was sent cannot be used: %s", err)
		}
		if i == 0 && first != nil {
			if s.subject != first.subject {
				return Chain{}, mistrust("the trust_chain is that of another entity")
			}
			s = *first
		}
		links[i] = s
	}
	anchor := links[len(links)-1].issuer
	known, ok := anchors[anchor]
	if !ok {
		return Chain{}, errNoAnchor
	}
	return judge(links, anchor, known)
}
