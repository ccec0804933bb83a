// Package otelx stands in for the package of the same name in github.com/ory/x,
// of which fosite uses only End; see docs/decisions.md.
package otelx

import (
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// End ends a span, marking it as failed when *err is set.
func End(span trace.Span, err *error) {
	if err != nil && *err != nil {
		span.RecordError(*err)
		span.SetStatus(codes.Error, (*err).Error())
	}
	span.End()
}
