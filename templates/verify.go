package templates

// Verify is the form that takes a credential to check: a picture, or its text.
type Verify struct{ Errors []FieldError }

func (Verify) file() string           { return "verify.html" }
func (p Verify) errors() []FieldError { return p.Errors }

// VerifyResult is what the check found. Claims is empty unless the signature is good.
type VerifyResult struct {
	Verdict string         // "valid", "invalid" or "unknown"
	Checks  []VerifyCheck  // every check, in the order in which they were made
	Issuer  string         // who signed it
	Claims  []VerifiedLine // what it says
	Expires string         // empty: never
}

// VerifyCheck is one check. Code chooses the sentence.
type VerifyCheck struct{ Name, Result, Code string }

// VerifiedLine is one thing that the credential says. Key chooses the label;
// without one the name that the credential gave is shown.
type VerifiedLine struct{ Key, Name, Value string }

func (VerifyResult) file() string { return "verifyresult.html" }
