package templates

// Portal is the first page of the demo relying party.
type Portal struct {
	Problem string // what went wrong at the last try; empty: nothing
}

func (Portal) file() string { return "portal.html" }

// PortalProfile shows what the demo relying party learned of a person.
type PortalProfile struct {
	Name   string
	Claims []PortalClaim
	Times  string // when and how the person logged in
}

// PortalClaim is one claim as the provider gave it.
type PortalClaim struct{ Name, Value string }

func (PortalProfile) file() string { return "portalprofile.html" }
