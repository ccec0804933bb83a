package auth

import "github.com/plinth-id/plinth/internal/notify"

// Offered lists what this deployment can judge.
func (d *Desk) Offered() []Method {
	var all []Method
	if d.Offers(notify.SMS) || d.Offers(notify.Mail) {
		all = append(all, ByCode)
	}
	return append(all, ByFinger)
}

// KnowledgeFields are the fields of the identity that are asked for.
func (d *Desk) KnowledgeFields() []string { return nil }

// AskPasskey is not there yet.
func (d *Desk) AskPasskey(string) (options, state []byte, err error) { return nil, nil, errRefused }
