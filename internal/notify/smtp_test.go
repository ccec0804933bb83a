package notify

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
)

// mailServer takes mail over TCP as RFC 5321 has it.
type mailServer struct {
	net.Listener
	rcpt   string // what it answers to RCPT, when not 250
	after  string // what it answers once it has the letter, when not 250
	breaks bool   // breaks off after a letter was taken
	tls    *tls.Config

	mu      sync.Mutex
	letters []string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &mailServer{Listener: ln}
}

// start lets the server serve and gives the address for SMTP.
func (s *mailServer) start(query string) string {
	go func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return "smtp://" + s.Addr().String() + "?from=plinth@example.org" + query
}

func (s *mailServer) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.letters...)
}

func (s *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch command := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(command, "EHLO") && s.tls != nil:
			say("250-test\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS")
		case strings.HasPrefix(command, "EHLO"):
			say("250-test\r\n250 ENHANCEDSTATUSCODES")
		case command == "STARTTLS":
			say("220 go on")
			secure := tls.Server(conn, s.tls)
			if secure.Handshake() != nil {
				return
			}
			conn, in = secure, bufio.NewReader(secure)
		case strings.HasPrefix(command, "RCPT") && s.rcpt != "":
			if s.rcpt == "break" {
				return
			}
			say(s.rcpt)
		case command == "DATA":
			say("354 go on")
			letter := readLetter(in)
			if s.after != "" {
				say(s.after)
				continue
			}
			s.mu.Lock()
			s.letters = append(s.letters, letter)
			s.mu.Unlock()
			say("250 taken")
			if s.breaks {
				return
			}
		case command == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func readLetter(in *bufio.Reader) string {
	var letter strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return letter.String()
		}
		letter.WriteString(line)
	}
}

var hello = Message{ID: uuid.MustParse("6ba7b810-9dad-41d1-80b4-00c04fd430c8"), Channel: Mail, To: "amina@example.com", Subject: "Votre code – رمز", Text: "Your code is 123456. é"}

func deliverBySMTP(t *testing.T, address string) Deliver {
	t.Helper()
	deliver, err := SMTP(address)
	if err != nil {
		t.Fatal(err)
	}
	return deliver
}

func TestMailArrivesAsItWasWritten(t *testing.T) {
	s := newMailServer(t)
	if err := deliverBySMTP(t, s.start("&tls=none"))(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	got := s.got()
	if len(got) != 1 {
		t.Fatalf("got %d letters, want 1", len(got))
	}
	head, body, _ := strings.Cut(got[0], "\r\n\r\n")
	for _, want := range []string{"To: <amina@example.com>", "From: <plinth@example.org>", "Message-ID: <" + hello.ID.String() + "@plinth>", "Auto-Submitted: auto-generated", "Date: ", "Subject: =?UTF-8?"} {
		if !strings.Contains(head, want) {
			t.Errorf("got %q, want %q in it", head, want)
		}
	}
	plain, err := readAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil || strings.TrimSpace(plain) != hello.Text {
		t.Errorf("got %q, %v; want %q", plain, err, hello.Text)
	}
}

func TestASubjectCannotAddHeaders(t *testing.T) {
	s := newMailServer(t)
	m := hello
	m.Subject = "x\r\nBcc: all@example.com\r\n\r\nbody"
	_ = deliverBySMTP(t, s.start("&tls=none"))(t.Context(), m)
	for _, letter := range s.got() {
		head, _, _ := strings.Cut(letter, "\r\n\r\n")
		if strings.Contains(head, "\r\nBcc:") {
			t.Errorf("got a header that nobody wrote: %q", head)
		}
	}
}

func TestOnlyAMailboxThatIsNotThereRefusesForGood(t *testing.T) {
	for answer, want := range map[string]bool{
		"550 5.1.1 <amina@example.com>: no such user": true,
		"553 5.1.3 bad address":                       true,
		"550 5.7.1 relaying denied":                   false,
		"450 4.2.1 busy":                              false,
		"552 5.2.2 mailbox full":                      false,
		"421 4.3.2 going down":                        false,
		"break":                                       false,
	} {
		s := newMailServer(t)
		s.rcpt = answer
		err := deliverBySMTP(t, s.start("&tls=none"))(t.Context(), hello)
		if err == nil || errors.Is(err, ErrRefused) != want {
			t.Errorf("%s: got %v, want refused for good: %v", answer, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "amina") || strings.Contains(err.Error(), "123456")) {
			t.Errorf("%s: the error tells of the person: %v", answer, err)
		}
	}
	m := hello
	m.To = "no address"
	if err := deliverBySMTP(t, newMailServer(t).start("&tls=none"))(t.Context(), m); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want refused for good", err)
	}
}

func TestALetterThatWasTakenIsNotSentAgain(t *testing.T) {
	s := newMailServer(t)
	s.breaks = true
	if err := deliverBySMTP(t, s.start("&tls=none"))(t.Context(), hello); err != nil || len(s.got()) != 1 {
		t.Errorf("got %v and %d letters, want nil and 1", err, len(s.got()))
	}
	s = newMailServer(t)
	s.after = "451 4.3.0 try again"
	if err := deliverBySMTP(t, s.start("&tls=none"))(t.Context(), hello); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want a failure that is tried again", err)
	}
}

func TestASVS_12_3_1_MailIsNotSentWithoutTLSThatIsTrusted(t *testing.T) {
	plain := newMailServer(t)
	if err := deliverBySMTP(t, plain.start(""))(t.Context(), hello); err == nil || len(plain.got()) != 0 {
		t.Errorf("a server without STARTTLS: got %v and %d letters, want a refusal", err, len(plain.got()))
	}
	stranger := newMailServer(t)
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	stranger.tls = web.TLS
	if err := deliverBySMTP(t, stranger.start(""))(t.Context(), hello); err == nil || len(stranger.got()) != 0 {
		t.Errorf("a certificate of nobody's: got %v and %d letters, want a refusal", err, len(stranger.got()))
	}
}

func TestAWrongMailAddressIsRefusedWithoutItsPassword(t *testing.T) {
	for _, address := range []string{"", "http://mail.example.org?from=a@example.org", "smtp://user:hunter2@mail.example.org", "smtp://user:hunter2@mail.example.org?from=nobody",
		"smtp://user:hunter2@mail.example.org:port?from=a@example.org", "smtp://user:hunter2@?from=a@example.org", "smtp://user:hunter2@mail.example.org?from=a@example.org&tls=maybe",
		"smtp://user:hunter2@ma il?from=a@example.org"} {
		_, err := SMTP(address)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want it invalid", address, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in %q", err)
		}
	}
	for _, address := range []string{"smtp://u:p@mail.example.org?from=a@example.org", "smtp://mail.example.org:465?from=a@example.org&tls=implicit"} {
		if _, err := SMTP(address); err != nil {
			t.Errorf("%s: got %v, want nil", address, err)
		}
	}
}
