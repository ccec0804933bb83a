package credentials

import (
	"github.com/plinth-id/plinth/templates"
)

// Metadata is what wallets must know of the issuer (OpenID4VCI 1.0, 12.2.4).
type Metadata struct {
	Issuer         string                   `json:"credential_issuer"`
	Credential     string                   `json:"credential_endpoint"`
	Nonce          string                   `json:"nonce_endpoint"`
	Notification   string                   `json:"notification_endpoint"`
	Display        []display                `json:"display"`
	Configurations map[string]configuration `json:"credential_configurations_supported"`
}

type display struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

// Metadata describes the issuer.
func (i *Issuer) Metadata() Metadata {
	return Metadata{
		Issuer:         i.ID(),
		Credential:     i.at("/vci/credential"),
		Nonce:          i.at("/vci/nonce"),
		Notification:   i.at("/vci/notification"),
		Display:        inEveryLanguage("layout.name"),
		Configurations: i.configurations(),
	}
}

func inEveryLanguage(key string) []display {
	var all []display
	for _, l := range templates.Languages() {
		all = append(all, display{Name: l.Must(key), Locale: l.BCP47})
	}
	return all
}
