package present

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/plinth-id/plinth/credentials/vc/dcql"
	"github.com/plinth-id/plinth/credentials/vc/pex"

	"github.com/plinth-id/plinth/wallet/holder"
)

// translate makes a DCQL query of the query of a draft (DIF Presentation Exchange 2).
// What cannot be said in DCQL is refused: the owner would be shown another question
// than the one that is answered.
func (s *Show) translate(raw []byte) (dcql.Query, error) {
	query, err := pex.Query(raw)
	if err != nil {
		return dcql.Query{}, err
	}
	var d struct {
		ID          string `json:"id"`
		Purpose     string `json:"purpose"`
		Descriptors []struct {
			ID      string `json:"id"`
			Purpose string `json:"purpose"`
		} `json:"input_descriptors"`
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return dcql.Query{}, err
	}
	s.Pex, s.Asked.Purpose = []string{d.ID}, short(d.Purpose)
	for _, one := range d.Descriptors {
		s.Pex = append(s.Pex, one.ID)
		if s.Asked.Purpose == "" {
			s.Asked.Purpose = short(one.Purpose)
		}
	}
	return dcql.Parse(query)
}

// descriptor is the descriptor that a query was translated from: its position stands
// in the id of the query.
func (s *Show) descriptor(query string) (string, error) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(query, "d"), "-")
	at, err := strconv.Atoi(digits)
	if err != nil || at < 0 || at+1 >= len(s.Pex) {
		return "", errors.New("a query of no descriptor")
	}
	return s.Pex[at+1], nil
}

// submitted are the names of formats in answers of drafts.
var submitted = map[string]string{holder.SDJWT: "vc+sd-jwt", holder.OldSDJWT: "vc+sd-jwt", holder.Mdoc: "mso_mdoc", holder.LDP: "ldp_vp", holder.JWT: "jwt_vp"}

// submission is the answer in the form of drafts, and where in it each descriptor is
// answered.
func (s *Show) submission(token map[string][]json.RawMessage) (any, map[string]any, error) {
	var all []json.RawMessage
	var places []any
	for _, b := range s.Built {
		id, err := s.descriptor(b.Query)
		if err != nil {
			return nil, nil, err
		}
		path := "$"
		if len(s.Built) > 1 {
			path = fmt.Sprintf("$[%d]", len(all))
		}
		all = append(all, token[b.Query][0])
		places = append(places, map[string]any{"id": id, "format": submitted[b.Half.Format], "path": path})
	}
	submission := map[string]any{"id": "submission", "definition_id": s.Pex[0], "descriptor_map": places}
	if len(all) > 1 {
		return all, submission, nil
	}
	if text, err := holder.Text(all[0]); err == nil {
		return text, submission, nil
	}
	return all[0], submission, nil
}
