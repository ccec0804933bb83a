package credentials

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/card"
	"github.com/plinth-id/plinth/credentials/kind"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/scribe"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry/auth"
)

// The formats of assisted issuance beside those of OpenID4VCI.
const (
	FormatVC     = "ldp_vc"        // the document, bound to no key
	FormatQR     = "claim169"      // the code as a PNG, for printing
	FormatQRText = "claim169-text" // what the code says, for who draws it themselves
	FormatCard   = "card-pdf"      // both sides of a card
	FormatSVG    = "card-svg"      // the front of the card
	FormatLetter = "letter-pdf"
)

// printed are the formats that are made of a code.
var printed = []string{FormatQR, FormatQRText, FormatCard, FormatSVG, FormatLetter}

// Errand is what an officer asks for at the desk, for somebody who stands before them.
type Errand struct {
	UIN     string   // or VID
	Kind    string   // which credential: "national_id"
	Formats []string // nil: every format of the kind, with one revocation
	Officer uuid.UUID
	Reason  string
	Row     *Row // of a list that is worked through; nil: of none
}

// Assisted issues a credential on an officer's word, by format. It is bound to no key:
// whoever holds the paper shows it.
func (i *Issuer) Assisted(ctx context.Context, e Errand) (map[string][]byte, error) {
	wanted, err := i.wanted(e)
	if err != nil {
		return nil, err
	}
	person, err := i.Registry.Find(ctx, i.Pool, e.UIN)
	if err != nil {
		return nil, err
	}
	o := order{person: person, details: map[string]string{"format": strings.Join(slices.Sorted(maps.Keys(wanted)), " ")}}
	var ids []string
	for _, k := range wanted {
		if !slices.Contains(ids, k.ID) {
			ids, o.also = append(ids, k.ID), append(o.also, k)
		}
	}
	o.kind, o.also, o.row = o.also[0], o.also[1:], e.Row
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) error {
		grant, err := i.Desk.Vouch(ctx, tx, auth.Voucher{Officer: e.Officer, Reason: e.Reason}, person, auth.Terms{Configurations: ids})
		o.actor = actor(grant)
		return err
	})
	if err != nil {
		return nil, err
	}
	issued, err := i.issue(ctx, o)
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for format, k := range wanted {
		n := slices.Index(ids, k.ID)
		if all[format], err = i.finish(format, k, issued.statements[n], issued.Documents[n]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// wanted are the kinds that an errand is for, by its formats.
func (i *Issuer) wanted(e Errand) (map[string]Kind, error) {
	formats := e.Formats
	if formats == nil {
		for _, k := range *i.active.Load() {
			if called(k, e.Kind) {
				formats = append(formats, k.Format)
			}
		}
	}
	all := map[string]Kind{}
	for _, format := range formats {
		of := format
		if slices.Contains(printed, format) {
			of = kind.Code
		}
		k, err := i.kindOf(e.Kind, of)
		if err != nil {
			return nil, err
		}
		all[format] = k
	}
	if len(all) == 0 {
		_, err := i.kindOf(e.Kind, "")
		return nil, err
	}
	return all, nil
}

// finish turns a document into what goes over the counter.
func (i *Issuer) finish(format string, k Kind, s statement, document []byte) ([]byte, error) {
	switch format {
	case FormatQR:
		return qr.PNG(string(document), k.Target().Level)
	case FormatCard, FormatLetter, FormatSVG:
		return i.print(format, k, s, string(document))
	}
	return document, nil
}

// layouts are the templates of the printed formats.
var layouts = map[string]string{FormatCard: card.ID1, FormatSVG: card.ID1, FormatLetter: card.Letter}

func (i *Issuer) print(format string, k Kind, s statement, code string) ([]byte, error) {
	printer, err := i.printers.of(k, layouts[format])
	if err != nil {
		return nil, err
	}
	h, err := i.hand()
	if err != nil {
		return nil, err
	}
	content := h.Content(k, s, code)
	if format == FormatSVG {
		return printer.SVG(content, 0)
	}
	return printer.PDF(content, h.Seal(i.Now(), k.Definition.Display[0].Name))
}

// printers keeps what takes long to make: fonts are read and templates checked.
type printers struct {
	mu   sync.Mutex
	made map[printerKey]*card.Printer
}

type printerKey struct {
	kind    string
	version int
	layout  string
}

func (p *printers) of(k Kind, layout string) (*card.Printer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := printerKey{k.Definition.Name, k.Version, layout}
	if made := p.made[key]; made != nil {
		return made, nil
	}
	made, err := scribe.Printer(k.Definition, layout)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The card of this kind cannot be printed.").Named("card-template").Because(err)
	}
	if p.made == nil {
		p.made = map[printerKey]*card.Printer{}
	}
	p.made[key] = made
	return made, nil
}
