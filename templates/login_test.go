package templates

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func step(field string) LoginStep {
	return LoginStep{Client: "Ministry <x>", Visit: "v", Minutes: 15, Choices: true, Sandbox: true, Errors: []FieldError{{field, "Enter it."}}}
}

var (
	_ = example(Login{LoginStep: step("method-code"), Methods: []string{"code", "pin", "password", "knowledge", "finger", "iris", "face", "passkey", "wallet"}, Again: true, Purpose: "To pay taxes", Logo: "data:image/png;base64,AA=="})
	_ = example(LoginIdentify{LoginStep: step("identifier"), Identifier: "1", Method: "code", Work: "{}"})
	_ = example(LoginCode{LoginStep: step("code"), Sent: []string{"a•••@example.org"}, Again: true})
	_ = example(LoginSecret{LoginStep: step("secret"), Kind: "pin", Identifier: "1"})
	_ = example(LoginKnowledge{LoginStep: step("known-fullName"), Fields: []string{"fullName", "dateOfBirth"}})
	_ = example(LoginImage{LoginStep: step("image"), Kind: "finger", Position: "rightIndex", Request: "{}", Plain: true, Positions: everyPosition()})
	_ = example(DeviceHelp{})
	_ = example(LoginPasskey{LoginStep: step("passkey"), Options: `{"publicKey":{}}`})
	_ = example(NewPasskey{Options: "{}", State: "s"})
	_ = example(Account{Changed: "withdrawn", Keys: []AccountKey{{"k", "passkey", "My phone"}, {"l", "wallet", "Wallet"}}, Consents: []AccountConsent{{ID: "i", Client: "Ministry", Claims: []string{"name"}, Given: "2026-01-01", Ends: "2026-02-01", Active: true, Offline: true, Resources: []string{"https://api.example"}, Powers: []Power{{Type: "payment", Facts: []Fact{{"amount", "12.00"}}}}}, {Client: "x"}}})
	_ = example(Device{Kind: "ciba", Code: "BCDF-GHJK", Wrong: true})
	_ = example(DeviceDone{Denied: true})
	_ = example(LoginWallet{LoginStep: step("wallet"), Picture: "data:image/png;base64,AA==", Code: "BCDF-GHJK-LMNP", Link: "https://id.example/oidc/link?code=B", Number: "47"})
	_ = example(LoginCredential{LoginStep: step("credential"), Picture: "data:image/png;base64,AA==", Link: "openid4vp://?client_id=x", Number: "47"})
	_ = example(LoginConfirm{Client: "Ministry of Examples", Purpose: "To file your tax return", Login: "1", Code: "2", Errors: []FieldError{{Field: "number", Message: "Enter the number."}}})
	_ = example(LoginConfirmed{})
	_ = example(LinkHelp{})
	_ = example(Logout{Client: "Ministry", ClientID: "c", To: "https://rp.example/out", State: "s"})
	_ = example(LoggedOut{Client: "Ministry", Link: "https://rp.example"})
	_ = example(Consent{LoginStep: step(""), Days: 30, Offline: true, Purpose: "To pay taxes", Policy: "https://rp.example/policy", Credentials: []string{"national-id"}, Powers: []Power{{Type: "payment_initiation", Facts: []Fact{{"amount", "99999.00"}, {"creditor name", "Mallory"}}}}, Resources: []string{"https://api.example"},
		Essential: []ConsentClaim{{Name: "name", Value: "Ada <x>", Purpose: "To greet you", Verified: true}}, Voluntary: everyClaim()})
)

func everyPosition() (all []LoginPosition) {
	for _, name := range []string{"rightThumb", "rightIndex", "rightMiddle", "rightRing", "rightLittle", "leftThumb", "leftIndex", "leftMiddle", "leftRing", "leftLittle", "leftEye", "rightEye", "face"} {
		all = append(all, LoginPosition{Name: name, Device: "Right IndexFinger"})
	}
	return all
}

func everyClaim() (all []ConsentClaim) {
	for _, name := range []string{"given_name", "family_name", "gender", "birthdate", "picture", "locale", "updated_at", "email", "phone_number", "address",
		"age_over_16", "age_over_18", "age_over_21", "age_over_65", "birth_year", "region"} {
		all = append(all, ConsentClaim{Name: name, Value: "x"})
	}
	return all
}

// A code must be fillable by the phone, and whatever is wrong must be said beside
// the field and linked from the summary (WCAG 3.3.1, 3.3.8).
func TestTheCodePageHelpsWhoeverFillsIt(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Render(w, httptest.NewRequest("GET", "/oidc/login", nil), 200, examples["logincode.html"]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`autocomplete="one-time-code"`, `inputmode="numeric"`, `href="#code"`, `aria-describedby="code-hint code-message"`, `<label for="code">`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("got no %s", want)
		}
	}
}

// What a person did not tick themselves is no consent.
func TestNothingIsTickedBeforehand(t *testing.T) {
	w := httptest.NewRecorder()
	if err := Render(w, httptest.NewRequest("GET", "/oidc/login", nil), 200, examples["consent.html"]); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); strings.Contains(body, "checked") || !strings.Contains(body, `type="checkbox"`) {
		t.Errorf("got %s, want boxes and none ticked", body)
	}
}
