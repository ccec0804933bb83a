package notify

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/plinth-id/plinth/internal/fault"
)

func readAll(r io.Reader) (string, error) {
	raw, err := io.ReadAll(r)
	return string(raw), err
}

func TestTextMessagesArriveWithTheirCredentials(t *testing.T) {
	for user, want := range map[string]string{"": "", "secret@": "Bearer secret", "name:word@": "Basic bmFtZTp3b3Jk"} {
		var body map[string]string
		var header http.Header
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header = r.Header
			_ = json.NewDecoder(r.Body).Decode(&body)
			w.WriteHeader(http.StatusAccepted)
		}))
		defer gateway.Close()
		deliver, err := SMSGateway(strings.Replace(gateway.URL, "//", "//"+user, 1)+"/send", gateway.Client())
		if err != nil {
			t.Fatal(err)
		}
		m := hello
		m.Channel, m.To = SMS, "+212600000000"
		if err := deliver(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if body["to"] != m.To || body["text"] != m.Text || body["id"] != m.ID.String() || len(body) != 3 || header.Get("Authorization") != want || header.Get("Idempotency-Key") != m.ID.String() {
			t.Errorf("got %v with %q, want the message with %q", body, header.Get("Authorization"), want)
		}
	}
}

func TestWhatTheGatewayAnswersDecidesWhetherToTryAgain(t *testing.T) {
	for status, refused := range map[int]bool{400: true, 422: true, 401: false, 404: false, 408: false, 429: false, 500: false, 503: false, 302: false} {
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer gateway.Close()
		deliver, err := SMSGateway(gateway.URL, gateway.Client())
		if err != nil {
			t.Fatal(err)
		}
		if err := deliver(t.Context(), hello); err == nil || errors.Is(err, ErrRefused) != refused {
			t.Errorf("%d: got %v, want refused for good: %v", status, err, refused)
		}
	}
}

func TestAGatewayThatIsDownIsNamedWithoutItsSecrets(t *testing.T) {
	gateway := httptest.NewServer(http.NotFoundHandler())
	address := gateway.URL
	gateway.Close()
	deliver, err := SMSGateway(strings.Replace(address, "//", "//hunter2@", 1)+"/send?key=hunter3", http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	err = deliver(t.Context(), hello)
	if err == nil || errors.Is(err, ErrRefused) {
		t.Fatalf("got %v, want a failure that is tried again", err)
	}
	for _, secret := range []string{"hunter2", "hunter3", hello.To, "123456"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("got %q, want it without %q", err, secret)
		}
	}
	for _, wrong := range []string{"", "ftp://host", "https://", "hunter2@host"} {
		if _, err := SMSGateway(wrong, http.DefaultClient); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want it invalid", wrong, err)
		}
	}
}
