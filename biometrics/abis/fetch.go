package abis

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// Fetcher fetches somebody's samples: a CBEFF document in the clear.
type Fetcher func(ctx context.Context, address string) ([]byte, Failure)

// DataShare fetches samples as MOSIP shares them: below an address, for a token in a
// cookie, sealed to a key of ours.
type DataShare struct {
	HTTP  *http.Client
	Below []*url.URL        // addresses below which samples may be fetched, and nowhere else
	Keys  []*rsa.PrivateKey // that samples may be sealed to; none: they come in the clear
	Token *Token            // nil: none is asked for
}

// MostSamples is how many bytes of samples are read.
const MostSamples = 64 << 20

const (
	splitter   = "#KEY_SPLITTER#"
	versionTag = "VER_R2"
	thumbBytes = 32
	aadBytes   = 32
	oldNonce   = 16

	mostRedirects = 3
)

// Fetch is the Fetcher.
func (d DataShare) Fetch(ctx context.Context, address string) ([]byte, Failure) {
	if !d.allowed(address) {
		return nil, CannotFetch
	}
	raw, err := d.get(ctx, address, false)
	if errors.Is(err, errToken) { // it may have ended
		raw, err = d.get(ctx, address, true)
	}
	var told Failure
	switch {
	case errors.As(err, &told):
		return nil, told
	case err != nil:
		return nil, CannotFetch
	case len(bytes.TrimSpace(raw)) == 0:
		return nil, NoData
	}
	plain, err := d.open(raw)
	if err != nil {
		slog.WarnContext(ctx, "abis: samples cannot be opened; are they sealed to a key of ours?", "keys", len(d.Keys))
		return nil, NoData // so MOSIP's tests want it
	}
	return plain, 0
}

// allowed keeps requests from leading us to other places of our network.
func (d DataShare) allowed(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" || u.Opaque != "" {
		return false
	}
	// Servers differ in what leads upwards: "..;", "..\\", dots and slashes that are
	// written with a percent sign, once or twice.
	if strings.ContainsAny(u.Path, `\;`) || strings.Contains(u.EscapedPath(), "%2") {
		return false
	}
	for _, below := range d.Below {
		base := strings.TrimSuffix(below.Path, "/") + "/"
		if u.Scheme == below.Scheme && strings.EqualFold(u.Host, below.Host) && strings.HasPrefix(path.Clean("/"+u.Path)+"/", base) {
			return true
		}
	}
	return false
}

var errToken = errors.New("abis: the token is not taken")

// get gets what is shared. MOSIP tells of failures with the status 200.
func (d DataShare) get(ctx context.Context, address string, again bool) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if d.Token != nil {
		token, err := d.Token.get(ctx, again)
		if err != nil {
			return nil, err
		}
		r.AddCookie(&http.Cookie{Name: "Authorization", Value: token})
	}
	client := *d.HTTP
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > mostRedirects || !d.allowed(next.URL.String()) {
			return CannotFetch
		}
		return nil
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, MostSamples+1))
	if err != nil || len(raw) > MostSamples {
		return nil, CannotFetch
	}
	if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
		return nil, errToken
	}
	return raw, told(answer.StatusCode, raw)
}

// told reads what MOSIP says of a failure.
func told(status int, raw []byte) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		var problem struct {
			Errors []struct {
				Code string `json:"errorCode"`
			} `json:"errors"`
		}
		if json.Unmarshal(raw, &problem) != nil || len(problem.Errors) == 0 {
			return BadCBEFF
		}
		switch code := problem.Errors[0].Code; {
		case strings.HasPrefix(code, "KER-ATH"):
			return errToken
		case code == "DAT-SER-006":
			return URLExpired
		}
		return CannotFetch
	}
	if status != http.StatusOK {
		return CannotFetch
	}
	return nil
}

// open gives the document: as it is, or from its seal.
func (d DataShare) open(raw []byte) ([]byte, error) {
	text := bytes.TrimSpace(raw)
	if len(text) > 0 && text[0] == '<' {
		return text, nil
	}
	return Unseal(text, d.Keys)
}

// ErrSealed says that samples cannot be opened.
var ErrSealed = errors.New("abis: these samples were sealed to another key, or changed")

// Unseal opens samples as MOSIP seals them for a partner: base64 of a key sealed by
// RSA-OAEP with SHA-256, a separator, and the document sealed by AES-256-GCM. Since 1.2
// the additional data stand in front, of which the nonce is the beginning; before, the
// nonce stood at the end.
func Unseal(text []byte, by []*rsa.PrivateKey) ([]byte, error) {
	raw, err := unbase64(text)
	if err != nil {
		return nil, ErrSealed
	}
	wrapped, sealed, found := bytes.Cut(raw, []byte(splitter))
	if !found {
		return nil, ErrSealed
	}
	wrapped, current := bytes.CutPrefix(wrapped, []byte(versionTag))
	for _, key := range by {
		if len(wrapped) < key.Size() || len(wrapped) > key.Size()+thumbBytes {
			continue
		}
		secret, err := rsa.DecryptOAEP(sha256.New(), rand.Reader, key, wrapped[len(wrapped)-key.Size():], nil)
		if err != nil || len(secret) != keyBytes {
			continue
		}
		return unsealed(secret, sealed, current)
	}
	return nil, ErrSealed
}

func unsealed(secret, sealed []byte, current bool) ([]byte, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	if !current {
		aead, err := cipher.NewGCMWithNonceSize(block, oldNonce)
		if err != nil || len(sealed) < oldNonce {
			return nil, ErrSealed
		}
		at := len(sealed) - oldNonce
		if plain, err := aead.Open(nil, sealed[at:], sealed[:at], nil); err == nil {
			return plain, nil
		}
		return nil, ErrSealed
	}
	aead, err := cipher.NewGCM(block)
	if err != nil || len(sealed) < aadBytes {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aadBytes:], sealed[:aadBytes])
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// unbase64 reads base64 of either alphabet, filled up or not.
func unbase64(text []byte) ([]byte, error) {
	plain := strings.NewReplacer("-", "+", "_", "/", "\n", "", "\r", "").Replace(string(bytes.Trim(text, "\"")))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(plain, "="))
}

// Token is what MOSIP's authentication manager gives for a client's secret.
type Token struct {
	HTTP           *http.Client
	Address        string // …/v1/authmanager/authenticate/clientidsecretkey
	App            string // usually regproc
	Client, Secret string
	Now            func() time.Time // nil means time.Now

	mu    sync.Mutex
	value string
}

// get gives the token, a new one if again is set.
func (t *Token) get(ctx context.Context, again bool) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && !again {
		return t.value, nil
	}
	now := t.Now
	if now == nil {
		now = time.Now
	}
	body, err := json.Marshal(map[string]any{"id": "plinth.abis", "version": "1.0", "requesttime": stamp(now()), "metadata": map[string]any{},
		"request": map[string]string{"appId": t.App, "clientId": t.Client, "secretKey": t.Secret}})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Address, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := t.HTTP.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	for _, c := range answer.Cookies() {
		if strings.EqualFold(c.Name, "Authorization") && c.Value != "" {
			t.value = c.Value
			return t.value, nil
		}
	}
	return "", fmt.Errorf("abis: the authentication manager gave no token (status %d)", answer.StatusCode)
}
