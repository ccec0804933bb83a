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
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

var partner = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// shut seals a document as MOSIP does, of a version.
func shut(t *testing.T, plain []byte, version string) []byte {
	t.Helper()
	secret, aad := make([]byte, keyBytes), make([]byte, aadBytes)
	_, _ = rand.Read(secret)
	_, _ = rand.Read(aad)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &partner().PublicKey, secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint := sha256.Sum256([]byte("a certificate"))
	switch version {
	case "1.2":
		aead, _ := cipher.NewGCM(block)
		raw := append(append([]byte(versionTag), thumbprint[:]...), wrapped...)
		raw = append(append(raw, splitter...), aad...)
		return []byte(base64.RawURLEncoding.EncodeToString(aead.Seal(raw, aad[:12], plain, aad)))
	case "1.1":
		aead, _ := cipher.NewGCMWithNonceSize(block, oldNonce)
		raw := append(append(append([]byte{}, thumbprint[:]...), wrapped...), splitter...)
		return []byte(base64.StdEncoding.EncodeToString(append(aead.Seal(raw, aad[:oldNonce], plain, nil), aad[:oldNonce]...)))
	}
	aead, _ := cipher.NewGCMWithNonceSize(block, oldNonce) // before there were thumbprints
	raw := append(append([]byte{}, wrapped...), splitter...)
	return []byte(base64.StdEncoding.EncodeToString(append(aead.Seal(raw, aad[:oldNonce], plain, nil), aad[:oldNonce]...)))
}

func TestSamplesAreOpenedAsMOSIPSealsThem(t *testing.T) {
	plain := []byte("<BIR/>")
	by := []*rsa.PrivateKey{partner()}
	for _, version := range []string{"1.2", "1.1", "1.0"} {
		sealed := shut(t, plain, version)
		if got, err := Unseal(sealed, by); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: got %q, %v", version, got, err)
		}
		if got, err := Unseal(sealed, nil); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %q, %v without a key", version, got, err)
		}
		raw, err := unbase64(sealed)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{40, len(raw) - 1, len(raw) - 20} {
			raw[at] ^= 1
			if _, err := Unseal([]byte(base64.StdEncoding.EncodeToString(raw)), by); !errors.Is(err, ErrSealed) && at != 40 {
				t.Errorf("%s: got %v of a changed byte %d", version, err, at)
			}
			raw[at] ^= 1
		}
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString([]byte(versionTag + strings.Repeat("x", 288) + splitter + strings.Repeat("y", 60)))))
	by := []*rsa.PrivateKey{partner()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := Unseal(raw, by); err != nil && !errors.Is(err, ErrSealed) {
			t.Errorf("got %v, want it named", err)
		}
	})
}

// A token is got once, sent as a cookie, and got anew when it has ended.
func TestSamplesAreFetchedForAToken(t *testing.T) {
	tokens, valid := 0, "token-1"
	mosip := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/auth":
			var asked struct{ Request map[string]string }
			if json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Request["secretKey"] != "s" || asked.Request["clientId"] != "c" || asked.Request["appId"] != "regproc" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			tokens++
			http.SetCookie(w, &http.Cookie{Name: "authorization", Value: valid})
		case "/share/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/share/round":
			http.Redirect(w, r, "/share/round", http.StatusFound)
		case "/elsewhere":
			_, _ = io.WriteString(w, "<BIR>a secret of another place</BIR>")
		default:
			if c, err := r.Cookie("Authorization"); err != nil || c.Value != valid {
				_, _ = io.WriteString(w, `{"errors":[{"errorCode":"KER-ATH-401","message":"Authentication Failed"}]}`)
				return
			}
			_, _ = w.Write(shut(t, []byte("<BIR/>"), "1.2"))
		}
	}))
	defer mosip.Close()
	below, err := url.Parse(mosip.URL + "/share")
	if err != nil {
		t.Fatal(err)
	}
	d := DataShare{HTTP: mosip.Client(), Below: []*url.URL{below}, Keys: []*rsa.PrivateKey{partner()}, Token: &Token{HTTP: mosip.Client(), Address: mosip.URL + "/auth", App: "regproc", Client: "c", Secret: "s"}}
	for range 3 {
		if raw, failure := d.Fetch(t.Context(), mosip.URL+"/share/x"); failure != 0 || string(raw) != "<BIR/>" {
			t.Fatalf("got %q, %v", raw, failure)
		}
	}
	valid = "token-2"
	if _, failure := d.Fetch(t.Context(), mosip.URL+"/share/x"); failure != 0 || tokens != 2 {
		t.Errorf("got %v after %d tokens, want a second one", failure, tokens)
	}
	if raw, failure := d.Fetch(t.Context(), mosip.URL+"/share/moved"); failure != CannotFetch {
		t.Errorf("got %q, %v from another place", raw, failure)
	}
	if _, failure := d.Fetch(t.Context(), mosip.URL+"/share/round"); failure != CannotFetch {
		t.Errorf("got %v from a circle", failure)
	}
	d.Token = &Token{HTTP: mosip.Client(), Address: mosip.URL + "/auth", App: "regproc", Client: "c", Secret: "wrong"}
	if _, failure := d.Fetch(t.Context(), mosip.URL+"/share/x"); failure != CannotFetch {
		t.Errorf("got %v without a token", failure)
	}
}

func TestAClientDrivesAnABIS(t *testing.T) {
	w := newWorld(t)
	const secret = "a secret of some length"
	handler, err := w.Handler(secret)
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(handler)
	defer door.Close()
	c := OverHTTP(door.Client(), door.URL+"/abis", secret)
	for reference, impression := range map[string]int{"first": 0, "second": 1} {
		if err := c.Insert(t.Context(), reference, w.offer(reference, document(t, 70, impression))); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := c.Identify(t.Context(), Request{ReferenceID: "first"}); err != nil || len(found) != 1 || found[0].ReferenceID != "second" {
		t.Errorf("got %+v, %v; want the other", found, err)
	}
	if n, err := c.ReferenceCount(t.Context()); err != nil || n != 2 {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := c.PendingJobs(t.Context()); err != nil || n != 0 {
		t.Errorf("got %d jobs, %v", n, err)
	}
	if err := c.Delete(t.Context(), "first"); err != nil {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), "first"); !errors.Is(err, ReferenceUnknown) {
		t.Errorf("got %v, want it unknown", err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for what, stranger := range map[string]*Client{"no secret": OverHTTP(door.Client(), door.URL+"/abis", ""), "another": OverHTTP(door.Client(), door.URL+"/abis", secret+"x")} {
		if err := stranger.Ping(t.Context()); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: got %v, want it refused", what, err)
		}
	}
	if _, err := w.Handler("short"); err == nil {
		t.Error("a secret that can be guessed was taken")
	}
}

// Others write numbers as numbers, and answer with what they like.
func TestAClientReadsWhatOthersWrite(t *testing.T) {
	answer := ""
	c := &Client{ask: func(_ context.Context, request string, _ []byte) ([]byte, error) {
		return []byte(strings.ReplaceAll(answer, "REQUEST", request)), nil
	}}
	for text, want := range map[string]error{
		`{"requestId":"REQUEST","returnValue":1}`:                        nil,
		`{"requestId":"REQUEST","returnValue":"1","unknown":[1]}`:        nil,
		`{"requestId":"REQUEST","returnValue":2,"failureReason":16}`:     BadCBEFF,
		`{"requestId":"REQUEST","returnValue":"2"}`:                      Unexpected,
		`{"requestId":"REQUEST","returnValue":"2","failureReason":"no"}`: Unexpected,
		`{"requestId":"another","returnValue":"1"}`:                      ErrAnswer,
		`{"requestId":"REQUEST"}`:                                        ErrAnswer,
		`{"requestId":"REQUEST","returnValue":{}}`:                       ErrAnswer,
		`<html>`: ErrAnswer,
	} {
		answer = text
		if err := c.Ping(t.Context()); !errors.Is(err, want) || err == nil != (want == nil) {
			t.Errorf("%s: got %v, want %v", text, err, want)
		}
	}
	answer = `{"requestId":"REQUEST","returnValue":1,"count":17}`
	if n, err := c.ReferenceCount(t.Context()); err != nil || n != 17 {
		t.Errorf("got %d, %v", n, err)
	}
	answer = `{"requestId":"REQUEST","returnValue":1,"candidateList":{"count":1,"candidates":[{"referenceId":"x","analytics":{"confidence":90,"internalScore":112,"key1":"v"}}]}}`
	if found, err := c.Identify(t.Context(), Request{ReferenceID: "y"}); err != nil || len(found) != 1 || found[0].Analytics.Confidence != "90" {
		t.Errorf("got %+v, %v", found, err)
	}
}
