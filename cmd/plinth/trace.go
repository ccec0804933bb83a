package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/plinth-id/plinth/internal/web"
)

// tracing sends a span of each request to a collector (OTLP over HTTP). Without
// an endpoint there is no tracer. stop sends what is left.
func tracing(endpoint string) (tracer trace.Tracer, stop func(context.Context) error, err error) {
	if endpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	to, err := url.JoinPath(endpoint, "v1/traces")
	if err != nil {
		return nil, nil, wrongUse{fmt.Errorf("PLINTH_OTEL_ENDPOINT: %w", err)}
	}
	// A collector that is away must not fill the log with the library's own lines.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Debug("sending spans failed", "error", err) }))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(&collector{to, web.NewClient(web.ClientConfig{Timeout: 10 * time.Second, Private: true})}),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "plinth"), attribute.String("service.version", version()))))
	return provider.Tracer("github.com/plinth-id/plinth"), provider.Shutdown, nil
}

// collector speaks the JSON form of OTLP. The library's own exporter brings all of
// gRPC along, for which a newcomer would wait at the first build.
type collector struct {
	url  string
	http *http.Client
}

// The members of OTLP that we fill (opentelemetry-proto, trace.proto; its JSON
// mapping writes 64-bit numbers as strings and ids in hexadecimal).
type (
	otlpAttribute struct {
		Key   string `json:"key"`
		Value struct {
			Text   *string `json:"stringValue,omitempty"`
			Number *string `json:"intValue,omitempty"`
		} `json:"value"`
	}
	otlpStatus struct {
		Code int `json:"code,omitempty"`
	}
	otlpSpan struct {
		Trace      string          `json:"traceId"`
		ID         string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Begun      string          `json:"startTimeUnixNano"`
		Ended      string          `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes,omitempty"`
		Status     otlpStatus      `json:"status"`
	}
)

// ExportSpans sends a batch.
func (c *collector) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	all := make([]otlpSpan, len(spans))
	for i, s := range spans {
		all[i] = otlpSpan{Trace: s.SpanContext().TraceID().String(), ID: s.SpanContext().SpanID().String(), Name: s.Name(), Kind: int(s.SpanKind()),
			Begun: strconv.FormatInt(s.StartTime().UnixNano(), 10), Ended: strconv.FormatInt(s.EndTime().UnixNano(), 10),
			Attributes: otlpAttributes(s.Attributes())}
		if s.Parent().SpanID().IsValid() {
			all[i].Parent = s.Parent().SpanID().String()
		}
		if s.Status().Code.String() == "Error" {
			all[i].Status.Code = 2
		}
	}
	scope := map[string]any{"scope": map[string]string{"name": spans[0].InstrumentationScope().Name}, "spans": all}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource": map[string]any{"attributes": otlpAttributes(spans[0].Resource().Attributes())}, "scopeSpans": []any{scope}}}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return fmt.Errorf("the collector answered %d", answer.StatusCode)
	}
	return nil
}

// Shutdown has nothing to close.
func (c *collector) Shutdown(context.Context) error { return nil }

func otlpAttributes(from []attribute.KeyValue) []otlpAttribute {
	all := make([]otlpAttribute, len(from))
	for i, kv := range from {
		all[i].Key = string(kv.Key)
		text := kv.Value.String()
		if kv.Value.Type() == attribute.INT64 {
			all[i].Value.Number = &text
		} else {
			all[i].Value.Text = &text
		}
	}
	return all
}
