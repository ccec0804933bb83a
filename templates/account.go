package templates

// Account shows a person what they allowed whom, and how they log in.
type Account struct {
	Changed  string // what was done a moment ago: "withdrawn", or nothing
	Consents []AccountConsent
}

// AccountConsent is one answer of the person.
type AccountConsent struct {
	ID, Client  string
	Claims      []string
	Given, Ends string
	Active      bool
}

func (Account) file() string { return "account.html" }
