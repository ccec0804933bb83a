package credentials

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/jpeg"
	_ "image/png" // portraits are JPEG or PNG

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/keys"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/registry/auth"
	scale "golang.org/x/image/draw"
)

// The formats of assisted issuance.
const (
	FormatVC       = "ldp_vc"        // the document, bound to no key
	FormatQR       = "claim169"      // the code as a PNG, for printing
	FormatQRText   = "claim169-text" // what the code says, for who draws it themselves
	printedVersion = "1.2"           // of the table of claim 169
)

// A code with a face must still be read by a cheap phone: version 23 at level L.
const (
	faceWidth, faceHeight = 48, 64
	faceQuality           = 20
	longestWithFace       = 1588
	maxPortrait           = 40_000_000 // pixels
)

// Errand is what an officer asks for at the desk, for somebody who stands before them.
type Errand struct {
	UIN     string // or VID
	Kind    string // which credential: "national_id"
	Format  string
	Officer uuid.UUID
	Reason  string
}

// Assisted issues a credential on an officer's word. It is bound to no key: whoever
// holds the paper shows it.
func (i *Issuer) Assisted(ctx context.Context, e Errand) ([]byte, error) {
	if e.Kind != NationalID && Scopes()[e.Kind] != NationalID && e.Kind != vc.TypeNationalID {
		return nil, fault.New(fault.Invalid, "There is no such credential. Use national_id.").Named("unknown-type").At("type", "is one of: national_id")
	}
	sign := map[string]func(statement) ([]byte, error){FormatVC: i.signVC, FormatQR: i.signCode, FormatQRText: i.signCodeText}[e.Format]
	if sign == nil {
		return nil, fault.New(fault.Invalid, "There is no such format. Use ldp_vc, claim169 or claim169-text.").Named("unknown-format").
			At("format", "is one of: ldp_vc, claim169, claim169-text")
	}
	person, err := i.Registry.Find(ctx, i.Pool, e.UIN)
	if err != nil {
		return nil, err
	}
	var grant auth.Grant
	err = postgres.InTx(ctx, i.Pool, func(tx pgx.Tx) (err error) {
		grant, err = i.Desk.Vouch(ctx, tx, auth.Voucher{Officer: e.Officer, Reason: e.Reason}, person, auth.Terms{Configurations: []string{NationalID}})
		return err
	})
	if err != nil {
		return nil, err
	}
	kind, _ := i.kind(NationalID)
	issued, err := i.issue(ctx, order{person: person, kind: kind, actor: actor(grant), details: map[string]string{"format": e.Format}}, sign)
	if err != nil {
		return nil, err
	}
	return issued.Documents[0], nil
}

// signCode draws the code of claim 169.
func (i *Issuer) signCode(s statement) ([]byte, error) {
	text, err := i.signCodeText(s)
	if err != nil {
		return nil, err
	}
	level := qr.Medium // for paper
	if len(text) > longestWithFace/2 {
		level = qr.Low // a denser code would be harder to read than a damaged one
	}
	return qr.PNG(string(text), level)
}

// signCodeText writes claim 169: with the face, when there is room for it.
func (i *Issuer) signCodeText(s statement) ([]byte, error) {
	key, err := i.Ring.Signer(keys.VCIssuing)
	if err != nil {
		return nil, err
	}
	claims := qr.Claims{Issuer: i.ID(), IssuedAt: s.from, NotBefore: s.from, ExpiresAt: s.until,
		Status: &qr.Status{Index: s.entry.Index, URI: s.entry.URL}}
	identity := printed(s.who)
	if face := thumbnail(s.who.Portrait); face != nil {
		identity.Biometrics = map[int64][]qr.Biometric{qr.KeyFace: {{Data: face, Format: 0, SubFormat: 1}}}
		text, err := qr.Encode(identity, claims, key.Signer, []byte(key.ID))
		if err == nil && len(text) <= longestWithFace {
			return []byte(text), nil
		}
		identity.Biometrics = nil
	}
	text, err := qr.Encode(identity, claims, key.Signer, []byte(key.ID))
	return []byte(text), err
}

// printed is what a code says of a person: no number, since everybody who sees
// the card sees the code.
func printed(who registry.Identity) qr.Identity169 {
	id := qr.Identity169{Version: printedVersion, FullName: who.Name(""), DateOfBirth: compactDate(who.Birthdate()), Gender: genderNumber(who.Gender())}
	languages := who.Languages("fullName")
	if len(languages) > 0 {
		id.Language = languages[0]
	}
	if len(languages) > 1 {
		id.SecondFullName, id.SecondLanguage = who.Name(languages[1]), languages[1]
	}
	return id
}

// thumbnail is the portrait as small as a face can still be known by; nil when
// there is none that can be read.
func thumbnail(portrait []byte) []byte {
	size, _, err := image.DecodeConfig(bytes.NewReader(portrait))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPortrait/size.Height {
		return nil
	}
	full, _, err := image.Decode(bytes.NewReader(portrait))
	if err != nil {
		return nil
	}
	small := image.NewGray(image.Rect(0, 0, faceWidth, faceHeight))
	scale.CatmullRom.Scale(small, small.Bounds(), full, middle(full.Bounds()), draw.Src, nil)
	var b bytes.Buffer
	if jpeg.Encode(&b, small, &jpeg.Options{Quality: faceQuality}) != nil {
		return nil
	}
	return b.Bytes()
}

// middle is the largest part of a picture, in its middle, of three to four.
func middle(r image.Rectangle) image.Rectangle {
	width, height := r.Dx(), r.Dy()
	if width*faceHeight > height*faceWidth {
		width = height * faceWidth / faceHeight
	} else {
		height = width * faceHeight / faceWidth
	}
	x, y := r.Min.X+(r.Dx()-width)/2, r.Min.Y+(r.Dy()-height)/2
	return image.Rect(x, y, x+width, y+height)
}
