package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/plinth-id/plinth/internal/fault"
)

// SMSGateway delivers text messages by an HTTP POST of {"id","to","text"}. The
// user part of the address becomes basic authentication, a lone user a bearer
// token. The id is the same when a message is sent again. 2xx means taken, 400 and
// 422 that it will never be; anything else is tried again.
func SMSGateway(address string, client *http.Client) (Deliver, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fault.New(fault.Invalid, "PLINTH_SMS_URL must look like https://TOKEN@HOST/PATH. Correct it and start again.")
	}
	user := u.User
	u.User = nil
	return func(ctx context.Context, m Message) error {
		body, err := json.Marshal(map[string]string{"id": m.ID.String(), "to": m.To, "text": m.Text})
		if err != nil {
			return errors.New("sending a text message: it cannot be written")
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
		if err != nil {
			return errors.New("sending a text message: the gateway's address cannot be used")
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", m.ID.String())
		if password, ok := user.Password(); ok {
			r.SetBasicAuth(user.Username(), password)
		} else if user != nil {
			r.Header.Set("Authorization", "Bearer "+user.Username())
		}
		answer, err := client.Do(r)
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address, which may hold a key of ours
		}
		if err != nil {
			return fmt.Errorf("sending a text message: %w", err)
		}
		answer.Body.Close()
		switch status := answer.StatusCode; {
		case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
			return fmt.Errorf("sending a text message: the gateway answered %d: %w", status, ErrRefused)
		case status < 200 || status >= 300:
			return fmt.Errorf("sending a text message: the gateway answered %d", status)
		}
		return nil
	}, nil
}
