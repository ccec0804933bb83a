package templates

// Account shows a person what they allowed whom, and how they log in.
type Account struct {
	Changed  string // what was done a moment ago: "withdrawn", "factors", or nothing
	Keys     []AccountKey
	Consents []AccountConsent
}

// AccountConsent is one answer of the person.
type AccountConsent struct {
	ID, Client  string
	Claims      []string
	Given, Ends string
	Active      bool
	Powers      []Power
	Resources   []string
	Offline     bool
}

func (Account) file() string { return "account.html" }

// AccountKey is a passkey or a wallet of the person.
type AccountKey struct{ ID, Kind, Name string }

// NewPasskey has the browser make a passkey.
type NewPasskey struct {
	Options string // PublicKeyCredentialCreationOptions, as JSON
	State   string
}

func (NewPasskey) file() string { return "newpasskey.html" }
