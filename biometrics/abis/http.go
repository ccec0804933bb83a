package abis

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
)

// leastSecret is the least length of a secret that is not guessed.
const leastSecret = 16

// Handler is the door by HTTP: POST a request, get its answer when it is there. It asks
// for a bearer token.
func (a *ABIS) Handler(secret string) (http.Handler, error) {
	if len(secret) < leastSecret {
		return nil, errors.New("abis: the secret needs at least 16 characters")
	}
	want := sha256.Sum256([]byte("Bearer " + secret))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /abis", func(w http.ResponseWriter, r *http.Request) {
		given := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(want[:], given[:]) == 0 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "This needs the secret of this ABIS as a bearer token.", http.StatusUnauthorized)
			return
		}
		a.post(w, r)
	})
	return mux, nil
}

func (a *ABIS) post(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostMessage))
	if err != nil {
		http.Error(w, "This request is too large, or ended too early.", http.StatusRequestEntityTooLarge)
		return
	}
	answer, err := a.Serve(r.Context(), message)
	if err != nil {
		slog.ErrorContext(r.Context(), "abis: a request was not answered", "error", err)
		http.Error(w, "This request could not be recorded, so it was not answered. Send it again.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // nobody is there to be told
}
