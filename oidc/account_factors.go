package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/oidc/login"
	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

// factorRoutes opens the doors by which a person sets up how they log in.
func (p *Provider) factorRoutes(r *web.Router) {
	r.Handle(http.MethodPost, accountPath+"/passkey/new", web.Anyone, p.atHome(p.newPasskey))
	r.Handle(http.MethodPost, accountPath+"/passkey", web.Anyone, p.atHome(p.changing("create", p.addPasskey)))
	r.Handle(http.MethodPost, accountPath+"/secret", web.Anyone, p.atHome(p.changing("update", p.setSecret)))
	r.Handle(http.MethodPost, accountPath+"/drop", web.Anyone, p.atHome(p.changing("delete", p.dropFactor)))
}

// changing does one change and shows the page again. Who logged in too long ago,
// or too weakly, is asked to do so again.
func (p *Provider) changing(how string, do func(*gin.Context, stay) (kind auth.Method, err error)) func(*gin.Context, stay) error {
	return func(c *gin.Context, here stay) error {
		if err := c.Request.ParseForm(); err != nil {
			return errForm.Because(err)
		}
		kind, err := do(c, here)
		if err != nil {
			return p.orAgain(c, here, err)
		}
		if p.Emit != nil {
			if err := p.tellCredential(c, here, Signal{Kind: CredentialChange, Reason: string(kind), Change: how}); err != nil {
				return err
			}
		}
		c.Redirect(http.StatusSeeOther, accountPath+"?changed=factors")
		return nil
	}
}

// orAgain leads somebody whose login does not suffice to a new one, or to the one thing
// more that is missing.
func (p *Provider) orAgain(c *gin.Context, here stay, err error) error {
	switch fault.Of(err).Code {
	case "no-proof":
		return p.homeAgain(c, stay{}, nil)
	case "proof-too-weak":
		return p.homeAgain(c, here, []string{auth.ACRSubstantial})
	}
	return err
}

// homeAgain has somebody log in for their own page, for the first time or with more than
// they have shown.
func (p *Provider) homeAgain(c *gin.Context, here stay, classes []string) error {
	raw, err := json.Marshal(asked{Client: accountClient, Redirect: p.at(accountPath), ACR: classes})
	if err != nil {
		return err
	}
	return p.flow.Begin(c, login.Visit{ID: uuid.NewString(), Request: raw, Session: here.id}, login.Start{Proof: here.proof})
}

// tellCredential tells the parties of this session that a way to log in changed.
func (p *Provider) tellCredential(c *gin.Context, here stay, news Signal) error {
	id, err := uuid.Parse(here.id)
	if err != nil {
		return err
	}
	s, err := liveSession(c, p.Pool, id, p.Now())
	if err != nil {
		return err
	}
	return postgres.InTx(c, p.Pool, func(tx pgx.Tx) error {
		news.Person, news.Clients, news.Session = s.Person, s.Clients, here.id
		return p.Emit(c, tx, news)
	})
}

// walletBound tells the parties at which a person is logged in that a wallet was bound,
// which happens outside of any session.
func (p *Provider) walletBound(ctx context.Context, person uuid.UUID) error {
	if p.Emit == nil {
		return nil
	}
	return postgres.InTx(ctx, p.Pool, func(tx pgx.Tx) error {
		all, err := sessionsOf(ctx, tx, person, p.Now())
		if err != nil {
			return fmt.Errorf("listing sessions: %w", err)
		}
		for _, id := range all {
			s, err := liveSession(ctx, tx, id, p.Now())
			if err != nil {
				return fmt.Errorf("looking up a session: %w", err)
			}
			news := Signal{Kind: CredentialChange, Person: person, Clients: s.Clients, Session: id.String(), Reason: string(auth.ByWallet), Change: "create"}
			if err := p.Emit(ctx, tx, news); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Provider) newPasskey(c *gin.Context, here stay) error {
	options, state, err := p.Desk.BeginPasskey(c, here.proof)
	if err != nil {
		return p.orAgain(c, here, err)
	}
	return templates.Render(c.Writer, c.Request, http.StatusOK, templates.NewPasskey{Options: string(options), State: base64.RawURLEncoding.EncodeToString(state)})
}

func (p *Provider) addPasskey(c *gin.Context, here stay) (auth.Method, error) {
	form := c.Request.PostForm
	state, err := base64.RawURLEncoding.DecodeString(form.Get("state"))
	if err != nil {
		return auth.ByPasskey, errForm.Because(err)
	}
	return auth.ByPasskey, p.Desk.FinishPasskey(c, here.proof, state, []byte(form.Get("passkey")), form.Get("name"))
}

func (p *Provider) setSecret(c *gin.Context, here stay) (auth.Method, error) {
	form := c.Request.PostForm
	if form.Get("kind") == string(auth.ByPIN) {
		return auth.ByPIN, p.Desk.SetPIN(c, here.proof, form.Get("secret"))
	}
	return auth.ByPassword, p.Desk.SetPassword(c, here.proof, form.Get("secret"))
}

func (p *Provider) dropFactor(c *gin.Context, here stay) (auth.Method, error) {
	kind := auth.Method(c.Request.PostForm.Get("kind"))
	if kind == auth.ByPIN || kind == auth.ByPassword {
		return kind, p.Desk.DropSecret(c, here.proof, kind)
	}
	id, err := uuid.Parse(c.Request.PostForm.Get("id"))
	if err != nil {
		return kind, errForm.Because(err)
	}
	if kind == auth.ByWallet {
		return kind, p.Desk.DropWallet(c, here.proof, id)
	}
	return auth.ByPasskey, p.Desk.DropPasskey(c, here.proof, id)
}

// keysOf lists a person's passkeys and wallets.
func (p *Provider) keysOf(c *gin.Context, person uuid.UUID) ([]templates.AccountKey, error) {
	passkeys, err := p.Desk.Passkeys(c, p.Pool, person)
	if err != nil {
		return nil, err
	}
	wallets, err := p.Desk.Wallets(c, p.Pool, person)
	if err != nil {
		return nil, err
	}
	var all []templates.AccountKey
	for _, k := range passkeys {
		all = append(all, templates.AccountKey{ID: k.ID.String(), Kind: string(auth.ByPasskey), Name: k.Name})
	}
	for _, k := range wallets {
		all = append(all, templates.AccountKey{ID: k.ID.String(), Kind: string(auth.ByWallet), Name: k.Name})
	}
	return all, nil
}
