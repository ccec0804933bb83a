package templates

import "html/template"

// LoginStep is what all pages of a login have in common.
type LoginStep struct {
	Client  string // who sent the person here, in their language
	Visit   string // id of the interaction
	Minutes int    // left for this page
	Choices bool   // there are several ways to prove who one is
	Sandbox bool   // only invented people can log in
	Errors  []FieldError
}

func (p LoginStep) errors() []FieldError { return p.Errors }

// Login asks how the person wants to prove who they are.
type Login struct {
	LoginStep
	Methods []string // "code", "finger", …
	Again   bool     // one method was not enough
	Purpose string   // why the client asks; may be empty
	Logo    template.URL
}

func (Login) file() string { return "login.html" }

// LoginIdentify asks who the person is.
type LoginIdentify struct {
	LoginStep
	Method     string
	Identifier string // as entered before, or as the client hinted
	Work       string // a challenge for the browser (ALTCHA), as JSON; empty: none
}

func (LoginIdentify) file() string { return "loginidentify.html" }

// LoginCode asks for the one-time code that was sent.
type LoginCode struct {
	LoginStep
	Sent  []string // masked addresses that the code may have gone to
	Again bool     // the code was sent once more
}

func (LoginCode) file() string { return "logincode.html" }

// LoginSecret asks for a PIN or a password.
type LoginSecret struct {
	LoginStep
	Kind       string // "pin" or "password"
	Identifier string // for password managers
}

func (LoginSecret) file() string { return "loginsecret.html" }

// LoginKnowledge asks for what the person knows about themselves.
type LoginKnowledge struct {
	LoginStep
	Fields []string // of the identity
}

func (LoginKnowledge) file() string { return "loginknowledge.html" }

// LoginImage asks for the image of a finger, an eye or the face.
type LoginImage struct {
	LoginStep
	Kind      string // "finger", "iris" or "face"
	Positions []LoginPosition
	Position  string // chosen
	Request   string // for a capture device (Secure Biometric Interface), as JSON; empty: none is of use
	Plain     bool   // a picture will do
}

// Choice is the list of positions as one form has it.
func (p LoginImage) Choice(id string) LoginPositions { return LoginPositions{p, id} }

// LoginPositions is the list of positions with the id of its field.
type LoginPositions struct {
	Page LoginImage
	ID   string
}

// LoginPosition is a part of the body to choose.
type LoginPosition struct {
	Name   string // "rightIndex"
	Device string // as devices name it
}

// DeviceHelp says what to do when no capture device is found.
type DeviceHelp struct{}

func (DeviceHelp) file() string { return "devicehelp.html" }

func (LoginImage) file() string { return "loginimage.html" }

// LoginPasskey asks the browser for a passkey.
type LoginPasskey struct {
	LoginStep
	Options string // PublicKeyCredentialRequestOptions, as JSON
}

func (LoginPasskey) file() string { return "loginpasskey.html" }

// Logout asks whether the person wants to log out.
type Logout struct {
	Client, ClientID, To, State string
}

func (Logout) file() string { return "logout.html" }

// LoggedOut tells that the person is logged out.
type LoggedOut struct {
	Client, Link string
}

func (LoggedOut) file() string { return "loggedout.html" }

// LoginWallet shows a code for a wallet to take.
type LoginWallet struct {
	LoginStep
	Picture    template.URL // QR code, PNG
	Code, Link string
	Number     string // that the wallet asks for
	Linked     bool   // a wallet has taken the code
}

func (LoginWallet) file() string { return "loginwallet.html" }

// LoginCredential shows a request for a credential to wallets.
type LoginCredential struct {
	LoginStep
	Picture   template.URL // QR code, PNG
	Link      template.URL // opens a wallet on this device
	Number    string       // that the wallet's device asks for
	Confirmed bool         // a wallet has answered
}

func (LoginCredential) file() string { return "logincredential.html" }

// LoginConfirm asks on the wallet's device for the number that the login shows.
type LoginConfirm struct {
	Client, Purpose string // who asked, and why; the purpose may be empty
	Login, Code     string // what the address held
	Errors          []FieldError
}

func (p LoginConfirm) errors() []FieldError { return p.Errors }

func (LoginConfirm) file() string { return "loginconfirm.html" }

// LoginConfirmed tells on the wallet's device that the login goes on elsewhere.
type LoginConfirmed struct{}

func (LoginConfirmed) file() string { return "loginconfirmed.html" }

// LinkHelp tells somebody who scanned a code without a wallet what it is for.
type LinkHelp struct{}

func (LinkHelp) file() string { return "linkhelp.html" }
