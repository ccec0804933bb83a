package templates

import "html/template"

// Consent asks a person what of the asked-for a client may have.
type Consent struct {
	LoginStep
	Logo        template.URL
	Purpose     string         // why the client asks, in its words
	Policy      string         // address of its privacy policy
	Essential   []ConsentClaim // without which the client cannot serve
	Voluntary   []ConsentClaim // which the person may leave out
	Credentials []string       // what documents it gets, in words
	Powers      []Power        // what it may do elsewhere
	Resources   []string       // services that it gets tokens for
	Days        int            // how long the answer is remembered
	Binding     string         // what the client says elsewhere, for the person to compare
	Offline     bool           // it may look again while the person is away
}

// Power is an entry of authorization_details (RFC 9396), whole: what a page did not
// show, nobody has allowed.
type Power struct {
	Type  string
	Facts []Fact
}

// Fact is one thing that an entry says.
type Fact struct{ Name, Value string }

// ConsentClaim is a claim with what it would tell.
type ConsentClaim struct {
	Name, Value, Purpose string
	Verified             bool
}

func (Consent) file() string { return "consent.html" }
