// Package errand is what a wallet is sent for: to fetch a credential from an issuer
// (OpenID4VCI), or to show some to a verifier (OpenID4VP). An errand has no keys:
// where something must be signed it stops, says what, and goes on with the
// signatures. So the same steps serve a wallet whose keys are in a file and one
// whose keys never leave a browser.
package errand

import (
	"context"
	"net/http"
	"time"

	"github.com/plinth-id/plinth/wallet/holder"
)

// Runner runs errands. HTTP bounds what others may send us, and where a link may lead.
type Runner struct {
	HTTP *http.Client
	Now  func() time.Time
}

// Turn is what an errand says when it stops.
type Turn struct {
	Sign  []holder.Signing `json:"sign,omitempty"`  // it goes on with these signatures
	Open  string           `json:"open,omitempty"`  // an address for the owner's browser
	Card  *holder.Card     `json:"card,omitempty"`  // to be kept before going on
	Later *Later           `json:"later,omitempty"` // the issuer is not done yet
	Done  bool             `json:"done,omitempty"`
}

const (
	life = time.Hour
)

// bounded gives what a person waits for an end.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Minute)
}
