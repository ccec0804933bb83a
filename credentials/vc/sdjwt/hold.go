package sdjwt

import (
	"context"
	"crypto"
	"fmt"
	"strings"
)

// Held is a credential in its holder's hands, with all its disclosures.
type Held struct {
	Credential
	parts parts
}

// Receive checks what an issuer has given to a holder. The holder's signature has no
// place in it.
func Receive(ctx context.Context, raw string, o Options) (Held, error) {
	o.Binding = nil
	p, err := take(raw)
	if err != nil {
		return Held{}, err
	}
	if p.binding != "" {
		return Held{}, fmt.Errorf("%w: a holder has signed it already", ErrMalformed)
	}
	c, err := Verify(ctx, raw, o)
	if c.root == nil {
		return Held{}, err
	}
	return Held{Credential: c, parts: p}, err
}

// Open takes a credential from the holder's own store, where it came to by Receive:
// its signature is not checked again.
func Open(raw string) (Held, error) {
	p, err := take(raw)
	if err != nil {
		return Held{}, err
	}
	if p.binding != "" {
		return Held{}, fmt.Errorf("%w: a holder has signed it already", ErrMalformed)
	}
	root, err := p.weave()
	if err != nil {
		return Held{}, err
	}
	c, err := read(root, p.token.Header.Type == TypeVC || p.token.Header.Type == typeVCBefore && p.claims["vct"] != nil)
	if err != nil {
		return Held{}, err
	}
	c.Issuer, _ = c.Claims["iss"].(string)
	c.KeyID = p.token.Header.KeyID
	return Held{Credential: c, parts: p}, nil
}

// Presentation is what a holder has chosen to show.
type Presentation struct {
	shown  string
	hash   crypto.Hash
	holder crypto.PublicKey
}

// String is the presentation without the holder's signature.
func (p Presentation) String() string { return p.shown }

// Choose shows the claims at these paths: each with all that is in it and with what
// it stands in, and nothing else that could be kept back. The steps of a path are as
// in a Draft.
func (h Held) Choose(paths [][]any) (Presentation, error) {
	chosen := map[*disclosure]bool{}
	for _, path := range paths {
		if len(path) == 0 || len(path) > maxDepth {
			return Presentation{}, fmt.Errorf("%w: its length", ErrPath)
		}
		found, err := h.root.choose(path, chosen)
		if err != nil {
			return Presentation{}, err
		}
		if !found {
			return Presentation{}, ErrPath
		}
	}
	var b strings.Builder
	b.WriteString(h.parts.signed + "~")
	all := map[string]bool{}
	for d := range chosen {
		all[d.encoded] = true
	}
	for _, encoded := range h.parts.disclosures {
		if all[encoded] {
			b.WriteString(encoded + "~")
		}
	}
	return Presentation{shown: b.String(), hash: hashes[h.parts.hash], holder: h.Holder}, nil
}

// choose marks what a path needs, if it leads anywhere.
func (n *node) choose(path []any, chosen map[*disclosure]bool) (bool, error) {
	if n.keptBack {
		return false, nil
	}
	if len(path) == 0 {
		n.each(nil, func(_ []any, n *node) { n.mark(chosen) })
		return true, nil
	}
	next, err := n.step(path[0])
	if err != nil {
		return false, err
	}
	found := false
	for _, inner := range next {
		ok, err := inner.choose(path[1:], chosen)
		if err != nil {
			return false, err
		}
		found = found || ok
	}
	if found {
		n.mark(chosen)
	}
	return found, nil
}

func (n *node) mark(chosen map[*disclosure]bool) {
	if n.from != nil {
		chosen[n.from] = true
	}
}

// step follows one step of a path. On the way into a value of another shape it is an
// error; what is not there is none.
func (n *node) step(step any) ([]*node, error) {
	switch step := step.(type) {
	case string:
		if n.object == nil {
			break
		}
		if inner := n.object[step]; inner != nil {
			return []*node{inner}, nil
		}
		return nil, nil
	case int:
		if n.array == nil || step < 0 {
			break
		}
		if step < len(n.array) {
			return n.array[step : step+1], nil
		}
		return nil, nil
	case nil:
		if n.array == nil {
			break
		}
		return n.array, nil
	}
	return nil, fmt.Errorf("%w: the value is of another shape", ErrPath)
}
