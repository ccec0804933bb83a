package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/plinth-id/plinth/credentials/qr"
	"github.com/plinth-id/plinth/credentials/vc"
	"github.com/plinth-id/plinth/credentials/verifier"
	"github.com/plinth-id/plinth/internal/fault"
	"github.com/plinth-id/plinth/internal/postgres"
	"github.com/plinth-id/plinth/registry"
	"github.com/plinth-id/plinth/wallet"
)

func newWallet(t *testing.T) *wallet.Wallet {
	t.Helper()
	w, err := wallet.New(filepath.Join(t.TempDir(), "wallet"), "correct horse", http.DefaultClient)
	must(t, err)
	return w
}

// fetch gets a status list over HTTP.
func fetch(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// fetchToken gets a token status list over HTTP.
func fetchToken(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/statuslist+jwt")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// tokensBy is nil where nothing is fetched, or where the network is down.
func tokensBy(status fetching) fetching {
	if status == nil {
		return nil
	}
	return func(ctx context.Context, address string) ([]byte, error) {
		if _, err := status(ctx, address); err != nil {
			return nil, err
		}
		return fetchToken(ctx, address)
	}
}

type fetching = func(context.Context, string) ([]byte, error)

// judge checks what somebody shows, with the trust list of the house.
func (h *house) judge(t *testing.T, shown []byte, status fetching) verifier.Verdict {
	t.Helper()
	list, err := h.TrustList()
	must(t, err)
	v, err := verifier.New(verifier.Config{Trust: func() vc.TrustList { return list }, Status: status, Tokens: tokensBy(status), Now: h.now})
	must(t, err)
	verdict, err := v.Check(t.Context(), shown)
	must(t, err)
	return verdict
}

// codes are the codes of the reasons.
func codes(v verifier.Verdict) string {
	var all []string
	for _, r := range v.Reasons {
		all = append(all, r.Code)
	}
	return strings.Join(all, " ")
}

func (h *house) assisted(t *testing.T, format string) []byte {
	t.Helper()
	made, err := h.Assisted(t.Context(), Errand{UIN: h.uin.Reveal(), Kind: "national_id", Formats: []string{format}, Officer: uuid.New(), Reason: "printed at the desk"})
	must(t, err)
	return made[format]
}

func TestWalletFetchesWhatTheVerifierAccepts(t *testing.T) {
	h := newHouse(t)
	o := h.offer(t, true)
	w := newWallet(t)
	card, err := w.Receive(t.Context(), o.Link, o.TxCode)
	must(t, err)
	if card.Issuer != h.ID() || card.Configuration != NationalID || card.Name != "National identity card" {
		t.Errorf("got %+v", card)
	}
	shown, err := w.Show(card.ID)
	must(t, err)
	if shown.Claims["birthDate"] != "1984-04-18" || shown.Claims["gender"] != "female" || shown.Claims["id"] != shown.Holder {
		t.Errorf("got %v, want what the registry holds, bound to the wallet's key", shown.Claims)
	}
	document, err := w.Export(card.ID)
	must(t, err)
	code, err := w.QR(card.ID)
	must(t, err)
	for name, shown := range map[string][]byte{"document": document, "code": []byte(code)} {
		if v := h.judge(t, shown, nil); v.Verdict != verifier.Valid || !strings.Contains(codes(v), "status_unchecked") {
			t.Errorf("%s offline: got %s: %s", name, v.Verdict, codes(v))
		}
		if v := h.judge(t, shown, fetch); v.Verdict != verifier.Valid || !strings.Contains(codes(v), "not_revoked") || v.Claims["birthDate"] != "1984-04-18" {
			t.Errorf("%s online: got %s: %s", name, v.Verdict, codes(v))
		}
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance WHERE outcome = 'credential_accepted' AND holder IS NOT NULL"); n == 0 {
		t.Errorf("got %d accepted credentials in the ledger, want one for each copy", n)
	}
	for _, again := range []string{o.Link, o.Page} {
		if _, err := newWallet(t).Receive(t.Context(), again, o.TxCode); fault.Of(err) == nil || fault.Of(err).Code != "offer-gone" {
			t.Errorf("got %v for an offer that was used, want offer-gone", err)
		}
	}
}

func TestWalletTakesTheAddressOfAnOffer(t *testing.T) {
	h := newHouse(t)
	w := newWallet(t)
	if _, err := w.Receive(t.Context(), h.offer(t, false).Page, ""); err != nil {
		t.Error(err)
	}
	if _, err := w.Receive(t.Context(), h.offer(t, true).Page, "wrong1"); fault.Of(err) == nil || fault.Of(err).Code != "offer-refused" {
		t.Errorf("got %v for a wrong transaction code, want offer-refused", err)
	}
	if cards, err := w.List(); err != nil || len(cards) != 1 {
		t.Errorf("got %d cards, %v; want 1", len(cards), err)
	}
}

func TestRevocationReachesTheVerifier(t *testing.T) {
	h := newHouse(t)
	list, err := h.TrustList()
	must(t, err)
	v, err := verifier.New(verifier.Config{Trust: func() vc.TrustList { return list }, Status: fetch, Tokens: fetchToken, Now: h.now})
	must(t, err)
	documents := map[string][]byte{}
	for _, format := range []string{FormatVC, FormatQR, FormatQRText, FormatCard, FormatLetter} {
		documents[format] = h.assisted(t, format)
	}
	for format, shown := range documents {
		if verdict, err := v.Check(t.Context(), shown); err != nil || verdict.Verdict != verifier.Valid || !strings.Contains(codes(verdict), "not_revoked") {
			t.Errorf("%s: got %s: %s, %v; want valid", format, verdict.Verdict, codes(verdict), err)
		}
	}
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		return h.Registry.SetStatus(t.Context(), tx, h.person, registry.Active, registry.Deactivated)
	}))
	h.wait(10 * time.Minute) // the list that the verifier holds has aged
	for format, shown := range documents {
		verdict, err := v.Check(t.Context(), shown)
		if err != nil || verdict.Verdict != verifier.Invalid || !strings.Contains(codes(verdict), " revoked") {
			t.Errorf("%s: got %s: %s, %v; want invalid, revoked", format, verdict.Verdict, codes(verdict), err)
		}
	}
}

func TestVerdictWithoutAStatusListIsUnknown(t *testing.T) {
	h := newHouse(t)
	document := h.assisted(t, FormatVC)
	down := func(context.Context, string) ([]byte, error) { return nil, errors.New("down") }
	if v := h.judge(t, document, down); v.Verdict != verifier.Unknown || !strings.Contains(codes(v), "status_unreachable") {
		t.Errorf("got %s: %s; want unknown", v.Verdict, codes(v))
	}
	// A list of somebody else, however well signed, is none of this issuer's.
	other := newHouse(t)
	other.assisted(t, FormatVC)
	foreign := func(ctx context.Context, _ string) ([]byte, error) { return fetch(ctx, other.url+"/status/1") }
	wrong := func(context.Context, string) ([]byte, error) { return document, nil }
	for name, list := range map[string]fetching{"foreign": foreign, "no list": wrong} {
		if v := h.judge(t, document, list); v.Verdict != verifier.Unknown || !strings.Contains(codes(v), "status_refused") {
			t.Errorf("%s: got %s: %s; want unknown, status_refused", name, v.Verdict, codes(v))
		}
	}
}

func TestStrangersAreNotBelieved(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	for _, format := range []string{FormatVC, FormatQR, FormatQRText} {
		v := other.judge(t, h.assisted(t, format), nil)
		if v.Verdict != verifier.Unknown || !strings.Contains(codes(v), "issuer_untrusted") || v.Claims != nil {
			t.Errorf("%s: got %s: %s, %v; want unknown and no claims", format, v.Verdict, codes(v), v.Claims)
		}
	}
}

func TestCredentialExpires(t *testing.T) {
	h := newHouse(t)
	documents := [][]byte{h.assisted(t, FormatVC), h.assisted(t, FormatQRText)}
	for after, want := range map[time.Duration]string{-25 * time.Hour: "not_yet_valid", 2*365*24*time.Hour + time.Hour: "expired"} {
		h.wait(after)
		for _, document := range documents {
			if v := h.judge(t, document, nil); v.Verdict != verifier.Invalid || !strings.Contains(codes(v), want) {
				t.Errorf("got %s: %s; want %s", v.Verdict, codes(v), want)
			}
		}
		h.wait(-after)
	}
}

// A flipped bit anywhere never passes, and shows nothing.
func TestFlippedBitIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, format := range []string{FormatVC, FormatQRText} {
		document := h.assisted(t, format)
		list, err := h.TrustList()
		must(t, err)
		v, err := verifier.New(verifier.Config{Trust: func() vc.TrustList { return list }, Now: h.now})
		must(t, err)
		for at := 0; at < len(document); at += 1 + len(document)/97 {
			broken := bytes.Clone(document)
			broken[at] ^= 1
			verdict, err := v.Check(t.Context(), broken)
			if err == nil && (verdict.Verdict == verifier.Valid || verdict.Claims != nil) {
				t.Errorf("%s, byte %d: got %s with %v", format, at, verdict.Verdict, verdict.Claims)
			}
		}
		var said string
		if format == FormatVC {
			said = strings.Replace(string(document), "Ada Example", "Eve Example", 1)
		} else {
			said = strings.Replace(string(document), string(document[100:104]), "A0B1", 1)
		}
		if verdict, err := v.Check(t.Context(), []byte(said)); err != nil || verdict.Verdict != verifier.Invalid {
			t.Errorf("%s: got %s, %v for a changed name; want invalid", format, verdict.Verdict, err)
		}
	}
}

func TestPrintedCodeHoldsNoNumber(t *testing.T) {
	h := newHouse(t)
	d, err := qr.Decode(string(h.assisted(t, FormatQRText)))
	must(t, err)
	if d.Identity.ID != "" || d.Claims.Subject != "" {
		t.Errorf("got id %q and subject %q, want none", d.Identity.ID, d.Claims.Subject)
	}
	if d.Identity.FullName != "Ada Example" || d.Identity.DateOfBirth != "19840418" || d.Identity.Gender != 2 || d.Identity.SecondLanguage != "ara" {
		t.Errorf("got %+v", d.Identity)
	}
	if d.Claims.Status == nil || !strings.HasPrefix(d.Claims.Status.URI, h.url+"/status/") || d.Claims.Issuer != h.ID() {
		t.Errorf("got %+v, want a place in our status list", d.Claims)
	}
	var document struct {
		Subject map[string]any `json:"credentialSubject"`
	}
	must(t, json.Unmarshal(h.assisted(t, FormatVC), &document))
	if _, bound := document.Subject["id"]; bound {
		t.Error("a printed credential names a holder's key")
	}
}

func TestPortraitIsPrintedWhenItFits(t *testing.T) {
	h := newHouse(t)
	portrait := image.NewGray(image.Rect(0, 0, 300, 400))
	for x := range 300 {
		for y := range 400 {
			portrait.SetGray(x, y, color.Gray{Y: uint8(128 + 100*((x-150)*(x-150)+(y-200)*(y-200))/62500)})
		}
	}
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, portrait, nil))
	var person uuid.UUID
	must(t, postgres.InTx(t.Context(), h.Pool, func(tx pgx.Tx) error {
		a, err := h.Registry.Assign(t.Context(), tx, registry.NewIdentity{Application: uuid.New(), Fields: ada, Portrait: b.Bytes()})
		person, h.uin = a.Person, a.UIN
		return err
	}))
	h.person = person
	d, err := qr.Decode(string(h.assisted(t, FormatQRText)))
	must(t, err)
	if faces := d.Identity.Biometrics[qr.KeyFace]; len(faces) != 1 || len(faces[0].Data) > 1000 {
		t.Errorf("got %d faces, want a small one", len(faces))
	}
	if v := h.judge(t, h.assisted(t, FormatQR), fetch); v.Verdict != verifier.Valid {
		t.Errorf("got %s: %s; want a code that can be read", v.Verdict, codes(v))
	}
}

func TestAssistedIssuanceIsRefusedByName(t *testing.T) {
	h := newHouse(t)
	good := Errand{UIN: h.uin.Reveal(), Kind: "national_id", Formats: []string{FormatVC}, Officer: uuid.New(), Reason: "printed at the desk"}
	for name, change := range map[string]func(*Errand){
		"unknown-type":     func(e *Errand) { e.Kind = "driving_licence" },
		"unknown-format":   func(e *Errand) { e.Formats = []string{"jwt_vc_json"} },
		"identity-unknown": func(e *Errand) { e.UIN = "1234567890" },
		"invalid":          func(e *Errand) { e.Reason = "" },
	} {
		e := good
		change(&e)
		if _, err := h.Assisted(t.Context(), e); fault.Of(err) == nil || fault.Of(err).Code != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	if n := h.count(t, "SELECT count(*) FROM credential_issuance"); n != 0 {
		t.Errorf("got %d lines in the ledger, want 0", n)
	}
}

func TestDIDDocumentIsFoundByItsDID(t *testing.T) {
	h := newHouse(t)
	_, document := ask(t, "GET", h.url+"/.well-known/did.json", "", "")
	want, err := vc.DIDWeb(h.url)
	must(t, err)
	if document["id"] != want {
		t.Errorf("got %v, want %s", document["id"], want)
	}
	_, list := ask(t, "GET", h.url+"/.well-known/plinth-trust.json", "", "")
	raw, err := json.Marshal(list)
	must(t, err)
	if _, err := vc.ParseTrustList(raw); err != nil {
		t.Error(err)
	}
	answer, context := ask(t, "GET", h.url+"/contexts/identity/v1", "", "")
	if answer.Header.Get("Content-Type") != "application/ld+json" || context["@context"] == nil {
		t.Errorf("got %v, want the context", answer.Header)
	}
}
