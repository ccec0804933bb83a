package biosdk

import (
	"slices"
	"strings"

	"github.com/plinth-id/plinth/biometrics"
	"github.com/plinth-id/plinth/biometrics/cbeff"
)

// Record is a person's samples (MOSIP's BiometricRecord).
type Record struct {
	Version      *Version  `json:"version"`
	CBEFFVersion *Version  `json:"cbeffversion"`
	BIRInfo      *BIRInfo  `json:"birInfo"`
	Segments     List[BIR] `json:"segments"`
	Others       Info      `json:"others"`
}

// BIR is one sample.
type BIR struct {
	Version      *Version `json:"version"`
	CBEFFVersion *Version `json:"cbeffversion"`
	BIRInfo      *BIRInfo `json:"birInfo"`
	BDBInfo      *BDBInfo `json:"bdbInfo"`
	BDB          Bytes    `json:"bdb"` // an ISO/IEC 19794 record, or what an SDK made of it
	SB           Bytes    `json:"sb"`
	SBInfo       *SBInfo  `json:"sbInfo"`
	Others       Info     `json:"others"`
}

// Version of a format.
type Version struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
}

// BIRInfo is about a BIR as a whole.
type BIRInfo struct {
	Creator   Text  `json:"creator"`
	Index     Text  `json:"index"`
	Payload   Bytes `json:"payload"`
	Integrity *bool `json:"integrity"`
	Created   Date  `json:"creationDate"`
	NotBefore Date  `json:"notValidBefore"`
	NotAfter  Date  `json:"notValidAfter"`
}

// BDBInfo is about the data of a BIR.
type BDBInfo struct {
	ChallengeResponse Bytes          `json:"challengeResponse"`
	Index             Text           `json:"index"`
	Format            *RegistryID    `json:"format"`
	Encryption        *bool          `json:"encryption"`
	Created           Date           `json:"creationDate"`
	NotBefore         Date           `json:"notValidBefore"`
	NotAfter          Date           `json:"notValidAfter"`
	Type              List[Modality] `json:"type"`
	Subtype           List[string]   `json:"subtype"`
	Level             Name           `json:"level"`
	Product           *RegistryID    `json:"product"`
	CaptureDevice     *RegistryID    `json:"captureDevice"`
	Extraction        *RegistryID    `json:"featureExtractionAlgorithm"`
	Comparison        *RegistryID    `json:"comparisonAlgorithm"`
	Compression       *RegistryID    `json:"compressionAlgorithm"`
	Purpose           Name           `json:"purpose"`
	Quality           *Quality       `json:"quality"`
}

// SBInfo is about a signature.
type SBInfo struct {
	Format *RegistryID `json:"format"`
}

// RegistryID names a format, a product or an algorithm.
type RegistryID struct {
	Organization Text `json:"organization"`
	Type         Text `json:"type"`
}

// Quality is what a BIR says of its quality.
type Quality struct {
	Algorithm *RegistryID `json:"algorithm"`
	Score     *float64    `json:"score"` // written whole: MOSIP's is an integer
	Failed    Text        `json:"qualityCalculationFailed"`
}

// Levels of processing.
const (
	Raw          Name = "RAW"
	Intermediate Name = "INTERMEDIATE"
	Processed    Name = "PROCESSED"
)

// Modality is what a sample is of: the first of its types.
func (b BIR) Modality() Modality {
	if b.BDBInfo == nil || len(b.BDBInfo.Type) == 0 {
		return ""
	}
	return b.BDBInfo.Type[0]
}

// Exception tells whether there is no sample, and that was declared.
func (b BIR) Exception() bool { return strings.EqualFold(b.Others["EXCEPTION"], "true") }

// Subtype is which finger or eye, in MOSIP's words; empty where it is not said.
func (b BIR) Subtype() string {
	if b.BDBInfo == nil {
		return ""
	}
	return strings.Join(strings.Fields(strings.Join(b.BDBInfo.Subtype, " ")), " ")
}

// unknown is the subtype of which any may be compared with any.
const unknown = "UNKNOWN"

var sides = map[string]string{"left": "Left", "right": "Right"}

var fingers = map[string]string{"thumb": "Thumb", "indexfinger": "IndexFinger", "middlefinger": "MiddleFinger", "ringfinger": "RingFinger", "littlefinger": "LittleFinger"}

// subtypes are the words for a place, a side first.
var subtypes = map[biometrics.Position][]string{
	biometrics.RightThumb: {"Right", "Thumb"}, biometrics.RightIndex: {"Right", "IndexFinger"}, biometrics.RightMiddle: {"Right", "MiddleFinger"},
	biometrics.RightRing: {"Right", "RingFinger"}, biometrics.RightLittle: {"Right", "LittleFinger"},
	biometrics.LeftThumb: {"Left", "Thumb"}, biometrics.LeftIndex: {"Left", "IndexFinger"}, biometrics.LeftMiddle: {"Left", "MiddleFinger"},
	biometrics.LeftRing: {"Left", "RingFinger"}, biometrics.LeftLittle: {"Left", "LittleFinger"},
	biometrics.RightEye: {"Right"}, biometrics.LeftEye: {"Left"},
}

// Position is where on the body a sample is from, and whether that can be told: it is
// empty and told of a sample that may be any finger or eye.
func (b BIR) Position() (p biometrics.Position, told bool) {
	words := strings.Fields(strings.ToLower(b.Subtype()))
	kind := b.Modality()
	switch {
	case kind == Face:
		return biometrics.FullFace, true
	case kind != Finger && kind != Iris:
		return "", false
	case len(words) == 0 || slices.Contains(words, strings.ToLower(unknown)):
		return "", true
	}
	if len(words) == 2 && sides[words[0]] == "" {
		words[0], words[1] = words[1], words[0]
	}
	want := []string{sides[words[0]]}
	if len(words) == 2 {
		want = append(want, fingers[words[1]])
	}
	for p, written := range subtypes {
		if slices.Equal(written, want) && len(words) == len(want) && (p.Modality() == biometrics.Iris) == (kind == Iris) {
			return p, true
		}
	}
	return "", false
}

// SubtypeOf are the words for a place on the body; none for a face.
func SubtypeOf(p biometrics.Position) []string { return slices.Clone(subtypes[p]) }

var modalities = map[biometrics.Modality]Modality{biometrics.Finger: Finger, biometrics.Iris: Iris, biometrics.Face: Face}

var one = Version{1, 1}

// The names of CBEFF's documents that are not the same in capitals and small letters.
var written = map[Name]string{"RAW": "Raw", "INTERMEDIATE": "Intermediate", "PROCESSED": "Processed",
	"VERIFY": "Verify", "IDENTIFY": "Identify", "ENROLL": "Enroll", "ENROLLVERIFY": "EnrollVerify", "ENROLLIDENTIFY": "EnrollIdentify", "AUDIT": "Audit"}

// FromCBEFF is a sample of a CBEFF document as the SDK has it.
func FromCBEFF(r cbeff.Record) BIR {
	whole := false
	b := BIR{Version: &one, CBEFFVersion: &one, BIRInfo: &BIRInfo{Integrity: &whole}, BDB: r.Data, SB: r.Signature, Others: Info{}, BDBInfo: &BDBInfo{
		Format: &RegistryID{"Mosip", textOf(r.Format)}, Created: Date{r.Created},
		Type: List[Modality]{modalities[r.Position.Modality()]}, Subtype: SubtypeOf(r.Position), Level: nameOf(r.Level), Purpose: nameOf(r.Purpose),
	}}
	for key, value := range r.Others {
		b.Others[key] = value
	}
	if r.Exception {
		b.Others["EXCEPTION"] = "true"
	}
	if r.Quality >= 0 {
		organization, algorithm, _ := strings.Cut(r.Algorithm, "/")
		score := float64(r.Quality)
		b.BDBInfo.Quality = &Quality{Algorithm: &RegistryID{Text(organization), Text(algorithm)}, Score: &score}
	}
	return b
}

// CBEFF is the sample as a CBEFF document holds it.
func (b BIR) CBEFF() cbeff.Record {
	r := cbeff.Record{Exception: b.Exception(), Quality: -1, Data: b.BDB, Signature: b.SB, Others: b.Others}
	r.Position, _ = b.Position()
	info := b.BDBInfo
	if info == nil {
		return r
	}
	r.Created, r.Level, r.Purpose = info.Created.Time, written[info.Level], written[info.Purpose]
	if info.Format != nil {
		r.Format = info.Format.Type.number()
	}
	if q := info.Quality; q != nil && q.Score != nil && *q.Score >= 0 && *q.Score <= 100 {
		r.Quality = int(*q.Score)
		if q.Algorithm != nil {
			r.Algorithm = string(q.Algorithm.Organization + "/" + q.Algorithm.Type)
		}
	}
	return r
}
