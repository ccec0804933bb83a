package templates

import "time"

// Inbox shows, in demo mode only, the mail and text messages that were sent.
type Inbox struct{ Messages []InboxMessage }

// InboxMessage is one mail or text message.
type InboxMessage struct {
	Channel, To, Subject, Text string
	Link                       string // an address in the text that can be opened, or empty
	At                         time.Time
}

func (Inbox) file() string { return "inbox.html" }
