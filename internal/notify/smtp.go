package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/plinth-id/plinth/internal/fault"
)

// SMTP delivers mail by smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS. TLS is
// required unless the query says tls=none, which is for a relay on this host.
func SMTP(address string) (Deliver, error) {
	wrong := fault.New(fault.Invalid, "PLINTH_SMTP_URL must look like smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" || u.Query().Get("from") == "" {
		return nil, wrong // without the cause: it would quote the password
	}
	options := []mail.Option{mail.WithTimeout(20 * time.Second), mail.WithTLSPortPolicy(mail.TLSMandatory)}
	if u.Query().Get("tls") == "none" {
		options = append(options, mail.WithTLSPortPolicy(mail.NoTLS))
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, wrong
		}
		options = append(options, mail.WithPort(n))
	}
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	if _, err := mail.NewClient(u.Hostname(), options...); err != nil {
		return nil, wrong
	}
	from := u.Query().Get("from")
	return func(ctx context.Context, m Message) error {
		letter, err := letter(from, m)
		if err != nil {
			return err
		}
		client, err := mail.NewClient(u.Hostname(), options...)
		if err != nil {
			return fmt.Errorf("sending mail: %w", err)
		}
		if err := client.DialAndSendWithContext(ctx, letter); err != nil {
			return unaddressed(err)
		}
		return nil
	}, nil
}

func letter(from string, m Message) (*mail.Msg, error) {
	l := mail.NewMsg()
	if err := l.From(from); err != nil {
		return nil, errors.New("sending mail: PLINTH_SMTP_URL has a wrong from address")
	}
	if err := l.To(m.To); err != nil {
		return nil, errors.New("sending mail: the address cannot be used")
	}
	l.Subject(m.Subject)
	l.SetMessageIDWithValue(m.ID.String() + "@plinth")
	l.SetBodyString(mail.TypeTextPlain, m.Text)
	return l, nil
}

// unaddressed keeps what went wrong and drops what the mail server said, which
// may quote the address.
func unaddressed(err error) error {
	var failed *mail.SendError
	if errors.As(err, &failed) {
		return fmt.Errorf("sending mail: %s", failed.Reason)
	}
	return errors.New("sending mail: the mail server cannot be reached")
}
