package vc

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/piprate/json-gold/ld"
)

//go:embed contexts/credentials-v2.jsonld
var credentialsV2 []byte

//go:embed contexts/identity-v1.jsonld
var identityV1 []byte

// identityPath ends the address of the identity context at every deployment.
const identityPath = "/contexts/identity/v1"

// IdentityContext is where a deployment serves the context of its own credentials,
// and that document. The address holds the deployment's base URL, for others must
// be able to fetch it there; the document does not, and never changes (a new term
// needs a v2). So a verifier that has never heard of a deployment still has its
// context, and checks its credentials offline. Nobody gains from using the address
// of a stranger: what is signed are statements, and the terms here mean the same
// at every address.
func IdentityContext(baseURL string) (url string, document []byte) {
	return strings.TrimSuffix(baseURL, "/") + identityPath, append([]byte(nil), identityV1...)
}

// Contexts are the JSON-LD contexts that are known. The zero value knows the
// bundled ones: the base context of the data model and our identity context.
type Contexts struct {
	added map[string]any
}

// With knows one context more. What is bundled cannot be replaced.
func (c Contexts) With(url string, document []byte) (Contexts, error) {
	if url == ContextV2 || strings.HasSuffix(url, identityPath) {
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
	return Contexts{added: added}, nil
}

// bundled contexts are parsed once; json-gold reads them and does not write.
var bundled = map[string]any{ContextV2: mustParse(credentialsV2), identityPath: mustParse(identityV1)}

func mustParse(document []byte) (parsed any) {
	if err := json.Unmarshal(document, &parsed); err != nil {
		panic(err)
	}
	return parsed
}

func (c Contexts) find(url string) any {
	switch {
	case strings.HasSuffix(url, identityPath):
		return bundled[identityPath]
	case bundled[url] != nil:
		return bundled[url]
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

// contextsOf lists a document's contexts. Inline ones are refused: the signature
// does not cover a context, so whoever could write one could rename the claims.
func contextsOf(doc map[string]any, known Contexts) ([]any, error) {
	listed, ok := doc["@context"].([]any)
	if !ok {
		listed = []any{doc["@context"]}
	}
	if len(listed) > maxContexts {
		return nil, fmt.Errorf("%w: more than %d contexts", ErrTooLarge, maxContexts)
	}
	for _, entry := range listed {
		url, ok := entry.(string)
		if !ok {
			return nil, fmt.Errorf("%w: a context that is not an address", ErrContext)
		}
		if known.find(url) == nil {
			return nil, fmt.Errorf("%w: not one of the known ones", ErrContext)
		}
	}
	if listed[0] != ContextV2 {
		return nil, fmt.Errorf("%w: the first context is not that of the data model 2.0", ErrUnsupported)
	}
	return listed, nil
}
