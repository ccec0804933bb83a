package templates

// Home is the first page: the doors of this deployment.
type Home struct {
	Demo   bool     // synthetic people; the inbox and the demo portal are open
	Doors  []string // keys of the doors for people: "verify", "portal", "inbox"
	Issuer string   // public base URL
}

func (Home) file() string { return "home.html" }
