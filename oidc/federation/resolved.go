package federation

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
)

const chainFor = 10 * time.Minute // that a chain is kept for who asks us to resolve

// resolved is the signed answer to the question what an entity is under an anchor. It
// tells of those alone that stand below us or are registered here, so that strangers
// cannot make us look up whom they like (OpenID Federation 1.0, 18.1).
func (f *Federation) resolved(ctx context.Context, sub string, names, kinds []string) (string, error) {
	believed, wanted := f.anchors(), map[string]jose.JSONWebKeySet{}
	for _, name := range names {
		if keys, ok := believed[name]; ok {
			wanted[name] = keys
		}
	}
	if len(wanted) == 0 {
		return "", errNoAnchor
	}
	chain, err := f.known(ctx, sub, wanted)
	if err != nil {
		return "", err
	}
	marks, expires, err := f.borne(ctx, chain)
	if err != nil {
		return "", err
	}
	told := maps.Clone(chain.Metadata)
	if len(kinds) > 0 {
		maps.DeleteFunc(told, func(kind string, _ map[string]any) bool { return !slices.Contains(kinds, kind) })
	}
	claims := map[string]any{"iss": f.issuer, "sub": sub, "iat": f.Now().Unix(), "exp": expires.Unix(), "metadata": told, "trust_chain": chain.Statements}
	if len(marks) > 0 {
		claims["trust_marks"] = marks
	}
	return f.sign(typeResolved, claims)
}

// known finds the chain of an entity that we have to do with.
func (f *Federation) known(ctx context.Context, sub string, wanted map[string]jose.JSONWebKeySet) (Chain, error) {
	if !isEntity(sub) {
		return Chain{}, errNoEntity
	}
	ours, err := isRegistered(ctx, f.Pool, sub, f.Now())
	if err == nil && !ours {
		_, ours, err = subordinate(ctx, f.Pool, sub)
	}
	if err != nil {
		return Chain{}, err
	}
	if !ours && sub != f.issuer {
		return Chain{}, errNoEntity
	}
	key := sub + " " + strings.Join(slices.Sorted(maps.Keys(wanted)), " ")
	if o, ok := f.chains.recall(key, f.Now()); ok {
		return o.chain, o.err
	}
	chain, err := f.resolve(ctx, f.trip(), sub, wanted)
	o := outcome{chain: chain, err: err, until: f.Now().Add(chainFor)}
	switch {
	case err == nil:
		o.until = earlier(o.until, chain.Expires)
	case fault.Is(err, fault.Invalid) || fault.Is(err, fault.NotFound):
		o.until = f.Now().Add(refusedFor)
	default:
		return chain, err
	}
	f.chains.keep(key, o)
	return chain, err
}
