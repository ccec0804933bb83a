package templates

import (
	"net/http/httptest"
	"strings"
	"testing"
)

var (
	_ = example(Login{Client: "Ministry <x>", Visit: "v", Identifier: "1", Factor: "code", Errors: []FieldError{{"identifier", "Enter it."}, {"factor-code", "Choose."}}})
	_ = example(LoginCode{Client: "Ministry", Visit: "v", Sent: []string{"a•••@example.org"}, Again: true, Errors: []FieldError{{"code", "Enter it."}}})
	_ = example(LoginFinger{Client: "Ministry", Visit: "v", Position: "rightIndex", Errors: []FieldError{{"finger", "Choose it."}},
		Positions: []string{"rightThumb", "rightIndex", "rightMiddle", "rightRing", "rightLittle", "leftThumb", "leftIndex", "leftMiddle", "leftRing", "leftLittle"}})
	_ = example(Consent{Client: "Ministry", Visit: "v", Minutes: 10, Credentials: []string{"national-id"}, Essential: []ConsentClaim{{"name", "Ada <x>"}},
		Voluntary: []ConsentClaim{{"given_name", "Ada"}, {"family_name", ""}, {"gender", ""}, {"birthdate", ""}, {"picture", ""}, {"locale", ""}, {"email", ""}, {"phone_number", ""}, {"address", ""}}})
)

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
