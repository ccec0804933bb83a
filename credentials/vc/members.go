package vc

import (
	"fmt"

	"github.com/plinth-id/plinth/credentials/vc/jsonld"
)

// members are those of the data model that hold objects with a type, and whether
// these must have an id as well (Verifiable Credentials Data Model 2.0, 4.11, 5.4 to
// 5.6).
var members = map[string]bool{"credentialSchema": true, "termsOfUse": false, "evidence": false, "refreshService": false}

// checkMembers holds the rest of the data model to its rules: what is refused here
// would be refused by others, or be read differently.
func checkMembers(doc map[string]any) error {
	if err := checkNaming(doc); err != nil {
		return err
	}
	for member, named := range members {
		for _, item := range listOf(doc[member]) {
			object, _ := item.(map[string]any)
			if kinds, err := texts(object["type"]); err != nil || len(kinds) == 0 {
				return fmt.Errorf("%w: %s without a type", ErrMalformed, member)
			}
			if id, err := optionalIRI(object, "id"); err != nil || named && id == "" {
				return fmt.Errorf("%w: %s without an id", ErrMalformed, member)
			}
		}
	}
	return checkResources(doc["relatedResource"])
}

// checkResources wants each related resource once, with its digest (5.3).
func checkResources(v any) error {
	seen := map[string]bool{}
	for _, item := range listOf(v) {
		object, _ := item.(map[string]any)
		id, _ := object["id"].(string)
		if !jsonld.IsIRI(id) || seen[id] || object["digestSRI"] == nil && object["digestMultibase"] == nil {
			return fmt.Errorf("%w: a related resource without an id of its own or without a digest", ErrMalformed)
		}
		seen[id] = true
	}
	return nil
}

// checkNaming wants a name and a description to be text, or text with its language
// (11.1).
func checkNaming(object map[string]any) error {
	for _, member := range []string{"name", "description"} {
		for _, item := range listOf(object[member]) {
			if _, text := item.(string); text {
				continue
			}
			value, ok := item.(map[string]any)
			if !ok || value["@value"] == nil || value["@type"] != nil {
				return fmt.Errorf("%w: a %s that is not text", ErrMalformed, member)
			}
		}
	}
	return nil
}

// checkProofs wants every proof to say what it is.
func checkProofs(proofs []any) error {
	if len(proofs) > maxProofs {
		return fmt.Errorf("%w: more than %d proofs", ErrTooLarge, maxProofs)
	}
	for _, item := range proofs {
		object, _ := item.(map[string]any)
		if _, ok := object["type"].(string); !ok {
			return fmt.Errorf("%w: a proof without a type", ErrMalformed)
		}
	}
	return nil
}
