// Package errorsx stands in for the package of the same name in
// github.com/ory/x, of which fosite uses only what is here. The original drags
// in telemetry exporters, gRPC and a database mapper; see docs/decisions.md.
package errorsx

import "github.com/pkg/errors"

// WithStack adds a stack trace to err unless it already carries one.
func WithStack(err error) error {
	if err == nil {
		return nil
	}
	if _, traced := err.(interface{ StackTrace() errors.StackTrace }); traced {
		return err
	}
	return errors.WithStack(err)
}

// Cause returns the innermost error.
func Cause(err error) error { return errors.Cause(err) }

// StatusCodeCarrier tells the HTTP status code of an error.
type StatusCodeCarrier interface{ StatusCode() int }

// StatusCarrier tells the HTTP status text of an error.
type StatusCarrier interface{ Status() string }

// ReasonCarrier tells why an error came about.
type ReasonCarrier interface{ Reason() string }

// RequestIDCarrier tells which request an error belongs to.
type RequestIDCarrier interface{ RequestID() string }

// DebugCarrier tells what only a developer should see.
type DebugCarrier interface{ Debug() string }

// DetailsCarrier tells structured details of an error.
type DetailsCarrier interface{ Details() map[string]interface{} }
