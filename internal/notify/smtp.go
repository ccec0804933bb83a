package notify

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/wneessen/go-mail"

	"github.com/plinth-id/plinth/internal/fault"
)

// SMTP delivers mail by smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS. STARTTLS is
// required; tls=implicit speaks TLS from the first byte (port 465), tls=none never
// does, which is for a relay on this host.
func SMTP(address string) (Deliver, error) {
	wrong := fault.New(fault.Invalid, "PLINTH_SMTP_URL must look like smtp://USER:PASSWORD@HOST:PORT?from=ADDRESS. Correct it and start again.")
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" {
		return nil, wrong // without the cause: it would quote the password
	}
	options, ok := smtpOptions(u)
	if !ok {
		return nil, wrong
	}
	if _, err := mail.NewClient(u.Hostname(), options...); err != nil {
		return nil, wrong
	}
	from := u.Query().Get("from")
	if mail.NewMsg().From(from) != nil {
		return nil, wrong
	}
	return func(ctx context.Context, m Message) error {
		letter, err := write(from, m)
		if err != nil {
			return err
		}
		client, err := mail.NewClient(u.Hostname(), options...)
		if err != nil {
			return errors.New("sending mail: the settings cannot be used")
		}
		return send(ctx, client, letter)
	}, nil
}

func smtpOptions(u *url.URL) ([]mail.Option, bool) {
	options := []mail.Option{mail.WithTimeout(20 * time.Second)}
	switch u.Query().Get("tls") {
	case "":
		options = append(options, mail.WithTLSPortPolicy(mail.TLSMandatory))
	case "implicit":
		options = append(options, mail.WithSSLPort(false))
	case "none":
		options = append(options, mail.WithTLSPortPolicy(mail.NoTLS))
	default:
		return nil, false
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return nil, false
		}
		options = append(options, mail.WithPort(n))
	}
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	return options, true
}

func write(from string, m Message) (*mail.Msg, error) {
	l := mail.NewMsg()
	if err := l.From(from); err != nil {
		return nil, errors.New("sending mail: PLINTH_SMTP_URL has a wrong from address")
	}
	if err := l.To(m.To); err != nil {
		return nil, fmt.Errorf("sending mail: the address cannot be used: %w", ErrRefused)
	}
	id := m.ID
	if id == uuid.Nil {
		id = uuid.New()
	}
	l.Subject(m.Subject)
	l.SetMessageIDWithValue(id.String() + "@plinth")
	l.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday notice comes back
	l.SetBodyString(mail.TypeTextPlain, m.Text)
	return l, nil
}

// send drops what the mail server said, which may quote the address. Once the
// server has taken the letter, what goes wrong after is no failure: to send it
// again would be one.
func send(ctx context.Context, client *mail.Client, letter *mail.Msg) error {
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return errors.New("sending mail: the mail server cannot be reached, or its TLS or our password is wrong")
	}
	defer client.CloseWithSMTPClient(conn) //nolint:errcheck // the letter is out, or err says why not
	err = client.SendWithSMTPClient(conn, letter)
	if err == nil || letter.IsDelivered() {
		return nil
	}
	failed, ok := errors.AsType[*mail.SendError](err)
	switch {
	case !ok:
		return errors.New("sending mail: the mail server broke off")
	case failed.Reason == mail.ErrSMTPRcptTo && noMailbox(failed):
		return fmt.Errorf("sending mail: %s (%d): %w", failed.Reason, failed.ErrorCode(), ErrRefused)
	}
	return fmt.Errorf("sending mail: %s (%d)", failed.Reason, failed.ErrorCode())
}

// noMailbox tells an address that nobody has from a server that does not want us
// (5.7, RFC 3463), which may change its mind.
func noMailbox(failed *mail.SendError) bool {
	return slices.Contains([]int{550, 551, 553}, failed.ErrorCode()) && !strings.HasPrefix(failed.EnhancedStatusCode(), "5.7.")
}
