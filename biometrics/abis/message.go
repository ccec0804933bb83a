package abis

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What is asked for.
const (
	Insert         = "mosip.abis.insert"
	Identify       = "mosip.abis.identify"
	Delete         = "mosip.abis.delete"
	Ping           = "mosip.abis.ping"
	PendingJobs    = "mosip.abis.pendingJobs"
	ReferenceCount = "mosip.abis.referenceCount"
)

// Version is the version of the interface that is spoken.
const Version = "1.1"

// What an answer begins with.
const (
	Success = "1"
	Failed  = "2"
)

// Failure is why a request was not served, as the interface numbers it; 0: it was.
type Failure int

// The failures.
const (
	Internal         Failure = 1
	Aborted          Failure = 2
	Unexpected       Failure = 3
	BadStructure     Failure = 4
	NoReference      Failure = 5
	NoRequest        Failure = 6
	CannotFetch      Failure = 7
	NoURL            Failure = 8
	NoTime           Failure = 9
	ReferenceExists  Failure = 10
	NoData           Failure = 11
	ReferenceUnknown Failure = 12
	BadVersion       Failure = 13
	BadID            Failure = 14
	BadTime          Failure = 15
	BadCBEFF         Failure = 16
	URLExpired       Failure = 17
	PoorQuality      Failure = 18
)

var failures = map[Failure]string{
	Internal: "an internal error", Aborted: "it was aborted", Unexpected: "an unexpected error", BadStructure: "the request has another form than it must",
	NoReference: "the reference id is missing", NoRequest: "the request id is missing", CannotFetch: "the samples cannot be fetched",
	NoURL: "the reference URL is missing", NoTime: "the time of the request is missing", ReferenceExists: "the reference id exists already",
	NoData: "there are no samples in the CBEFF document", ReferenceUnknown: "the reference id is not known", BadVersion: "the version is not known",
	BadID: "the id is not known", BadTime: "the time of the request has another form than it must", BadCBEFF: "the CBEFF document cannot be read",
	URLExpired: "the reference URL has expired", PoorQuality: "the samples are too poor",
}

// Error says what the number means.
func (f Failure) Error() string {
	if text, ok := failures[f]; ok {
		return "abis: " + text
	}
	return "abis: failure " + strconv.Itoa(int(f))
}

// Request is a request of any kind.
type Request struct {
	ID           string   `json:"id"`
	Version      string   `json:"version"`
	RequestID    string   `json:"requestId"`
	RequestTime  string   `json:"requesttime"`
	ReferenceID  string   `json:"referenceId,omitempty"`
	ReferenceURL string   `json:"referenceURL,omitempty"`
	Gallery      *Gallery `json:"gallery,omitempty"`
	Flags        Flags    `json:"flags,omitempty"`
}

// Gallery restricts whom to compare with.
type Gallery struct {
	ReferenceIDs []Reference `json:"referenceIds"`
}

// Reference names somebody.
type Reference struct {
	ReferenceID string `json:"referenceId"`
}

// Flags change how a search is done: maxResults, and targetFPIR, which is
// −10·log10 of the rate, rounded. Others are not looked at. Their values are texts or
// numbers.
type Flags map[string]any

// Answer is an answer of any kind.
type Answer struct {
	ID            string         `json:"id"`
	RequestID     string         `json:"requestId"`
	ResponseTime  string         `json:"responsetime"`
	ReturnValue   string         `json:"returnValue"`
	FailureReason string         `json:"failureReason,omitempty"`
	CandidateList *CandidateList `json:"candidateList,omitempty"`
	JobsCount     string         `json:"jobscount,omitempty"`
	Count         string         `json:"count,omitempty"`
}

// CandidateList is what identify finds, the most alike first.
type CandidateList struct {
	Count      string      `json:"count"`
	Candidates []Candidate `json:"candidates"`
}

// Candidate is somebody who is alike.
type Candidate struct {
	ReferenceID string     `json:"referenceId"`
	Analytics   Analytics  `json:"analytics"`
	Modalities  []Modality `json:"modalities,omitempty"`
}

// Modality is what one modality has said: FIR fingers, IIR eyes, FID faces.
type Modality struct {
	BiometricType string    `json:"biometricType"`
	Analytics     Analytics `json:"analytics"`
}

// Analytics are the numbers behind a candidate, as texts.
type Analytics struct {
	Confidence    text `json:"confidence,omitempty"`
	InternalScore text `json:"internalScore,omitempty"`
}

const (
	mostMessage = 4 << 20
	mostID      = 256 // characters
	mostURL     = 4096
	mostGallery = 10_000
	mostResults = 100
	usualMost   = 30
)

// parseRequest reads a request, and names what is wrong with it.
func parseRequest(message []byte) (Request, Failure) {
	var r Request
	if len(message) > mostMessage {
		return r, BadStructure
	}
	err := json.Unmarshal(message, &r)
	if len(r.ID) > mostID || len(r.RequestID) > mostID { // goes into the answer
		r.ID, r.RequestID = "", ""
	}
	if err != nil {
		return r, BadStructure
	}
	switch {
	case !r.known():
		return r, BadID
	case r.Version == "" && !onlyKnown(message): // it may have another name
		return r, BadStructure
	case r.Version != Version:
		return r, BadVersion
	case strings.TrimSpace(r.RequestID) == "":
		return r, NoRequest
	case r.RequestTime == "":
		return r, NoTime
	case !isTime(r.RequestTime):
		return r, BadTime
	}
	if failure := r.complete(); failure != 0 {
		return r, failure
	}
	// MOSIP's tests of an ABIS want a member that is not known to be refused, but what
	// is missing to be named before.
	if !onlyKnown(message) {
		return r, BadStructure
	}
	return r, 0
}

func onlyKnown(message []byte) bool {
	d := json.NewDecoder(bytes.NewReader(message))
	d.DisallowUnknownFields()
	return d.Decode(new(Request)) == nil
}

func (r Request) known() bool {
	return slices.Contains([]string{Insert, Identify, Delete, Ping, PendingJobs, ReferenceCount}, r.ID)
}

// complete wants what the kind of request needs.
func (r Request) complete() Failure {
	switch {
	case len(r.ReferenceID) > mostID || len(r.ReferenceURL) > mostURL || strings.ContainsFunc(r.ReferenceID, unicode.IsControl):
		return BadStructure
	case r.Gallery != nil && len(r.Gallery.ReferenceIDs) > mostGallery:
		return BadStructure
	case (r.ID == Insert || r.ID == Delete) && strings.TrimSpace(r.ReferenceID) == "":
		return NoReference
	case r.ID == Insert && strings.TrimSpace(r.ReferenceURL) == "":
		return NoURL
	case r.ID == Identify && r.ReferenceID == "" && r.ReferenceURL == "":
		return NoReference
	}
	return 0
}

// Forms of time: that of the interface, and what producers make of it.
var times = []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999"}

func isTime(text string) bool {
	for _, form := range times {
		if _, err := time.Parse(form, text); err == nil {
			return true
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// number reads a flag.
func (f Flags) number(name string) (float64, bool) {
	switch v := f[name].(type) {
	case float64:
		return v, !math.IsNaN(v)
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil && !math.IsNaN(n)
	}
	return 0, false
}

// fpir is the rate that the request asks for.
func (r Request) fpir(usual float64) float64 {
	if n, ok := r.Flags.number("targetFPIR"); ok && n > 0 && n <= 120 {
		return math.Pow(10, -n/10)
	}
	return usual
}

func (r Request) most() int {
	if n, ok := r.Flags.number("maxResults"); ok && n >= 1 {
		return int(min(n, mostResults))
	}
	return usualMost
}

// among are the references of the gallery, each once; none: all are searched.
func (r Request) among() (all []string) {
	if r.Gallery == nil {
		return nil
	}
	told := make(map[string]bool)
	for _, one := range r.Gallery.ReferenceIDs {
		if one.ReferenceID != "" && !told[one.ReferenceID] {
			told[one.ReferenceID] = true
			all = append(all, one.ReferenceID)
		}
	}
	return all
}

// shown is a request id as a record can hold it.
func shown(id string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, id)
}
