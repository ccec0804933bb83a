package verifier

import (
	"context"
	"crypto"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/vc/dcql"
)

// Presentation is one credential that a wallet presents by a protocol.
type Presentation struct {
	Format  string          // that of the query
	Raw     json.RawMessage // a text or an object, as the format has it
	Binding Binding
	Policy  Policy
}

// Binding is what the holder's proof must be made for.
type Binding struct {
	Unbound     bool     // no proof is needed
	Nonce       string   // of the request
	Audience    string   // who asked: a client id with its prefix, or an origin
	Transcript  []byte   // the session of an mdoc, in CBOR
	Transaction []string // what the holder may confirm with it, as it stood in the request
}

// Presented is what became of a presentation. Candidate compares it with a query;
// it is unread unless the signatures of the issuer and of the holder are good.
type Presented struct {
	Verdict   Verdict
	Candidate dcql.Candidate
	ID        string   // of the credential, by its issuer; may be empty
	Places    []Place  // of its status
	Confirmed []string // of the transactions
	Holder    []byte   // thumbprint (RFC 7638) of the key that the holder proved; empty: none
	Good      bool     // the issuer and the holder have signed it, for this request
}

// Place is where the status of a credential is published.
type Place struct {
	Purpose string `json:"purpose,omitempty"`
	List    string `json:"list"`
	Index   int    `json:"index"`
}

// How a holder's proof can end.
const (
	holderProved       = "holder_proved"
	holderNotAsked     = "holder_not_asked"
	holderUnproved     = "holder_unproved"
	holderMismatch     = "holder_mismatch"
	requestMismatch    = "request_mismatch"
	transactionMissing = "transaction_missing"
)

// Present judges one presentation.
func (v *Verifier) Present(ctx context.Context, p Presentation) Presented {
	s, err := v.openPresentation(ctx, p)
	verdict := Verdict{Format: p.Format}
	if !verdict.judge(v.believed(err)) {
		return Presented{Verdict: verdict.conclude(p.Policy), Candidate: dcql.Candidate{Format: p.Format, Unread: true}}
	}
	verdict.Issuer, verdict.Claims = s.issuer, s.claims
	verdict.add("holder", Pass, s.holder)
	verdict.period(s)
	v.status(ctx, &verdict, s)
	presented := Presented{Verdict: verdict.conclude(p.Policy), ID: s.id, Good: true, Confirmed: s.confirmed,
		Candidate: dcql.Candidate{Format: p.Format, Types: s.types, Claims: s.root, Bound: s.holder == holderProved, Authorities: s.authorities}}
	if s.key != nil {
		presented.Holder, _ = (&jose.JSONWebKey{Key: s.key}).Thumbprint(crypto.SHA256)
	}
	for _, at := range s.status {
		presented.Places = append(presented.Places, Place{at.purpose, at.list, at.index})
	}
	return presented
}

// Answers writes down whether it is what was asked for. What is not has nothing to
// show.
func (v *Verdict) Answers(met bool) {
	if met {
		v.add("query", Pass, "query_met")
		return
	}
	v.add("query", Fail, "query_unmet")
	v.Verdict, v.Claims = Invalid, nil
}

// Uncompared writes down that it came with something that cannot be compared with
// what was asked for, so that the answer as a whole has nothing to show.
func (v *Verdict) Uncompared() {
	v.add("query", Undetermined, "query_uncompared")
	v.Claims = nil
	if v.Verdict == Valid {
		v.Verdict = Unknown
	}
}

// openPresentation checks the signatures of the issuer and of the holder.
func (v *Verifier) openPresentation(ctx context.Context, p Presentation) (shown, error) {
	if p.Format == dcql.FormatLDP {
		return v.openLDP(ctx, p.Raw, p.Binding)
	}
	var text string
	if json.Unmarshal(p.Raw, &text) != nil {
		return shown{}, vc.ErrMalformed
	}
	switch p.Format {
	case dcql.FormatSDJWT:
		return v.openSDJWT(ctx, text, &p.Binding)
	case dcql.FormatMdoc:
		return v.openResponse(text, p.Binding)
	case dcql.FormatJWT:
		return v.openJWT(ctx, text, p.Binding)
	}
	return shown{}, vc.ErrUnsupported
}
