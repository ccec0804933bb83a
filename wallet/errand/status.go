package errand

import "context"

// State is what an issuer publishes about a card.
type State string

// The states. Unknown is neither good nor bad: the list could not be had.
const (
	Good      State = "good"
	Revoked   State = "revoked"
	Suspended State = "suspended"
	Unlisted  State = "unlisted" // the issuer publishes nothing
	Unknown   State = "unknown"
)

// Check asks the issuer's lists whether a credential still holds.
func (r *Runner) Check(ctx context.Context, issuer string, entries []Status) State {
	if len(entries) == 0 {
		return Unlisted
	}
	return Unknown
}
