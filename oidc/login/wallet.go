package login

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/skip2/go-qrcode"

	"github.com/plinth-id/plinth/registry/auth"
	"github.com/plinth-id/plinth/templates"
)

const (
	linkCodeLife = time.Minute
	linkLife     = 5 * time.Minute
	linkLetters  = "BCDFGHJKLMNPQRSTVWXZ23456789"
	linkLength   = 12
)

// walletPage shows a code for a wallet to take, as a picture and as text, and the
// number by which the person sees that the wallet asks about this very page.
func (f *Flow) walletPage(c *gin.Context, v *visit, step templates.LoginStep) (templates.Page, error) {
	id, err := uuid.Parse(v.Visit.ID)
	if err != nil {
		return nil, err
	}
	code, err := draw(linkLetters, linkLength)
	if err != nil {
		return nil, err
	}
	number, err := draw("0123456789", 2)
	if err != nil {
		return nil, err
	}
	shown, err := json.Marshal(v.asked.forWallet())
	if err != nil {
		return nil, err
	}
	now := f.Now()
	l, err := openLink(c, f.Pool, link{ID: id, Client: v.asked.Client, Number: number, Nonce: rand.Text(), Shown: shown}, f.linkHash(code), [2]time.Time{now.Add(linkCodeLife), now.Add(linkLife)})
	if err != nil {
		return nil, fmt.Errorf("opening a link: %w", err)
	}
	page := templates.LoginWallet{LoginStep: step, Number: l.Number, Linked: l.State != "open"}
	if page.Linked {
		return page, nil
	}
	page.Code = strings.Join([]string{code[:4], code[4:8], code[8:]}, "-")
	page.Link = f.Public.JoinPath("/oidc/link").String() + "?" + url.Values{"code": {page.Code}}.Encode()
	png, err := qrcode.Encode(page.Link, qrcode.Medium, 320)
	if err != nil {
		return nil, fmt.Errorf("drawing a link: %w", err)
	}
	page.Picture = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
	return page, nil
}

// walletAsked is what a wallet shows of a question.
type walletAsked struct {
	Names       map[string]string `json:"client_name"`
	Purpose     map[string]string `json:"purpose"`
	Policy      string            `json:"policy_uri,omitempty"`
	Essential   []string          `json:"essential_claims"`
	Voluntary   []string          `json:"voluntary_claims"`
	Credentials []string          `json:"credentials"`
}

func (a Asked) forWallet() walletAsked {
	w := walletAsked{Names: map[string]string{}, Purpose: map[string]string{}, Policy: a.Policy, Essential: []string{}, Voluntary: []string{}, Credentials: listed(a.Credentials)}
	for _, l := range templates.Languages() {
		w.Names[l.BCP47] = a.Name(l.BCP47)
		if purpose := a.Purpose(l.BCP47); purpose != "" {
			w.Purpose[l.BCP47] = purpose
		}
	}
	for _, claim := range a.Claims {
		if claim.Essential {
			w.Essential = append(w.Essential, claim.Name)
		} else {
			w.Voluntary = append(w.Voluntary, claim.Name)
		}
	}
	return w
}

func draw(letters string, n int) (string, error) {
	var b strings.Builder
	for range n {
		i, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("drawing a code: %w", err)
		}
		b.WriteByte(letters[i.Int64()])
	}
	return b.String(), nil
}

// linkHash is how a code is kept, as whoever types it may write it.
func (f *Flow) linkHash(code string) []byte {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(linkLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(code))
	return f.Ring.PRF("oidc link code", []byte(plain))
}

// linked tells the page how far the wallet is. It says nothing of the person.
func (f *Flow) linked(c *gin.Context) error {
	s, err := f.load(c.Request)
	if err != nil {
		return err
	}
	id, err := uuid.Parse(s.Visit.ID)
	if err != nil {
		return errGone
	}
	l, err := readLink(c, f.Pool, id, f.Now())
	if errors.Is(err, pgx.ErrNoRows) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("looking up a link: %w", err)
	}
	c.JSON(http.StatusOK, map[string]string{"state": l.State})
	return nil
}

// walletAnswered goes on with what the wallet said, once it has said it.
func (f *Flow) walletAnswered(c *gin.Context, v visit) error {
	if !f.shows(v, auth.ByWallet) {
		return f.onward(c, v.state)
	}
	id, err := uuid.Parse(v.Visit.ID)
	if err != nil {
		return errGone
	}
	l, err := readLink(c, f.Pool, id, f.Now())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("looking up a link: %w", err)
	}
	switch {
	case err != nil, l.State == "open":
		return f.lacking(c, v, "wallet", "login.wallet.waiting")
	case l.State == "linked":
		return f.lacking(c, v, "wallet", "login.wallet.linked")
	case l.State != "proven" && l.State != "answered":
		return f.lacking(c, v, "wallet", "login.wallet.refused")
	}
	proof, err := f.Desk.OpenProof(l.Sealed, l.ID[:])
	if err != nil {
		return errGone.Because(err)
	}
	// Out of use before it is used: a second browser with the same cookie finds nothing.
	if _, err := moveLink(c, f.Pool, link{ID: id, State: "done"}, l.State, f.Now()); err != nil {
		return errGone.Because(err)
	}
	if len(v.Proof) > 0 {
		before, err := f.proof(v.state)
		if err != nil {
			return err
		}
		if proof, err = f.Desk.Combine(before, proof); err != nil {
			return f.refused(c, v, err)
		}
	}
	f.setCookie(c, deviceCookie, f.Desk.Remember(proof), deviceLife)
	if l.State == "answered" {
		return f.end(c, v, f.decided(v, proof, l.Claims))
	}
	return f.proven(c, v, proof)
}
