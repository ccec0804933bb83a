package templates

import (
	"net/http/httptest"
	"strings"
	"testing"
)

var (
	_ = example(Verify{Errors: []FieldError{{"file", "Choose a picture."}}, Asks: []string{"identity", "age"}})
	_ = example(VerifyAsked{Link: "openid4vp://?client_id=x", Picture: "data:image/gif;base64,R0lGODlhAQABAAAAACw=", Opened: true})
	_ = example(VerifyAnswer{State: "answered", Credentials: []VerifyResult{{Verdict: "valid", StatusAt: "2030-01-01 12:00 UTC", Claims: []VerifiedLine{{Key: "verify.claim.fullName", Value: "Ada"}},
		Checks: []VerifyCheck{{"holder", "pass", "holder_proved"}, {"query", "pass", "query_met"}}}}})
	_ = example(VerifyOffline{})
	_ = example(VerifyFrame{Hosts: []string{"https://shop.example"}})
	_ = example(VerifyResult{Verdict: "valid", Issuer: "did:web:id.example", Expires: "2030-01-01",
		Claims: []VerifiedLine{{Key: "verify.claim.fullName", Value: "Ada"}, {Name: "other", Value: "<b>"}},
		Checks: []VerifyCheck{{"signature", "pass", "signature_good"}, {"status", "undetermined", "status_unchecked"}}})
	_ = example(Offer{Link: "openid-credential-offer://?credential_offer_uri=x", Page: "https://id.example/vci/offer/x", Code: "/vci/offer/x/code.svg", Older: "openid-credential-offer://?credential_offer_uri=y", TxCode: true})
)

func TestOfferLinkOpensAWallet(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Render(w, httptest.NewRequest("GET", "/vci/offer/x", nil), 200, examples["offer.html"]); err != nil {
		t.Fatal(err)
	}
	if want := `href="openid-credential-offer://`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %s, want a link that begins %s", w.Body, want)
	}
}
