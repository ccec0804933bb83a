// Package biosdk speaks the Bio SDK of MOSIP over HTTP: its words as JSON, and a
// client for a vendor's service. Package server is the other direction: our engines
// in place of a vendor's.
package biosdk

// SpecVersion is the version of the interface over HTTP, APIVersion that of the
// functions behind it.
const (
	SpecVersion = "1.0"
	APIVersion  = "0.9"
)

// Request is the envelope of every request: JSON in base64.
type Request struct {
	Version string `json:"version"`
	Request Base64 `json:"request"`
}

// Response is the envelope of every answer. It comes with the status 200, errors
// included.
type Response struct {
	Version  string      `json:"version"`
	Time     string      `json:"responsetime"`
	Response any         `json:"response"` // Info of init, of all else a Result
	Errors   List[Fault] `json:"errors"`
}

// Fault is an error of the envelope: the request reached no operation.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Result is what an operation answers.
type Result struct {
	Status   Status `json:"statusCode"`
	Message  string `json:"statusMessage"`
	Response any    `json:"response"`
}

// InitRequest is what init takes.
type InitRequest struct {
	Params Info `json:"initParams"`
}

// QualityRequest is what check-quality takes.
type QualityRequest struct {
	Sample     *Record        `json:"sample"`
	Modalities List[Modality] `json:"modalitiesToCheck"`
	Flags      Info           `json:"flags"`
}

// MatchRequest is what match takes.
type MatchRequest struct {
	Sample     *Record        `json:"sample"`
	Gallery    List[Record]   `json:"gallery"`
	Modalities List[Modality] `json:"modalitiesToMatch"`
	Flags      Info           `json:"flags"`
}

// ExtractRequest is what extract-template takes.
type ExtractRequest struct {
	Sample     *Record        `json:"sample"`
	Modalities List[Modality] `json:"modalitiesToExtract"`
	Flags      Info           `json:"flags"`
}

// SegmentRequest is what segment takes.
type SegmentRequest struct {
	Sample     *Record        `json:"sample"`
	Modalities List[Modality] `json:"modalitiesToSegment"`
	Flags      Info           `json:"flags"`
}

// ConvertRequest is what convert-format takes.
type ConvertRequest struct {
	Sample       *Record        `json:"sample"`
	SourceFormat string         `json:"sourceFormat"`
	TargetFormat string         `json:"targetFormat"`
	SourceParams Info           `json:"sourceParams"`
	TargetParams Info           `json:"targetParams"`
	Modalities   List[Modality] `json:"modalitiesToConvert"`
}

// Function is an operation as SDKInfo names it.
type Function string

// The functions.
const (
	QualityCheck  Function = "QUALITY_CHECK"
	Match         Function = "MATCH"
	Extract       Function = "EXTRACT"
	Segment       Function = "SEGMENT"
	ConvertFormat Function = "CONVERT_FORMAT"
)

// SDKInfo is what an SDK says that it is and can do.
type SDKInfo struct {
	APIVersion   string                      `json:"apiVersion"`
	SDKVersion   string                      `json:"sdkVersion"`
	Modalities   List[Modality]              `json:"supportedModalities"`
	Methods      map[Function]List[Modality] `json:"supportedMethods"`
	Other        Info                        `json:"otherInfo"`
	ProductOwner RegistryID                  `json:"productOwner"`
}

// Qualities are the qualities of a sample by modality.
type Qualities struct {
	Scores    map[Modality]QualityScore `json:"scores"`
	Analytics Info                      `json:"analyticsInfo"`
}

// QualityScore is the quality of one modality, from 0 to 100.
type QualityScore struct {
	Score     float64      `json:"score"`
	Errors    List[string] `json:"errors"`
	Analytics Info         `json:"analyticsInfo"`
}

// Verdict is what a comparison decides.
type Verdict string

// The verdicts.
const (
	Matched    Verdict = "MATCHED"
	NotMatched Verdict = "NOT_MATCHED"
	Failed     Verdict = "ERROR"
)

// MatchDecision is what was decided of one record of the gallery.
type MatchDecision struct {
	GalleryIndex int                   `json:"galleryIndex"`
	Decisions    map[Modality]Decision `json:"decisions"`
	Analytics    Info                  `json:"analyticsInfo"`
}

// Decision is what was decided of one modality.
type Decision struct {
	Match     Verdict      `json:"match"`
	Errors    List[string] `json:"errors"`
	Analytics Info         `json:"analyticsInfo"`
}
