// Package kind is what a country issues, as configuration: which facts of an
// identity stand in a credential, where each format puts them, who may hold it and
// for how long. A definition maps paths to paths; there is no text template, so no
// value can break out of its place.
package kind

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// The formats, as OpenID4VCI names them; a code is ours.
const (
	LDP   = "ldp_vc"
	SDJWT = "dc+sd-jwt"
	MDoc  = "mso_mdoc"
	Code  = "claim169"
)

// Formats are all formats, in the order in which they are listed.
var Formats = []string{LDP, SDJWT, MDoc, Code}

// suffixes end the identifier of a configuration; wallets know the first.
var suffixes = map[string]string{LDP: "_ldp_vc", SDJWT: "_sd_jwt", MDoc: "_mdoc", Code: "_claim169"}

// The suites of a W3C credential. The holder of one of the last may show a part of it.
const (
	SuiteEdDSA       = "eddsa-rdfc-2022"
	SuiteECDSA       = "ecdsa-rdfc-2019"
	SuiteDisclosable = "ecdsa-sd-2023"
)

// The purposes of a place in a status list.
const (
	Revocation = "revocation"
	Suspension = "suspension"
)

// ErrDefinition says that a definition cannot be used, and where it is wrong.
var ErrDefinition = errors.New("kind: the definition cannot be used")

// Definition is one kind of credential, in every format that it is issued in.
type Definition struct {
	Name        string          `json:"id"`
	Scope       string          `json:"scope"` // empty: the name
	Display     []Display       `json:"display"`
	Days        int             `json:"days"`
	Status      []string        `json:"status"`
	Binding     string          `json:"binding"`                           // "key": to the holder's key; "none"
	Batch       int             `json:"batch_size,omitempty"`              // copies that a wallet may get at once
	Daily       int             `json:"daily,omitempty"`                   // copies that a person may get in a day; 0: any number
	Reuse       *Reuse          `json:"credential_reuse_policy,omitempty"` // nil: as often as one likes
	Attestation *Attestation    `json:"key_attestation,omitempty"`         // nil: any key will do
	HAIP        bool            `json:"haip,omitempty"`                    // only for wallets of that profile
	Approval    bool            `json:"approval,omitempty"`                // an officer looks before it is issued
	Card        json.RawMessage `json:"card,omitempty"`                    // template of the printed card; empty: ours
	Formats     Places          `json:"formats"`
	Claims      []Claim         `json:"claims"`
}

// Display is what people see of a kind, in one language.
type Display struct {
	Locale      string `json:"locale"` // BCP 47
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Background  string `json:"background_color,omitempty"` // #rrggbb
	Text        string `json:"text_color,omitempty"`
	Logo        *Logo  `json:"logo,omitempty"`
}

// Logo is a picture, carried as data: one fetched by a wallet would tell its host
// who holds what.
type Logo struct {
	URI string `json:"uri"`
	Alt string `json:"alt_text,omitempty"`
}

// Reuse says how often one copy may be shown, as the European wallets read it (ETSI
// TS 119 472-3).
type Reuse struct {
	ID      string        `json:"id"` // arf_annex_ii
	Options []ReuseOption `json:"options"`
}

// ReuseOption is one way of using copies; a wallet chooses one that it knows.
type ReuseOption struct {
	Details []string `json:"details"` // once_only or limited_time; with either rotating-batch, per-relying-party
	Batch   int      `json:"batch_size,omitempty"`
	Unused  *int     `json:"reissue_trigger_unused,omitempty"`        // copies left when more should be fetched
	Left    int      `json:"reissue_trigger_lifetime_left,omitempty"` // seconds
}

// Attestation is what a wallet must prove of the place where its keys are
// (OpenID4VCI 1.0, D.2).
type Attestation struct {
	Storage []string `json:"key_storage,omitempty"`
	Users   []string `json:"user_authentication,omitempty"`
}

// Places is what each format needs beside the claims; nil: not in this format.
type Places struct {
	LDP   *InLDP   `json:"ldp_vc,omitempty"`
	SDJWT *InSDJWT `json:"dc+sd-jwt,omitempty"`
	MDoc  *InMDoc  `json:"mso_mdoc,omitempty"`
	Code  *InCode  `json:"claim169,omitempty"`
}

// InLDP is a W3C credential.
type InLDP struct {
	Suite    string                     `json:"suite"` // eddsa-rdfc-2022, ecdsa-rdfc-2019 or ecdsa-sd-2023
	Types    []string                   `json:"types"` // beside VerifiableCredential
	Contexts []string                   `json:"contexts,omitempty"`
	Terms    map[string]json.RawMessage `json:"terms,omitempty"` // of the context that we serve for this kind
	Shown    []string                   `json:"mandatory_pointers,omitempty"`
}

// InSDJWT is an SD-JWT VC.
type InSDJWT struct {
	VCT string `json:"vct,omitempty"` // empty: below our own address
}

// InMDoc is a document of ISO/IEC 18013-5.
type InMDoc struct {
	DocType string `json:"doctype"`
}

// InCode is a printed code: claim 169.
type InCode struct {
	Version     int     `json:"largest_version"`       // of the QR code
	Level       string  `json:"level,omitempty"`       // L or M; empty: L
	Millimetres float64 `json:"millimetres,omitempty"` // of its edge with the quiet zone, at most; 0: any
}

const (
	maxDefinition = 256 << 10
	maxClaims     = 64
	maxBatch      = 100
	maxDays       = 20 * 365
)

// Parse reads a definition and refuses one that contradicts itself.
func Parse(raw []byte) (*Definition, error) {
	if len(raw) > maxDefinition {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", ErrDefinition, maxDefinition)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // a misspelled rule must not pass as none
	var k Definition
	if err := d.Decode(&k); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDefinition, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the definition", ErrDefinition)
	}
	if k.Scope == "" {
		k.Scope = k.Name
	}
	return &k, k.check()
}

// In lists the formats of a kind.
func (k *Definition) In() []string {
	has := map[string]bool{LDP: k.Formats.LDP != nil, SDJWT: k.Formats.SDJWT != nil, MDoc: k.Formats.MDoc != nil, Code: k.Formats.Code != nil}
	return slices.DeleteFunc(slices.Clone(Formats), func(f string) bool { return !has[f] })
}

// Configuration is the identifier of a kind in one format.
func (k *Definition) Configuration(format string) string { return k.Name + suffixes[format] }

// Life is how long a credential is good for.
func (k *Definition) Life() time.Duration { return time.Duration(k.Days) * 24 * time.Hour }

// Bound tells whether a credential is bound to the holder's key.
func (k *Definition) Bound() bool { return k.Binding == "key" }

// Fields are the fields of the identity schema that a kind shows something of.
func (k *Definition) Fields() []string {
	var all []string
	for _, c := range k.Claims {
		for _, f := range c.From.fields() {
			if !slices.Contains(all, f) {
				all = append(all, f)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Pictured tells whether a kind shows a portrait in a format.
func (k *Definition) Pictured(format string) bool {
	return slices.ContainsFunc(k.Claims, func(c Claim) bool { return c.From.Claim == "picture" && c.in(format) })
}
