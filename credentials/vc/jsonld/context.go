package jsonld

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/piprate/json-gold/ld"
)

//go:embed contexts/*.jsonld
var files embed.FS

// The base contexts of the data model, 2.0 and 1.1.
const (
	CredentialsV2 = "https://www.w3.org/ns/credentials/v2"
	CredentialsV1 = "https://www.w3.org/2018/credentials/v1"
)

// identityPath ends the address of the identity context at every deployment.
const identityPath = "/contexts/identity/v1"

// bundled contexts are parsed once; json-gold reads them and does not write.
var bundled = map[string]any{
	CredentialsV2: mustParse("credentials-v2"),
	CredentialsV1: mustParse("credentials-v1"),
	identityPath:  mustParse("identity-v1"),
	"https://www.w3.org/ns/credentials/examples/v2":    mustParse("credentials-examples-v2"),
	"https://www.w3.org/ns/credentials/status/v1":      mustParse("status-v1"),
	"https://w3id.org/security/data-integrity/v1":      mustParse("data-integrity-v1"),
	"https://w3id.org/security/data-integrity/v2":      mustParse("data-integrity-v2"),
	"https://w3id.org/security/multikey/v1":            mustParse("multikey-v1"),
	"https://w3id.org/security/jwk/v1":                 mustParse("jwk-v1"),
	"https://w3id.org/security/suites/ed25519-2020/v1": mustParse("ed25519-2020-v1"),
}

func mustParse(name string) (parsed any) {
	document, err := files.ReadFile("contexts/" + name + ".jsonld")
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(document, &parsed); err != nil {
		panic(err)
	}
	return parsed
}

// IdentityContext is where a deployment serves the context of its own credentials,
// and that document. The address holds the deployment's base URL, for others must
// be able to fetch it there; the document does not, and never changes (a new term
// needs a v2). So a verifier that has never heard of a deployment still has its
// context, and checks its credentials offline. Nobody gains from using the address
// of a stranger: what is signed are statements, and the terms here mean the same
// at every address.
func IdentityContext(baseURL string) (url string, document []byte) {
	document, err := files.ReadFile("contexts/identity-v1.jsonld")
	if err != nil {
		panic(err) // it is part of the binary
	}
	return strings.TrimSuffix(baseURL, "/") + identityPath, document
}

// Contexts are the JSON-LD contexts that are known. The zero value knows the
// bundled ones: those of the W3C and our identity context.
type Contexts struct {
	added  map[string]any
	inline bool
	parsed *cache // nil: that of all who added nothing
}

// With knows one context more. What is bundled cannot be replaced.
func (c Contexts) With(url string, document []byte) (Contexts, error) {
	if find(bundled, url) != nil {
		return Contexts{}, fmt.Errorf("%w: %s is bundled", ErrContext, url)
	}
	var parsed map[string]any
	if err := json.Unmarshal(document, &parsed); err != nil {
		return Contexts{}, fmt.Errorf("%w: %s: %w", ErrContext, url, err)
	}
	if parsed["@context"] == nil {
		return Contexts{}, fmt.Errorf("%w: %s has no @context", ErrContext, url)
	}
	added := maps.Clone(c.added)
	if added == nil {
		added = map[string]any{}
	}
	added[url] = parsed
	return Contexts{added: added, inline: c.inline, parsed: &cache{}}, nil
}

// WithInline also takes contexts that are written into the document itself. The
// signature does not cover a context, so whoever may write one may rename claims:
// it is for issuing what a caller wrote, and for readers who go by IRIs.
func (c Contexts) WithInline() Contexts {
	c.inline = true
	return c
}

func find(known map[string]any, url string) any {
	if strings.HasSuffix(url, identityPath) {
		url = identityPath
	}
	return known[url]
}

func (c Contexts) find(url string) any {
	if document := find(bundled, url); document != nil {
		return document
	}
	return c.added[url]
}

var errNotBundled = errors.New("this context is not known and is not fetched")

// LoadDocument answers json-gold from memory.
func (c Contexts) LoadDocument(url string) (*ld.RemoteDocument, error) {
	document := c.find(url)
	if document == nil {
		return nil, errNotBundled
	}
	return &ld.RemoteDocument{DocumentURL: url, Document: document}, nil
}

// Listed gives a document's contexts, of which the first must be one of base.
// Inline ones are refused unless WithInline takes them: the signature does not
// cover a context, so whoever could write one could rename the claims.
func (c Contexts) Listed(doc map[string]any, base ...string) ([]any, error) {
	listed, ok := doc["@context"].([]any)
	if !ok {
		listed = []any{doc["@context"]}
	}
	if len(listed) > maxContexts {
		return nil, fmt.Errorf("%w: more than %d contexts", ErrTooLarge, maxContexts)
	}
	for _, entry := range listed {
		switch entry := entry.(type) {
		case string:
			if c.find(entry) == nil {
				return nil, fmt.Errorf("%w: not one of the known ones", ErrContext)
			}
		case map[string]any:
			if !c.inline {
				return nil, fmt.Errorf("%w: one that is written into the document", ErrContext)
			}
			if entry["@base"] != nil || entry["@import"] != nil {
				return nil, fmt.Errorf("%w: @base or @import", ErrContext)
			}
			if size(entry) > maxInline {
				return nil, fmt.Errorf("%w: a context of more than %d parts", ErrTooLarge, maxInline)
			}
		default:
			return nil, fmt.Errorf("%w: neither an address nor an object", ErrContext)
		}
	}
	for _, url := range base {
		if listed[0] == url {
			return listed, nil
		}
	}
	return nil, fmt.Errorf("%w: the first context is not that of the data model", ErrUnsupported)
}

// maxInline bounds the contexts that a document may bring: every object may call for
// one again.
const maxInline = 128

func size(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += size(item)
		}
	case map[string]any:
		for _, item := range v {
			n += size(item)
		}
	}
	return n
}

// cache keeps contexts as json-gold understands them: that takes longer than all
// else. It is bounded, since lists of contexts come from outside.
type cache struct {
	sync.RWMutex
	active map[string]*ld.Context
}

const maxCached = 128

var common cache

// active is what json-gold makes of a list of contexts.
func (c Contexts) active(listed []any, options *ld.JsonLdOptions) (*ld.Context, error) {
	key, addresses := strings.Builder{}, true
	for _, entry := range listed {
		url, ok := entry.(string)
		addresses = addresses && ok
		if strings.HasSuffix(url, identityPath) {
			url = identityPath // the same document at every address
		}
		key.WriteString(url + "\n")
	}
	if !addresses {
		return ld.NewContext(nil, options).Parse(listed)
	}
	kept := c.parsed
	if kept == nil {
		kept = &common
	}
	kept.RLock()
	active := kept.active[key.String()]
	kept.RUnlock()
	if active != nil {
		return active, nil
	}
	active, err := ld.NewContext(nil, options).Parse(listed)
	if err != nil {
		return nil, err
	}
	kept.Lock()
	defer kept.Unlock()
	if kept.active == nil || len(kept.active) >= maxCached {
		kept.active = map[string]*ld.Context{}
	}
	kept.active[key.String()] = active
	return active, nil
}

// Words are all keys of these contexts, at whatever depth: a name that begins with
// one of them and a colon may be an abbreviation.
func (c Contexts) Words(listed []any) (map[string]bool, error) {
	words := map[string]bool{}
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				collect(item)
			}
		case map[string]any:
			for key, item := range v {
				words[key] = true
				collect(item)
			}
		}
	}
	for _, entry := range listed {
		url, ok := entry.(string)
		if !ok || c.find(url) == nil {
			return nil, fmt.Errorf("%w: not one of the known ones", ErrContext)
		}
		collect(c.find(url))
	}
	return words, nil
}
