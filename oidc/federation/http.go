package federation

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/web"
)

const (
	pathFetch    = "/oidc/federation/fetch"
	pathList     = "/oidc/federation/list"
	pathResolve  = "/oidc/federation/resolve"
	pathMark     = "/oidc/federation/trust-mark"
	pathStatus   = "/oidc/federation/trust-mark-status"
	pathRegister = "/oidc/federation/register"
)

// Routes opens the doors of the federation.
func (f *Federation) Routes(r *web.Router) {
	suffix := strings.TrimSuffix(f.Issuer.Path, "/")
	r.Handle(http.MethodGet, suffix+wellKnown, web.Anyone, f.getConfiguration, web.CORS())
	r.Handle(http.MethodGet, pathFetch, web.Anyone, f.getStatement, web.CORS())
	r.Handle(http.MethodGet, pathList, web.Anyone, f.getList, web.CORS())
	r.Handle(http.MethodGet, pathResolve, web.Anyone, f.getResolved, web.CORS())
	r.Handle(http.MethodGet, pathMark, web.Anyone, f.getMark, web.CORS())
	r.Handle(http.MethodPost, pathStatus, web.Anyone, f.postStatus, web.CORS(), web.MaxBody(maxStatement))
	r.Handle(http.MethodPost, pathRegister, web.Anyone, f.postRegister, web.MaxBody(maxRequest))
}

// statusOf is for codes that OpenID Federation 1.0, 8.9 gives a status of their own.
var statusOf = map[string]int{codeUnknown: http.StatusNotFound, codeAnchor: http.StatusNotFound, codeUnavailable: http.StatusServiceUnavailable}

// refuse answers with an error as the protocol has it. What is no fault of the caller
// goes to the router, which logs it and shows nothing of it.
func refuse(c *gin.Context, err error) error {
	f := fault.Of(err)
	var large *http.MaxBytesError
	if f.Kind == fault.Internal || errors.As(err, &large) {
		return err
	}
	status, ok := statusOf[f.Code]
	if !ok {
		status = http.StatusBadRequest
	}
	slog.InfoContext(c, "federation refused", "error", f.Code, "route", c.FullPath(), "why", f)
	c.Header("Cache-Control", "no-store")
	c.JSON(status, map[string]string{"error": f.Code, "error_description": f.Sentence})
	return nil
}

// answer sends what was signed.
func answer(c *gin.Context, kind, raw string, err error) error {
	if err != nil {
		return refuse(c, err)
	}
	c.Data(http.StatusOK, "application/"+kind, []byte(raw))
	return nil
}

func wrong(sentence string) error { return fault.New(fault.Invalid, sentence).Named(codeRequest) }

// storable tells whether a text can be given to the database at all.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

// one reads a parameter that must be there once.
func one(values url.Values, name string) (string, error) {
	if len(values[name]) != 1 || values.Get(name) == "" || len(values.Get(name)) > maxStatement || !storable(values.Get(name)) {
		return "", wrong("Send " + name + " once.")
	}
	return values.Get(name), nil
}

func (f *Federation) getConfiguration(c *gin.Context) error {
	raw, err := f.configuration(c)
	c.Header("Cache-Control", "public, max-age=300")
	return answer(c, typeStatement, raw, err)
}

func (f *Federation) getStatement(c *gin.Context) error {
	sub, err := one(c.Request.URL.Query(), "sub")
	if err == nil && sub == f.issuer {
		err = wrong("What we say of ourselves is at " + wellKnown + ".")
	}
	if err != nil {
		return refuse(c, err)
	}
	raw, err := f.statementAbout(c, sub)
	return answer(c, typeStatement, raw, err)
}

// listing is a question for the entities right below us.
type listing struct {
	kinds        []string
	mark         string
	marked       bool
	intermediate *bool
}

func readListing(query url.Values) (listing, error) {
	l := listing{kinds: query["entity_type"], mark: query.Get("trust_mark_type")}
	if l.kinds == nil {
		l.kinds = []string{}
	}
	for _, value := range append(slices.Clone(l.kinds), l.mark) {
		if !storable(value) || len(l.kinds) > maxHints {
			return l, wrong("Send at most 8 entity types, as text.")
		}
	}
	for _, name := range []string{"trust_marked", "intermediate"} {
		text := query.Get(name)
		if text != "" && text != "true" && text != "false" {
			return l, wrong(name + " must be true or false.")
		}
		yes := text == "true"
		switch {
		case name == "trust_marked":
			l.marked = yes
		case yes:
			l.intermediate = &yes
		}
	}
	return l, nil
}

func (f *Federation) getList(c *gin.Context) error {
	l, err := readListing(c.Request.URL.Query())
	if err != nil {
		return refuse(c, err)
	}
	names, err := listed(c, f.Pool, l, f.Now())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, names)
	return nil
}

func (f *Federation) getResolved(c *gin.Context) error {
	query := c.Request.URL.Query()
	sub, err := one(query, "sub")
	if err == nil && len(query["trust_anchor"]) == 0 {
		err = wrong("Name the trust_anchor.")
	}
	if err != nil {
		return refuse(c, err)
	}
	raw, err := f.resolved(c, sub, query["trust_anchor"], query["entity_type"])
	return answer(c, typeResolved, raw, err)
}

func (f *Federation) getMark(c *gin.Context) error {
	query := c.Request.URL.Query()
	kind, err := one(query, "trust_mark_type")
	if err != nil {
		return refuse(c, err)
	}
	sub, err := one(query, "sub")
	if err != nil {
		return refuse(c, err)
	}
	g, ok, err := markOf(c, f.Pool, kind, sub, f.Now())
	if err == nil && !ok {
		err = errNoEntity
	}
	return answer(c, typeMark, g.Mark, err)
}

func (f *Federation) postStatus(c *gin.Context) error {
	var large *http.MaxBytesError
	if err := c.Request.ParseForm(); errors.As(err, &large) {
		return err
	} else if err != nil {
		return refuse(c, wrong("Send trust_mark as application/x-www-form-urlencoded."))
	}
	mark, err := one(c.Request.PostForm, "trust_mark")
	if err != nil {
		return refuse(c, err)
	}
	raw, err := f.markStatus(c, mark)
	return answer(c, typeStatus, raw, err)
}

func (f *Federation) postRegister(c *gin.Context) error {
	kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil {
		return refuse(c, wrong("The content type cannot be read."))
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	raw, err := f.enrol(c, kind, string(body))
	return answer(c, typeAnswer, raw, err)
}
