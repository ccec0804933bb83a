package templates

// Login asks who the person is and how they want to prove it.
type Login struct {
	Client     string // who sent the person here, in their language
	Visit      string // id of the interaction
	Identifier string // as entered before, or as the client hinted
	Factor     string // "code" or "finger"
	Errors     []FieldError
}

func (Login) file() string           { return "login.html" }
func (p Login) errors() []FieldError { return p.Errors }

// LoginCode asks for the one-time code that was sent.
type LoginCode struct {
	Client string
	Visit  string
	Sent   []string // masked addresses that the code may have gone to
	Again  bool     // the code was sent once more
	Errors []FieldError
}

func (LoginCode) file() string           { return "logincode.html" }
func (p LoginCode) errors() []FieldError { return p.Errors }

// LoginFinger asks for the image of a fingerprint.
type LoginFinger struct {
	Client    string
	Visit     string
	Positions []string // of fingers, to choose from
	Position  string   // chosen
	Errors    []FieldError
}

func (LoginFinger) file() string           { return "loginfinger.html" }
func (p LoginFinger) errors() []FieldError { return p.Errors }
