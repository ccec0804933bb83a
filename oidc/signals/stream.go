package signals

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
)

// The ways of delivery, and the states of a stream (SSF 1.0, 6.1 and 8.1.2).
const (
	byPush = "urn:ietf:rfc:8935"
	byPoll = "urn:ietf:rfc:8936"

	statusEnabled  = "enabled"
	statusPaused   = "paused"
	statusDisabled = "disabled"
)

const (
	mostAsked       = 50   // events in a request
	longestEvent    = 256  // bytes of an event's name
	longestText     = 256  // of a description, a reason, a state
	longestAddress  = 2048 // of an endpoint
	longestPassword = 4096 // of what an endpoint wants as Authorization
)

// configuration is a stream as it travels (SSF 1.0, 8.1.1). What a party may set is a
// pointer: nil is what it left out.
type configuration struct {
	StreamID        string    `json:"stream_id,omitempty"`
	Issuer          string    `json:"iss,omitempty"`
	Audience        string    `json:"aud,omitempty"`
	Delivery        *delivery `json:"delivery,omitempty"`
	EventsSupported []string  `json:"events_supported,omitempty"`
	EventsRequested *[]string `json:"events_requested,omitempty"`
	EventsDelivered []string  `json:"events_delivered,omitempty"`
	Description     *string   `json:"description,omitempty"`
	MinVerification int       `json:"min_verification_interval,omitempty"`
}

type delivery struct {
	Method        string `json:"method"`
	Endpoint      string `json:"endpoint_url,omitempty"`
	Authorization string `json:"authorization_header,omitempty"`
}

func wrong(sentence string) *fault.Fault { return fault.New(fault.Invalid, sentence) }

// shown is a stream as its party sees it. The credential of an endpoint is not shown.
func (t *Transmitter) shown(s stream) configuration {
	way := &delivery{Method: byPoll, Endpoint: t.issuer + pathPoll + "/" + s.ID.String()}
	if s.Endpoint != nil {
		way = &delivery{Method: byPush, Endpoint: *s.Endpoint}
	}
	delivered := slices.DeleteFunc(slices.Clone(supported), func(e string) bool { return !slices.Contains(s.Events, e) })
	if delivered == nil {
		delivered = []string{}
	}
	return configuration{StreamID: s.ID.String(), Issuer: t.issuer, Audience: s.Client, Delivery: way, EventsSupported: supported, EventsRequested: &s.Events, EventsDelivered: delivered,
		Description: &s.Description, MinVerification: int(verifyEvery.Seconds())}
}

// apply puts what a party asks for into its stream. A replacement sets what it leaves
// out to what a new stream has.
func (t *Transmitter) apply(s *stream, c configuration, replace bool) error {
	if err := t.agrees(*s, c); err != nil {
		return err
	}
	if c.Delivery != nil || replace {
		if err := t.applyDelivery(s, c.Delivery); err != nil {
			return err
		}
	}
	if c.Description != nil || replace {
		s.Description = ""
		if c.Description != nil {
			s.Description = shortened(*c.Description)
		}
	}
	if c.EventsRequested == nil && !replace {
		return nil
	}
	s.Events = []string{}
	if c.EventsRequested == nil {
		return nil
	}
	if len(*c.EventsRequested) > mostAsked || slices.ContainsFunc(*c.EventsRequested, func(e string) bool { return len(e) > longestEvent }) {
		return wrong("events_requested names too much. Ask for the events of events_supported.")
	}
	s.Events = *c.EventsRequested
	return nil
}

// agrees holds what we have set ourselves to what the party thinks of it.
func (t *Transmitter) agrees(s stream, c configuration) error {
	now := t.shown(s)
	differs := c.Issuer != "" && c.Issuer != now.Issuer || c.Audience != "" && c.Audience != now.Audience ||
		c.EventsSupported != nil && !sameSet(c.EventsSupported, now.EventsSupported) || c.EventsDelivered != nil && !sameSet(c.EventsDelivered, now.EventsDelivered)
	if differs {
		return wrong("iss, aud, events_supported and events_delivered are set by us. Leave them out, or send them as they are.")
	}
	return nil
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (t *Transmitter) applyDelivery(s *stream, d *delivery) error {
	if d == nil || d.Method == byPoll {
		s.Endpoint, s.Credential = nil, nil
		return nil
	}
	if d.Method != byPush {
		return wrong("delivery.method must be " + byPush + " (push) or " + byPoll + " (poll).")
	}
	at, err := url.Parse(d.Endpoint)
	if err != nil || len(d.Endpoint) > longestAddress || at.Host == "" || at.User != nil || at.Fragment != "" || at.Scheme != "https" && !(t.Plain && at.Scheme == "http") {
		return wrong("delivery.endpoint_url must be an https address where events can be pushed.")
	}
	if len(d.Authorization) > longestPassword || strings.ContainsFunc(d.Authorization, func(r rune) bool { return r < ' ' || r > '~' }) {
		return wrong("delivery.authorization_header must be the value of one header.")
	}
	moved := s.Endpoint == nil || *s.Endpoint != d.Endpoint
	s.Endpoint = &d.Endpoint
	if moved {
		s.Credential = nil // it was meant for the old address
	}
	if d.Authorization == "" {
		return nil
	}
	s.Credential, err = t.Ring.Seal(keys.Notices, []byte(d.Authorization), credentialPlace(s.ID))
	return err
}

func shortened(text string) string {
	if len(text) <= longestText {
		return text
	}
	text = text[:longestText]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

func parseStream(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return id, errNoStream
	}
	return id, nil
}
