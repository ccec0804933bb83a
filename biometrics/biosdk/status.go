package biosdk

import (
	"errors"
	"fmt"
)

// Status is how an operation ended.
type Status int

// The ways to end.
const (
	OK            Status = 200
	InvalidInput  Status = 401
	MissingInput  Status = 402
	QualityFailed Status = 403
	NotFound      Status = 404
	MatchFailed   Status = 405
	PoorData      Status = 406
	UnknownError  Status = 500
)

// Why an operation failed, as a status each.
var (
	ErrInvalidInput  = errors.New("invalid input parameter")
	ErrMissingInput  = errors.New("missing input parameter")
	ErrQualityFailed = errors.New("the quality could not be checked")
	ErrNotFound      = errors.New("there are no such biometrics in the record")
	ErrMatchFailed   = errors.New("the biometrics could not be compared")
	ErrPoorData      = errors.New("the biometrics are of poor quality")
	ErrUnknown       = errors.New("unknown error")
)

var statuses = []struct {
	status Status
	err    error
}{
	{InvalidInput, ErrInvalidInput}, {MissingInput, ErrMissingInput}, {QualityFailed, ErrQualityFailed}, {NotFound, ErrNotFound},
	{MatchFailed, ErrMatchFailed}, {PoorData, ErrPoorData}, {UnknownError, ErrUnknown},
}

// StatusOf is the status of an error: UnknownError of one that has none.
func StatusOf(err error) Status {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return UnknownError
}

// Err is the error of a status, nil of OK.
func (s Status) Err() error {
	if s == OK {
		return nil
	}
	for _, known := range statuses {
		if s == known.status {
			return known.err
		}
	}
	return fmt.Errorf("%w: status %d", ErrUnknown, s)
}
