package errand

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

// access is a token and what it opens.
type access struct {
	Token   string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token,omitempty"`
	Nonce   string `json:"c_nonce,omitempty"` // of draft 13
	Details []struct {
		Type          string   `json:"type"`
		Configuration string   `json:"credential_configuration_id"`
		Identifiers   []string `json:"credential_identifiers"`
	} `json:"authorization_details,omitempty"`
}

func (r *Runner) redeem(ctx context.Context, f *Fetch, form url.Values) (Turn, error) {
	f.Access = access{}
	return r.wait(ctx, f, redeeming, FormTo(f.Server.Token, form))
}

// wait prepares a request and whatever must be signed for it, and goes on at once when
// that is nothing.
func (r *Runner) wait(ctx context.Context, f *Fetch, at stage, m Message, more ...holder.Waiting) (Turn, error) {
	if f.Stage != at {
		f.Rounds = 0
	}
	if f.Rounds++; f.Rounds > maxRounds {
		return Turn{}, errAnswer.Because(errors.New("the other side wants the same again and again"))
	}
	f.Stage, f.Message, f.Waiting = at, m, nil
	if f.Bound {
		proof, err := r.possession(f)
		if err != nil {
			return Turn{}, err
		}
		f.Waiting = append(f.Waiting, proof)
	}
	f.Waiting = append(f.Waiting, more...)
	if len(f.Waiting) == 0 {
		return r.step(ctx, f, nil)
	}
	return Turn{Sign: holder.Signings(f.Waiting)}, nil
}

// Resume goes on with the signatures that the last turn asked for.
func (r *Runner) Resume(ctx context.Context, f *Fetch, signatures [][]byte) (Turn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if len(f.Waiting) == 0 || r.Now().Sub(f.Begun) > life && f.Later == nil {
		return Turn{}, holder.ErrSignature
	}
	if err := holder.Signed(f.Waiting, signatures); err != nil {
		return Turn{}, err
	}
	tokens := make([]string, len(signatures))
	for i, w := range f.Waiting {
		tokens[i] = holder.Compact(w, signatures[i])
	}
	f.Waiting = nil
	return r.step(ctx, f, tokens)
}

// step sends what was waiting for its signatures.
func (r *Runner) step(ctx context.Context, f *Fetch, tokens []string) (Turn, error) {
	m := f.Message
	m.Header = make(map[string]string)
	if f.Bound {
		m.Header["DPoP"], tokens = tokens[0], tokens[1:]
	}
	if f.Stage != redeeming {
		m.Header["Authorization"] = "Bearer " + f.Access.Token
		if f.Bound {
			m.Header["Authorization"] = "DPoP " + f.Access.Token
		}
	}
	if f.Stage == asking {
		if err := f.enclose(&m, tokens); err != nil {
			return Turn{}, err
		}
	}
	answer, err := r.Send(ctx, m)
	if err != nil {
		if f.Stage == telling {
			return f.finish()
		}
		return Turn{}, err
	}
	if again, fresh := f.wantsNonce(answer); again {
		if fresh && f.Stage == asking {
			return r.ask(ctx, f) // the proofs are as old as the one that was refused
		}
		return r.wait(ctx, f, f.Stage, f.Message)
	}
	switch f.Stage {
	case redeeming:
		return r.redeemed(ctx, f, answer)
	case asking:
		return r.answered(ctx, f, answer)
	}
	return f.finish()
}

// redeemed takes the answer of the token endpoint.
func (r *Runner) redeemed(ctx context.Context, f *Fetch, answer Reply) (Turn, error) {
	err := answer.read(&f.Access)
	var no refused
	if errors.As(err, &no) {
		return Turn{}, fault.New(fault.Denied, "The issuer refused: the offer is used up, expired or locked, or the code is wrong. Check the code, or ask for a new offer.").
			Named("offer-refused").Because(no)
	}
	if err != nil {
		return Turn{}, err
	}
	if f.Access.Token == "" {
		return Turn{}, errAnswer.Because(errors.New("no access token"))
	}
	// A server may give a token that is not bound, though it could have (RFC 9449, 5).
	f.Bound = f.Access.Type == "DPoP"
	f.Nonce = f.Access.Nonce
	return r.ask(ctx, f)
}

// finish ends a fetch: what was received is kept already, or was refused.
func (f *Fetch) finish() (Turn, error) {
	f.Stage = over
	if f.Refused != "" {
		return Turn{}, holder.ErrCredential.Because(fmt.Errorf("%s", f.Refused))
	}
	return Turn{Done: true}, nil
}

// possession is the DPoP proof of the waiting message (RFC 9449, 4.2).
func (r *Runner) possession(f *Fetch) (holder.Waiting, error) {
	to, err := Address(f.Message.URL)
	if err != nil {
		return holder.Waiting{}, err
	}
	claims := map[string]any{"jti": rand.Text(), "htm": f.Message.Method, "htu": to.Scheme + "://" + to.Host + to.EscapedPath(), "iat": r.Now().Unix()}
	if nonce := f.Nonces[to.Scheme+"://"+to.Host]; nonce != "" {
		claims["nonce"] = nonce
	}
	if f.Stage != redeeming {
		sum := sha256.Sum256([]byte(f.Access.Token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return holder.Draft(f.Keys[0], map[string]any{"typ": "dpop+jwt", "jwk": f.Keys[0]}, claims)
}

// wantsNonce keeps the nonces of an answer, and tells whether it asks for the same
// request again: with another nonce of DPoP, or (fresh) with another of the issuer.
func (f *Fetch) wantsNonce(answer Reply) (again, fresh bool) {
	if to, err := Address(f.Message.URL); err == nil && answer.Nonce != "" && len(answer.Nonce) <= 1024 {
		if f.Nonces == nil || len(f.Nonces) > 4 {
			f.Nonces = make(map[string]string)
		}
		f.Nonces[to.Scheme+"://"+to.Host] = answer.Nonce
	}
	if answer.Status/100 != 4 {
		return false, false
	}
	var no refused
	_ = json.Unmarshal(answer.Body, &no)
	if f.Bound && answer.Nonce != "" && (no.Code == "use_dpop_nonce" || dpopNonce.MatchString(answer.Wants)) {
		return true, f.Stage == asking
	}
	if f.Stage == asking && f.Later == nil && (no.Code == "invalid_nonce" || no.Code == "invalid_proof" && no.Nonce != "") {
		f.Nonce = no.Nonce
		return true, true
	}
	return false, false
}
