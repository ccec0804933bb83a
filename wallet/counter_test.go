package wallet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres/pgtest"
	"github.com/plinth-id/plinth/internal/web"
)

// newCounter is a counter that goes to public addresses only, behind a router like the real one.
func newCounter(t *testing.T, private bool) (*Counter, *httptest.Server) {
	t.Helper()
	mark := []byte("sealed ") // a seal that shows what was bound to it
	c, err := NewCounter(Config{Pool: pgtest.Pool(t), Issuer: "http://localhost:1", HTTP: web.NewClient(web.ClientConfig{Timeout: 5 * time.Second, Private: private}),
		Seal: func(plain, ad []byte) ([]byte, error) { return bytes.Join([][]byte{mark, ad, plain}, []byte{0}), nil },
		Open: func(sealed, ad []byte) ([]byte, error) {
			plain, ok := bytes.CutPrefix(sealed, bytes.Join([][]byte{mark, ad, nil}, []byte{0}))
			if !ok {
				return nil, errors.New("sealed for something else")
			}
			return plain, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	router := web.New(web.Config{Public: &url.URL{Scheme: "http", Host: "localhost"}})
	c.Routes(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return c, server
}

func post(t *testing.T, at string, body any, headers ...string) (int, map[string]any) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, at, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said map[string]any
	_ = json.NewDecoder(answer.Body).Decode(&said)
	return answer.StatusCode, said
}

// A link may not lead us into our own network, whatever it is called.
func TestALinkDoesNotLeadInside(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody inside was asked") }))
	defer inside.Close()
	_, server := newCounter(t, false)
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for _, host := range []string{"http://127.0.0.1" + port, "http://localhost" + port, "https://127.0.0.1" + port, "https://[::1]" + port, "https://169.254.169.254/latest", "https://10.0.0.1/", "http://192.168.1.1/"} {
		offer := "openid-credential-offer://?credential_offer_uri=" + url.QueryEscape(host)
		if status, said := post(t, server.URL+"/wallet/errand/offer", map[string]string{"link": offer}); status < 400 {
			t.Errorf("%s: got %d %v, want it refused", host, status, said)
		}
		link := "openid4vp://?client_id=x509_hash%3Ax&request_uri=" + url.QueryEscape(host)
		if status, said := post(t, server.URL+"/wallet/errand/ask", map[string]string{"link": link}); status < 400 {
			t.Errorf("%s: got %d %v, want it refused", host, status, said)
		}
	}
}

func TestStepsAreForOurOwnPageAndOneErrand(t *testing.T) {
	c, server := newCounter(t, false)
	if status, _ := post(t, server.URL+"/wallet/errand/offer", map[string]string{"link": "x"}, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("got %d for another site's script, want 403", status)
	}
	held, err := c.hold("show", map[string]string{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]string{"of another errand": held, "of nobody": "eHh4", "that is none": "%"} {
		if status, said := post(t, server.URL+"/wallet/errand/sign", map[string]any{"state": state}); status != http.StatusBadRequest {
			t.Errorf("%s: got %d %v, want 400", name, status, said)
		}
	}
	old, err := c.hold("fetch", map[string]string{}, -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if status, said := post(t, server.URL+"/wallet/errand/sign", map[string]any{"state": old}); status != http.StatusBadRequest || !strings.HasSuffix(fmt.Sprint(said["type"]), "step-expired") {
		t.Errorf("got %d %v for a state of long ago, want it refused", status, said)
	}
}

// owner is a wallet that keeps ciphertext with us.
type owner struct {
	key *ecdsa.PrivateKey
	id  []byte
}

func newOwner(t *testing.T) owner {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return owner{key, id}
}

func (o owner) change(t *testing.T, c *Counter, r BlobRequest) BlobRequest {
	t.Helper()
	asked, err := c.Blob(t.Context(), "", BlobRequest{Do: "challenge", ID: o.id})
	if err != nil {
		t.Fatal(err)
	}
	r.ID, r.Challenge = o.id, asked.Challenge
	if r.Key, err = json.Marshal(jose.JSONWebKey{Key: o.key.Public()}); err != nil {
		t.Fatal(err)
	}
	contents := sha256.Sum256(r.Sealed)
	if r.Signature, err = (signer{o.key}).sign(fmt.Appendf(nil, "plinth wallet\n%s\n%d\n%x\n%s", r.Do, r.Edition, contents, r.Challenge)); err != nil {
		t.Fatal(err)
	}
	return r
}

type signer struct{ key *ecdsa.PrivateKey }

func (s signer) sign(data []byte) ([]byte, error) {
	digest := sha256.Sum256(data)
	r, n, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return nil, err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	n.FillBytes(signature[32:])
	return signature, nil
}

func TestCiphertextIsChangedByItsOwnerAlone(t *testing.T) {
	c, _ := newCounter(t, false)
	mine, other := newOwner(t), newOwner(t)
	other.id = mine.id
	code := func(r BlobRequest) string {
		_, err := c.Blob(t.Context(), "", r)
		if err == nil {
			return ""
		}
		return fault.Of(err).Code
	}
	first := mine.change(t, c, BlobRequest{Do: "put", Sealed: []byte("one")})
	if got := code(first); got != "" {
		t.Fatalf("got %s for the first edition", got)
	}
	for name, r := range map[string]struct {
		request BlobRequest
		want    string
	}{
		"the first edition again": {first, "blob-newer"},
		"another key":             {other.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("x")}), "blob-newer"},
		"an old edition":          {mine.change(t, c, BlobRequest{Do: "put", Edition: 7, Sealed: []byte("x")}), "blob-newer"},
		"other contents than were signed": {func() BlobRequest {
			r := mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("x")})
			r.Sealed = []byte("y")
			return r
		}(), "blob-denied"},
		"a put as a delete": {func() BlobRequest {
			r := mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("x")})
			r.Do = "delete"
			return r
		}(), "blob-denied"},
		"no challenge": {func() BlobRequest {
			r := mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("x")})
			r.Challenge = ""
			return r
		}(), "blob-denied"},
		"another's challenge": {func() BlobRequest {
			r := mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("x")})
			r.Challenge = newOwner(t).change(t, c, BlobRequest{Do: "put"}).Challenge
			return r
		}(), "blob-denied"},
		"too much":        {mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: make([]byte, maxBlob+1)}), "blob-large"},
		"nothing":         {mine.change(t, c, BlobRequest{Do: "put", Edition: 1}), "blob-large"},
		"a short name":    {BlobRequest{Do: "get", ID: []byte("x")}, "blob-none"},
		"somebody's name": {BlobRequest{Do: "get", ID: newOwner(t).id}, "blob-none"},
	} {
		if got := code(r.request); got != r.want {
			t.Errorf("%s: got %q, want %q", name, got, r.want)
		}
	}
	if got, err := c.Blob(t.Context(), "", BlobRequest{Do: "get", ID: mine.id}); err != nil || string(got.Sealed) != "one" || got.Edition != 1 {
		t.Errorf("got %+v, %v; want the first edition", got, err)
	}
	if got := code(mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("two")})); got != "" {
		t.Errorf("got %s for the second edition", got)
	}
	_ = code(other.change(t, c, BlobRequest{Do: "delete", Edition: 2}))
	if got, err := c.Blob(t.Context(), "", BlobRequest{Do: "get", ID: mine.id}); err != nil || string(got.Sealed) != "two" {
		t.Errorf("got %+v, %v after another's deletion, want the second edition", got, err)
	}
	_ = code(mine.change(t, c, BlobRequest{Do: "delete", Edition: 2}))
	if got := code(BlobRequest{Do: "get", ID: mine.id}); got != "blob-none" {
		t.Errorf("got %q after the owner's deletion, want blob-none", got)
	}
}

func TestAPictureOfACodeIsRead(t *testing.T) {
	_, server := newCounter(t, false)
	const link = "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fverifier.example%2Fr"
	png, err := qr.PNG(link, qr.Low)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		want int
	}{"a code": {png, 200}, "none": {[]byte("x"), 400}, "too much": {make([]byte, maxPicture+1), 413}} {
		answer, err := http.Post(server.URL+"/wallet/scan", "image/png", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		var said struct{ Text string }
		_ = json.NewDecoder(answer.Body).Decode(&said)
		answer.Body.Close()
		if answer.StatusCode != c.want || c.want == 200 && said.Text != link {
			t.Errorf("%s: got %d %q, want %d", name, answer.StatusCode, said.Text, c.want)
		}
	}
}

// blobCode keeps something, and tells how that was refused.
func blobCode(t *testing.T, c *Counter, from string, r BlobRequest) string {
	t.Helper()
	if _, err := c.Blob(t.Context(), from, r); err != nil {
		return fault.Of(err).Code
	}
	return ""
}

func TestANetworkMakesFewWallets(t *testing.T) {
	c, server := newCounter(t, false)
	now := time.Now().Truncate(24 * time.Hour).Add(24 * time.Hour)
	c.Now = func() time.Time { return now }
	made := func(from string) string {
		t.Helper()
		return blobCode(t, c, from, newOwner(t).change(t, c, BlobRequest{Do: "put", Sealed: []byte("x")}))
	}
	first := newOwner(t)
	if got := blobCode(t, c, "a", first.change(t, c, BlobRequest{Do: "put", Sealed: []byte("x")})); got != "" {
		t.Fatal(got)
	}
	here := 1
	for hour := range madeADay / madeAnHour {
		for made("a") == "" {
			here++
		}
		if want := (hour + 1) * madeAnHour; here != want {
			t.Errorf("got %d wallets after hour %d, want %d", here, hour, want)
		}
		if got := made(fmt.Sprint("b", hour)); got != "" {
			t.Errorf("got %s for another network", got)
		}
		now = now.Add(time.Hour)
	}
	if got, want := made("a"), web.RateLimited; got != want {
		t.Errorf("got %q for wallet %d of a day, want %q", got, madeADay+1, want)
	}
	if got := blobCode(t, c, "a", first.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("y")})); got != "" {
		t.Errorf("got %s for a change of a wallet that is here", got)
	}
	now = now.Add(24 * time.Hour)
	if got := made("a"); got != "" {
		t.Errorf("got %s the next day", got)
	}
	if status, said := post(t, server.URL+"/wallet/blob", map[string]any{"do": "challenge", "id": make([]byte, 32), "sealed": make([]byte, 1<<20)}); status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %v for more than 1 MiB, want 413", status, said)
	}
}

func TestRoomForWalletsEnds(t *testing.T) {
	c, _ := newCounter(t, false)
	mine := newOwner(t)
	large := make([]byte, 100_000)
	_, _ = rand.Read(large)
	if got := blobCode(t, c, "a", mine.change(t, c, BlobRequest{Do: "put", Sealed: large})); got != "" {
		t.Fatal(got)
	}
	c.room = 90_000
	if got := blobCode(t, c, "a", newOwner(t).change(t, c, BlobRequest{Do: "put", Sealed: []byte("x")})); got != "wallet-room" {
		t.Errorf("got %q for a new wallet, want wallet-room", got)
	}
	if got := blobCode(t, c, "a", mine.change(t, c, BlobRequest{Do: "put", Edition: 1, Sealed: []byte("small")})); got != "" {
		t.Errorf("got %q for a change, want it kept", got)
	}
	c.room = 10 // the table is larger than this, what is in it is not
	if got := blobCode(t, c, "a", newOwner(t).change(t, c, BlobRequest{Do: "put", Sealed: []byte("x")})); got != "" {
		t.Errorf("got %q once there was room again", got)
	}
}

func TestWalletsThatNobodyOpensAreForgotten(t *testing.T) {
	c, _ := newCounter(t, false)
	now := time.Now()
	c.Now = func() time.Time { return now }
	opened, unread := newOwner(t), newOwner(t)
	for _, o := range []owner{opened, unread} {
		if got := blobCode(t, c, "a", o.change(t, c, BlobRequest{Do: "put", Sealed: []byte("x")})); got != "" {
			t.Fatal(got)
		}
	}
	here := func(o owner) bool {
		var n int
		id := sha256.Sum256(o.id)
		if err := c.Pool.QueryRow(t.Context(), `SELECT count(*) FROM wallet_blob WHERE id = $1`, id[:]).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	if got := blobCode(t, c, "a", BlobRequest{Do: "get", ID: opened.id}); got != "" {
		t.Fatal(got)
	}
	for _, step := range []struct {
		after          time.Duration
		opened, unread bool
		read           bool
	}{{29 * 24 * time.Hour, true, true, false}, {3 * 24 * time.Hour, true, false, false}, {blobLife - 40*24*time.Hour, true, false, true}, {90 * 24 * time.Hour, true, false, false}, {blobLife, false, false, false}} {
		now = now.Add(step.after)
		if err := c.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, other := here(opened), here(unread); got != step.opened || other != step.unread {
			t.Errorf("after %s: got %t and %t, want %t and %t", step.after, got, other, step.opened, step.unread)
		}
		if step.read {
			if got := blobCode(t, c, "a", BlobRequest{Do: "get", ID: opened.id}); got != "" {
				t.Fatal(got)
			}
		}
	}
}

// One network that lets its errands hang leaves the counter to the others.
func TestOneNetworkDoesNotTakeEveryPlace(t *testing.T) {
	c, server := newCounter(t, false)
	var leave []func()
	for range errandsOfOne {
		out, err := c.places.come("127.0.0.0/24")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, out)
	}
	ask := func() int {
		status, _ := post(t, server.URL+"/wallet/errand/status", map[string]any{"issuer": "x"})
		return status
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("got %d when the network has all its places, want 503", got)
	}
	if out, err := c.places.come("10.0.0.0/24"); err != nil {
		t.Errorf("got %v for another network", err)
	} else {
		out()
	}
	for _, out := range leave {
		out()
	}
	if got := ask(); got != http.StatusOK || len(c.places.from) != 0 {
		t.Errorf("got %d and %v afterwards, want 200 and nobody", got, c.places.from)
	}
	// Whoever is slow to send takes no place of everybody's.
	slow, sending := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/wallet/errand/status", slow)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	done := make(chan struct{})
	go func() {
		defer close(done)
		if answer, err := http.DefaultTransport.RoundTrip(r); err == nil {
			answer.Body.Close()
		}
	}()
	_, _ = sending.Write([]byte(`{"issuer":`))
	for here := 0; here == 0; time.Sleep(time.Millisecond) {
		c.places.mu.Lock()
		here = len(c.places.from)
		c.places.mu.Unlock()
	}
	if got := len(c.places.all); got != 0 {
		t.Errorf("got %d places taken by who is still sending, want 0", got)
	}
	_, _ = sending.Write([]byte(`"x"}`))
	sending.Close()
	<-done
}
