package templates

// Consent asks a person what of the asked-for a client may have.
type Consent struct {
	Client      string
	Visit       string
	Essential   []ConsentClaim // without which the client cannot serve
	Voluntary   []ConsentClaim // which the person may leave out
	Credentials []string       // what documents it gets, in words
	Minutes     int            // how long the client may read the claims
	Errors      []FieldError
}

// ConsentClaim is a claim with what it would tell.
type ConsentClaim struct{ Name, Value string }

func (Consent) file() string           { return "consent.html" }
func (p Consent) errors() []FieldError { return p.Errors }
