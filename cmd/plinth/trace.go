package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// tracing sends a span of each request to a collector (OTLP over HTTP). Without
// an endpoint there is no tracer. stop sends what is left.
func tracing(ctx context.Context, endpoint string) (tracer trace.Tracer, stop func(context.Context) error, err error) {
	if endpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	to, err := url.JoinPath(endpoint, "v1/traces")
	if err != nil {
		return nil, nil, fmt.Errorf("PLINTH_OTEL_ENDPOINT: %w", err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
	if err != nil {
		return nil, nil, fmt.Errorf("PLINTH_OTEL_ENDPOINT: %w", err)
	}
	// A collector that is away must not fill the log with the library's own lines.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Debug("sending spans failed", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter),
		sdk.WithResource(resource.NewSchemaless(semconv.ServiceName("plinth"), semconv.ServiceVersion(version()))))
	return provider.Tracer("github.com/plinth-id/plinth"), provider.Shutdown, nil
}
