package templates

import "html/template"

// Offer shows somebody in a browser a credential that their wallet can fetch.
type Offer struct {
	Link   template.URL // opens a wallet
	Page   string       // to be given to a wallet that takes addresses
	Code   string       // address of the picture of Link
	Older  template.URL // opens a wallet that speaks an older dialect; empty: none is served
	TxCode bool         // the wallet will ask for a code that was sent apart
}

func (Offer) file() string { return "offer.html" }
