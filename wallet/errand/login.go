package errand

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/wallet/holder"
)

const (
	linkPath = "/oidc/link"
	linkType = "plinth-wallet-login+jwt"
	linkLife = 60 // seconds that a signature is good
)

// Binding is a key that waits to be bound to its owner at a provider.
type Binding struct {
	Server      string          `json:"server"`
	Transaction string          `json:"transaction_id"`
	Number      string          `json:"number"`
	Owner       Owner           `json:"owner,omitzero"`
	Name        string          `json:"name,omitempty"`
	Waiting     *holder.Waiting `json:"waiting,omitempty"`
}

// Owner is what the owner gives of themselves to have a key bound: the code, and one thing
// more where the provider knows more of them than a telephone.
type Owner struct {
	Code     string `json:"otp"`
	PIN      string `json:"pin,omitempty"`
	Finger   []byte `json:"finger,omitempty"`   // image
	Position string `json:"position,omitempty"` // of the finger; empty: any
}

// BeginBinding has the provider send its code to the owner.
func (r *Runner) BeginBinding(ctx context.Context, server, number string) (*Binding, error) {
	b := &Binding{Server: strings.TrimSuffix(server, "/"), Number: number}
	return b, r.postJSON(ctx, b.Server+linkPath+"/binding-otp", map[string]string{"individual_id": number}, b)
}

// Bind asks for the proof of a key, with what the owner gives.
func (r *Runner) Bind(b *Binding, key jose.JSONWebKey, owner Owner, name string) (Turn, error) {
	proof, err := holder.Draft(key, map[string]any{"jwk": key}, map[string]any{"aud": b.Server, "transaction": b.Transaction})
	b.Owner, b.Name, b.Waiting = owner, name, &proof
	return Turn{Sign: holder.Signings([]holder.Waiting{proof})}, err
}

// Bound sends the proof, and gives the name of the key at the provider.
func (r *Runner) Bound(ctx context.Context, b *Binding, signatures [][]byte) (string, error) {
	if b.Waiting == nil {
		return "", holder.ErrSignature
	}
	if err := holder.Signed([]holder.Waiting{*b.Waiting}, signatures); err != nil {
		return "", err
	}
	var bound struct {
		ID string `json:"kid"`
	}
	asked := struct {
		Owner
		Number      string `json:"individual_id"`
		Transaction string `json:"transaction_id"`
		Name        string `json:"name"`
		Proof       string `json:"key_proof"`
	}{b.Owner, b.Number, b.Transaction, b.Name, holder.Compact(*b.Waiting, signatures[0])}
	return bound.ID, r.postJSON(ctx, b.Server+linkPath+"/binding", asked, &bound)
}

// Link is a login that a provider asks the owner about.
type Link struct {
	Issuer      string            `json:"issuer"`
	Transaction string            `json:"link_transaction_id"`
	Client      string            `json:"client_id"`
	Names       map[string]string `json:"client_name"`
	Purpose     map[string]string `json:"purpose"`
	Nonce       string            `json:"nonce"`
	Essential   []string          `json:"essential_claims"`
	Voluntary   []string          `json:"voluntary_claims"`
}

// Login is the owner's answer to a link on its way.
type Login struct {
	Link    Link             `json:"link"`
	Number  string           `json:"number,omitempty"`
	Waiting []holder.Waiting `json:"waiting,omitempty"`
}

var errLink = fault.New(fault.Invalid, "This is no link to log in. Scan the picture on the page again, or type its code and give the server.").Named("not-a-link")

// OpenLink takes the login that a picture, or a code typed from beside it, stands for.
func (r *Runner) OpenLink(ctx context.Context, link, server string) (*Login, error) {
	code := strings.TrimSpace(link)
	if u, err := url.Parse(code); err == nil && u.Host != "" {
		code, server = u.Query().Get("code"), u.Scheme+"://"+u.Host
	}
	at, err := Address(strings.TrimSuffix(server, "/") + linkPath + "/transaction")
	if err != nil || code == "" {
		return nil, errLink.Because(err)
	}
	l := new(Login)
	if err := r.postJSON(ctx, at.String(), map[string]string{"link_code": code}, &l.Link); err != nil {
		return nil, err
	}
	// What is signed names the issuer: it must be the server that was asked.
	if l.Link.Issuer != strings.TrimSuffix(server, "/") {
		return nil, errLink
	}
	return l, nil
}

// Allow prepares the two answers to a link: that it is the owner, who has read the
// number on the page there, and what the party may know.
func (r *Runner) Allow(l *Login, key jose.JSONWebKey, id, number string, allowed []string) (Turn, error) {
	l.Number, l.Waiting = number, nil
	now := r.Now().Unix()
	for _, step := range []struct {
		suffix string
		more   map[string]any
	}{{"", nil}, {":consent", map[string]any{"accepted_claims": allowed}}} {
		claims := map[string]any{"aud": l.Link.Issuer, "transaction": l.Link.Transaction + step.suffix, "client": l.Link.Client, "nonce": l.Link.Nonce, "iat": now, "exp": now + linkLife}
		for name, value := range step.more {
			claims[name] = value
		}
		w, err := holder.Draft(key, map[string]any{"typ": linkType, "kid": id}, claims)
		if err != nil {
			return Turn{}, err
		}
		l.Waiting = append(l.Waiting, w)
	}
	return Turn{Sign: holder.Signings(l.Waiting)}, nil
}

// Allowed sends the answers to a link.
func (r *Runner) Allowed(ctx context.Context, l *Login, signatures [][]byte) (Turn, error) {
	if len(l.Waiting) != 2 {
		return Turn{}, holder.ErrSignature
	}
	if err := holder.Signed(l.Waiting, signatures); err != nil {
		return Turn{}, err
	}
	for i, path := range []string{"/authenticate", "/consent"} {
		body := map[string]string{"link_transaction_id": l.Link.Transaction, "signature": holder.Compact(l.Waiting[i], signatures[i]), "number": l.Number}
		if err := r.postJSON(ctx, l.Link.Issuer+linkPath+path, body, &struct{}{}); err != nil {
			return Turn{}, err
		}
	}
	return Turn{Done: true}, nil
}

var errLinkRefused = fault.New(fault.Denied, "The provider refused: the code or number is wrong, or the login is over. Begin again on the page.").Named("link-refused")

func (r *Runner) postJSON(ctx context.Context, to string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	m, err := jsonTo(to, body)
	if err != nil {
		return err
	}
	answer, err := r.Send(ctx, m)
	if err != nil {
		return err
	}
	if answer.Status/100 == 4 {
		return errLinkRefused.Because(refused{Status: answer.Status})
	}
	return answer.read(into)
}
