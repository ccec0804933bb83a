package wallet

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
	"github.com/plinth-id/plinth/templates"
	"github.com/plinth-id/plinth/wallet/errand"
	"github.com/plinth-id/plinth/wallet/holder"
)

const (
	maxStep    = 4 << 20 // the cards that might answer a request, with their portraits
	maxPicture = 5 << 20
)

// Routes opens the doors of the wallet in a browser.
func (c *Counter) Routes(r *web.Router) {
	for _, path := range []string{"", "/receive", "/present", "/back"} {
		r.Handle(http.MethodGet, "/wallet"+path, web.Anyone, c.page)
	}
	r.Handle(http.MethodGet, "/wallet/worker.js", web.Anyone, c.worker)
	r.Handle(http.MethodGet, "/wallet/manifest.webmanifest", web.Anyone, c.manifest)
	r.Handle(http.MethodPost, "/wallet/scan", web.Anyone, c.scan, web.MaxBody(maxPicture))
	r.Handle(http.MethodPost, "/wallet/blob", web.Anyone, c.counted(func(g *gin.Context) error {
		return step(func(ctx context.Context, in BlobRequest) (BlobAnswer, error) { return c.Blob(ctx, web.From(g), in) })(g)
	}), web.MaxBody(maxRequest))
	for name, take := range map[string]func(*gin.Context) error{
		"offer": step(c.offer), "accept": step(c.accept), "back": step(c.back), "sign": step(c.sign), "poll": step(c.poll), "more": step(c.more), "forget": step(c.forget),
		"ask": step(c.ask), "match": step(c.match), "choose": step(c.choose), "answer": step(c.answer), "refuse": step(c.refuse),
		"bind": step(c.bind), "prove": step(c.prove), "bound": step(c.bound), "link": step(c.link), "allow": step(c.allow), "allowed": step(c.allowed),
		"picture": step(c.picture), "status": step(c.status),
	} {
		r.Handle(http.MethodPost, "/wallet/errand/"+name, web.Anyone, c.counted(take), web.MaxBody(maxStep))
	}
}

// counted lets only so many errands run at a time. A place of everybody's is taken only
// once all that a browser sends is here, or slow senders would hold them.
func (c *Counter) counted(take func(*gin.Context) error) func(*gin.Context) error {
	return func(g *gin.Context) error {
		leave, err := c.places.come(web.From(g))
		if err != nil {
			return err
		}
		defer leave()
		raw, err := io.ReadAll(g.Request.Body)
		if err != nil {
			return errStep.Because(err)
		}
		g.Request.Body = io.NopCloser(bytes.NewReader(raw))
		if leave, err = c.places.enter(); err != nil {
			return err
		}
		defer leave()
		return take(g)
	}
}

// step reads what a browser sends, does one thing, and answers.
func step[In, Out any](do func(context.Context, In) (Out, error)) func(*gin.Context) error {
	return func(g *gin.Context) error {
		var in In
		if g.ContentType() != "application/json" {
			return errStep.Because(errors.New("no JSON"))
		}
		if err := json.NewDecoder(g.Request.Body).Decode(&in); err != nil {
			return errStep.Because(errors.New("the JSON cannot be read"))
		}
		out, err := do(g.Request.Context(), in)
		if err != nil {
			return err
		}
		g.JSON(http.StatusOK, out)
		return nil
	}
}

func (c *Counter) page(g *gin.Context) error {
	return templates.Render(g.Writer, g.Request, http.StatusOK, templates.Wallet{Issuer: c.Issuer})
}

// worker is the service worker. It must stand below /wallet to serve that page, and
// browsers ask for it anew at every visit.
func (c *Counter) worker(g *gin.Context) error {
	g.Header("Service-Worker-Allowed", "/wallet")
	g.Header("Cache-Control", "no-cache")
	g.Data(http.StatusOK, "text/javascript; charset=utf-8", templates.WalletWorker())
	return nil
}

func (c *Counter) manifest(g *gin.Context) error {
	raw, err := templates.WalletManifest(templates.For(g.Request))
	if err != nil {
		return err
	}
	g.Data(http.StatusOK, "application/manifest+json", raw)
	return nil
}

var errPicture = fault.New(fault.Invalid, "No QR code could be found in this picture. Take a sharp, straight picture of the whole code.").Named("no-code")

// scan reads the QR code in a picture, for browsers that cannot.
func (c *Counter) scan(g *gin.Context) error {
	raw, err := io.ReadAll(g.Request.Body)
	if err != nil {
		return err
	}
	text, err := qr.Read(raw)
	if err != nil {
		return errPicture.Because(err)
	}
	g.JSON(http.StatusOK, gin.H{"text": text})
	return nil
}

type pictureIn struct {
	Text     string          `json:"text,omitempty"`
	Document json.RawMessage `json:"document,omitempty"`
}

// picture draws a card as a QR code.
func (c *Counter) picture(_ context.Context, in pictureIn) (map[string]string, error) {
	text := in.Text
	var err error
	if text == "" {
		if text, err = qr.EncodeJSON(in.Document); err != nil {
			return nil, errPicture.Because(err)
		}
	}
	png, err := qr.PNG(text, qr.Low)
	if err != nil {
		return nil, fault.New(fault.Invalid, "This card is too large for a QR code.").Named("code-large").Because(err)
	}
	return map[string]string{"picture": "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)}, nil
}

// held is what every later step begins with.
type held struct {
	State      string            `json:"state"`
	Signatures [][]byte          `json:"signatures,omitempty"`
	Keys       []json.RawMessage `json:"keys,omitempty"`
}

// said is the answer to most steps.
type said struct {
	State string `json:"state,omitempty"`
	errand.Turn
}

// turned holds an errand for the next step, unless it is over.
func (c *Counter) turned(kind string, on any, turn errand.Turn, err error) (said, error) {
	out := said{Turn: turn}
	if err != nil || turn.Done {
		return out, err
	}
	life := stepLife
	if turn.Later != nil {
		life = laterLife
	}
	out.State, err = c.hold(kind, on, life)
	return out, err
}

type offerIn struct {
	Link          string `json:"link"`
	Issuer        string `json:"issuer"`
	Configuration string `json:"configuration"`
}

type offerOut struct {
	State string `json:"state"`
	errand.Offered
}

func (c *Counter) offer(ctx context.Context, in offerIn) (offerOut, error) {
	f, offered, err := c.run.Begin(ctx, errand.Wish{Offer: in.Link, Issuer: in.Issuer, Configuration: in.Configuration})
	if err != nil {
		return offerOut{}, err
	}
	state, err := c.hold("fetch", f, stepLife)
	return offerOut{state, offered}, err
}

type acceptIn struct {
	held
	Configuration string `json:"configuration"`
	TxCode        string `json:"tx_code"`
}

func (c *Counter) accept(ctx context.Context, in acceptIn) (said, error) {
	var f errand.Fetch
	if err := c.resume("fetch", in.State, &f); err != nil {
		return said{}, err
	}
	keys, err := holder.ParseKeys(in.Keys)
	if err != nil {
		return said{}, err
	}
	client := errand.Client{ID: ClientID, Redirect: c.Issuer + BackPath}
	turn, err := c.run.Accept(ctx, &f, errand.Acceptance{Configuration: in.Configuration, TxCode: in.TxCode, Keys: keys, Client: client})
	return c.turned("fetch", &f, turn, err)
}

type backIn struct {
	held
	Query string `json:"query"`
}

func (c *Counter) back(ctx context.Context, in backIn) (said, error) {
	var f errand.Fetch
	if err := c.resume("fetch", in.State, &f); err != nil {
		return said{}, err
	}
	query, err := url.ParseQuery(in.Query)
	if err != nil {
		return said{}, errStep
	}
	turn, err := c.run.Back(ctx, &f, query)
	return c.turned("fetch", &f, turn, err)
}

func (c *Counter) sign(ctx context.Context, in held) (said, error) {
	var f errand.Fetch
	if err := c.resume("fetch", in.State, &f); err != nil {
		return said{}, err
	}
	turn, err := c.run.Resume(ctx, &f, in.Signatures)
	return c.turned("fetch", &f, turn, err)
}

func (c *Counter) poll(ctx context.Context, in held) (said, error) {
	var f errand.Fetch
	if err := c.resume("fetch", in.State, &f); err != nil {
		return said{}, err
	}
	turn, err := c.run.Poll(ctx, &f)
	return c.turned("fetch", &f, turn, err)
}

type moreIn struct {
	held
	Card holder.Card `json:"card"`
}

func (c *Counter) more(ctx context.Context, in moreIn) (said, error) {
	keys, err := holder.ParseKeys(in.Keys)
	if err != nil {
		return said{}, err
	}
	f, turn, err := c.run.More(ctx, in.Card, keys)
	return c.turned("fetch", f, turn, err)
}

type forgetIn struct {
	held
	Notice holder.Notice `json:"notice"`
}

func (c *Counter) forget(ctx context.Context, in forgetIn) (said, error) {
	keys, err := holder.ParseKeys(in.Keys)
	if err != nil {
		return said{}, err
	}
	f, turn, err := c.run.Forget(ctx, in.Notice, keys)
	return c.turned("fetch", f, turn, err)
}
