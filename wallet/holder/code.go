package holder

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"

	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
)

// verifyCode checks the text of a QR code with claim 169, by a key of the issuer that
// it came from.
func verifyCode(ctx context.Context, f Finder, issuer string, document json.RawMessage) error {
	raw, err := Text(document)
	if err != nil {
		return err
	}
	d, err := qr.Decode(raw)
	if err != nil {
		return err
	}
	return d.Verify(func(kid []byte, name string) (crypto.PublicKey, error) {
		did, err := vc.DIDWeb(name)
		if err != nil {
			did = name
		}
		method := string(kid)
		if !strings.Contains(method, "#") {
			method = did + "#" + method
		}
		if of, _, _ := strings.Cut(method, "#"); of != did {
			return nil, vc.ErrForeignKey
		}
		return f.DID(ctx, issuer, method)
	}, f.Now())
}

func openCode(document json.RawMessage) (Facts, error) {
	raw, err := Text(document)
	if err != nil {
		return Facts{}, err
	}
	d, err := qr.Decode(raw)
	if err != nil {
		return Facts{}, err
	}
	i := d.Identity
	said := Facts{Types: []string{"claim169"}, Tree: make(map[string]any), From: d.Claims.NotBefore, Until: d.Claims.ExpiresAt}
	for name, value := range map[string]string{"id": i.ID, "fullName": i.FullName, "givenName": i.FirstName, "middleName": i.MiddleName, "familyName": i.LastName, "birthDate": i.DateOfBirth,
		"address": i.Address, "email": i.Email, "phone": i.Phone, "nationality": i.Nationality, "guardian": i.Guardian, "secondFullName": i.SecondFullName,
		"gender": [...]string{"", "male", "female", "other"}[max(0, min(i.Gender, 3))]} {
		if value != "" {
			said.Tree[name] = value
		}
	}
	if faces := i.Biometrics[qr.KeyFace]; len(faces) > 0 {
		said.Tree["portrait"] = plain(faces[0].Data)
	} else if len(i.Photo) > 0 {
		said.Tree["portrait"] = plain(i.Photo)
	}
	if s := d.Claims.Status; s != nil {
		said.Status = []Status{{Type: "token", List: s.URI, Index: int(s.Index), Issuer: d.Claims.Issuer}}
	}
	return said, nil
}

var errCode = errors.New("a code is shown to a scanner, not sent")

func presentCode(Presenting) (Half, error)               { return Half{}, errCode }
func completeCode(Half, []byte) (json.RawMessage, error) { return nil, errCode }
