package sbi

import "fmt"

// Codes of errors that the interface defines; 500 and above are the provider's.
const (
	CodeSuccess        = "0"
	CodeNotRegistered  = "100"
	CodeNoObject       = "101"
	CodeExtraction     = "102"
	CodeTampered       = "103"
	CodeNoManagement   = "104"
	CodeOrientation    = "105"
	CodeNotFound       = "106"
	CodeKeyExpired     = "107"
	CodeNoDomainKey    = "108"
	CodeCount          = "109"
	CodeNotReady       = "110"
	CodeBusy           = "111"
	CodeBadTransaction = "112"
	CodeNoDevice       = "202"
	CodeUnknownRequest = "500"
	CodeUnknownKind    = "501"
	CodeUnreadable     = "502"
	CodeWrongTarget    = "503"
	CodeWrongPurpose   = "504"
	CodeWrongSubType   = "505"
	CodeWrongPart      = "506"
	CodeForeignAddress = "507"
	CodeWrongVersion   = "508"
)

var sentences = map[string]string{
	CodeSuccess:        "Success",
	CodeNotRegistered:  "Device not registered",
	CodeNoObject:       "Unable to detect a biometric object",
	CodeExtraction:     "Technical error during extraction",
	CodeTampered:       "Device tamper detected",
	CodeNoManagement:   "Unable to connect to management server",
	CodeOrientation:    "Image orientation error",
	CodeNotFound:       "Device not found",
	CodeKeyExpired:     "Device public key expired",
	CodeNoDomainKey:    "Domain public key missing",
	CodeCount:          "Requested number of biometric (Finger/IRIS) not supported",
	CodeNotReady:       "Device is not ready",
	CodeBusy:           "Device is Busy",
	CodeBadTransaction: "Invalid Transaction ID",
	CodeNoDevice:       "No device connected",
	CodeUnknownRequest: "There is no such request; there are MOSIPDISC /device, MOSIPDINFO /info, CAPTURE /capture, RCAPTURE /capture and STREAM /stream",
	CodeUnknownKind:    "The type must be Biometric Device, Finger, Iris or Face",
	CodeUnreadable:     "The request is not the JSON that this command takes",
	CodeWrongTarget:    "The env, purpose or type is not that of this device",
	CodeWrongPurpose:   "The device is not registered for this command",
	CodeWrongSubType:   "A bioSubType or an exception is not one that this part of the device takes",
	CodeWrongPart:      "The device has no such deviceSubId",
	CodeForeignAddress: "The device answers to its own address only",
	CodeWrongVersion:   "The specVersion is not one that this device speaks",
}

// Error is what a device answers instead of, or beside, what was asked for.
type Error struct {
	Code string `json:"errorCode"`
	Info string `json:"errorInfo"`
}

// NewError makes an error of a code, with its sentence.
func NewError(code string) *Error { return &Error{Code: code, Info: sentences[code]} }

// Error gives the code and, of the codes we know, our own words: those of a device
// may hold anything.
func (e *Error) Error() string {
	if known := sentences[e.Code]; known != "" {
		return fmt.Sprintf("sbi: the device answers %s: %s", e.Code, known)
	}
	return fmt.Sprintf("sbi: the device answers %.10q: %.200q", e.Code, e.Info)
}

// Is makes errors of one code equal.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// failure is the error in an answer, if it is one: devices send code 0 with what
// went well.
func (e *Error) failure() error {
	if e == nil || e.Code == "" || e.Code == CodeSuccess {
		return nil
	}
	return e
}
