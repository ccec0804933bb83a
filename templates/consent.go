package templates

// Consent asks a person what of the asked-for a client may have.
type Consent struct {
	Client      string
	Visit       string
	Essential   []string // names of claims without which the client cannot serve
	Voluntary   []ConsentClaim
	Credentials []string // names of credential configurations
	Minutes     int      // how long the client may read the claims
	Errors      []FieldError
}

// ConsentClaim is a claim that the person may leave out.
type ConsentClaim struct {
	Name   string
	Ticked bool
}

func (Consent) file() string           { return "consent.html" }
func (p Consent) errors() []FieldError { return p.Errors }
