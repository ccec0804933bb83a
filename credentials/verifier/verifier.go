// Package verifier judges credentials that somebody shows: a picture of a QR
// code, its text, or a document. It knows issuers by their public keys only; it
// cannot see the registry, and it keeps nothing.
package verifier

import (
	"context"
	"crypto"
	"errors"
	"runtime"
	"time"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
)

// Config is what a Verifier works with.
type Config struct {
	Trust    func() vc.TrustList                                       // the issuers that are believed now: their keys change
	Unsigned bool                                                      // nobody checked who has signed the trust list, and verdicts say so
	Status   func(ctx context.Context, address string) ([]byte, error) // fetches a status list; nil: the check is offline
	Tokens   func(ctx context.Context, address string) ([]byte, error) // the same for a Token Status List; nil: Status gives these, too
	Fresh    func(address string) bool                                 // lists that are asked for every time: our own; nil: none
	Signer   crypto.Signer                                             // signs what devices keep to work without a network; nil: nothing is given
	Lists    func(ctx context.Context) ([]string, error)               // the addresses of the status lists that they keep; nil: none
	Asks     []string                                                  // the queries that the page offers to ask wallets, by name
	Embed    []string                                                  // the origins whose pages may have the verifier in them; ours may anyway
	Policy   Policy                                                    // of checks that name none
	Now      func() time.Time                                          // nil means time.Now
}

// Verifier judges credentials.
type Verifier struct {
	Config
	lists   cache
	looking chan struct{} // at inputs, one for each core: a large picture takes seconds
}

// New makes a Verifier.
func New(c Config) (*Verifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Verifier{Config: c, lists: cache{kept: map[string]kept{}}, looking: make(chan struct{}, runtime.GOMAXPROCS(0))}, nil
}

// The verdicts.
const (
	Valid   = "valid"
	Invalid = "invalid"
	Unknown = "unknown" // something that the check needs is missing
)

// The results of one check.
const (
	Pass         = "pass"
	Fail         = "fail"
	Undetermined = "undetermined"
)

// Verdict is the outcome, with every reason for it. Claims is empty unless the
// signature is good: what an attacker wrote is never shown.
type Verdict struct {
	Verdict    string         `json:"verdict"`
	Reasons    []Reason       `json:"reasons"`
	Format     string         `json:"format,omitempty"`
	Issuer     string         `json:"issuer,omitempty"`
	Claims     map[string]any `json:"claims,omitempty"`
	ValidFrom  *time.Time     `json:"valid_from,omitempty"`
	ValidUntil *time.Time     `json:"valid_until,omitempty"`
	StatusAt   *time.Time     `json:"status_at,omitempty"` // when the status list was fetched
}

// Reason is one check that was made and how it ended.
type Reason struct {
	Name     string `json:"name"`     // format, issuer, signature, period, status, holder or query
	Result   string `json:"result"`   // pass, fail or undetermined
	Code     string `json:"code"`     // why, for programs
	Sentence string `json:"sentence"` // why, for people
}

// sentences says each code in English; the pages have them in every language.
var sentences = map[string]string{
	"well_formed":         "It is a credential in a form that we know.",
	"unsupported":         "It uses a form or feature that cannot be checked here.",
	"malformed":           "It is not a complete, well-formed credential.",
	"issuer_trusted":      "The issuer is one that we trust.",
	"issuer_untrusted":    "The issuer or its key is not among those that we trust, so the signature says nothing.",
	"trust_expired":       "The list of trusted issuers has expired: fetch it anew.",
	"trust_unsigned":      "The signature of the list of trusted issuers was not checked: it is as good as where it came from.",
	"signature_good":      "It is as the issuer signed it.",
	"signature_bad":       "It was changed after it was signed, or it was never signed by this issuer.",
	"in_period":           "It is in its period of validity.",
	"expired":             "It has expired.",
	"not_yet_valid":       "It is not valid yet.",
	"not_revoked":         "It has not been revoked.",
	"revoked":             "The issuer has revoked it.",
	"suspended":           "The issuer has suspended it for the time being.",
	"status_none":         "The issuer publishes no status for it.",
	"status_unchecked":    "The status was not checked, because this check was made offline.",
	"status_unreachable":  "The issuer's status list could not be reached, so it may have been revoked.",
	"status_refused":      "The status list is not a good one of this issuer.",
	"status_out_of_range": "Its place is not in the issuer's status list.",
	"holder_proved":       "The wallet that it was issued to has shown it, for this request.",
	"holder_not_asked":    "No proof was asked for that its holder shows it.",
	"holder_unproved":     "Nothing proves that its holder shows it.",
	"holder_mismatch":     "The proof of the holder is not by the key that the credential was issued to.",
	"request_mismatch":    "The proof of the holder was made for another request or for somebody else.",
	"transaction_missing": "The holder has not confirmed what was to be confirmed.",
	"query_met":           "It is what was asked for.",
	"query_unmet":         "It is not what was asked for.",
	"query_uncompared":    "Whether it is what was asked for is not known: a part of the answer is by an issuer that we do not trust.",
}

func (v *Verdict) add(name, result, code string) {
	v.Reasons = append(v.Reasons, Reason{Name: name, Result: result, Code: code, Sentence: sentences[code]})
}

// conclude draws the verdict from the reasons: one failure makes it invalid; what
// could not be determined makes it unknown, unless the policy says otherwise.
func (v *Verdict) conclude(p Policy) Verdict {
	v.Verdict = Valid
	for _, r := range v.Reasons {
		switch weight := p.weigh(r); {
		case r.Result == Fail, r.Result == Undetermined && weight == Fatal:
			v.Verdict = Invalid
		case r.Result == Undetermined && weight == Doubtful && v.Verdict == Valid:
			v.Verdict = Unknown
		}
	}
	return *v
}

// Check judges what somebody shows, by the verifier's own policy. The error tells
// that there was nothing to judge: no code in the picture, no credential in the text.
func (v *Verifier) Check(ctx context.Context, sent []byte) (Verdict, error) {
	return v.CheckBy(ctx, sent, v.Policy)
}

// CheckBy is Check by a policy of the caller.
func (v *Verifier) CheckBy(ctx context.Context, sent []byte, p Policy) (Verdict, error) {
	text, err := v.look(ctx, sent)
	if err != nil {
		return Verdict{}, err
	}
	shown, err := v.open(ctx, text)
	if errors.Is(err, errNothing) {
		return Verdict{}, ErrUnreadable
	}
	verdict := Verdict{Format: shown.format}
	if !verdict.judge(v.believed(err)) {
		return verdict.conclude(p), nil
	}
	if v.Unsigned {
		verdict.add("issuer", Undetermined, "trust_unsigned")
	}
	verdict.Issuer, verdict.Claims = shown.issuer, shown.claims
	verdict.period(shown)
	v.status(ctx, &verdict, shown)
	return verdict.conclude(p), nil
}

// look reads the input when its turn comes.
func (v *Verifier) look(ctx context.Context, sent []byte) ([]byte, error) {
	select {
	case v.looking <- struct{}{}:
		defer func() { <-v.looking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return read(sent)
}

// period checks the dates.
func (v *Verdict) period(s shown) {
	if !s.from.IsZero() {
		v.ValidFrom = &s.from
	}
	if !s.until.IsZero() {
		v.ValidUntil = &s.until
	}
	switch {
	case errors.Is(s.timing, vc.ErrNotYetValid), errors.Is(s.timing, qr.ErrNotYetValid):
		v.add("period", Fail, "not_yet_valid")
	case s.timing != nil:
		v.add("period", Fail, "expired")
	default:
		v.add("period", Pass, "in_period")
	}
}
