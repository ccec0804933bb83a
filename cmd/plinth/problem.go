package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/plinth-id/plinth/internal/fault"
)

// refusal reads a problem document (RFC 9457) back into the fault that it was.
func refusal(status int, raw []byte) error {
	var p struct {
		Title  string        `json:"title"`
		Detail string        `json:"detail"`
		Fields []fault.Field `json:"errors"`
	}
	if json.Unmarshal(raw, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the server answered %d", status)
	}
	f := fault.New(kindOf(status), p.Detail)
	for _, field := range p.Fields {
		f = f.At(field.Name, field.Rule)
	}
	return f
}

func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusConflict:
		return fault.Conflict
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return fault.Busy
	case status >= 500:
		return fault.Internal
	}
	return fault.Invalid
}
