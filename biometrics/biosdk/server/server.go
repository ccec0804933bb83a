// Package server offers our engines as MOSIP's Bio SDK over HTTP: quality, comparison
// of one person with a few records, templates, fingers out of a slap, other formats.
// It searches no population.
package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"path"
	"runtime"
	"strings"
	"time"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/biosdk"
	"github.com/plinth-id/plinth/biometrics/face"
	"github.com/plinth-id/plinth/biometrics/finger"
)

// What is taken at most, besides biosdk.MostItems records in a gallery.
const (
	mostBody     = 48 << 20
	mostSegments = 32   // of a record
	mostSamples  = 1200 // of a request
	readWithin   = time.Minute
)

// Context is the path below which the services of MOSIP answer. Requests are answered
// with it and without.
const Context = "/biosdk-service"

// ErrConfig says that a server cannot be made of its configuration.
var ErrConfig = errors.New("server: the threshold is no score above 0")

// Config says how a server decides, and whom it answers.
type Config struct {
	Threshold biometrics.Score // of all fingers, or both eyes, together; 0 means finger.Threshold
	Faces     face.Engine      // compares faces; nil: they are only judged
	Secret    string           // asked for as a bearer token; empty: everybody is answered
	Version   string           // of the program, as init tells it
	Now       func() time.Time // nil means time.Now
}

// Server is the service.
type Server struct {
	config Config
	secret [sha256.Size]byte
	asked  chan struct{} // requests that are held in memory
	work   chan struct{} // samples that are looked at
}

// New makes a server.
func New(c Config) (*Server, error) {
	if c.Threshold == 0 {
		c.Threshold = finger.Threshold
	}
	if t := float64(c.Threshold); !(t > 0) || math.IsInf(t, 0) {
		return nil, ErrConfig
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	cores := runtime.GOMAXPROCS(0)
	return &Server{config: c, secret: sha256.Sum256([]byte(c.Secret)), asked: make(chan struct{}, 2*cores), work: make(chan struct{}, cores)}, nil
}

// operation reads a request and does what it asks.
type operation func(ctx context.Context, request []byte) (any, error)

func (s *Server) operations() map[string]operation {
	return map[string]operation{"/init": s.init, "/check-quality": s.checkQuality, "/match": s.match,
		"/extract-template": s.extract, "/segment": s.segment, "/convert-format": s.convert}
}

// ServeHTTP answers one request. MOSIP's client puts a slash too many where its
// address ends with one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := path.Clean("/" + r.URL.Path)
	if rest, ok := strings.CutPrefix(at, Context); ok && (rest == "" || rest[0] == '/') {
		at = path.Clean("/" + rest)
	}
	do, known := s.operations()[at]
	method := http.MethodPost
	if at == "/" {
		method = http.MethodGet
	}
	switch {
	case !known && at != "/":
		http.Error(w, "There is nothing here.", http.StatusNotFound)
	case r.Method != method:
		w.Header().Set("Allow", method)
		http.Error(w, "Ask with "+method+".", http.StatusMethodNotAllowed)
	case !known:
		fmt.Fprintf(w, "Service is running... %s", s.config.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006"))
	case !s.admitted(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "This service asks for a bearer token.", http.StatusUnauthorized)
	case !isJSON(r.Header.Get("Content-Type")):
		// A page of anybody's may post anything else from a browser, unasked.
		http.Error(w, "Send application/json.", http.StatusUnsupportedMediaType)
	default:
		s.answer(w, r, do)
	}
}

func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// admitted tells whether who asks knows the secret.
func (s *Server) admitted(r *http.Request) bool {
	if s.config.Secret == "" {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(given[:], s.secret[:]) == 1
}

// answer reads a request, does it, and writes what came of it.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, do operation) {
	select {
	case s.asked <- struct{}{}:
		defer func() { <-s.asked }()
	case <-r.Context().Done():
		return
	}
	// Whoever sends slowly must not keep others out.
	_ = http.NewResponseController(w).SetReadDeadline(s.config.Now().Add(readWithin))
	envelope, refused := s.read(w, r)
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	out := biosdk.Response{Version: envelope.Version, Time: s.config.Now().UTC().Format("2006-01-02T15:04:05.000Z")}
	if refused == nil {
		out.Response, refused = s.done(r.Context(), envelope.Request, do)
	}
	if refused != nil {
		out.Errors = biosdk.List[biosdk.Fault]{*refused}
		out.Response = biosdk.Result{Status: biosdk.InvalidInput, Message: refused.Message}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		http.Error(w, "The answer could not be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(raw)
}

// The codes of the errors of the envelope.
const (
	codeVersion = "BIO_SDK_001"
	codeBody    = "INVALID_REQUEST_BODY"
)

// read opens the envelope of a request.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (envelope biosdk.Request, refused *biosdk.Fault) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return envelope, &biosdk.Fault{Code: codeBody, Message: fmt.Sprintf("The request is larger than %d bytes.", mostBody)}
	case err != nil:
		return envelope, &biosdk.Fault{Code: codeBody, Message: "The request did not arrive whole."}
	}
	return opened(raw)
}

// opened reads an envelope.
func opened(raw []byte) (envelope biosdk.Request, refused *biosdk.Fault) {
	switch err := json.Unmarshal(raw, &envelope); {
	case err != nil:
		return biosdk.Request{}, &biosdk.Fault{Code: codeBody, Message: "The request is no JSON with a version and, in base64, a request."}
	case envelope.Version != biosdk.SpecVersion:
		return biosdk.Request{}, &biosdk.Fault{Code: codeVersion, Message: "No Bio SDK of this version is here: ask for version " + biosdk.SpecVersion + "."}
	}
	return envelope, nil
}

// errBody says that what the envelope held is no request of the operation.
var errBody = errors.New("server: the request is not what the operation takes")

// parsed reads what an operation takes.
func parsed[T any](raw []byte) (request T, err error) {
	if err := json.Unmarshal(raw, &request); err != nil {
		return request, errBody
	}
	return request, nil
}

// done does what is asked. Every operation but init answers with a result that has a
// status of its own.
func (s *Server) done(ctx context.Context, request []byte, do operation) (out any, refused *biosdk.Fault) {
	defer func() {
		if recover() != nil {
			out, refused = biosdk.Result{Status: biosdk.UnknownError, Message: "UNKNOWN_ERROR"}, nil
		}
	}()
	out, err := do(ctx, request)
	switch info, isInfo := out.(biosdk.SDKInfo); {
	case errors.Is(err, errBody):
		return nil, &biosdk.Fault{Code: codeBody, Message: "The request cannot be read as what this operation takes."}
	case err != nil:
		return biosdk.Result{Status: biosdk.StatusOf(err), Message: message(err)}, nil
	case isInfo:
		return info, nil
	}
	r, _ := out.(biosdk.Result)
	r.Status = biosdk.OK
	if r.Message == "" {
		r.Message = "OK"
	}
	return r, nil
}

// message is what is said of an error: a sentence of ours, or none.
func message(err error) string {
	if biosdk.StatusOf(err) == biosdk.UnknownError {
		return "UNKNOWN_ERROR"
	}
	return sentence(err.Error())
}

// sentence begins with a capital.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// each calls f with 0 to n-1, as many at once as there are cores for all requests
// together, and ends early when nobody waits any more. A panic is an error.
func (s *Server) each(ctx context.Context, n int, f func(i int) error) error {
	ended := make(chan error, n)
	begun := 0
	var err error
	for i := 0; i < n && err == nil; i++ {
		select {
		case s.work <- struct{}{}:
			begun++
			go func() {
				defer func() { <-s.work }()
				ended <- safely(func() error { return f(i) })
			}()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	for range begun {
		err = errors.Join(err, <-ended)
	}
	return err
}

func safely(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = biosdk.ErrUnknown
		}
	}()
	return f()
}

// init says what the engines can do.
func (s *Server) init(_ context.Context, raw []byte) (any, error) {
	if _, err := parsed[biosdk.InitRequest](raw); err != nil {
		return nil, err
	}
	all := biosdk.List[biosdk.Modality]{biosdk.Finger, biosdk.Iris, biosdk.Face}
	compared := all[:2:2]
	if s.config.Faces != nil {
		compared = all
	}
	return biosdk.SDKInfo{APIVersion: biosdk.APIVersion, SDKVersion: s.config.Version, Modalities: all,
		Methods: map[biosdk.Function]biosdk.List[biosdk.Modality]{
			biosdk.QualityCheck: all, biosdk.ConvertFormat: all, biosdk.Match: compared, biosdk.Extract: compared, biosdk.Segment: all[:1:1]},
		Other:        biosdk.Info{"score": "-log10 of the false match rate", "threshold": number(s.config.Threshold), "gallery": fmt.Sprint(biosdk.MostItems)},
		ProductOwner: biosdk.RegistryID{Organization: product, Type: product},
	}, nil
}

// product is the maker of formats and qualities that are our own.
const product = "Plinth"

// number writes a score.
func number(s biometrics.Score) string { return fmt.Sprintf("%.2f", float64(s)) }
