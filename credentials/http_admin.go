package credentials

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/status"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/registry/auth"
)

const (
	kindsPath   = "/api/v1/admin/credential-kinds"
	ledgerPath  = "/api/v1/admin/credentials"
	maxKindBody = 300 << 10
)

// adminRoutes opens the doors by which kinds are set up and the ledger is worked with.
func (i *Issuer) adminRoutes(r *web.Router) {
	r.Handle(http.MethodGet, kindsPath, web.Administrator, i.getKinds)
	r.Handle(http.MethodPost, kindsPath, web.Administrator, i.postKind, web.MaxBody(maxKindBody))
	r.Handle(http.MethodGet, kindsPath+"/:id/:version", web.Administrator, i.getKind)
	r.Handle(http.MethodPost, kindsPath+"/:id/:version/dry-run", web.Administrator, i.postDryRun)
	r.Handle(http.MethodPost, kindsPath+"/:id/:version/activate", web.Administrator, i.postActivate)
	r.Handle(http.MethodPost, kindsPath+"/:id/retire", web.Administrator, i.postRetire)
	r.Handle(http.MethodPost, ledgerPath+"/search", web.Operator, i.postSearch)
	r.Handle(http.MethodPost, ledgerPath+"/offers", web.Operator, i.postOffer)
	for action, to := range map[string]status.Value{"revoke": status.Revoked, "suspend": status.Suspended, "resume": status.Valid} {
		r.Handle(http.MethodPost, ledgerPath+"/issued/:id/"+action, web.Operator, i.judged(to))
	}
}

// byOf names the officer who came through the guard.
func (i *Issuer) byOf(c *gin.Context) string { return "officer:" + i.Officer(c).String() }

// version reads which version of a kind is meant; "newest" is the newest.
func version(c *gin.Context) (int, error) {
	if c.Param("version") == "newest" {
		return -1, nil
	}
	n, err := strconv.Atoi(c.Param("version"))
	if err != nil || n < 0 {
		return 0, errNoKind
	}
	return n, nil
}

func (i *Issuer) getKinds(c *gin.Context) error {
	all, err := i.Kinds(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"kinds": all})
	return nil
}

func (i *Issuer) getKind(c *gin.Context) error {
	n, err := version(c)
	if err != nil {
		return err
	}
	v, err := i.KindVersion(c, c.Param("id"), n)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"kind": v, "definition": json.RawMessage(v.Document)})
	return nil
}

func (i *Issuer) postKind(c *gin.Context) error {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	v, err := i.Draft(c, raw, i.byOf(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, v)
	return nil
}

func (i *Issuer) postDryRun(c *gin.Context) error {
	n, err := version(c)
	if err != nil {
		return err
	}
	var with struct {
		UIN string `json:"uin"`
	}
	if err := optional(c, &with); err != nil {
		return err
	}
	report, err := i.Rehearse(c, c.Param("id"), n, Rehearsal{By: i.byOf(c), UIN: with.UIN})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, report)
	return nil
}

// optional reads a JSON object, if one was sent.
func optional(c *gin.Context, into any) error {
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil || len(raw) == 0 {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.New(fault.Invalid, "The body is not the JSON that this address takes.").Because(err)
	}
	return nil
}

func (i *Issuer) postActivate(c *gin.Context) error {
	n, err := version(c)
	if err != nil {
		return err
	}
	report, err := i.Activate(c, c.Param("id"), n, i.byOf(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, report)
	return nil
}

func (i *Issuer) postRetire(c *gin.Context) error {
	if err := i.Retire(c, c.Param("id"), i.byOf(c)); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	return nil
}

func (i *Issuer) postSearch(c *gin.Context) error {
	var s Search
	if err := optional(c, &s); err != nil {
		return err
	}
	found, err := i.Search(c, s, i.byOf(c))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{"credentials": found})
	return nil
}

func (i *Issuer) judged(to status.Value) func(*gin.Context) error {
	return func(c *gin.Context) error {
		id, err := uuid.Parse(c.Param("id"))
		if err != nil {
			return errNoCredential
		}
		var said struct {
			Reason string `json:"reason"`
		}
		if err := optional(c, &said); err != nil {
			return err
		}
		if err := i.Judge(c, Judgement{ID: id, To: to, By: i.byOf(c), Reason: said.Reason}); err != nil {
			return err
		}
		c.Status(http.StatusNoContent)
		return nil
	}
}

// postOffer makes an offer for somebody who stands at the counter.
func (i *Issuer) postOffer(c *gin.Context) error {
	var wanted struct {
		UIN    string   `json:"uin"`
		Kinds  []string `json:"kinds"` // configurations; none: the national identity card
		Grants []string `json:"grants"`
		TxCode bool     `json:"tx_code"`
		Reason string   `json:"reason"`
	}
	if err := optional(c, &wanted); err != nil {
		return err
	}
	person, err := i.Registry.Find(c, i.Pool, wanted.UIN)
	if err != nil {
		return err
	}
	var o Offer
	err = postgres.InTx(c, i.Pool, func(tx pgx.Tx) (err error) {
		o, err = i.Offer(c, tx, OfferTo{Person: person, Voucher: auth.Voucher{Officer: i.Officer(c), Reason: wanted.Reason}, Kinds: wanted.Kinds, Grants: wanted.Grants, TxCode: wanted.TxCode})
		return err
	})
	if err != nil {
		return err
	}
	code, err := qr.SVG(o.Link, qr.Low) // for a screen
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, gin.H{"id": o.ID, "link": o.Link, "offer": o.Value, "page": o.Page, "tx_code": o.TxCode, "expires": o.Expires.Format(time.RFC3339), "qr": string(code)})
	return nil
}
