package pex

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxPresentations bounds the presentations of one answer.
const maxPresentations = 32

type submission struct {
	DefinitionID string `json:"definition_id"`
	Map          []struct {
		ID     string `json:"id"`
		Format string `json:"format"`
		Path   string `json:"path"`
	} `json:"descriptor_map"`
}

// Answer sorts what a wallet sent into the form of DCQL: by the id of a credential
// query of Query, its presentations.
func Answer(definitionJSON, vpToken, submissionJSON []byte) (map[string][]json.RawMessage, error) {
	d, err := read(definitionJSON)
	if err != nil {
		return nil, err
	}
	var s submission
	if len(submissionJSON) > maxBytes || json.Unmarshal(submissionJSON, &s) != nil {
		return nil, fmt.Errorf("%w: the submission is not JSON of the right form", ErrMalformed)
	}
	if s.DefinitionID != d.ID || len(s.Map) == 0 || len(s.Map) > maxPresentations {
		return nil, fmt.Errorf("%w: the submission is for another definition, or of none or too many", ErrMalformed)
	}
	answer := map[string][]json.RawMessage{}
	for _, entry := range s.Map {
		position := -1
		for i, one := range d.Descriptors {
			if one.ID == entry.ID {
				position = i
			}
		}
		format, known := formats[entry.Format]
		if position < 0 || !known {
			return nil, fmt.Errorf("%w: the submission names a descriptor or a format that was not asked for", ErrMalformed)
		}
		presentation, err := pick(vpToken, entry.Path)
		if err != nil {
			return nil, err
		}
		id := name(position, format)
		answer[id] = append(answer[id], presentation)
	}
	return answer, nil
}

// pick finds a presentation: the token itself, or one of several.
func pick(token []byte, path string) (json.RawMessage, error) {
	path = strings.TrimSpace(path)
	if path == "$" {
		return token, nil
	}
	where, ok := steps(path)
	var several []json.RawMessage
	if !ok || len(where) != 1 || json.Unmarshal(token, &several) != nil {
		return nil, fmt.Errorf("%w: a path that leads to no presentation", ErrMalformed)
	}
	index, ok := where[0].(int)
	if !ok || index < 0 || index >= len(several) {
		return nil, fmt.Errorf("%w: a path that leads to no presentation", ErrMalformed)
	}
	return several[index], nil
}
