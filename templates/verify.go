package templates

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"
)

// Verify is the form that takes a credential to check: what the camera sees, a
// picture, or its text; or it asks a wallet.
type Verify struct {
	Errors []FieldError
	Asks   []string // what wallets can be asked for, by name
}

func (Verify) file() string           { return "verify.html" }
func (p Verify) errors() []FieldError { return p.Errors }

// Words are the sentences that the script says.
func (Verify) Words() []string {
	return []string{"scan.looking", "scan.nocamera", "scan.found", "ask.nobrowser"}
}

// VerifyResult is what the check found. Claims is empty unless the signature is good.
type VerifyResult struct {
	Verdict  string         // "valid", "invalid" or "unknown"
	Checks   []VerifyCheck  // every check, in the order in which they were made
	Issuer   string         // who signed it
	Claims   []VerifiedLine // what it says
	Expires  string         // empty: never
	StatusAt string         // when the status was looked up; empty: it was not
}

// VerifyCheck is one check. Code chooses the sentence.
type VerifyCheck struct{ Name, Result, Code string }

// VerifiedLine is one thing that the credential says. Key chooses the label;
// without one the name that the credential gave is shown.
type VerifiedLine struct{ Key, Name, Value string }

func (VerifyResult) file() string { return "verifyresult.html" }

// VerifyAsked waits for a wallet: by a QR code for one on another device, by a link
// for one on this.
type VerifyAsked struct {
	Link    template.URL
	Web     string       // the same for the wallet of this service
	Picture template.URL // empty: the wallet is on this device
	Opened  bool
}

func (VerifyAsked) file() string { return "verifyasked.html" }

// VerifyAnswer is what a wallet has answered, or why there is nothing to show: the
// state is answered, failed, refused, expired, collected or elsewhere.
type VerifyAnswer struct {
	State       string
	Credentials []VerifyResult
}

func (VerifyAnswer) file() string { return "verifyanswer.html" }

// VerifyOffline checks codes and SD-JWT VCs on the device, with or without a network.
type VerifyOffline struct{}

func (VerifyOffline) file() string { return "verifyoffline.html" }

// Words are the sentences that the script says.
func (VerifyOffline) Words() []string { return verifyWords }

// VerifyFrame is the verifier within a page of one of the hosts, which are origins.
type VerifyFrame struct{ Hosts []string }

func (VerifyFrame) file() string { return "verifyframe.html" }

// Words are the sentences that the script says.
func (VerifyFrame) Words() []string { return verifyWords }

// verifyWords are what scripts say of a verdict.
var verifyWords = strings.Fields(`scan.looking scan.nocamera scan.found scan.nocode ask.nobrowser offline.none offline.old offline.ready status.asof
	verdict.valid verdict.invalid verdict.unknown meaning.valid meaning.invalid meaning.unknown issuer expires
	answer.refused answer.expired answer.failed result.pass result.fail result.undetermined
	check.format check.issuer check.signature check.period check.status check.holder
	code.well_formed code.malformed code.unsupported code.issuer_trusted code.issuer_untrusted code.trust_expired code.signature_good code.signature_bad
	code.in_period code.expired code.not_yet_valid code.not_revoked code.revoked code.suspended code.status_none code.status_unchecked code.status_old
	code.status_unreachable code.status_refused code.status_out_of_range
	code.holder_proved code.holder_not_asked code.holder_unproved code.holder_mismatch code.request_mismatch code.transaction_missing
	claim.fullName claim.secondFullName claim.givenName claim.middleName claim.familyName claim.birthDate claim.birthPlace claim.gender claim.nationality
	claim.address claim.email claim.phone claim.maritalStatus claim.guardian claim.language claim.holder`)

//go:embed verifyworker.js
var verifyWorker []byte

// VerifyWorker is the service worker of the page that works without a network.
func VerifyWorker() []byte {
	css, err := asset("plinth.css")
	if err != nil {
		panic(err)
	}
	shell := []string{"/verify/offline", css, "/static/plinth.svg"}
	for _, file := range verifyScripts {
		if !strings.HasSuffix(file, ".txt") {
			shell = append(shell, bundled("verify")+file)
		}
	}
	list, err := json.Marshal(shell)
	if err != nil {
		panic(err)
	}
	return append([]byte("const shell = "+string(list)+";\nconst edition = '"+bundled("verify")+"';\n"), verifyWorker...)
}

// VerifyManifest makes that page one that can be installed.
func VerifyManifest(l Language) ([]byte, error) {
	icon, err := asset("plinth.svg")
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"name": l.Must("verify.title"), "short_name": l.Must("verify.title"), "lang": l.BCP47, "dir": l.Dir, "id": "/verify/offline", "start_url": "/verify/offline", "scope": "/verify/",
		"display": "standalone", "background_color": "#f3f6f8", "theme_color": "#0b4f6c",
		"icons": []map[string]string{{"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}},
	})
}

// VerifyEmbed is the script that puts the verifier into any web page.
func VerifyEmbed() []byte {
	raw, err := static.ReadFile("static/embed.js")
	if err != nil {
		panic(err)
	}
	return raw
}
